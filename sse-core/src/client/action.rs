//! The inputs and outputs of an event source.

use crate::decoder::limits::DecodeError;
use crate::decoder::message_event::MessageEvent;
use std::time::{Duration, Instant};

/// What the program does next for its [`EventSource`](crate::EventSource).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Send the request with [`request_headers`](crate::EventSource::request_headers).
    Connect,
    /// Wait for the response or for more of its body, at most until this moment. Then ask again.
    Receive {
        /// The moment at which a silent server counts as lost; `None` without a watchdog.
        until: Option<Instant>,
    },
    /// Close the connection if one is open, and ask again at this moment.
    Wait {
        /// The moment of the next request.
        until: Instant,
    },
    /// Close the connection if one is open. The event source never reconnects;
    /// [`stop_reason`](crate::EventSource::stop_reason) has the reason.
    Stop,
}

/// One decoded block of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received<'a> {
    /// An event of the application.
    Event(MessageEvent<'a>),
    /// Events are missing here. The server says so by an event of the [gap type](crate::EventSource::gap_type).
    Gap(MessageEvent<'a>),
    /// An event of the server about the stream itself, of one of the [`RESERVED_TYPES`](crate::RESERVED_TYPES). Most programs
    /// ignore it.
    Reserved(MessageEvent<'a>),
    /// A block over a limit of the decoder was skipped. Later events follow.
    Skipped(DecodeError),
}

/// The head of a response, as far as an event source needs it.
///
/// ```
/// use sse_core::ResponseHead;
/// use std::time::Duration;
///
/// let head = ResponseHead::new(503).retry_after(Duration::from_secs(7));
/// assert_eq!(head, ResponseHead::new(503).content_type(None).retry_after(Duration::from_secs(7)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHead<'h> {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'h [u8]>,
    pub(crate) retry_after: Option<Duration>,
}

impl<'h> ResponseHead<'h> {
    /// A head with this status and without headers.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, content_type: None, retry_after: None }
    }

    /// Sets the value of the header `content-type`.
    #[must_use]
    pub const fn content_type(mut self, value: Option<&'h [u8]>) -> Self {
        self.content_type = value;
        self
    }

    /// Sets the delay of the header `retry-after`. It counts for a status in
    /// [`retry_statuses`](crate::EventSource::retry_statuses).
    #[must_use]
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Whether the type is `text/event-stream`; parameters do not count (WHATWG HTML 9.2.2, RFC 9110 8.3.1).
    pub(crate) fn is_event_stream(&self) -> bool {
        let essence = self.content_type.and_then(|value| value.split(|byte| *byte == b';').next());
        essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
    }
}

/// Why an event source stopped for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason {
    /// The stream has finished: the server answered 204, or sent the event `sse-end`.
    #[error("the event stream has finished")]
    Finished,
    /// The server answered with another status than 200 or 204. [`retry_statuses`](crate::EventSource::retry_statuses) makes
    /// the event source reconnect after such a status.
    #[error("the server answered {0} in place of an event stream; to reconnect after it, name it in `retry_statuses`")]
    Status(u16),
    /// The server answered 200 with another content type than `text/event-stream`.
    #[error("the server answered with the content type `{0}` in place of `text/event-stream`")]
    ContentType(String),
    /// The server sent an event ID that no request header should carry: longer than
    /// [`max_id_bytes`](crate::EventSource::max_id_bytes), or with a control character. A reconnect without the ID would lose
    /// events without a gap.
    #[error(
        "the last event ID cannot stand in a request: it has {bytes} bytes, and `max_id_bytes` allows {limit}, without control characters"
    )]
    LastEventId {
        /// The length of the ID, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The program called [`EventSource::close`](crate::EventSource::close).
    #[error("the event source was closed")]
    Closed,
}
