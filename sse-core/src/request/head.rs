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

/// The header of a stream that is compressed for clients that accept it.
///
/// Source: RFC 9110 12.5.5.
#[cfg(feature = "gzip")]
pub(crate) const VARIES: (&str, &str) = ("vary", "accept-encoding");

/// The header of a compressed stream.
///
/// Source: RFC 9110 8.4.1.3.
#[cfg(feature = "gzip")]
pub(crate) const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// The head of a stream whose topics are compressed: with the last header only if the client accepts gzip.
#[cfg(feature = "gzip")]
pub(crate) const COMPRESSED_HEADERS: [(&str, &str); 5] = {
    let [content_type, cache_control, buffering] = STREAM_HEADERS;
    [content_type, cache_control, buffering, VARIES, GZIP]
};
