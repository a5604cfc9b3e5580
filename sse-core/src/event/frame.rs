//! The proof that an event can be sent: its checked, encoded bytes; and what can become one.

use crate::event::control::{self, Control};
use crate::event::encode::{ValidEvent, check_encoded_size};
use crate::event::error::FrameError;
use crate::event::event::Event;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The encoded bytes of one event, checked. Made by [`Event::frame`], also of a block that another server wrote
/// ([`Event::parse`]); a clone is a reference count, so that a pool encodes once for all its streams.
///
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

    /// The bytes as they go on the wire. Those of an event without data depend on the stream, see
    /// [`Event::checkpoint`](crate::Event::checkpoint); these are what most browsers receive.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as they go on the wire, without a copy.
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

/// What an event stream can send: an [`Event`]; text, which is its data; `(event, data)`; `(id, event, data)`; a
/// [`Frame`], owned or borrowed; or a `Result` of one of these.
///
/// Implement it for a type of your own by way of an event. An event of more than 1 MiB needs [`Event::frame_up_to`] there.
///
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
    /// Checks and encodes.
    ///
    /// # Errors
    /// As [`Event::frame`].
    fn into_frame(self) -> Result<Frame, FrameError>;

    /// The same, lent to `visit` before it is encoded, so that it can be written straight into a buffer.
    #[doc(hidden)]
    fn lend<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        match self.into_frame() {
            Ok(frame) => visit(Ok(CheckedEvent(Content::Frame(&frame)))),
            Err(error) => visit(Err(error)),
        }
    }
}

/// A checked event on its way into a buffer.
#[doc(hidden)]
#[derive(Debug)]
pub struct CheckedEvent<'a>(Content<'a>);

#[derive(Debug)]
enum Content<'a> {
    Event(ValidEvent<'a>),
    Frame(&'a Frame),
    /// As one stream sends it, after everything was checked.
    Bytes(Bytes),
}

impl CheckedEvent<'_> {
    /// The same event, as a stream of this kind sends it.
    pub(crate) fn on(self, control: Control) -> Self {
        let (has_data, is_checkpoint) = match &self.0 {
            Content::Event(event) => (event.has_data(), event.is_checkpoint()),
            Content::Frame(frame) => (frame.has_data, frame.is_checkpoint),
            Content::Bytes(_) => (true, false),
        };
        match control {
            _ if has_data => self,
            Control::Omitted => Self(Content::Bytes(Bytes::copy_from_slice(control::comments(&self.into_bytes())))),
            Control::Blocks if is_checkpoint => {
                let block = self.into_bytes();
                let data_less = block.strip_suffix(b"data: {}\n\n").unwrap_or(&block);
                let (comments, fields) = data_less.split_at(control::comments(data_less).len());
                let fields = fields.strip_prefix(b"event: sse-position\n").unwrap_or(fields);
                Self(Content::Bytes([comments, fields, b"\n"].concat().into()))
            }
            _ => self,
        }
    }

    /// Checks the size of the event, and the rest of it.
    pub(crate) fn check(&self, limit: usize) -> Result<(), FrameError> {
        match &self.0 {
            Content::Event(event) => event.check(limit),
            Content::Frame(Frame { bytes, .. }) | Content::Bytes(bytes) => check_encoded_size(bytes, limit),
        }
    }

    /// A frame of the event; shared, where it was encoded before.
    pub(crate) fn into_frame(self) -> Frame {
        match self.0 {
            Content::Event(event) => event.to_frame(),
            Content::Frame(frame) => frame.clone(),
            Content::Bytes(bytes) => {
                Frame { bytes, event_type: 0..0, has_id: false, has_data: true, is_checkpoint: false }
            }
        }
    }

    pub(crate) fn has_id(&self) -> bool {
        match &self.0 {
            Content::Event(event) => event.has_id(),
            Content::Frame(frame) => frame.has_id,
            Content::Bytes(_) => false,
        }
    }

    pub(crate) fn event_type(&self) -> &[u8] {
        match &self.0 {
            Content::Event(event) => event.event_type().as_bytes(),
            Content::Frame(frame) => frame.bytes.get(frame.event_type.clone()).unwrap_or_default(),
            Content::Bytes(_) => &[],
        }
    }

    /// Whether it was encoded before, so that sending it need not copy.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self.0, Content::Frame(_) | Content::Bytes(_))
    }

    /// How many bytes it has, or nearly so.
    pub(crate) fn len_at_least(&self) -> usize {
        match &self.0 {
            Content::Event(event) => event.len_at_least(),
            Content::Frame(frame) => frame.bytes.len(),
            Content::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether it has at most so many bytes.
    pub(crate) fn fits(&self, room: usize) -> bool {
        match &self.0 {
            Content::Event(event) => event.fits(room),
            Content::Frame(frame) => frame.bytes.len() <= room,
            Content::Bytes(bytes) => bytes.len() <= room,
        }
    }

    /// Appends the whole block.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Content::Event(event) => event.write(out),
            Content::Frame(frame) => out.extend_from_slice(&frame.bytes),
            Content::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Appends the fields without the blank line, for whoever adds one more.
    pub(crate) fn write_fields(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Content::Event(event) => event.write_fields(out),
            Content::Frame(Frame { bytes: block, .. }) | Content::Bytes(block) => {
                // A comment alone has no blank line.
                out.extend_from_slice(if block.ends_with(b"\n\n") {
                    block.get(..block.len() - 1).unwrap_or(block)
                } else {
                    block
                });
            }
        }
    }

    /// As bytes of their own; shared, where they were encoded before.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.0 {
            Content::Frame(frame) => frame.bytes.clone(),
            Content::Event(event) => event.to_bytes(),
            Content::Bytes(bytes) => bytes,
        }
    }
}

impl IntoFrame for Event<'_> {
    fn into_frame(self) -> Result<Frame, FrameError> {
        self.frame()
    }

    fn lend<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        visit(ValidEvent::of(&self).map(|event| CheckedEvent(Content::Event(event))))
    }
}

/// These are events by another name.
macro_rules! as_event {
    ($([$($generics:tt)*] $type:ty, $this:ident => $event:expr;)*) => {$(
        impl<$($generics)*> IntoFrame for $type {
            fn into_frame(self) -> Result<Frame, FrameError> {
                let $this = &self;
                $event.frame()
            }

            fn lend<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
                let $this = &self;
                $event.lend(visit)
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

    fn lend<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        visit(Ok(CheckedEvent(Content::Frame(self))))
    }
}

impl<F: IntoFrame, E: fmt::Display> IntoFrame for Result<F, E> {
    fn into_frame(self) -> Result<Frame, FrameError> {
        self.map_err(failed)?.into_frame()
    }

    fn lend<T>(self, visit: impl FnOnce(Result<CheckedEvent<'_>, FrameError>) -> T) -> T {
        match self {
            Ok(event) => event.lend(visit),
            Err(error) => visit(Err(failed(error))),
        }
    }
}

fn failed(error: impl fmt::Display) -> FrameError {
    FrameError::Source(error.to_string().into())
}
