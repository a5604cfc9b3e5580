//! Reads the response of a handler event by event.

use crate::decoder::decoder::Decoder;
use crate::decoder::message_event::MessageEvent;
use crate::event::control::RESERVED_TYPES;
use bytes::Bytes;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::timeout;

/// Without an event for this long, a reader returns an error.
const BOUND: Duration = Duration::from_secs(30);

type Body = Pin<Box<dyn Stream<Item = Result<Bytes, String>>>>;

/// The response of a handler: status, headers, and the events of the application. Events of
/// [`RESERVED_TYPES`](crate::RESERVED_TYPES) only update the [last event ID](Self::last_event_id). Dropping the reader has the
/// effect of a client that leaves.
///
/// The modules `testing` of the adapters create readers.
///
/// ```
/// use sse_core::testing::ResponseReader;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let body = tokio_stream::iter([Ok::<_, std::io::Error>("event: price\ndata: 7\n\n".into())]);
/// let mut reader = ResponseReader::new(200, [("content-type", "text/event-stream")], body);
/// assert_eq!(reader.header("content-type"), Some("text/event-stream"));
/// let event = reader.next().await?;
/// assert_eq!((&*event.event_type, &*event.data), ("price", "7"));
/// reader.ended().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ResponseReader {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    decoder: Decoder,
    events: VecDeque<MessageEvent<'static>>,
    end: Option<ReadError>,
    bound: Duration,
}

/// The reason why a reader has no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream has ended.
    #[error("the stream has ended")]
    Ended,
    /// No event arrived in time. [`ResponseReader::within`] sets the time.
    #[error("the stream has no event and no end within {0:?}; `ResponseReader::within` sets the time")]
    Nothing(Duration),
    /// The response has another status than 200.
    #[error("the status is {0}, and not 200")]
    Status(u16),
    /// The body failed, or an event exceeds a limit of the [`Decoder`].
    #[error("the body failed: {0}")]
    Failed(String),
}

impl ResponseReader {
    /// Reads a response.
    ///
    /// [`ResponseReader`] has an example.
    pub fn new<N: Into<String>, V: Into<String>, E: fmt::Display>(
        status: u16,
        headers: impl IntoIterator<Item = (N, V)>,
        body: impl Stream<Item = Result<Bytes, E>> + 'static,
    ) -> Self {
        let mut body = Box::pin(body);
        let headers = headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let body = Box::pin(ChunkFn(move |cx: &mut Context<'_>| {
            body.as_mut().poll_next(cx).map_err(|error| error.to_string())
        }));
        let (decoder, events) = (Decoder::new(), VecDeque::new());
        Self { status, headers, body, decoder, events, end: None, bound: BOUND }
    }

    /// Sets the longest time that a call waits: 30 s by default, in the time of tokio's clock.
    ///
    /// ```
    /// # use sse_core::testing::{ResponseReader, ReadError};
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let silent = tokio_stream::pending::<Result<_, std::io::Error>>();
    /// let mut reader = ResponseReader::new(200, [("x", "y")], silent).within(Duration::from_millis(1));
    /// assert_eq!(reader.next().await, Err(ReadError::Nothing(Duration::from_millis(1))));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub const fn within(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The first value of this header, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The ID with which this client would reconnect, from the events that the reader has received.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Waits for the next event of the application.
    ///
    /// # Errors
    /// The stream has ended or failed, the status is not 200, or no event arrives [in time](Self::within).
    pub async fn next(&mut self) -> Result<MessageEvent<'static>, ReadError> {
        if self.status != 200 {
            return Err(ReadError::Status(self.status));
        }
        let bound = self.bound;
        let next = poll_fn(|cx| self.poll_event(cx));
        timeout(bound, next).await.unwrap_or(Err(ReadError::Nothing(bound)))
    }

    /// The events that are available now, without waiting.
    pub fn available(&mut self) -> Vec<MessageEvent<'static>> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut events = Vec::new();
        while let Poll::Ready(Ok(event)) = self.poll_event(&mut cx) {
            events.push(event);
        }
        events
    }

    /// Reads the remaining events until the stream ends.
    ///
    /// # Errors
    /// The stream fails, the status is not 200, or the stream does not end [in time](Self::within).
    pub async fn ended(&mut self) -> Result<Vec<MessageEvent<'static>>, ReadError> {
        let mut events = Vec::new();
        let bound = self.bound;
        let all = async {
            loop {
                match self.next().await {
                    Ok(event) => events.push(event),
                    Err(ReadError::Ended) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        };
        timeout(bound, all).await.unwrap_or(Err(ReadError::Nothing(bound)))?;
        Ok(events)
    }

    /// The body as text, for a response that is no stream.
    ///
    /// # Errors
    /// The body fails, or does not end [in time](Self::within).
    pub async fn text(mut self) -> Result<String, ReadError> {
        let mut bytes = Vec::new();
        let all = async {
            while let Some(chunk) = poll_fn(|cx| self.body.as_mut().poll_next(cx)).await {
                bytes.extend_from_slice(&chunk.map_err(ReadError::Failed)?);
            }
            Ok(())
        };
        timeout(self.bound, all).await.unwrap_or(Err(ReadError::Nothing(self.bound)))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<MessageEvent<'static>, ReadError>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Ok(event));
            }
            if let Some(end) = &self.end {
                return Poll::Ready(Err(end.clone()));
            }
            match self.body.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => self.end = Some(ReadError::Ended),
                Poll::Ready(Some(Err(error))) => self.end = Some(ReadError::Failed(error)),
                Poll::Ready(Some(Ok(chunk))) => self.decode(&chunk),
            }
        }
    }

    fn decode(&mut self, mut chunk: &[u8]) {
        while let Some(event) = self.decoder.decode(&mut chunk) {
            match event {
                Ok(event) if RESERVED_TYPES.contains(&&*event.event_type) => {}
                Ok(event) => self.events.push_back(event.into_owned()),
                Err(error) => self.end = Some(ReadError::Failed(error.to_string())),
            }
        }
    }
}

impl fmt::Debug for ResponseReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ResponseReader");
        debug.field("status", &self.status).field("headers", &self.headers).finish_non_exhaustive()
    }
}

/// A stream of one function.
struct ChunkFn<F>(F);

impl<F: Unpin + FnMut(&mut Context<'_>) -> Poll<Option<Result<Bytes, String>>>> Stream for ChunkFn<F> {
    type Item = Result<Bytes, String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        (self.0)(cx)
    }
}

#[cfg(feature = "http")]
impl<B> From<::http::Response<B>> for ResponseReader
where
    B: http_body::Body<Error: fmt::Display> + 'static,
    B::Data: Into<Bytes>,
{
    fn from(response: ::http::Response<B>) -> Self {
        let (head, body) = response.into_parts();
        let text = |value: &::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let mut body = Box::pin(body);
        let frames = ChunkFn(move |cx: &mut Context<'_>| {
            loop {
                match body.as_mut().poll_frame(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.to_string()))),
                    // Trailers have no events.
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data.into())));
                        }
                    }
                }
            }
        });
        Self::new(head.status.as_u16(), headers, frames)
    }
}
