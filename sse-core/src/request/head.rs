//! The head of a response that is an event stream.

/// The headers of every event stream, with status 200. Names are in lower case.
///
/// The list has no hop-by-hop headers: HTTP/2 forbids them, and on HTTP/1 the server adds them.
///
/// Source: WHATWG HTML 9.2.5 (`content-type`), RFC 9111 5.2.2 (`cache-control`), the documentation of nginx
/// (`x-accel-buffering`).
pub(crate) const STREAM_HEADERS: [(&str, &str); 3] = [
    ("content-type", "text/event-stream"),
    // `no-cache` would let a cache store the stream. A transformation such as compression can delay events.
    ("cache-control", "no-store, no-transform"),
    ("x-accel-buffering", "no"),
];
