//! The limits of a single event.

use std::time::Duration;

/// The longest event ID, in bytes. A longer one would need a CORS preflight in the header `Last-Event-ID`.
pub const MAX_ID_BYTES: usize = 128;

/// The largest event by default, in bytes of its values; a line break within data counts as the line it opens on the wire.
/// [`HubBuilder::max_event_bytes`](crate::hub::HubBuilder::max_event_bytes) and
/// [`Sse::max_event_bytes`](crate::Sse::max_event_bytes) set another limit.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The most that [`Sse::prelude`](crate::Sse::prelude) takes, in bytes on the wire.
pub const MAX_PRELUDE_BYTES: usize = 8 * MAX_EVENT_BYTES;

/// The longest reconnection time, 2,147,483,647 ms: above it some clients wait one millisecond.
pub const MAX_RETRY: Duration = Duration::from_millis(2_147_483_647);
