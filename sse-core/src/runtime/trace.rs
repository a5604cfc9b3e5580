//! What is told to `tracing`, under names that stay: `docs/observing.md` has the table, and a test holds it to this file.
//! Without the feature all of it is nothing.
//!
//! A subscriber is foreign code: nothing here is called under a lock.

use crate::event::error::FrameError;
use crate::hub::SubscribeError;
use crate::stream::CloseReason;
use uuid::Uuid;

/// A function for each event, which does nothing without the feature.
macro_rules! events {
    ($($(#[$doc:meta])* fn $function:ident($($argument:ident: $type:ty),*) = $level:ident $name:literal $fields:tt $words:literal;)*) => {$(
        $(#[$doc])*
        #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "told to nobody"))]
        pub(crate) fn $function($($argument: $type),*) {
            #[cfg(feature = "tracing")]
            tracing::event!(name: $name, target: "sse_core", tracing::Level::$level, $fields, $words);
        }
    )*};
}

events! {
    /// A handler answered with a stream; `resumption` if it subscribed.
    fn stream_opened(id: Uuid, resumption: Option<&str>) =
        DEBUG "stream.opened" { %id, resumption } "an event stream opened";

    /// The last byte was delivered, or the client left. `bytes` only if somebody heard its span.
    fn stream_ended(id: Uuid, reason: CloseReason, bytes: Option<u64>) =
        DEBUG "stream.ended" { %id, reason = reason.as_str(), bytes } "an event stream ended";

    /// A client was asked to come back later.
    fn stream_refused(why: &str) =
        INFO "stream.refused" { why } "an event stream was refused; its client is asked to come back later";

    /// A handler asked for a subscription that cannot be.
    fn subscription_rejected(error: &SubscribeError) =
        WARN "subscription.rejected" { %error } "a subscription was rejected";

    /// An event could not be sent, and ended its stream.
    fn stream_failed(error: &FrameError) =
        ERROR "stream.failed" { %error } "an event stream failed";

    /// A send waits before the first poll of the body.
    fn send_waits(id: Uuid) =
        WARN "send.waits" { %id } "a send waits before its stream is read: return the response and send from a spawned task, or use `Sse::prelude` or `Sse::buffer`";

    /// A reader is told that something is missing; of which topic, if that is known.
    fn gap(reason: &str, topic: Option<&str>, lagged: bool) =
        DEBUG "gap" { reason, topic, lagged } "a reader is told a gap";

    fn drain_began(streams: usize, window_ms: u64) =
        INFO "drain.began" { streams, window_ms } "the hub drains";

    /// Streams that belong to no hub are open when a drain starts.
    fn drain_leaves(streams: usize) =
        WARN "drain.leaves" { streams } "the drain does not end streams that belong to no hub: give the hub to their routes, or use `Sse::attach`";

    fn drain_over(left: usize) =
        INFO "drain.over" { left } "the drain is over";
}

/// A handler returned an adapter's `Error`, and its client gets 500. For the macro [`adapter!`](crate::adapter).
#[cfg(feature = "adapter")]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "told to nobody"))]
pub fn handler_failed(error: &(dyn std::error::Error + 'static)) {
    #[cfg(feature = "tracing")]
    tracing::event!(name: "handler.failed", target: "sse_core", tracing::Level::ERROR, { error = %error }, "a handler failed; its client gets 500");
}

/// What is kept of an open stream in order to tell it: its span, and how much was written. As long as nobody asks for
/// spans of this level, a null pointer; without the feature nothing at all.
#[derive(Debug, Default)]
pub(crate) struct StreamSpan {
    #[cfg(feature = "tracing")]
    open: Option<Box<Open>>,
}

#[cfg(feature = "tracing")]
#[derive(Debug)]
struct Open {
    span: tracing::Span,
    bytes: u64,
}

#[cfg(feature = "tracing")]
impl StreamSpan {
    pub(crate) fn of_stream(id: Uuid) -> Self {
        use tracing::field::Empty;
        let span = tracing::debug_span!(target: "sse_core", "stream", %id, reason = Empty, bytes = Empty);
        Self { open: (!span.is_disabled()).then(|| Box::new(Open { span, bytes: 0 })) }
    }

    /// Whatever is told while the guard lives is told of this stream.
    pub(crate) fn enter(&self) -> Option<tracing::span::EnteredSpan> {
        self.open.as_ref().map(|open| open.span.clone().entered())
    }

    pub(crate) fn wrote(&mut self, bytes: usize) {
        if let Some(open) = &mut self.open {
            open.bytes += bytes as u64;
        }
    }

    /// Closes the span.
    pub(crate) fn ended(&mut self, id: Uuid, reason: CloseReason) {
        let Some(open) = self.open.take() else { return stream_ended(id, reason, None) };
        open.span.in_scope(|| stream_ended(id, reason, Some(open.bytes)));
        open.span.record("reason", reason.as_str()).record("bytes", open.bytes);
    }
}

#[cfg(not(feature = "tracing"))]
impl StreamSpan {
    pub(crate) const fn of_stream(_: Uuid) -> Self {
        Self {}
    }

    pub(crate) const fn enter(&self) -> Option<std::convert::Infallible> {
        None
    }

    pub(crate) const fn wrote(&self, _: usize) {}

    pub(crate) fn ended(&self, id: Uuid, reason: CloseReason) {
        stream_ended(id, reason, None);
    }
}
