//! The errors of events and of sends.

use std::fmt;

/// A field of an event.
///
/// Source: WHATWG HTML 9.2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `id`: the last event ID.
    Id,
    /// `event`: the event type.
    Event,
    /// `data`.
    Data,
    /// `retry`: the reconnection time.
    Retry,
}

impl Field {
    /// Returns the field's name on the wire.
    ///
    /// ```
    /// assert_eq!(sse_core::Field::Retry.name(), "retry");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Event => "event",
            Self::Data => "data",
            Self::Retry => "retry",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An event is invalid, so no byte of the event was sent.
///
/// Fields are validated in the order `id`, `event`, `data`, `retry`. The error is the first one in this order.
///
/// # Examples
/// ```
/// use sse_core::{Event, Field, FrameError};
///
/// let error = Event::data("x").event("a\nevent: b").frame().unwrap_err();
/// assert_eq!(error, FrameError::LineBreak(Field::Event));
/// assert_eq!(error.field(), Some(Field::Event));
/// assert_eq!(error.to_string(), "the field `event` contains a line break");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The event type or the ID contains CR or LF, which would end the line and start another field.
    #[error("the field `{0}` contains a line break")]
    LineBreak(Field),
    /// The ID contains NUL or another control character. Clients ignore an ID with NUL, and cannot send the others in a
    /// header.
    #[error("the event ID contains a control character")]
    ControlInId,
    /// The ID starts or ends with a space, which is lost in the `Last-Event-ID` header.
    #[error("the event ID starts or ends with a space")]
    EdgeSpaceInId,
    /// The ID is longer than [`MAX_ID_BYTES`](crate::MAX_ID_BYTES).
    #[error("the event ID has {0} bytes, and the limit is {max}", max = crate::event::limits::MAX_ID_BYTES)]
    IdTooLong(usize),
    /// The event has an ID, and the hub assigns the IDs: in `publish`, in `prelude` of a subscription, and on the sender of
    /// a subscription.
    #[error("the hub assigns the event IDs of this stream; send the event without `id`")]
    IdNotAllowed,
    /// Only the server sends events of this type: one of [`RESERVED_TYPES`](crate::RESERVED_TYPES), or on a hub the type of
    /// its [gap events](crate::hub::HubBuilder::gap_type).
    #[error("the field `event` is `{0}`, a type that only the server itself sends; choose another type")]
    ReservedType(Box<str>),
    /// The event type is `error` or `open`, on a GET stream or on a hub. A browser's `EventSource` itself fires events of
    /// these types for its connection, so a page could not distinguish the two. Streams of other methods allow both types.
    #[error("the field `event` is `{0}`, a type that EventSource itself fires for its connection; choose another type")]
    PageType(Box<str>),
    /// The event has this field and no data, so no client dispatches the event.
    #[error(
        "the event has the field `{0}` and no data, so no client dispatches the event; start with Event::data(\"\") for \
         empty data, with Event::checkpoint(id) to change the last event ID, or with Event::without_data()"
    )]
    NoData(Field),
    /// The event is larger than the limit of the hub
    /// ([`HubBuilder::max_event_bytes`](crate::hub::HubBuilder::max_event_bytes)), of the stream
    /// ([`Sse::max_event_bytes`](crate::Sse::max_event_bytes)) or of [`Event::frame_up_to`](crate::Event::frame_up_to).
    /// The default is [`MAX_EVENT_BYTES`](crate::MAX_EVENT_BYTES).
    #[error(
        "the event has {bytes} bytes, and the limit is {limit}; raise it with `max_event_bytes` of the hub's builder or \
         of `Sse`, or encode the event with `Event::frame_up_to`"
    )]
    TooLarge {
        /// Bytes of the event's values. A line break counts as the start of the next line.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The events of the prelude have more bytes together than [`MAX_PRELUDE_BYTES`](crate::MAX_PRELUDE_BYTES).
    #[error("the events of the prelude have {0} bytes, and the limit is {max}", max = crate::event::limits::MAX_PRELUDE_BYTES)]
    PreludeTooLarge(usize),
    /// The reconnection time is longer than [`MAX_RETRY`](crate::MAX_RETRY). Some clients turn a longer time into 1 ms.
    #[error("the field `retry` is longer than 2147483647 ms")]
    RetryTooLong,
    /// [`Event::json`](crate::Event::json) could not serialise the value; the serialiser's error text.
    #[error("the data cannot be serialised as JSON: {0}")]
    Json(Box<str>),
    /// The stream, the future or the `Result` of the application returned `Err`. The text is that of the error.
    #[error("the source of the events failed: {0}")]
    Source(Box<str>),
    /// The future of [`Sse::run`](crate::Sse::run) panicked. The text is the panic message.
    #[error("the future that sends the events panicked: {0}")]
    Panic(Box<str>),
}

impl FrameError {
    /// Returns the invalid field. `None` for [`FrameError::Source`], where there is no event.
    ///
    /// [`FrameError`] has an example.
    #[must_use]
    pub const fn field(&self) -> Option<Field> {
        match self {
            Self::LineBreak(field) => Some(*field),
            Self::ControlInId | Self::EdgeSpaceInId | Self::IdTooLong(_) | Self::IdNotAllowed => Some(Field::Id),
            Self::ReservedType(_) | Self::PageType(_) => Some(Field::Event),
            Self::NoData(_) | Self::TooLarge { .. } | Self::PreludeTooLarge(_) | Self::Json(_) => Some(Field::Data),
            Self::RetryTooLong => Some(Field::Retry),
            Self::Source(_) | Self::Panic(_) => None,
        }
    }
}

/// An event was not sent. No byte of the event was sent, and the stream continues.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The buffer is full, or other sends already wait for room. Wait with [`Sender::send`](crate::Sender::send), or drop
    /// the event.
    #[error("the stream's buffer is full; wait with `Sender::send`, or raise `Sse::buffer`")]
    Full,
    /// The stream is closing or closed. Stop sending.
    #[error("the stream is closed")]
    Closed,
    /// The event is invalid. Correct the event.
    #[error(transparent)]
    Invalid(#[from] FrameError),
}
