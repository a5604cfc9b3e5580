//! The head of a response that is an event stream.

/// The headers of every event stream, beside the status 200; names in lower case.
///
/// No hop-by-hop header is among them: HTTP/2 forbids those, and on HTTP/1 the server sees to them.
///
/// ```
/// assert_eq!(sse_core::STREAM_HEADERS[0], ("content-type", "text/event-stream"));
/// ```
///
/// Source: WHATWG HTML 9.2.5 for the type; RFC 9111 5.2.2 for the caches; the last one is nginx's switch for buffering.
pub const STREAM_HEADERS: [(&str, &str); 3] = [
    ("content-type", "text/event-stream"),
    // `no-cache` would permit to store it; a transformation, as compression, may hold events back.
    ("cache-control", "no-store, no-transform"),
    ("x-accel-buffering", "no"),
];
