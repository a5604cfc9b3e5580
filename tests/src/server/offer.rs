//! The part of an adapter's `Sse` that the application uses. With this trait, the application is written once for all
//! adapters.

use super::app::App;
use http::{HeaderName, HeaderValue};
use sse_core::{LastEventId, Replay, Resumption, Sender, Uuid};
use std::time::Duration;

/// A request that may open a stream, in any adapter.
pub(crate) trait Offer: Sized {
    /// What the adapter turns into its framework's response.
    type Reply;

    /// The client's last event ID.
    fn last_event_id(&self) -> &LastEventId;

    /// A stream with a handle, with the server's options.
    fn channel(self, app: &App, welcome: bool) -> (Sender, Opened<Self::Reply>);

    /// A subscription, with the server's options.
    fn subscribe(self, app: &App, topics: &[String], start: Replay, pace: Duration) -> (Sender, Opened<Self::Reply>);
}

/// A reply, and the headers that the application adds.
#[derive(Debug)]
pub(crate) struct Opened<R> {
    pub(crate) reply: R,
    id: Option<Uuid>,
    resumption: Option<Resumption>,
}

impl<R> Opened<R> {
    pub(crate) const fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// The headers of a stream, for frameworks on `http` 1.
    pub(crate) fn header_map(&self) -> http::HeaderMap {
        let header =
            |(name, value): (_, String)| Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?));
        self.headers().filter_map(header).collect()
    }

    /// The headers of a stream. A retry-later answer has none.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static str, String)> + use<R> {
        let id = self.id.map(|id| ("x-stream-id", id.to_string()));
        let resumption = self.id.and(self.resumption).map(|outcome| ("x-resumption", outcome.as_str().to_owned()));
        id.into_iter().chain(resumption)
    }
}

/// The adapters' types have the same methods, and no common trait.
macro_rules! offer {
    ($sse:ty, $reply:ty) => {
        impl Offer for $sse {
            type Reply = $reply;

            fn last_event_id(&self) -> &LastEventId {
                // An inherent method takes precedence over the trait's method.
                self.last_event_id()
            }

            fn channel(self, app: &App, welcome: bool) -> (Sender, Opened<$reply>) {
                let sse = offer!(set_up self, app);
                let sse = if welcome { sse.welcome() } else { sse };
                let (events, reply) = sse.attach(&app.hub).channel();
                let id = reply.id();
                (events, Opened { reply, id, resumption: None })
            }

            fn subscribe(self, app: &App, topics: &[String], start: Replay, pace: Duration) -> (Sender, Opened<$reply>) {
                let subscription = offer!(set_up self, app).pace(pace).subscribe(&app.hub, topics).replay(start);
                let (id, resumption) = (subscription.id(), Some(subscription.resumption()));
                let (events, reply) = subscription.with_sender();
                (events, Opened { reply, id, resumption })
            }
        }
    };
    (set_up $sse:expr, $app:expr) => {{
        let sse = $sse.keep_alive($app.options.keep_alive()).buffer($app.options.buffer_bytes);
        match $app.options.max_lifetime() {
            Some(lifetime) => sse.max_lifetime(lifetime),
            None => sse,
        }
    }};
}

offer!(sse_axum::Sse, sse_axum::SseResponse);
offer!(sse_actix::Sse, sse_actix::SseResponse);
offer!(sse_warp::Sse, sse_warp::SseResponse);
offer!(sse_core::Sse<sse_core::Tokio>, sse_core::Response<sse_core::EventStream<sse_core::Tokio>>);
