//! The extractors, and the check of a request.

use crate::framing::{Framing, framing};
use crate::{Error, Hub, Policy, Rejection, Sse};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use sse_core::Request;
use std::future::{Ready, ready};

impl FromRequest for Sse {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check(request, Self::check))
    }
}

/// `Some` stream if the request's `Accept` names `text/event-stream`: an argument of a handler that has another answer too. A
/// request that names the type and opens no stream is answered in place of the handler, as with [`Sse`].
///
/// Take this type in place of `Option<Sse>`. With `Option<Sse>` actix-web turns 403, 405, 204 and the answer to HEAD into `None`.
#[derive(Debug)]
#[must_use = "no stream opens until this becomes a response"]
pub struct OptionalSse(pub Option<Sse>);

impl FromRequest for OptionalSse {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check(request, Sse::check_optional).map(Self))
    }
}

/// One of the two checks of [`Sse`].
type CheckRequest<T> = fn(Option<&Policy>, Option<&Hub>, &Request<'_>) -> Result<T, Rejection>;

/// Checks a request under the policy and for the hub of its route.
fn check<T>(request: &HttpRequest, check: CheckRequest<T>) -> Result<T, Error> {
    check_under(app_data(request), app_data(request), request, check)
}

pub(crate) fn check_under<T>(
    policy: Option<&Policy>,
    hub: Option<&Hub>,
    request: &HttpRequest,
    check: CheckRequest<T>,
) -> Result<T, Error> {
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let query = Some(request.query_string());
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let asked = Request::new(request.method().as_str(), query, headers).authority(authority);
    check(policy, hub, &asked)
        .map_err(|rejection| Error { ends_connection: framing(request) != Framing::Kept, ..rejection.into() })
}

/// A value in the `app_data` of the route, with or without `web::Data`.
pub(crate) fn app_data<T: 'static>(request: &HttpRequest) -> Option<&T> {
    let shared = || request.app_data::<web::Data<T>>().map(|shared| shared.get_ref());
    request.app_data::<T>().or_else(shared)
}
