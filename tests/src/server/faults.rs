//! Deliberate faults of the server. `FAULT=NAME` in the environment puts one in; `conformance-server --faults` lists
//! all. They cover the groups that the Python server does not offer: `http-2`, `pace`, `ended-topics`, `state` and
//! `compressed-once`, on the adapter `core`, and `nodes`.

use hyper::body::{Body, Frame, SizeHint};
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};

/// The name, the case that must fail, and the fault.
pub const FAULTS: [(&str, &str, &str); 17] = [
    ("http2-not-served", "http-2::stream_over_http2_has_the_same_head_and_events", "the server speaks HTTP/1 only"),
    ("http2-one-stream", "http-2::open_stream_does_not_block_another", "a connection serves one stream at a time"),
    ("http2-post-rejected", "http-2::post_over_http2_opens_a_stream", "a POST over HTTP/2 gets 405"),
    ("http2-failed-post-whole", "http-2::failed_post_over_http2_is_reset", "a failed stream ends like a complete one"),
    ("http2-reset-unnoticed", "http-2::reset_stream_is_noticed", "the server never notices a client that disconnects"),
    (
        "http2-404",
        "http-2::rejections_over_http2_have_the_same_status",
        "every rejection over HTTP/2 has the status 404",
    ),
    ("http2-end-ignored", "http-2::last_event_id_end_over_http2_is_204", "over HTTP/2 the ID `end` opens a stream"),
    (
        "http2-position-ignored",
        "http-2::topic_stream_over_http2_resumes",
        "over HTTP/2 every last event ID but `end` is ignored",
    ),
    ("gzip-not-varied", "compressed-once::coding_is_negotiated", "the header `vary` is missing"),
    ("gzip-delayed", "compressed-once::event_is_decoded_at_once", "an event leaves with the next one"),
    ("nodes-own-log", "nodes::both_servers_have_one_order", "each server has a log of its own"),
    ("nodes-half-an-array", "nodes::rejected_array_reaches_no_server", "the events before an invalid one are stored"),
    (
        "nodes-foreign-id",
        "nodes::id_of_one_server_resumes_at_the_other",
        "an ID of an event that another server published is unknown",
    ),
    ("nodes-no-history", "nodes::server_started_later_has_the_history", "`from=oldest` replays no event"),
    ("pace-ignored", "pace::events_of_a_window_leave_together", "every event leaves when it is published"),
    ("ended-open", "ended-topics::publish_after_the_end_is_409", "a publish to a topic that ended is answered 200"),
    ("state-keeps-all", "state::new_subscriber_receives_the_newest_of_each_key", "a value that was replaced is kept"),
];

/// Whether this fault is in.
pub(super) fn fault(name: &str) -> bool {
    static NAME: LazyLock<String> = LazyLock::new(|| std::env::var("FAULT").unwrap_or_default());
    debug_assert!(FAULTS.iter().any(|(known, ..)| *known == name), "{name}");
    *NAME == name
}

static PUBLISHED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Remembers the IDs that this server published.
pub(super) fn published(ids: &[String]) {
    if fault("nodes-foreign-id") {
        PUBLISHED.lock().unwrap_or_else(PoisonError::into_inner).extend(ids.iter().cloned());
    }
}

/// Changes the request as the fault does.
pub(super) fn change(parts: &mut http::request::Parts) {
    let Some(id) = parts.headers.get("last-event-id").cloned() else { return };
    let is_http2 = parts.version == http::Version::HTTP_2;
    let lost = if id == "end" { fault("http2-end-ignored") } else { fault("http2-position-ignored") };
    if is_http2 && lost {
        parts.headers.remove("last-event-id");
    }
    let is_own = || {
        let ids = PUBLISHED.lock().unwrap_or_else(PoisonError::into_inner);
        id.to_str().is_ok_and(|id| ids.contains(id))
    };
    if fault("nodes-foreign-id") && !is_own() {
        parts.headers.insert("last-event-id", http::HeaderValue::from_static("forged"));
    }
}

/// A body with a fault: never dropped, without the error of a failed stream, or with each chunk after the next one.
pub(super) struct Faulty<B: Body>(Option<B>, Option<Frame<B::Data>>);

impl<B: Body> Faulty<B> {
    pub(super) const fn new(body: B) -> Self {
        Self(Some(body), None)
    }
}

impl<B: Body<Data: Unpin> + Unpin> Body for Faulty<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Self(Some(body), held) = &mut *self else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Err(_))) if fault("http2-failed-post-whole") => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) if fault("gzip-delayed") => match held.replace(frame) {
                Some(earlier) => Poll::Ready(Some(Ok(earlier))),
                None => self.poll_frame(cx),
            },
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B: Body> Drop for Faulty<B> {
    fn drop(&mut self) {
        if fault("http2-reset-unnoticed") {
            std::mem::forget(self.0.take());
        }
    }
}
