//! The types of this crate. Their common methods are those of `sse_core::adapter!`.

use sse_core::Tokio;
use sse_core::hub::AnySource;
use sse_core::stream::Source;

/// A request that may open an event stream, and the options of the stream. The filter [`sse`](crate::sse) extracts it.
///
/// The [`Policy`](crate::Policy) of the route decides which requests open a stream. A rejected request reaches the handler
/// too, because a filter cannot answer in place of the handler. Every response of such an `Sse` is the answer of the
/// [`rejection`](Self::rejection), and its sender is closed.
#[derive(Debug)]
#[must_use = "no stream opens until this becomes a response"]
pub struct Sse(pub(crate) sse_core::Sse<Tokio>);

/// The response that opens a stream. The status and the headers are fixed. Return the response from the handler.
#[derive(Debug)]
#[must_use = "the stream opens when the response is returned"]
pub struct SseResponse(pub(crate) sse_core::Response<sse_core::EventStream<Tokio, AnySource<dyn Source + Send>>>);

/// A stream that follows topics of a hub. Return the subscription from the handler. [`resumption`](Self::resumption)
/// returns the outcome of the client's last event ID.
#[derive(Debug)]
#[must_use = "the stream opens when the subscription is returned"]
pub struct Subscription(pub(crate) sse_core::Subscription<Tokio>);

/// Any error of a handler. The answer is 500 without the text of the error, and `tracing` receives the error as
/// `handler.failed`. A [`Rejection`](crate::Rejection) keeps its own answer: 405, 406, 403, the head alone for HEAD, or 204 for
/// a [finished](Sender::finish) stream.
///
/// The operator `?` converts every [`std::error::Error`]: [`HeaderError`](crate::HeaderError),
/// [`PublishError`](crate::PublishError), [`SendError`](crate::SendError), [`FrameError`](crate::FrameError), or the error of a
/// database.
///
/// ```
/// use sse_warp::{Error, Hub, Sse, Subscription};
///
/// fn join(sse: Sse, hub: &Hub, user: &str) -> Result<Subscription, Error> {
///     let feed = sse.key(user)?.subscribe(hub, ["room"]);
///     hub.publish("room", ("joined", user))?;
///     Ok(feed)
/// }
/// ```
pub struct Error {
    pub(crate) error: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    pub(crate) const fn new(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self { error }
    }
}

sse_core::adapter!("use sse_warp::*;", Send + 'static);
