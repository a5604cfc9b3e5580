//! The types of this crate. Their common methods are those of `sse_core::adapter!`.

use sse_core::Tokio;
use sse_core::hub::AnySource;
use sse_core::stream::Source;

/// A request that may open an event stream, and the options of the stream. Take it as an argument of a handler.
///
/// The request is checked under the [`Policy`](crate::Policy) of its route. A rejected
/// request is answered with the [`Error`] before the handler runs.
#[derive(Debug)]
#[must_use = "no stream opens until this becomes a response"]
pub struct Sse(pub(crate) sse_core::Sse<Tokio>);

/// The response of a channel, a stream of events or a subscription. Its head is fixed; return it from the handler.
#[derive(Debug)]
#[must_use = "the stream opens when the response is returned"]
pub struct SseResponse(pub(crate) sse_core::Response<sse_core::EventStream<Tokio, AnySource<dyn Source>>>);

/// A stream that follows topics of a hub. Return it from the handler, or ask first for its
/// [`resumption`](Self::resumption).
#[derive(Debug)]
#[must_use = "the stream opens when the subscription is returned"]
pub struct Subscription(pub(crate) sse_core::Subscription<Tokio>);

/// Any error of a handler, as its answer: 500 without a word of the error, which goes to `tracing` as `handler.failed`. A
/// [`Rejection`](crate::Rejection) keeps its own answer: 405, 406, 403, the head alone for HEAD, or 204 where the stream
/// was [finished](Sender::finish).
///
/// Every type that is a [`std::error::Error`] becomes one by `?`: [`HeaderError`](crate::HeaderError),
/// [`PublishError`](crate::PublishError), [`SendError`](crate::SendError) and [`FrameError`](crate::FrameError) as well as the
/// error of a database.
///
/// ```
/// use sse_actix::{Error, Hub, Sse, Subscription};
///
/// fn join(sse: Sse, hub: &Hub, user: &str) -> Result<Subscription, Error> {
///     let feed = sse.key(user)?.subscribe(hub, ["room"]);
///     hub.publish("room", ("joined", user))?;
///     Ok(feed)
/// }
/// ```
pub struct Error {
    pub(crate) error: Box<dyn std::error::Error + Send + Sync>,
    /// The answer must end the connection; the response to an error does not know the request.
    pub(crate) ends_connection: bool,
}

impl Error {
    pub(crate) const fn new(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self { error, ends_connection: false }
    }
}

sse_core::adapter!("use sse_actix::*;", 'static);
