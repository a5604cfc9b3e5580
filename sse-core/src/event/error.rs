//! What can be wrong with an event, and what can stop a send.

use std::fmt;

/// A field of an event, as WHATWG HTML 9.2.6 names it.
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
    /// The field's name on the wire.
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

/// Why something cannot become a [`Frame`](crate::Frame).
///
/// Nothing of the event reached the wire. Fields are judged in the order `id`, `event`, `data`, `retry`, and the
/// first that is wrong is told.
///
/// ```
/// use sse_core::{Event, Field, FrameError};
///
/// let error = Event::data("x").event("a\nevent: b").frame().unwrap_err();
/// assert_eq!(error, FrameError::LineBreak(Field::Event));
/// assert_eq!(error.field(), Some(Field::Event));
/// assert_eq!(error.to_string(), "the field `event` holds a line break");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The event type or the id holds a CR or LF, which would end its line and begin a field the caller did not mean.
    #[error("the field `{0}` holds a line break")]
    LineBreak(Field),
    /// The id holds NUL or another control character; a client ignores the first and cannot send back the others.
    #[error("the id holds a control character")]
    ControlInId,
    /// The id begins or ends with a space, which does not survive the way back in a header.
    #[error("the id begins or ends with a space")]
    EdgeSpaceInId,
    /// The id is longer than [`MAX_ID_BYTES`](crate::MAX_ID_BYTES).
    #[error("the id has {0} bytes, more than {max}", max = crate::event::limits::MAX_ID_BYTES)]
    IdTooLong(usize),
    /// An id where the hub gives the ids: in `publish`, in `first`, or on a sender beside a subscription.
    #[error("here the hub gives the ids; send the event without one")]
    IdNotAllowed,
    /// The event type belongs to the server: one of [`RESERVED_TYPES`](crate::RESERVED_TYPES), or on a hub the type of
    /// its [gap events](crate::hub::HubBuilder::gap_type).
    #[error("the field `event` is `{0}`, a type of events that the server itself sends; choose another type")]
    ReservedType(Box<str>),
    /// The event type is `error` or `open`, on a GET stream or on a hub. An `EventSource` fires events of these types by
    /// itself when it loses or opens the connection, so that a page cannot tell the two apart. Over other methods than GET
    /// both are allowed.
    #[error("the field `event` is `{0}`, which an EventSource itself fires for its connection; choose another type")]
    PageType(Box<str>),
    /// The event has this field and no data, so that no client dispatches it.
    #[error(
        "the event has the field `{0}` and no data, so that no client dispatches it; begin with Event::data(\"\") for \
         empty data, with Event::checkpoint(id) to move the last event ID, or with Event::without_data()"
    )]
    NoData(Field),
    /// The event is larger than the limit of the hub ([`HubBuilder::max_event_bytes`](crate::hub::HubBuilder::max_event_bytes)), of
    /// the stream ([`Sse::max_event_bytes`](crate::Sse::max_event_bytes)) or of
    /// [`Event::frame_up_to`](crate::Event::frame_up_to): [`MAX_EVENT_BYTES`](crate::MAX_EVENT_BYTES) unless one is set.
    #[error(
        "the event has {bytes} bytes, and the limit is {limit}; raise it with `max_event_bytes` of the hub's builder or \
         of `Sse`, or encode the event with `Event::frame_up_to`"
    )]
    TooLarge {
        /// Bytes of the values of the event. A line break counts as the line that it opens.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The events to be sent first have more bytes than [`MAX_PRELUDE_BYTES`](crate::MAX_PRELUDE_BYTES) together.
    #[error("the first events have {0} bytes, more than {max}", max = crate::event::limits::MAX_PRELUDE_BYTES)]
    PreludeTooLarge(usize),
    /// The reconnection time is over [`MAX_RETRY`](crate::MAX_RETRY), beyond which clients wait one millisecond.
    #[error("the reconnection time is over 2147483647 ms")]
    RetryTooLong,
    /// The payload given to [`Event::json`](crate::Event::json) could not be serialised; the serialiser's words.
    #[error("the payload cannot be written as JSON: {0}")]
    Json(Box<str>),
    /// The source of the event failed before there was one; the source's words.
    #[error("the source of the events failed: {0}")]
    Source(Box<str>),
}

impl FrameError {
    /// The field that is wrong; `None` if there was no event at all ([`FrameError::Source`]).
    #[must_use]
    pub const fn field(&self) -> Option<Field> {
        match self {
            Self::LineBreak(field) => Some(*field),
            Self::ControlInId | Self::EdgeSpaceInId | Self::IdTooLong(_) | Self::IdNotAllowed => Some(Field::Id),
            Self::ReservedType(_) | Self::PageType(_) => Some(Field::Event),
            Self::NoData(_) | Self::TooLarge { .. } | Self::PreludeTooLarge(_) | Self::Json(_) => Some(Field::Data),
            Self::RetryTooLong => Some(Field::Retry),
            Self::Source(_) => None,
        }
    }
}

/// Why a send did not happen. The stream is unharmed, and nothing of the event was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The buffer has no room, or others are already waiting for it. Wait with [`Sender::send`](crate::Sender::send), or drop the event.
    #[error("the stream's buffer is full")]
    Full,
    /// The stream is closing or closed; stop sending to it.
    #[error("the stream is closed")]
    Closed,
    /// The event itself cannot be sent; mend it.
    #[error(transparent)]
    Invalid(#[from] FrameError),
}
