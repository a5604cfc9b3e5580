//! The event source as a machine: time, response heads and bytes in; actions and events out.
//!
//! ```text
//!                 Action::Connect          handle_response: 200, text/event-stream
//!    ┌─► Waiting ─────────────► Connecting ──────────────────────────────────────► Open
//!    │                             │    │                                          │  │
//!    │   handle_end, silence,      │    │ 204, another status or type              │  │ `sse-end`
//!    └─────────────────────────────┴────┼──────────────────────────────────────────┘  │
//!                                       ▼                                             │
//!                                    Stopped ◄────────────────────────────────────────┘
//! ```

use super::action::{Action, Received, ResponseHead, StopReason};
use super::retry::Retry;
use crate::decoder::decoder::Decoder;
use crate::event::control::is_reserved;
use crate::event::limits::MAX_EVENT_BYTES;
use crate::runtime::runtime::Random;
use std::time::{Duration, Instant};

/// A client of an event stream that reconnects as a browser's `EventSource` does, without a socket and without a clock.
///
/// The program asks for the next [`Action`], does it, and reports the response, its bytes and its end. The machine
/// remembers the last event ID and the reconnection time, and decides when to reconnect and when to stop. The crate
/// `sse-client` drives it over reqwest.
///
/// | | default |
/// |---|---|
/// | delay before a reconnect | the server's `retry`, else 3 s; within [1 s, 5 min](Self::retry_bounds); up to a fifth longer |
/// | after failed attempts | the delay doubles with each attempt that received no byte |
/// | [silence](Self::max_silence) of a server until it counts as lost | 45 s, three keep-alives of 15 s |
/// | status other than 200 | stop; [`retry_statuses`](Self::retry_statuses) names exceptions |
/// | size of an event | 1 MiB ([`max_event_bytes`](Self::max_event_bytes)) |
/// | length of an event ID | 1 KiB ([`max_id_bytes`](Self::max_id_bytes)) |
///
/// # Examples
/// ```
/// use sse_core::{Action, EventSource, Random, Received, ResponseHead};
/// use std::time::{Duration, Instant};
///
/// let mut now = Instant::now();
/// let mut source = EventSource::new(Random::from_seed([7; 32]));
/// assert_eq!(source.poll(now), Action::Connect);
/// source.handle_response(ResponseHead::new(200).content_type(Some(b"text/event-stream")), now);
///
/// let mut input: &[u8] = b"retry: 2000\nid: 7\ndata: hello\n\n";
/// let Some(Received::Event(event)) = source.decode(&mut input, now) else { panic!("an event") };
/// assert_eq!(event.data, "hello");
///
/// source.handle_end(now); // the connection is lost
/// let Action::Wait { until } = source.poll(now) else { panic!("a delay") };
/// assert!(until >= now + Duration::from_secs(2));
/// now = until;
/// assert_eq!(source.poll(now), Action::Connect);
/// assert!(source.request_headers().any(|header| header == ("last-event-id", "7")));
/// ```
///
/// Source: WHATWG HTML 9.2.3. Redirects are followed by the program's HTTP client, as there by fetch.
#[derive(Debug)]
pub struct EventSource {
    phase: SourcePhase,
    decoder: Decoder,
    retry: Retry,
    max_silence: Option<Duration>,
    max_event_bytes: usize,
    max_id_bytes: usize,
    retry_statuses: Vec<u16>,
    gap_type: String,
}

#[derive(Debug)]
enum SourcePhase {
    /// `None`: at once.
    Waiting(Option<Instant>),
    Connecting {
        silent_at: Option<Instant>,
    },
    Open {
        silent_at: Option<Instant>,
    },
    Stopped(StopReason),
}

impl EventSource {
    /// An event source that connects at the first [`poll`](Self::poll). The generator draws the jitter.
    #[must_use]
    pub fn new(random: Random) -> Self {
        Self {
            phase: SourcePhase::Waiting(None),
            decoder: Decoder::new(),
            retry: Retry::new(random),
            max_silence: Some(Duration::from_secs(45)),
            max_event_bytes: MAX_EVENT_BYTES,
            max_id_bytes: 1024,
            retry_statuses: Vec::new(),
            gap_type: "gap".to_owned(),
        }
    }

    /// Sets the last event ID of the first request, for a program that stored it. None by default.
    ///
    /// ```
    /// # use sse_core::{EventSource, Random};
    /// let source = EventSource::new(Random::from_seed([7; 32])).resume_after("41");
    /// assert!(source.request_headers().any(|header| header == ("last-event-id", "41")));
    /// ```
    #[must_use]
    pub fn resume_after(mut self, last_event_id: &str) -> Self {
        self.decoder = Decoder::with_last_event_id(last_event_id);
        self
    }

    /// Sets the shortest and the longest delay before a reconnect. By default 1 s and 5 min, for every `retry` of the server.
    ///
    /// ```
    /// # use sse_core::{Action, EventSource, Random};
    /// # use std::time::{Duration, Instant};
    /// # let now = Instant::now();
    /// let second = Duration::from_secs(1);
    /// let mut source = EventSource::new(Random::from_seed([7; 32])).retry_bounds(second, 2 * second);
    /// assert_eq!(source.poll(now), Action::Connect);
    /// source.handle_end(now); // no connection; without bounds the delay is at least 3 s
    /// assert!(matches!(source.poll(now), Action::Wait { until } if until <= now + 3 * second));
    /// ```
    #[must_use]
    pub const fn retry_bounds(mut self, min: Duration, max: Duration) -> Self {
        (self.retry.min, self.retry.max) = (min, max);
        self
    }

    /// Sets how long a server may send nothing, not even a keep-alive, before the connection counts as lost. 45 s by
    /// default; `None` waits for ever.
    ///
    /// ```
    /// # use sse_core::{Action, EventSource, Random};
    /// # use std::time::{Duration, Instant};
    /// # let now = Instant::now();
    /// let limit = Duration::from_secs(10);
    /// let mut source = EventSource::new(Random::from_seed([7; 32])).max_silence(limit);
    /// assert_eq!(source.poll(now), Action::Connect);
    /// assert_eq!(source.poll(now), Action::Receive { until: Some(now + limit) });
    /// assert!(matches!(source.poll(now + limit), Action::Wait { .. })); // lost
    /// ```
    #[must_use]
    pub fn max_silence(mut self, silence: impl Into<Option<Duration>>) -> Self {
        self.max_silence = silence.into();
        self
    }

    /// Sets the largest event, in bytes of its type and data: [`MAX_EVENT_BYTES`] by default. A larger event is
    /// [`Received::Skipped`].
    ///
    /// ```
    /// # use sse_core::{EventSource, Random, Received, ResponseHead};
    /// # use std::time::Instant;
    /// # let now = Instant::now();
    /// let mut source = EventSource::new(Random::from_seed([7; 32])).max_event_bytes(4);
    /// source.poll(now);
    /// source.handle_response(ResponseHead::new(200).content_type(Some(b"text/event-stream")), now);
    /// let mut input: &[u8] = b"data: too long\n\ndata: x\n\n";
    /// assert!(matches!(source.decode(&mut input, now), Some(Received::Skipped(_))));
    /// assert!(matches!(source.decode(&mut input, now), Some(Received::Event(event)) if event.data == "x"));
    /// ```
    #[must_use]
    pub const fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }

    /// Sets the longest event ID that a request carries, in bytes: 1,024 by default. At a longer one the event source stops
    /// with [`StopReason::LastEventId`] instead of reconnecting.
    ///
    /// ```
    /// # use sse_core::{Action, EventSource, Random, StopReason};
    /// # use std::time::Instant;
    /// let mut source = EventSource::new(Random::from_seed([7; 32])).max_id_bytes(4).resume_after("12345");
    /// assert_eq!(source.poll(Instant::now()), Action::Stop);
    /// assert!(matches!(source.stop_reason(), Some(StopReason::LastEventId { bytes: 5, limit: 4, .. })));
    /// ```
    #[must_use]
    pub const fn max_id_bytes(mut self, bytes: usize) -> Self {
        self.max_id_bytes = bytes;
        self
    }

    /// Names statuses after which the event source reconnects, for example 502, 503 and 504 of a proxy. None by default: a
    /// browser stops at each of them.
    ///
    /// ```
    /// # use sse_core::{Action, EventSource, Random, ResponseHead};
    /// # use std::time::{Duration, Instant};
    /// # let now = Instant::now();
    /// let mut source = EventSource::new(Random::from_seed([7; 32])).retry_statuses([503]);
    /// assert_eq!(source.poll(now), Action::Connect);
    /// source.handle_response(ResponseHead::new(503).retry_after(Duration::from_secs(10)), now);
    /// assert!(matches!(source.poll(now), Action::Wait { until } if until >= now + Duration::from_secs(10)));
    /// ```
    #[must_use]
    pub fn retry_statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.retry_statuses = statuses.into_iter().collect();
        self
    }

    /// Sets the type of the event by which the server reports missing events: `gap` by default.
    ///
    /// ```
    /// # use sse_core::{EventSource, Random, Received, ResponseHead};
    /// # use std::time::Instant;
    /// # let now = Instant::now();
    /// let mut source = EventSource::new(Random::from_seed([7; 32])).gap_type("missed");
    /// source.poll(now);
    /// source.handle_response(ResponseHead::new(200).content_type(Some(b"text/event-stream")), now);
    /// let mut input: &[u8] = b"event: missed\ndata: {}\n\n";
    /// assert!(matches!(source.decode(&mut input, now), Some(Received::Gap(_))));
    /// ```
    #[must_use]
    pub fn gap_type(mut self, event_type: &str) -> Self {
        event_type.clone_into(&mut self.gap_type);
        self
    }

    /// The next action at this moment.
    ///
    /// A silent server is lost here: after [`Action::Wait`] the program must close the connection that it has.
    pub fn poll(&mut self, now: Instant) -> Action {
        if let SourcePhase::Connecting { silent_at: Some(at) } | SourcePhase::Open { silent_at: Some(at) } = self.phase
            && at <= now
        {
            self.handle_end(now);
        }
        match &self.phase {
            SourcePhase::Waiting(Some(until)) if *until > now => Action::Wait { until: *until },
            SourcePhase::Waiting(_) if !self.can_send_id() => {
                self.stop(StopReason::LastEventId { bytes: self.last_event_id().len(), limit: self.max_id_bytes });
                Action::Stop
            }
            SourcePhase::Waiting(_) => {
                self.phase = SourcePhase::Connecting { silent_at: self.silent_at(now) };
                Action::Connect
            }
            SourcePhase::Connecting { silent_at } | SourcePhase::Open { silent_at } => {
                Action::Receive { until: *silent_at }
            }
            SourcePhase::Stopped(_) => Action::Stop,
        }
    }

    /// The headers of the next request, with names in lower case: `accept`, `cache-control`, and `last-event-id` unless it is
    /// empty.
    ///
    /// Source: WHATWG HTML 9.2.2 and 9.2.3.
    pub fn request_headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let id = Some(self.last_event_id()).filter(|id| !id.is_empty()).map(|id| ("last-event-id", id));
        [("accept", "text/event-stream"), ("cache-control", "no-cache")].into_iter().chain(id)
    }

    /// The server answered the request. 200 with the type `text/event-stream` opens the stream; 204 stops the event
    /// source as finished; any other answer stops it, unless [`retry_statuses`](Self::retry_statuses) names the status.
    pub fn handle_response(&mut self, head: ResponseHead<'_>, now: Instant) {
        if !matches!(self.phase, SourcePhase::Connecting { .. }) {
            return;
        }
        match head.status {
            200 if head.is_event_stream() => {
                let id = self.decoder.last_event_id();
                self.decoder = Decoder::with_last_event_id(id).max_event_bytes(self.max_event_bytes);
                self.phase = SourcePhase::Open { silent_at: self.silent_at(now) };
            }
            200 => {
                let found = head.content_type.unwrap_or(b"none");
                self.stop(StopReason::ContentType(String::from_utf8_lossy(found).into_owned()));
            }
            204 => self.stop(StopReason::Finished),
            status if self.retry_statuses.contains(&status) => self.wait(now, head.retry_after),
            status => self.stop(StopReason::Status(status)),
        }
    }

    /// Decodes up to the next event, and moves `input` past what was read. `None` when all of it was; then report the next
    /// bytes, or the end.
    ///
    /// After each event the program should [`poll`](Self::poll): the event `sse-end` stops the event source.
    pub fn decode<'d, 'i: 'd>(&'d mut self, input: &mut &'i [u8], now: Instant) -> Option<Received<'d>> {
        if !matches!(self.phase, SourcePhase::Open { .. }) {
            *input = &[];
            return None;
        }
        self.phase = SourcePhase::Open { silent_at: self.silent_at(now) };
        if !input.is_empty() {
            self.retry.succeeded();
        }
        let event = match self.decoder.decode(input)? {
            Ok(event) => event,
            Err(error) => return Some(Received::Skipped(error)),
        };
        Some(if is_reserved(&event.event_type) {
            if event.event_type == "sse-end" && event.last_event_id == "end" {
                self.phase = SourcePhase::Stopped(StopReason::Finished);
            }
            Received::Reserved(event)
        } else if event.event_type == *self.gap_type {
            Received::Gap(event)
        } else {
            Received::Event(event)
        })
    }

    /// The request failed, or the body ended or failed: the event source waits and reconnects.
    pub fn handle_end(&mut self, now: Instant) {
        if matches!(self.phase, SourcePhase::Connecting { .. } | SourcePhase::Open { .. }) {
            self.wait(now, None);
        }
    }

    /// Stops the event source.
    ///
    /// ```
    /// # use sse_core::{Action, EventSource, Random, StopReason};
    /// # use std::time::Instant;
    /// let mut source = EventSource::new(Random::from_seed([7; 32]));
    /// source.close();
    /// assert_eq!(source.poll(Instant::now()), Action::Stop);
    /// assert_eq!(source.stop_reason(), Some(&StopReason::Closed));
    /// ```
    pub fn close(&mut self) {
        self.stop(StopReason::Closed);
    }

    /// The last event ID, which a program may store; empty if the server sent none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Whether a stream is open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, SourcePhase::Open { .. })
    }

    /// Why the event source stopped, once it has.
    #[must_use]
    pub const fn stop_reason(&self) -> Option<&StopReason> {
        match &self.phase {
            SourcePhase::Stopped(reason) => Some(reason),
            _ => None,
        }
    }

    fn wait(&mut self, now: Instant, at_least: Option<Duration>) {
        self.retry.time = self.decoder.reconnection_time().unwrap_or(self.retry.time);
        let delay = self.retry.delay(at_least);
        // The next attempt fails until a byte comes.
        self.retry.failed();
        const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
        self.phase = SourcePhase::Waiting(Some(now + delay.min(LONGEST)));
    }

    fn stop(&mut self, reason: StopReason) {
        if !matches!(self.phase, SourcePhase::Stopped(_)) {
            self.phase = SourcePhase::Stopped(reason);
        }
    }

    fn silent_at(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.max_silence?)
    }

    fn can_send_id(&self) -> bool {
        let id = self.last_event_id();
        id.len() <= self.max_id_bytes && id.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
    }
}
