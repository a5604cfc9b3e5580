//! Converts a received event into a value: the payload, or a variant of an enum of events.

use super::message_event::MessageEvent;
use std::fmt;

/// The reverse of [`Events`](crate::Events): a received event becomes a variant of the enum.
///
/// Derive this trait with the feature `derive`, on the same enum or on one with fewer variants. The rules and the options
/// are those of [`Events`](crate::Events).
///
/// ```
/// use sse_core::{DecodeEvents, Decoder, Events};
///
/// #[derive(Debug, PartialEq, Events, DecodeEvents)]
/// enum Feed {
///     Readers(u32),
///     Cleared,
/// }
///
/// let mut input: &[u8] = b"event: readers\ndata: 3\n\nevent: other\ndata: x\n\nevent: readers\ndata: many\n\n";
/// let mut decoder = Decoder::new();
/// let mut next = || Feed::decode(&decoder.decode(&mut input).expect("an event").expect("within the limits"));
/// assert_eq!(next(), Ok(Some(Feed::Readers(3))));
/// assert_eq!(next(), Ok(None)); // another type
/// assert_eq!(
///     next().unwrap_err().to_string(),
///     "the data of the event `readers` is not its payload: expected value at line 1 column 1"
/// );
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum of events that can be decoded",
    note = "write `#[derive(DecodeEvents)]` on the enum; this needs the feature `derive`"
)]
pub trait DecodeEvents: Sized {
    /// Returns the variant for this event; `None` if no variant has the event's type. A variant without a field accepts any data.
    ///
    /// # Errors
    /// [`PayloadError`] if the data is not the payload of the variant.
    fn decode(message: &MessageEvent<'_>) -> Result<Option<Self>, PayloadError>;
}

impl MessageEvent<'_> {
    /// Deserialises the data from JSON. The reverse of [`Event::json`](crate::Event::json).
    ///
    /// ```
    /// # use sse_core::Decoder;
    /// # let (mut decoder, mut input) = (Decoder::new(), &b"event: point\ndata: [3,4]\n\n"[..]);
    /// # let event = decoder.decode(&mut input).expect("an event")?;
    /// assert_eq!(event.data, "[3,4]");
    /// assert_eq!(event.json(), Ok((3, 4)));
    /// # Ok::<(), sse_core::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`PayloadError`] if the data is not the JSON of a `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, PayloadError> {
        serde_json::from_str(&self.data).map_err(|error| PayloadError {
            event_type: self.event_type.as_ref().into(),
            reason: error.to_string().into(),
        })
    }
}

/// The data of an event is not the payload that its variant or the caller expects.
///
/// [`DecodeEvents`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadError {
    event_type: Box<str>,
    reason: Box<str>,
}

impl PayloadError {
    /// Returns the type of the event.
    #[must_use]
    pub const fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Returns the reason, the error text of `serde_json`.
    #[must_use]
    pub const fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the data of the event `{}` is not its payload: {}", self.event_type, self.reason)
    }
}

impl std::error::Error for PayloadError {}
