//! The services that this server can run.

use crate::request::RequestBody;
use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};
use tower_service::Service;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A service that [`serve`](crate::serve) runs: a tower service of `http::Request<RequestBody>`, or of requests with any body, that
/// returns an `http::Response` whose body is an `http_body::Body`.
///
/// The service must be `Clone + Send`, its future and the body `Send`, and all of them `'static`. An error of the service closes the
/// connection. Services with these types have this trait; other implementations are not possible.
///
/// ```
/// fn takes_a_service(_: impl sse_serve::HttpService) {}
///
/// takes_a_service(axum::Router::new());
/// ```
#[expect(private_bounds, reason = "only tower services implement this trait")]
pub trait HttpService: TowerService {}

impl<S: TowerService> HttpService for S {}

/// The bounds of a service, once.
pub(crate) trait TowerService: Clone + Send + 'static {
    type Data: Buf + Send + 'static;
    type BodyError: Into<BoxError>;
    type Body: Body<Data = Self::Data, Error = Self::BodyError> + Send + 'static;
    type Failure: Into<BoxError>;

    /// Answers a request once the service is ready.
    fn answer(
        self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Failure>> + Send + 'static;
}

impl<S, B> TowerService for S
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send + 'static,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type BodyError = B::Error;
    type Body = B;
    type Failure = S::Error;

    async fn answer(mut self, request: Request<RequestBody>) -> Result<Response<B>, S::Error> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.call(request).await
    }
}

/// A service of hyper as a service of tower.
///
/// ```
/// use http::{Request, Response};
/// use sse_core::{Hub, Policy, Sse, Tokio};
/// use sse_serve::{FromHyper, RequestBody};
///
/// let hub = Hub::new();
/// let service = hyper::service::service_fn(move |request: Request<RequestBody>| {
///     let hub = hub.clone();
///     async move {
///         let response = match Policy::default().check(&sse_core::Request::from(&request)) {
///             Ok(admitted) => Sse::new(Tokio, admitted).subscribe(&hub, ["news"]).into_http(),
///             Err(rejection) => rejection.into_http(),
///         };
///         Ok::<Response<_>, std::convert::Infallible>(response)
///     }
/// });
/// # fn takes_a_service(_: impl sse_serve::HttpService) {}
/// takes_a_service(FromHyper::new(service));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FromHyper<S> {
    service: S,
}

impl<S> FromHyper<S> {
    /// Wraps a service of hyper whose requests have the body [`RequestBody`], or any body.
    ///
    /// [`FromHyper`] has an example.
    pub const fn new(service: S) -> Self {
        Self { service }
    }
}

impl<S: hyper::service::Service<Request<RequestBody>>> Service<Request<RequestBody>> for FromHyper<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> S::Future {
        self.service.call(request)
    }
}
