//! A decoded event.

use std::borrow::Cow;

/// A decoded event, borrowed from the decoder and its input, or owned (`MessageEvent<'static>`).
///
/// The fields are those of the `MessageEvent` that a browser passes to a listener.
///
/// # Examples
/// ```
/// use sse_core::Decoder;
///
/// let mut input: &[u8] = b"id: 7\nevent: note\ndata: two\ndata: lines\n\n";
/// let mut decoder = Decoder::new();
/// let event = decoder.decode(&mut input).expect("an event")?.into_owned();
/// assert_eq!(event.event_type, "note");
/// assert_eq!(event.data, "two\nlines");
/// assert_eq!(event.last_event_id, "7");
/// # Ok::<(), sse_core::DecodeError>(())
/// ```
///
/// Source: WHATWG HTML 9.2.6, "dispatch the event".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageEvent<'a> {
    /// The event type; `message` if the block has no type.
    pub event_type: Cow<'a, str>,
    /// The lines of data, joined with LF. Can be empty.
    pub data: Cow<'a, str>,
    /// The last event ID of the stream at this event, from this block or an earlier one. Empty if the stream has none.
    pub last_event_id: Cow<'a, str>,
}

impl MessageEvent<'_> {
    /// Converts borrowed texts into owned ones. The type `message` and an empty ID need no allocation.
    ///
    /// [`MessageEvent`] has an example.
    #[must_use]
    #[inline]
    pub fn into_owned(self) -> MessageEvent<'static> {
        MessageEvent {
            event_type: match self.event_type {
                text if text == DEFAULT_TYPE => Cow::Borrowed(DEFAULT_TYPE),
                text => Cow::Owned(text.into_owned()),
            },
            data: Cow::Owned(self.data.into_owned()),
            last_event_id: Cow::Owned(self.last_event_id.into_owned()),
        }
    }
}

/// The event type of a block without a type.
pub(crate) const DEFAULT_TYPE: &str = "message";
