//! The body of a request, which notices its own end.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

/// The body of a request. A service of tower needs the type only if the service names the body of its requests; axum and warp
/// take any body.
///
/// ```
/// use http::{Request, Response};
/// use sse_serve::RequestBody;
///
/// async fn answer(request: Request<RequestBody>) -> Result<Response<String>, std::convert::Infallible> {
///     Ok(Response::new(request.uri().path().to_owned()))
/// }
/// # fn takes_a_service(_: impl sse_serve::HttpService) {}
/// takes_a_service(tower::service_fn(answer));
/// ```
#[derive(Debug)]
#[must_use = "the client may wait until the body is read"]
pub struct RequestBody {
    body: Incoming,
    read: Arc<AtomicBool>,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming) -> Self {
        let read = Arc::new(AtomicBool::new(body.is_end_stream()));
        Self { body, read }
    }

    /// Whether the body was read to its end. Unread bytes are in hyper's decoder, so the connection must stay on hyper.
    pub(crate) fn was_read(&self) -> impl FnOnce() -> bool + Send + 'static {
        let read = self.read.clone();
        move || read.load(Ordering::Acquire)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.read.store(true, Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
