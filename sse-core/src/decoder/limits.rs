//! The memory limits of the decoder, and the errors of blocks beyond them.

/// 1 MiB, the encoder's own limit for an event.
const DEFAULT: usize = crate::event::limits::MAX_EVENT_BYTES;

/// The limits of a [`Decoder`](crate::Decoder), in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecodeLimits {
    /// For the value of one field, without name, colon and space.
    pub(crate) line: usize,
    /// For the type and the data of an event together, the data's lines joined with LF.
    pub(crate) event: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { line: DEFAULT, event: DEFAULT }
    }
}

impl DecodeLimits {
    /// Checks a value of `len` bytes that does not count towards the size of the event.
    pub(crate) const fn check_line(&self, len: usize) -> Result<(), DecodeError> {
        if len <= self.line { Ok(()) } else { Err(DecodeError::LineTooLong { limit: self.line }) }
    }

    /// Checks a value of `len` bytes in an event with `held` other bytes.
    ///
    /// If the value exceeds both limits, the error names the smaller remaining one, so the error does not depend on where
    /// chunks end.
    pub(crate) const fn check(&self, held: usize, len: usize) -> Result<(), DecodeError> {
        match self.event.checked_sub(held) {
            Some(room) if len <= room && len <= self.line => Ok(()),
            Some(room) if self.line <= room => Err(DecodeError::LineTooLong { limit: self.line }),
            _ => Err(DecodeError::EventTooLarge { limit: self.event }),
        }
    }
}

/// A block is over a limit of the [`Decoder`](crate::Decoder). The decoder returns the error once for each such block, and
/// continues with the next block.
///
/// The block is not dispatched, and its ID does not become the last event ID. A reconnect therefore requests the block
/// again. A `retry` line before the error stays in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The value of a field is longer than [`max_line_bytes`](crate::Decoder::max_line_bytes). Raise the limit if you trust
    /// the server.
    #[error("a line has more than {limit} bytes; `Decoder::max_line_bytes` sets the limit")]
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Event type and data are longer than [`max_event_bytes`](crate::Decoder::max_event_bytes). Raise the limit if you
    /// trust the server.
    #[error("an event has more than {limit} bytes; `Decoder::max_event_bytes` sets the limit")]
    EventTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}
