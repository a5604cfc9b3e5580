//! The limits of a single event.

use std::time::Duration;

/// The longest event ID: 128 bytes. A request with a longer `Last-Event-ID` header would need a CORS preflight.
pub const MAX_ID_BYTES: usize = 128;

/// The default size limit of an event: 1 MiB of field values. A line break within data counts as the start of a line on
/// the wire (`data: ` and a line feed).
///
/// [`HubBuilder::max_event_bytes`](crate::hub::HubBuilder::max_event_bytes) and
/// [`Sse::max_event_bytes`](crate::Sse::max_event_bytes) set other limits.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The largest total of the events in [`Sse::prelude`](crate::Sse::prelude): 8 MiB on the wire.
pub const MAX_PRELUDE_BYTES: usize = 8 * MAX_EVENT_BYTES;

/// The longest reconnection time: 2,147,483,647 ms. Some clients turn a longer time into 1 ms.
pub const MAX_RETRY: Duration = Duration::from_millis(2_147_483_647);
