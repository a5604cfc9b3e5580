//! The events and spans for `tracing`. Their names and fields are stable: `docs/observing.md` lists them, and a test
//! compares that table with this file. Without the feature `tracing` every function here is empty.
//!
//! A `tracing` subscriber is foreign code, so no caller may hold a lock.

use std::fmt::Display;
use uuid::Uuid;

/// Declares one function for each event.
macro_rules! events {
    ($($(#[$doc:meta])* fn $function:ident($($argument:ident: $type:ty),*) = $level:ident $name:literal $fields:tt $text:literal;)*) => {$(
        $(#[$doc])*
        #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "the arguments of events"))]
        pub(crate) fn $function($($argument: $type),*) {
            #[cfg(feature = "tracing")]
            tracing::event!(name: $name, target: "sse_core", tracing::Level::$level, $fields, $text);
        }
    )*};
}

events! {
    /// A handler returned a stream. `resumption` is set if the stream is a subscription.
    fn stream_opened(id: Uuid, resumption: Option<&str>) =
        DEBUG "stream.opened" { %id, resumption } "an event stream opened";

    /// The last byte was delivered, or the client left. `bytes` is set if the stream's span is enabled.
    fn stream_ended(id: Uuid, reason: &'static str, bytes: Option<u64>) =
        DEBUG "stream.ended" { %id, reason, bytes } "an event stream ended";

    /// The hub drains or is full, so the client must retry later.
    fn stream_refused(why: &str) =
        INFO "stream.refused" { why } "no event stream was opened; the client is asked to retry later";

    /// The arguments of a subscription are invalid.
    fn subscription_rejected(error: &dyn Display) =
        WARN "subscription.rejected" { %error } "a subscription was rejected";

    /// An event could not be sent, which ended the stream.
    fn stream_failed(error: &dyn Display) =
        ERROR "stream.failed" { %error } "an event stream failed";

    /// A send waits for room in the buffer before the first poll of the body.
    fn send_waits(id: Uuid) =
        WARN "send.waits" { %id } "a send waits, and the body of its stream was never polled: send in the future of `Sse::run`, or use `Sse::prelude` or `Sse::buffer`";

    /// The hub sends a gap event. `topic` is set if the missing events belong to one topic.
    fn gap(reason: &str, topic: Option<&str>, lagged: bool) =
        DEBUG "gap" { reason, topic, lagged } "a client missed events and receives a gap event";

    /// The hub starts to end its streams within `window_ms`.
    fn drain_began(streams: usize, window_ms: u64) =
        INFO "drain.began" { streams, window_ms } "a drain started";

    /// Streams without a hub are open when a drain starts. The drain cannot end them.
    fn drain_leaves(streams: usize) =
        WARN "drain.leaves" { streams } "the drain does not end streams that belong to no hub: give the hub to their routes, or use `Sse::attach`";

    /// All streams of the hub ended, or the caller stopped waiting while `left` were open.
    fn drain_over(left: usize) =
        INFO "drain.over" { left } "the drain is over";
}

/// A handler returned an adapter's `Error`, and its client receives 500.
#[cfg(feature = "adapter")]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "the arguments of events"))]
pub fn handler_failed(error: &(dyn std::error::Error + 'static)) {
    #[cfg(feature = "tracing")]
    tracing::event!(name: "handler.failed", target: "sse_core", tracing::Level::ERROR, { error = %error }, "a handler failed; its client receives 500");
}

/// The span of one stream, and the number of bytes that the stream has sent.
///
/// A null pointer while no subscriber enables spans of this level. Without the feature `tracing` the type has no size.
#[derive(Debug, Default)]
pub(crate) struct StreamSpan {
    #[cfg(feature = "tracing")]
    open: Option<Box<OpenSpan>>,
}

#[cfg(feature = "tracing")]
#[derive(Debug)]
struct OpenSpan {
    span: tracing::Span,
    bytes: u64,
}

#[cfg(feature = "tracing")]
impl StreamSpan {
    pub(crate) fn of_stream(id: Uuid) -> Self {
        use tracing::field::Empty;
        let span = tracing::debug_span!(target: "sse_core", "stream", %id, reason = Empty, bytes = Empty);
        Self { open: (!span.is_disabled()).then(|| Box::new(OpenSpan { span, bytes: 0 })) }
    }

    /// Events are recorded in this span until the guard is dropped.
    pub(crate) fn enter(&self) -> Option<tracing::span::EnteredSpan> {
        self.open.as_ref().map(|open| open.span.clone().entered())
    }

    pub(crate) fn wrote(&mut self, bytes: usize) {
        if let Some(open) = &mut self.open {
            open.bytes += bytes as u64;
        }
    }

    /// Records the end of the stream and closes the span.
    pub(crate) fn ended(&mut self, id: Uuid, reason: &'static str) {
        let Some(open) = self.open.take() else { return stream_ended(id, reason, None) };
        open.span.in_scope(|| stream_ended(id, reason, Some(open.bytes)));
        open.span.record("reason", reason).record("bytes", open.bytes);
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

    pub(crate) fn ended(&self, id: Uuid, reason: &'static str) {
        stream_ended(id, reason, None);
    }
}
