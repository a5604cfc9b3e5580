//! The reason of the end of a stream.

use std::fmt;

/// Why a stream ended. The reason is decided once and never changes.
///
/// ```
/// use sse_core::{CloseReason, testing::Clock};
///
/// let (events, response) = Clock::new().sse().channel();
/// drop(response); // the client leaves
/// assert_eq!(events.close_reason(), Some(CloseReason::ClientLeft));
/// assert_eq!(CloseReason::ClientLeft.as_str(), "gone");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application closed the stream or dropped every sender, and the client received all events. A browser reconnects.
    Closed,
    /// The application finished the stream, and the client received all events. A browser requests the stream once more,
    /// receives 204 and stops.
    Finished,
    /// The client disconnected, or the server dropped the body, before the client received all events.
    ClientLeft,
    /// The hub trimmed events before this subscriber read them. The stream ended, so that the client resumes with its last
    /// event ID.
    Lagged,
    /// The hub drained.
    Drained,
    /// The stream reached its [`max_lifetime`](crate::Sse::max_lifetime).
    Expired,
    /// The source of events failed, or yielded an event that cannot be sent.
    Failed,
}

impl CloseReason {
    /// Every reason, in the order of [`CloseReason::index`].
    pub(crate) const ALL: [Self; 7] =
        [Self::Closed, Self::Finished, Self::ClientLeft, Self::Lagged, Self::Drained, Self::Expired, Self::Failed];

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The reason as one lower-case word, for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Finished => "finished",
            Self::ClientLeft => "gone",
            Self::Lagged => "lagged",
            Self::Drained => "drained",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
