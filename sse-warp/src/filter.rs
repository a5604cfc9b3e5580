//! The filters, and the options of a route.

use crate::{Error, Hub, Policy, Rejection, Sse};
use http::{HeaderMap, Method};
use sse_core::Request;
use std::convert::Infallible;
use std::future::ready;
use warp::Filter;
use warp::host::Authority;

/// The options of a route, from `()`, a [`Policy`], a [`Hub`] that owns every channel and every stream of events, or both.
///
/// ```
/// use sse_warp::{Hub, Policy, sse};
///
/// let (policy, hub) = (Policy::local(), Hub::new());
/// let _ = (sse(()), sse(policy.clone()), sse(hub.clone()), sse((policy, hub)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Route {
    policy: Policy,
    hub: Option<Hub>,
}

impl From<()> for Route {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Policy> for Route {
    fn from(policy: Policy) -> Self {
        Self { policy, hub: None }
    }
}

impl From<Hub> for Route {
    fn from(hub: Hub) -> Self {
        (Policy::default(), hub).into()
    }
}

impl From<(Policy, Hub)> for Route {
    fn from((policy, hub): (Policy, Hub)) -> Self {
        Self { policy, hub: Some(hub) }
    }
}

/// Extracts an [`Sse`] from every request: `warp::path("news").and(sse_warp::sse(hub)).map(|sse: Sse| ...)`.
///
/// The argument has the options of the route: a [`Policy`], a [`Hub`], both, or `()`. The filter never rejects. A request
/// that opens no stream reaches the handler with an `Sse` whose every response is the answer of the rejection: 405, 406, 403,
/// the head alone for HEAD, or 204 for a stream that has finished. A handler can check [`Sse::rejection`]
/// before expensive work.
///
/// ```
/// use sse_warp::{Hub, Sse};
/// use warp::Filter;
///
/// let hub = Hub::new();
/// let news = warp::path!("news").and(sse_warp::sse(hub.clone())).map(move |sse: Sse| sse.subscribe(&hub, ["news"]));
/// # let _ = warp::serve(news);
/// ```
pub fn sse(route: impl Into<Route>) -> impl Filter<Extract = (Sse,), Error = Infallible> + Clone {
    check(route.into(), Sse::check, Sse::rejected)
}

/// Extracts `Some` [`Sse`] if the request's `Accept` names `text/event-stream`, and `None` from every other request, for a route
/// that has another answer too. The argument is that of [`sse`].
///
/// ```
/// use sse_warp::Sse;
/// use warp::{Filter, Reply, reply};
///
/// let page = warp::path::end().and(sse_warp::optional(())).map(|sse: Option<Sse>| match sse {
///     Some(sse) => sse.prelude(["hello"]).channel().1.into_response(),
///     None => reply::html("<script>new EventSource(location)</script>").into_response(),
/// });
/// # let _ = warp::serve(page);
/// ```
pub fn optional(route: impl Into<Route>) -> impl Filter<Extract = (Option<Sse>,), Error = Infallible> + Clone {
    check(route.into(), Sse::check_optional, |rejection| Some(Sse::rejected(rejection)))
}

impl Sse {
    pub(crate) fn rejected(rejection: Rejection) -> Self {
        Self(sse_core::Sse::rejected(sse_core::Tokio, rejection))
    }

    /// The rejection of a request that opens no stream.
    ///
    /// ```
    /// # fn is_rejected(sse: &sse_warp::Sse) -> bool {
    /// sse.rejection().is_some()
    /// # }
    /// ```
    #[must_use]
    pub const fn rejection(&self) -> Option<&Rejection> {
        self.0.rejection()
    }

    /// Returns the rejection as an error, so that a handler starts no work for a request that opens no stream.
    ///
    /// # Errors
    /// The rejection. A handler that returns the rejection answers with it.
    ///
    /// ```
    /// use sse_warp::{Error, Sse, SseResponse};
    ///
    /// fn tokens(sse: Sse) -> Result<SseResponse, Error> {
    ///     let sse = sse.into_result()?;
    ///     // Only now ask the model.
    ///     Ok(sse.channel().1)
    /// }
    /// ```
    pub fn into_result(self) -> Result<Self, Error> {
        self.rejection().cloned().map_or(Ok(self), |rejection| Err(rejection.into()))
    }
}

/// Checks a request under the options of its route.
type Check<T> = fn(Option<&Policy>, Option<&Hub>, &Request<'_>) -> Result<T, Rejection>;

fn check<T: Send + 'static>(
    route: Route,
    check: Check<T>,
    rejected: fn(Rejection) -> T,
) -> impl Filter<Extract = (T,), Error = Infallible> + Clone {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    // warp rejects a `Host` that it cannot read, or that differs from the target's: for the policy that is no host.
    let host = warp::host::optional().map(Ok).or(warp::any().map(|| Err(()))).unify();
    let checked = warp::method().and(warp::header::headers_cloned()).and(host).and(query).map(
        move |method: Method, headers: HeaderMap, host: Result<Option<Authority>, ()>, query: String| {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            let authority = host.as_ref().map_or(Some(""), |host| host.as_ref().map(Authority::as_str));
            let request = Request::new(method.as_str(), Some(&query), headers).authority(authority);
            check(Some(&route.policy), route.hub.as_ref(), &request).unwrap_or_else(rejected)
        },
    );
    // Boxed, because hyper reserves memory for a route's filter and its future for each connection. None of the filters
    // rejects, but the type of a boxed filter has an error.
    checked.boxed().or_else(move |_| ready(Ok::<_, Infallible>((rejected(Rejection::HostNotAllowed),))))
}
