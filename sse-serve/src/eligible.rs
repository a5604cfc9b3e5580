//! Which responses can leave hyper. All others are served by hyper to their end.

use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use sse_core::Detach;

/// The part of the decision that the request makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    may_leave: bool,
    closes: bool,
}

impl Asked {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let may_leave = request.version() == Version::HTTP_11
            && !matches!(*request.method(), Method::HEAD | Method::CONNECT)
            && !request.headers().contains_key(UPGRADE);
        Self { may_leave, closes: says_close(request.headers()) }
    }

    /// Whether the response leaves hyper. The mark is removed from the response.
    ///
    /// hyper then frames the body as chunks, and no byte of the request is in hyper's decoder.
    pub(crate) fn leaves<B: Body>(self, response: &mut Response<B>, request_was_read: impl FnOnce() -> bool) -> bool {
        let marked = response.extensions_mut().remove::<Detach>().is_some();
        let headers = response.headers();
        self.may_leave
            && marked
            && response.status() == StatusCode::OK
            && response.version() == Version::HTTP_11
            // hyper sends the trailers that this header names.
            && ![CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER].iter().any(|name| headers.contains_key(name))
            && !response.body().is_end_stream()
            && response.body().size_hint().exact().is_none()
            && request_was_read()
    }

    /// Whether the connection serves further requests after this response.
    pub(crate) fn keeps_alive<B>(self, response: &Response<B>) -> bool {
        !self.closes && !says_close(response.headers())
    }
}

/// As hyper reads the header.
fn says_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case("close"))
}
