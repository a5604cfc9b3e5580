//! What a stream may cost its reader.

/// 1 MiB: as much as this crate's own encoder puts into one event.
const DEFAULT: usize = crate::event::limits::MAX_EVENT_BYTES;

/// How much of a stream a [`Decoder`](crate::Decoder) keeps at a time, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Of one field's value, without the name, the colon and its space.
    pub(crate) line: usize,
    /// Of an event's type and of its data, joined with LF.
    pub(crate) event: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: DEFAULT, event: DEFAULT }
    }
}

impl Limits {
    /// Judges a value of `len` bytes that is not part of what is dispatched.
    pub(crate) const fn check_line(&self, len: usize) -> Result<(), DecodeError> {
        if len <= self.line { Ok(()) } else { Err(DecodeError::LineTooLong { limit: self.line }) }
    }

    /// Judges a value of `len` bytes on an event that holds `held` bytes besides it.
    ///
    /// The limit told is the one that a growing value meets first, so that it does not depend on where chunks end.
    pub(crate) const fn check(&self, held: usize, len: usize) -> Result<(), DecodeError> {
        match self.event.checked_sub(held) {
            Some(room) if len <= room && len <= self.line => Ok(()),
            Some(room) if self.line <= room => Err(DecodeError::LineTooLong { limit: self.line }),
            _ => Err(DecodeError::EventTooLarge { limit: self.event }),
        }
    }
}

/// Why a [`Decoder`](crate::Decoder) gave up a block. StreamSpan once for that block; decoding goes on with the next one.
///
/// Nothing of the block is dispatched and its id is not taken, so that a reconnect asks for it again. A reconnection time
/// that stood before the fault stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A field's value is longer than [`max_line_bytes`](crate::Decoder::max_line_bytes). Raise it if the server is trusted.
    #[error("a line holds more than {limit} bytes")]
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The event type and data are longer than [`max_event_bytes`](crate::Decoder::max_event_bytes). Raise it if the server is trusted.
    #[error("an event holds more than {limit} bytes")]
    EventTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}
