//! The types of the crate `http`, for every server on hyper, tower or a framework on `http` 1.

use crate::hub::AnySource;
use crate::hub::Subscription;
use crate::request::rejection::Rejection;
use crate::request::request::Request;
use crate::response::response::Response;
use crate::runtime::runtime::Runtime;
use crate::stream::{EventStream, Source, StreamFailed};
use ::http::request::Parts;
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use sync_wrapper::SyncWrapper;

impl<'h> Request<'h> {
    /// Creates a request from the parts that a framework on `http` 1 provides one by one.
    ///
    /// ```
    /// use http::{HeaderMap, Method, Uri};
    /// use sse_core::{Policy, Request};
    ///
    /// let (uri, headers) = (Uri::from_static("/news"), HeaderMap::new());
    /// assert!(Policy::default().check(&Request::from_http(&Method::GET, &uri, &headers)).is_ok());
    /// ```
    #[must_use]
    pub fn from_http(method: &'h Method, uri: &'h Uri, headers: &'h HeaderMap) -> Self {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let authority = uri.authority().map(|authority| authority.as_str());
        Self::new(method.as_str(), uri.query(), headers).authority(authority)
    }
}

/// ```
/// use sse_core::{Policy, Request};
///
/// let (parts, _body) = http::Request::get("/news").body(())?.into_parts();
/// assert!(Policy::default().check(&Request::from(&parts)).is_ok());
/// # Ok::<(), http::Error>(())
/// ```
impl<'h> From<&'h Parts> for Request<'h> {
    fn from(parts: &'h Parts) -> Self {
        Self::from_http(&parts.method, &parts.uri, &parts.headers)
    }
}

/// ```
/// use sse_core::{Policy, Request};
///
/// let request = http::Request::post("/news").body("a body of any type")?;
/// assert!(Policy::default().check(&Request::from(&request)).is_err());
/// # Ok::<(), http::Error>(())
/// ```
impl<'h, B> From<&'h ::http::Request<B>> for Request<'h> {
    fn from(request: &'h ::http::Request<B>) -> Self {
        Self::from_http(request.method(), request.uri(), request.headers())
    }
}

/// A mark in the extensions of a response: the body is a stream that the server `sse-serve` may serve outside of hyper.
///
/// Every stream of [`Response::into_http`] has the mark. Other servers ignore it.
///
/// ```
/// use sse_core::{Detach, testing::Clock};
///
/// let (_events, response) = Clock::new().sse().channel();
/// assert!(response.into_http().extensions().get::<Detach>().is_some());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a mark has no fields")]
pub struct Detach;

impl<R: Runtime, S: Into<AnySource<dyn Source + Send>>> Response<EventStream<R, S>> {
    /// Converts into a response of the crate `http`. Channels, streams of events and subscriptions have the same type of
    /// body, so a handler can return any of them.
    ///
    /// ```
    /// use sse_core::testing::Clock;
    ///
    /// let (_events, response) = Clock::new().sse().channel();
    /// let response = response.into_http();
    /// assert_eq!(response.status(), 200);
    /// assert_eq!(response.headers()["content-type"], "text/event-stream");
    /// ```
    pub fn into_http(self) -> ::http::Response<HttpBody<R>> {
        self.into_http_with("")
    }

    /// Converts with a line of code in the body of a rejection, see [`Rejection::body_with`].
    #[doc(hidden)]
    pub fn into_http_with(self, attach: &str) -> ::http::Response<HttpBody<R>> {
        if let Some(rejection) = self.rejection() {
            return rejection.clone().into_http_with(attach);
        }
        let mut head = head(self.status(), self.headers());
        let stream = self.into_body().map_source(Into::into);
        head.extensions_mut().insert(Detach);
        head.map(|()| HttpBody::new(Content::Stream { stream: SyncWrapper::new(stream) }))
    }
}

impl<R: Runtime> Subscription<R> {
    /// Converts into a response of the crate `http`.
    ///
    /// ```
    /// use sse_core::{Hub, testing::Clock};
    ///
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// assert_eq!(clock.sse().subscribe(&hub, ["news"]).into_http().status(), 200);
    /// ```
    pub fn into_http(self) -> ::http::Response<HttpBody<R>> {
        self.into_response().into_http()
    }
}

impl Rejection {
    /// Converts into a response of the crate `http`. `R` is the runtime of the streams on the same route.
    ///
    /// ```
    /// use sse_core::{HttpBody, Rejection, Tokio};
    ///
    /// let response: http::Response<HttpBody<Tokio>> = Rejection::HostNotAllowed.into_http();
    /// assert_eq!(response.status(), 403);
    /// ```
    #[must_use]
    pub fn into_http<R: Runtime>(self) -> ::http::Response<HttpBody<R>> {
        self.into_http_with("")
    }

    /// Converts with a line of code in the body, see [`body_with`](Self::body_with).
    ///
    /// ```
    /// use http_body_util::BodyExt;
    /// use sse_core::{Rejection, Tokio};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let response = Rejection::OriginNotAllowed.into_http_with::<Tokio>("route.policy(policy)");
    /// let body = response.into_body().collect().await?.to_bytes();
    /// assert!(body.ends_with(b"route.policy(policy)\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_http_with<R: Runtime>(self, attach: &str) -> ::http::Response<HttpBody<R>> {
        let content =
            if self.is_head() { Content::Absent } else { Content::Text { text: self.body_with(attach).into() } };
        head(self.status(), self.headers()).map(|()| HttpBody::new(content))
    }
}

/// The core has validated each name and value.
fn head<'n, 'v>(status: u16, headers: impl Iterator<Item = (&'n str, &'v str)>) -> ::http::Response<()> {
    let mut head = ::http::Response::new(());
    *head.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            head.headers_mut().append(name, value);
        }
    }
    head
}

pin_project! {
    /// The body of a stream or of a rejection: an [`http_body::Body`], and a [`Stream`] of results for servers that take
    /// one. `Send` and `Sync`.
    ///
    /// The error [`StreamFailed`] occurs only over other methods than GET: the server must then abort the response.
    ///
    /// ```
    /// use http_body_util::BodyExt;
    /// use sse_core::testing::Clock;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let response = Clock::new().sse().stream(tokio_stream::iter(["hello"])).into_http();
    /// let body = response.into_body().collect().await?.to_bytes();
    /// assert!(body.windows(13).any(|bytes| bytes == b"data: hello\n\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the client receives nothing until the server has this body"]
    pub struct HttpBody<R: Runtime> {
        #[pin]
        content: Content<R>,
        ended: bool,
    }
}

pin_project! {
    #[project = Projected]
    enum Content<R: Runtime> {
        // Frameworks require `Sync`, and a stream of events need not have it.
        Stream { #[pin] stream: SyncWrapper<EventStream<R, AnySource>> },
        // With a known size, from which servers set `content-length`.
        Text { text: Bytes },
        // The answer to HEAD. Its size is unknown, because a `content-length` would contradict the stream.
        Absent,
    }
}

impl<R: Runtime> HttpBody<R> {
    fn new(content: Content<R>) -> Self {
        let ended = match &content {
            Content::Stream { .. } => false,
            Content::Text { text } => text.is_empty(),
            Content::Absent => true,
        };
        Self { content, ended }
    }

    /// The complete body of a rejection, for a framework that has no body with a known size except bytes.
    ///
    /// # Errors
    /// A stream is returned unchanged.
    ///
    /// ```
    /// use sse_core::{Rejection, testing::Clock};
    ///
    /// let rejected = Rejection::HostNotAllowed.into_http::<Clock>();
    /// assert!(rejected.into_body().into_bytes().is_ok_and(|text| text.starts_with(b"this route answers no requests")));
    /// let (_events, response) = Clock::new().sse().channel();
    /// assert!(response.into_http().into_body().into_bytes().is_err());
    /// ```
    #[expect(clippy::result_large_err, reason = "the stream is the usual case, and moves once for each response")]
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        match self.content {
            Content::Stream { .. } => Err(self),
            Content::Text { text } => Ok(text),
            Content::Absent => Ok(Bytes::new()),
        }
    }
}

impl<R: Runtime> Stream for HttpBody<R> {
    type Item = Result<Bytes, StreamFailed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let item = match this.content.project() {
            Projected::Stream { stream } => ready!(stream.get_pin_mut().poll_result(cx)),
            Projected::Text { text } => {
                *this.ended = true;
                Some(Ok(std::mem::take(text)))
            }
            Projected::Absent => None,
        };
        // Nothing follows an error.
        *this.ended |= !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl<R: Runtime> Body for HttpBody<R> {
    type Data = Bytes;
    type Error = StreamFailed;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamFailed>>> {
        self.poll_next(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Text { text } => SizeHint::with_exact(text.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

impl<R: Runtime> fmt::Debug for HttpBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.content {
            Content::Stream { .. } => "stream",
            Content::Text { .. } => "text",
            Content::Absent => "absent",
        };
        f.debug_struct("HttpBody").field("content", &kind).field("ended", &self.ended).finish()
    }
}
