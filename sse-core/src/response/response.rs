//! The answer of a handler: a status, headers and a body.

use crate::request::grammar::is_token;
use crate::request::head::STREAM_HEADERS;
use crate::request::rejection::Rejection;
use std::borrow::Cow;
use std::time::Duration;
use uuid::Uuid;

/// The answer that opens a stream, or that makes the client retry later because the hub drains or is full.
///
/// The status and the headers are fixed. An adapter converts the answer into the response type of its framework.
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
    /// The head of a stream. A header of the handler replaces the one of the stream with the same name.
    pub(crate) fn stream(id: Uuid, own: Vec<(String, String)>, body: B) -> Self {
        Self { id: Some(id), ..Self::with(200, stream_headers(), own, body) }
    }

    /// The answer "retry later". For a GET the answer is a stream with the delay, because a browser never returns after
    /// 503. The headers of the handler stay, because a page of another origin needs those of CORS to read the delay.
    pub(crate) fn retry_later(is_get: bool, retry: Duration, own: Vec<(String, String)>, body: B) -> Self {
        if is_get {
            return Self::with(200, stream_headers(), own, body);
        }
        let seconds = retry.as_millis().div_ceil(1000).to_string();
        let ours = [("cache-control", "no-store".into()), ("retry-after", seconds.into())];
        Self::with(503, ours.into_iter(), own, body)
    }

    /// The answer of a rejection. The body has its text.
    pub(crate) fn rejected(rejection: Rejection, body: B) -> Self {
        let headers = rejection.headers().map(|(name, value)| (name.into(), value.to_owned().into())).collect();
        Self { status: rejection.status(), headers, id: None, rejection: Some(rejection), body }
    }

    /// The answer to a request whose handler made a call that cannot succeed.
    pub(crate) fn invalid(status: u16, own: Vec<(String, String)>, body: B) -> Self {
        Self::with(status, [("cache-control", "no-store".into())].into_iter(), own, body)
    }

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

    /// The status code. [`Response`] has an example.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers, with names in lower case. [`Response`] has an example.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The unique ID of the stream. `None` if the response opens no stream.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// assert_eq!(response.id(), Some(events.id()));
    /// ```
    #[must_use]
    pub const fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Whether the response opens no stream: the hub drains or is full, or a call of the handler cannot succeed.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_core::testing::Clock, std::time::Duration};
    /// # let clock = Clock::new();
    /// # let hub = Hub::builder().build_on(clock.clone());
    /// drop(hub.drain(Duration::ZERO));
    /// let (_events, response) = clock.sse().attach(&hub).channel();
    /// assert!(response.is_rejected());
    /// assert_eq!(response.status(), 200); // a GET: the body has a reconnection time
    /// ```
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

    /// Adds a header of the stream.
    #[cfg(feature = "gzip")]
    pub(crate) fn add_header(&mut self, (name, value): (&'static str, &'static str)) {
        self.headers.push((name.into(), value.into()));
    }

    /// The body. The crate page has an example.
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

/// The reason why a response header is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not a token (RFC 9110, 5.6.2).
    #[error("`{0}` is not a header name: a header name has only the characters of a token")]
    Name(String),
    /// The value contains a control character, or a character beyond ASCII (RFC 9110, 5.5).
    #[error("the value of the header `{0}` contains a control character or a character beyond ASCII")]
    Value(String),
    /// The header belongs to the stream or to the connection.
    #[error("a handler cannot set the header `{0}`, which belongs to the stream or the connection")]
    Fixed(String),
}

/// Headers that would change the kind of the response, or that belong to one hop (RFC 9110, 7.6.1).
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
