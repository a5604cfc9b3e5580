//! What a handler returns: a status, a head that is fixed from here on, and a body.

use crate::request::grammar::is_token;
use crate::request::head::STREAM_HEADERS;
use crate::request::rejection::Rejection;
use std::borrow::Cow;
use std::time::Duration;
use uuid::Uuid;

/// The answer that opens a stream, or that refuses it softly because the hub drains or is full.
///
/// Its status and headers are fixed; an adapter turns it into the framework's response.
///
/// ```
/// use sse_core::testing::Clock;
///
/// let (_events, response) = Clock::new().sse().channel();
/// assert_eq!(response.status(), 200);
/// let head: Vec<_> = response.headers().collect();
/// assert_eq!(head[0], ("content-type", "text/event-stream"));
/// assert_eq!(head[1], ("cache-control", "no-store, no-transform"));
/// assert_eq!(head[2], ("x-accel-buffering", "no"));
/// ```
#[derive(Debug)]
#[must_use = "the stream opens when the response is returned"]
pub struct Response<B> {
    status: u16,
    headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    id: Option<Uuid>,
    rejection: Option<Rejection>,
    body: B,
}

impl<B> Response<B> {
    /// The head of a stream, with the handler's own headers in place of ours where they have the same name.
    pub(crate) fn stream(id: Uuid, own: Vec<(String, String)>, body: B) -> Self {
        Self { id: Some(id), ..Self::with(200, stream_headers(), own, body) }
    }

    /// Come later: for a GET a stream that only says when, because a browser never returns after 503. The handler's
    /// headers stay, because without those of CORS a page on another origin could not read when.
    pub(crate) fn retry_later(is_get: bool, retry: Duration, own: Vec<(String, String)>, body: B) -> Self {
        if is_get {
            return Self::with(200, stream_headers(), own, body);
        }
        let seconds = retry.as_millis().div_ceil(1000).to_string();
        let ours = [("cache-control", "no-store".into()), ("retry-after", seconds.into())];
        Self::with(503, ours.into_iter(), own, body)
    }

    /// The answer of a rejection, whose text is in the body.
    pub(crate) fn rejected(rejection: Rejection, body: B) -> Self {
        let headers = rejection.headers().map(|(name, value)| (name.into(), value.to_owned().into())).collect();
        Self { status: rejection.status(), headers, id: None, rejection: Some(rejection), body }
    }

    /// A request that no stream can answer, because the handler asks for the impossible.
    pub(crate) fn invalid(status: u16, own: Vec<(String, String)>, body: B) -> Self {
        Self::with(status, [("cache-control", "no-store".into())].into_iter(), own, body)
    }

    /// Without an identifier.
    fn with(
        status: u16,
        ours: impl Iterator<Item = (&'static str, Cow<'static, str>)>,
        own: Vec<(String, String)>,
        body: B,
    ) -> Self {
        let ours = ours.filter(|(name, _)| !own.iter().any(|(own, _)| own == name));
        let mut headers: Vec<_> = ours.map(|(name, value)| (Cow::Borrowed(name), value)).collect();
        headers.extend(own.into_iter().map(|(name, value)| (name.into(), value.into())));
        Self { status, headers, id: None, rejection: None, body }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers, with names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The connection's identifier; `None` if the stream was refused because the hub drains or is full.
    #[must_use]
    pub const fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Whether no stream opens: the hub drains or is full, or the handler's call cannot succeed. The response is the whole
    /// answer.
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        self.id.is_none()
    }

    /// The rejection that this response answers with.
    #[doc(hidden)]
    #[must_use]
    pub const fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_ref()
    }

    /// The same response with another body.
    #[doc(hidden)]
    pub fn map<T>(self, map: impl FnOnce(B) -> T) -> Response<T> {
        let Self { status, headers, id, rejection, body } = self;
        Response { status, headers, id, rejection, body: map(body) }
    }

    /// The body.
    pub fn into_body(self) -> B {
        self.body
    }

    pub(crate) const fn body(&self) -> &B {
        &self.body
    }

    pub(crate) const fn body_mut(&mut self) -> &mut B {
        &mut self.body
    }
}

fn stream_headers() -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
    STREAM_HEADERS.iter().map(|(name, value)| (*name, Cow::Borrowed(*value)))
}

/// Why a response header was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not a token (RFC 9110, 5.6.2).
    #[error("`{0}` is no header name")]
    Name(String),
    /// The value holds a control character, or a character beyond ASCII (RFC 9110, 5.5).
    #[error("the value of `{0}` holds a character that no header can")]
    Value(String),
    /// The header belongs to the stream or to the connection.
    #[error("`{0}` is not the handler's to set")]
    Fixed(String),
}

/// Headers that would change what the response is, or that belong to one hop (RFC 9110, 7.6.1).
const FIXED: [&str; 10] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(crate) fn check_header(name: &str, value: &str) -> Result<(String, String), HeaderError> {
    let name = name.to_ascii_lowercase();
    if !is_token(name.as_bytes()) {
        return Err(HeaderError::Name(name));
    }
    if FIXED.contains(&name.as_str()) {
        return Err(HeaderError::Fixed(name));
    }
    if !value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Err(HeaderError::Value(name));
    }
    Ok((name, value.to_owned()))
}
