//! The reader: an event source with a connection and a clock.

use crate::signal::{Lost, Signal, Stopped};
use bytes::Bytes;
use futures_core::Stream;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, IntoUrl, Request, RequestBuilder, Response};
use sse_core::{Action, EventSource, MessageEvent, Random, Received, ResponseHead, StopReason};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::time::{Sleep, sleep_until};

/// Reads the event stream at this address by GET, with reqwest's default client.
///
/// A text that is no URL is reported by the first item.
pub fn get(url: impl IntoUrl) -> EventReader {
    match Client::builder().build() {
        Ok(client) => EventReader::new(client.get(url)),
        Err(error) => EventReader::with(Err(Stopped::Request(error.to_string()))),
    }
}

/// The events of one stream, over one or more connections.
///
/// As a [`Stream`] the reader yields a [`Signal`] for everything that happens. [`next_event`](Self::next_event) yields events
/// alone. Nothing is read ahead: a program that takes no event slows the server down. Dropping the reader closes the
/// connection.
///
/// Poll the reader inside a tokio runtime with time enabled.
#[must_use = "a reader does nothing until it is polled"]
pub struct EventReader {
    /// A request that can be sent again, or why there is none.
    request: Result<(Client, Request), Stopped>,
    source: EventSource,
    connection: Connection,
    /// Bytes of the body that are not decoded yet.
    chunk: Bytes,
    sleep: Option<Pin<Box<Sleep>>>,
    stopped: Option<Stopped>,
}

enum Connection {
    None,
    Requesting(Pin<Box<dyn Future<Output = reqwest::Result<Response>> + Send + Sync>>),
    Reading(Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send + Sync>>),
}

impl EventReader {
    /// Reads the stream that this request opens. The reader adds `accept`, `cache-control` and `last-event-id`. A body is
    /// sent again with each reconnect, so it must not be a stream.
    ///
    /// ```no_run
    /// # async fn read() -> Result<(), sse_client::Stopped> {
    /// let request = reqwest::Client::new().get("https://example.com/feed").bearer_auth("token");
    /// let mut events = sse_client::EventReader::new(request);
    /// while let Some(event) = events.next_event().await? {
    ///     println!("{}", event.data);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn new(request: RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.map(|request| (client, request)).map_err(|error| Stopped::Request(error.to_string()));
        Self::with(request)
    }

    fn with(request: Result<(Client, Request), Stopped>) -> Self {
        Self {
            request,
            source: EventSource::new(Random::from_seed(seed())),
            connection: Connection::None,
            chunk: Bytes::new(),
            sleep: None,
            stopped: None,
        }
    }

    /// Sets options of the event source: bounds, delays, statuses after which the event source reconnects, a stored last event ID.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let events = sse_client::get("http://127.0.0.1:3000/events").configure(|source| {
    ///     source.resume_after("41").max_silence(Duration::from_secs(20)).retry_statuses([502, 503, 504])
    /// });
    /// assert_eq!(events.last_event_id(), "41");
    /// ```
    pub fn configure(mut self, options: impl FnOnce(EventSource) -> EventSource) -> Self {
        self.source = options(self.source);
        self
    }

    /// The next event, gap events included; `None` once the stream has finished. Reconnects happen meanwhile.
    ///
    /// # Errors
    /// [`Stopped`] if no later request can succeed. Later calls return `None`.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next_event(&mut self) -> Result<Option<MessageEvent<'static>>, Stopped> {
        let was_stopped = self.stopped.is_some();
        loop {
            match poll_fn(|cx| self.poll_signal(cx)).await {
                Some(Signal::Event(event) | Signal::Gap(event)) => return Ok(Some(event)),
                Some(_) => {}
                None => match &self.stopped {
                    Some(Stopped::Source(StopReason::Finished)) | None => return Ok(None),
                    Some(_) if was_stopped => return Ok(None),
                    Some(stopped) => return Err(stopped.clone()),
                },
            }
        }
    }

    /// The reason of the end: [`StopReason::Finished`] if the stream has finished. `None` before the end.
    #[must_use]
    pub const fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// The last event ID, which a program may store for [`EventSource::resume_after`]; empty if the server sent none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.source.last_event_id()
    }

    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<Option<Signal>> {
        loop {
            let now = Instant::now();
            if let Some(signal) = self.decode(now) {
                return Poll::Ready(Some(signal));
            }
            let was_connected = !matches!(self.connection, Connection::None);
            match self.source.poll(now) {
                Action::Connect => self.connect(),
                Action::Receive { until } => {
                    if let Poll::Ready(signal) = self.poll_connection(cx, now) {
                        if let Some(signal) = signal {
                            return Poll::Ready(Some(signal));
                        }
                    } else {
                        ready!(self.poll_sleep(cx, until));
                    }
                }
                Action::Wait { until } if was_connected => {
                    return Poll::Ready(Some(self.lost(Lost::Silent, until, now)));
                }
                Action::Wait { until } => ready!(self.poll_sleep(cx, Some(until))),
                _ => {
                    self.close();
                    let reason = self.source.stop_reason().cloned().unwrap_or(StopReason::Closed);
                    self.stopped.get_or_insert(Stopped::Source(reason));
                    return Poll::Ready(None);
                }
            }
        }
    }

    /// The next event of the bytes that are here.
    fn decode(&mut self, now: Instant) -> Option<Signal> {
        while !self.chunk.is_empty() {
            let mut input = &*self.chunk;
            let received = self.source.decode(&mut input, now).and_then(|received| match received {
                Received::Event(event) => Some(Signal::Event(event.into_owned())),
                Received::Gap(event) => Some(Signal::Gap(event.into_owned())),
                Received::Skipped(error) => Some(Signal::Skipped(error)),
                _ => None,
            });
            let rest = input.len();
            let _ = self.chunk.split_to(self.chunk.len() - rest);
            if received.is_some() {
                return received;
            }
        }
        None
    }

    fn connect(&mut self) {
        let request = match &self.request {
            Ok((client, request)) => request.try_clone().ok_or(Stopped::StreamingBody).map(|request| (client, request)),
            Err(stopped) => Err(stopped.clone()),
        };
        let (client, mut request) = match request {
            Ok(request) => request,
            Err(stopped) => {
                self.stopped = Some(stopped);
                return self.source.close();
            }
        };
        for (name, value) in self.source.request_headers() {
            // No value is lost: the event source has checked the last event ID.
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                request.headers_mut().insert(name, value);
            }
        }
        self.connection = Connection::Requesting(Box::pin(client.execute(request)));
    }

    /// Polls the response or its body; ready without a signal if something changed.
    fn poll_connection(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Option<Signal>> {
        let cause = match &mut self.connection {
            Connection::None => Lost::Ended,
            Connection::Requesting(response) => match ready!(response.as_mut().poll(cx)) {
                Ok(response) => match self.respond(response, now) {
                    Ok(signal) => return Poll::Ready(signal),
                    Err(cause) => cause,
                },
                Err(error) => Lost::Failed(error),
            },
            Connection::Reading(body) => match ready!(body.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) => {
                    self.chunk = chunk;
                    return Poll::Ready(None);
                }
                Some(Err(error)) => Lost::Failed(error),
                None => Lost::Ended,
            },
        };
        self.source.handle_end(now);
        match self.source.poll(now) {
            Action::Wait { until } => Poll::Ready(Some(self.lost(cause, until, now))),
            _ => {
                self.close();
                Poll::Ready(None)
            }
        }
    }

    fn respond(&mut self, response: Response, now: Instant) -> Result<Option<Signal>, Lost> {
        let status = response.status().as_u16();
        let mut head = ResponseHead::new(status);
        let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        head = head.content_type(content_type);
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        if let Some(seconds) = seconds {
            head = head.retry_after(Duration::from_secs(seconds));
        }
        self.source.handle_response(head, now);
        if self.source.is_open() {
            self.connection = Connection::Reading(Box::pin(response.bytes_stream()));
            return Ok(Some(Signal::Open));
        }
        if self.source.stop_reason().is_some() { Ok(None) } else { Err(Lost::Status(status)) }
    }

    fn lost(&mut self, cause: Lost, until: Instant, now: Instant) -> Signal {
        self.close();
        Signal::Lost { cause, retry_in: until.saturating_duration_since(now) }
    }

    fn close(&mut self) {
        self.connection = Connection::None;
        self.chunk = Bytes::new();
        self.sleep = None;
    }

    /// Ready at this moment; never without one.
    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Option<Instant>) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        let until = tokio::time::Instant::from_std(until);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}

impl Stream for EventReader {
    type Item = Signal;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Signal>> {
        self.get_mut().poll_signal(cx)
    }
}

impl fmt::Debug for EventReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReader")
            .field("source", &self.source)
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

/// The seed of the jitter. A system without randomness gets jitter from the hasher's keys.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        use std::hash::{BuildHasher, RandomState};
        for (bytes, n) in seed.chunks_mut(8).zip(0_u64..) {
            bytes.copy_from_slice(&RandomState::new().hash_one(n).to_le_bytes());
        }
    }
    seed
}
