//! The effect of a response on its connection, which depends on the request.

use actix_web::HttpRequest;
use actix_web::http::Version;
use actix_web::http::header::{HeaderValue, UPGRADE};

/// The effect of the answer on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Kept,
    /// The answer ends the connection: the client asked for another protocol, and actix-web would accept.
    Ended,
    /// The end of the connection is the end of the body, without chunk sizes. A client of HTTP/1.0 would take the sizes for
    /// a part of the stream, and after `Upgrade: websocket` actix-web announces sizes that it does not write.
    Unsized,
}

pub(crate) fn framing(request: &HttpRequest) -> Framing {
    let websocket = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    if request.version() < Version::HTTP_11 || request.headers().get_all(UPGRADE).any(websocket) {
        Framing::Unsized
    } else if request.head().upgrade() {
        Framing::Ended
    } else {
        Framing::Kept
    }
}
