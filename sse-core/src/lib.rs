//! Server-Sent Events without a framework.

mod accept;
#[cfg(feature = "adapter")]
mod adapter;
mod decode_stream;
mod decoder;
mod encode;
mod error;
mod event;
mod frame;
mod grammar;
mod head;
pub mod hub;
mod last_event_id;
mod message_event;
mod policy;
mod refusal;
mod request;
mod response;
mod runtime;
#[cfg(feature = "socket")]
mod socket;
mod sse;
pub mod stream;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tokio")]
mod tokio;
mod trace;

#[cfg(feature = "tokio")]
pub use crate::tokio::{Tokio, TokioTimer};
pub use accept::AcceptMode;
pub use decode_stream::{Chunk, DecodeStream, DecodeStreamError};
pub use decoder::{DecodeError, Decoder};
pub use error::{Field, FrameError, SendError};
pub use event::Event;
pub use frame::{Frame, IntoFrame};
pub use head::STREAM_HEADERS;
pub use hub::{Hub, Resumption, Start, Stats, Subscription};
pub use last_event_id::LastEventId;
pub use message_event::MessageEvent;
pub use policy::{Admitted, Policy};
pub use refusal::Refusal;
pub use request::Request;
pub use response::{HeaderError, Response};
pub use runtime::{Random, Runtime, Timer};
#[cfg(feature = "socket")]
pub use socket::{Bounded, SocketLimits, bound_sockets};
pub use sse::Sse;
pub use stream::{CloseReason, EventStream, Sender};
pub use uuid::Uuid;

#[doc(hidden)]
pub use futures_core::Stream as __Stream;

use std::time::Duration;

/// The longest id an event may have, in bytes. A longer one would not cross origins without a preflight.
pub const MAX_ID_BYTES: usize = 128;

/// The largest event, in bytes of its values; a line break within data counts as the line it opens on the wire.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The most that [`Sse::first`] takes, in bytes on the wire.
pub const MAX_FIRST_BYTES: usize = 8 * MAX_EVENT_BYTES;

/// The longest reconnection time, 2,147,483,647 ms: above it some clients wait one millisecond.
pub const MAX_RETRY: Duration = Duration::from_millis(2_147_483_647);
