//! A validated and encoded event, and the values that convert into one.

use crate::event::control::{self, Control};
use crate::event::encode::{ValidEvent, check_encoded_size};
use crate::event::error::FrameError;
use crate::event::event::Event;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A validated event as encoded bytes. [`Event::frame`] creates one, also from a block of another server
/// ([`Event::parse`]).
///
/// A clone shares the bytes, so an application encodes an event once and sends the frame to many streams.
///
/// # Examples
/// ```
/// use sse_core::Event;
///
/// let frame = Event::data("tick").frame()?;
/// assert_eq!(frame, "data: tick\n\n");
/// assert_eq!(frame.as_bytes().as_ptr(), frame.clone().as_bytes().as_ptr());
/// # Ok::<(), sse_core::FrameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    bytes: Bytes,
    event_type: Range<usize>,
    has_id: bool,
    has_data: bool,
    is_checkpoint: bool,
}

impl Frame {
    pub(crate) fn new(event: &ValidEvent<'_>, event_type: Range<usize>) -> Self {
        let (has_id, has_data, is_checkpoint) = (event.has_id(), event.has_data(), event.is_checkpoint());
        Self { bytes: event.to_bytes(), event_type, has_id, has_data, is_checkpoint }
    }

    /// Returns the encoded bytes, which a stream sends as they are if the event has data.
    ///
    /// An event without data is sent in a form that depends on the stream, see
    /// [`Event::checkpoint`](crate::Event::checkpoint). These bytes are the form for browsers.
    ///
    /// ```
    /// # use sse_core::Event;
    /// let frame = Event::checkpoint("42").frame()?;
    /// assert_eq!(frame.as_bytes(), b"event: sse-position\nid: 42\ndata: {}\n\n");
    /// assert_eq!(frame.clone().into_bytes(), frame.as_bytes());
    /// # Ok::<(), sse_core::FrameError>(())
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the same bytes as [`as_bytes`](Self::as_bytes), without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PartialEq<str> for Frame {
    fn eq(&self, other: &str) -> bool {
        self.bytes == other.as_bytes()
    }
}

impl PartialEq<&str> for Frame {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Frame").field(&self.bytes).finish()
    }
}

/// Converts a value into an event of a stream.
///
/// | value | becomes |
/// |---|---|
/// | [`Event`] | itself |
/// | `&str`, `String`, `&String`, `Cow<str>` | an event with this data |
/// | `(event, data)` | an event with this type and data |
/// | `(id, event, data)` | an event with this ID, type and data |
/// | [`Frame`], `&Frame` | itself, without a copy of the bytes |
/// | `Result` of one of these | the event; an error ends the stream as [`FrameError::Source`] |
///
/// # Examples
/// Implement the trait for a type of your own through [`Event`]. An event of more than 1 MiB needs
/// [`Event::frame_up_to`].
/// ```
/// use sse_core::{Event, Frame, FrameError, IntoFrame};
///
/// struct Price(u32);
///
/// impl IntoFrame for Price {
///     fn into_frame(self) -> Result<Frame, FrameError> {
///         Event::data(self.0.to_string()).event("price").frame()
///     }
/// }
/// assert_eq!(Price(7).into_frame()?, "event: price\ndata: 7\n\n");
/// assert_eq!(("1", "price", "7").into_frame()?, "id: 1\nevent: price\ndata: 7\n\n");
/// # Ok::<(), FrameError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something an event stream can send",
    label = "not an event",
    note = "send an `Event` (`Event::data(text)`, `Event::json(&value)`), text, `(event, data)`, `(id, event, data)`, a `Frame`, or a `Result` of one of these"
)]
pub trait IntoFrame: Sized {
    /// Validates and encodes the value.
    ///
    /// # Errors
    /// The same errors as [`Event::frame`]; [`FrameError::Source`] for an `Err`.
    fn into_frame(self) -> Result<Frame, FrameError>;

    /// Validates the value and passes the event to `visit`, which can encode the event straight into a buffer.
    #[doc(hidden)]
    fn with_checked<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        match self.into_frame() {
            Ok(frame) => visit(Ok(CheckedEvent(EventContent::Frame(&frame)))),
            Err(error) => visit(Err(error)),
        }
    }
}

/// A validated event that may be encoded already. Only the size and `retry` are still to be checked.
#[doc(hidden)]
#[derive(Debug)]
pub struct CheckedEvent<'a>(EventContent<'a>);

#[derive(Debug)]
enum EventContent<'a> {
    Event(ValidEvent<'a>),
    Frame(&'a Frame),
    /// The form for one kind of stream, after all checks.
    Bytes(Bytes),
}

impl CheckedEvent<'_> {
    /// Converts the event into the form that a stream of this kind sends.
    pub(crate) fn for_stream(self, control: Control) -> Self {
        let (has_data, is_checkpoint) = match &self.0 {
            EventContent::Event(event) => (event.has_data(), event.is_checkpoint()),
            EventContent::Frame(frame) => (frame.has_data, frame.is_checkpoint),
            EventContent::Bytes(_) => (true, false),
        };
        match control {
            _ if has_data => self,
            Control::Omitted => {
                Self(EventContent::Bytes(Bytes::copy_from_slice(control::comments(&self.into_bytes()))))
            }
            Control::Blocks if is_checkpoint => {
                let block = self.into_bytes();
                let without_data = block.strip_suffix(b"data: {}\n\n").unwrap_or(&block);
                let (comments, fields) = without_data.split_at(control::comments(without_data).len());
                let fields = fields.strip_prefix(b"event: sse-position\n").unwrap_or(fields);
                Self(EventContent::Bytes([comments, fields, b"\n"].concat().into()))
            }
            _ => self,
        }
    }

    /// Validates the size of the event, and then `retry`.
    pub(crate) fn check_size_and_retry(&self, limit: usize) -> Result<(), FrameError> {
        match &self.0 {
            EventContent::Event(event) => event.check_size_and_retry(limit),
            EventContent::Frame(Frame { bytes, .. }) | EventContent::Bytes(bytes) => check_encoded_size(bytes, limit),
        }
    }

    /// Returns the event as a frame, without a copy if the event is encoded already.
    pub(crate) fn into_frame(self) -> Frame {
        match self.0 {
            EventContent::Event(event) => event.to_frame(),
            EventContent::Frame(frame) => frame.clone(),
            EventContent::Bytes(bytes) => {
                Frame { bytes, event_type: 0..0, has_id: false, has_data: true, is_checkpoint: false }
            }
        }
    }

    pub(crate) fn has_id(&self) -> bool {
        match &self.0 {
            EventContent::Event(event) => event.has_id(),
            EventContent::Frame(frame) => frame.has_id,
            EventContent::Bytes(_) => false,
        }
    }

    pub(crate) fn event_type(&self) -> &[u8] {
        match &self.0 {
            EventContent::Event(event) => event.event_type().as_bytes(),
            EventContent::Frame(frame) => frame.bytes.get(frame.event_type.clone()).unwrap_or_default(),
            EventContent::Bytes(_) => &[],
        }
    }

    /// Whether the event is encoded already, so that it can be sent without a copy.
    pub(crate) const fn is_encoded(&self) -> bool {
        matches!(self.0, EventContent::Frame(_) | EventContent::Bytes(_))
    }

    /// A lower bound for the encoded bytes; exact if the event is encoded already.
    pub(crate) fn len_at_least(&self) -> usize {
        match &self.0 {
            EventContent::Event(event) => event.len_at_least(),
            EventContent::Frame(frame) => frame.bytes.len(),
            EventContent::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether the encoded event has at most `room` bytes.
    pub(crate) fn fits(&self, room: usize) -> bool {
        match &self.0 {
            EventContent::Event(event) => event.fits(room),
            EventContent::Frame(frame) => frame.bytes.len() <= room,
            EventContent::Bytes(bytes) => bytes.len() <= room,
        }
    }

    /// Appends the whole block to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match &self.0 {
            EventContent::Event(event) => event.encode(out),
            EventContent::Frame(frame) => out.extend_from_slice(&frame.bytes),
            EventContent::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Appends the block without its blank line, so that the caller can add a field.
    pub(crate) fn encode_fields(&self, out: &mut Vec<u8>) {
        match &self.0 {
            EventContent::Event(event) => event.encode_fields(out),
            EventContent::Frame(Frame { bytes: block, .. }) | EventContent::Bytes(block) => {
                // A comment alone has no blank line.
                out.extend_from_slice(if block.ends_with(b"\n\n") {
                    block.get(..block.len() - 1).unwrap_or(block)
                } else {
                    block
                });
            }
        }
    }

    /// Returns the encoded bytes, without a copy if the event is encoded already.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.0 {
            EventContent::Frame(frame) => frame.bytes.clone(),
            EventContent::Event(event) => event.to_bytes(),
            EventContent::Bytes(bytes) => bytes,
        }
    }
}

impl IntoFrame for Event<'_> {
    fn into_frame(self) -> Result<Frame, FrameError> {
        self.frame()
    }

    fn with_checked<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        visit(ValidEvent::new(&self).map(|event| CheckedEvent(EventContent::Event(event))))
    }
}

/// Implements `IntoFrame` for types that stand for an event.
macro_rules! as_event {
    ($([$($generics:tt)*] $type:ty, $this:ident => $event:expr;)*) => {$(
        impl<$($generics)*> IntoFrame for $type {
            fn into_frame(self) -> Result<Frame, FrameError> {
                let $this = &self;
                $event.frame()
            }

            fn with_checked<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
                let $this = &self;
                $event.with_checked(visit)
            }
        }
    )*};
}

as_event! {
    [] &str, this => Event::data(*this);
    [] String, this => Event::data(this.as_str());
    [] &String, this => Event::data(this.as_str());
    [] Cow<'_, str>, this => Event::data(&**this);
    [E: AsRef<str>, D: AsRef<str>] (E, D), this => Event::data(this.1.as_ref()).event(this.0.as_ref());
    [I: AsRef<str>, E: AsRef<str>, D: AsRef<str>] (I, E, D), this => Event::data(this.2.as_ref()).event(this.1.as_ref()).id(this.0.as_ref());
}

impl IntoFrame for Frame {
    fn into_frame(self) -> Result<Frame, FrameError> {
        Ok(self)
    }
}

impl IntoFrame for &Frame {
    fn into_frame(self) -> Result<Frame, FrameError> {
        Ok(self.clone())
    }

    fn with_checked<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        visit(Ok(CheckedEvent(EventContent::Frame(self))))
    }
}

impl<F: IntoFrame, E: fmt::Display> IntoFrame for Result<F, E> {
    fn into_frame(self) -> Result<Frame, FrameError> {
        self.map_err(failed)?.into_frame()
    }

    fn with_checked<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        match self {
            Ok(event) => event.with_checked(visit),
            Err(error) => visit(Err(failed(error))),
        }
    }
}

fn failed(error: impl fmt::Display) -> FrameError {
    FrameError::Source(error.to_string().into())
}
