//! Server-Sent Events without a framework.

mod decode_stream;
mod decoder;
mod encode;
mod error;
mod event;
mod frame;
mod message_event;

pub use decode_stream::{Chunk, DecodeStream, DecodeStreamError};
pub use decoder::{DecodeError, Decoder};
pub use error::{Field, FrameError, SendError};
pub use event::Event;
pub use frame::{Frame, IntoFrame};
pub use message_event::MessageEvent;

use std::time::Duration;

/// The longest id an event may have, in bytes. A longer one would not cross origins without a preflight.
pub const MAX_ID_BYTES: usize = 128;

/// The largest event, in bytes of its values; a line break within data counts as the line it opens on the wire.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The longest reconnection time, 2,147,483,647 ms: above it some clients wait one millisecond.
pub const MAX_RETRY: Duration = Duration::from_millis(2_147_483_647);
