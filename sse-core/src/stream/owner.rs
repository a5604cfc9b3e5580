//! The owner of a stream. In this crate every owner is a hub.

use super::close_reason::CloseReason;
use super::shared::Shared;
use crate::runtime::sync::Arc;
use std::fmt;
use std::time::Duration;

/// Counts and drains streams. The trait keeps the hub out of the imports of a stream.
pub(crate) trait StreamOwner: Send + Sync {
    /// Counts a stream that opens. Returns false if the owner drains or is full.
    fn enter(&self, shared: &Arc<Shared>, ends: DrainEnd, key: Option<std::sync::Arc<str>>) -> bool;

    /// Counts the end of a stream by its reason.
    fn ended(&self, reason: CloseReason);

    /// Removes a stream that entered.
    fn leave(&self, shared: &Shared);

    /// Whether the owner drains.
    fn is_draining(&self) -> bool;

    /// Counts a client that must retry later, and draws its delay.
    fn retry_later(&self) -> Duration;

    /// Draws the reconnection time that a stream without topics sends when it opens. `None` if it sends none.
    fn channel_retry(&self) -> Option<Duration>;

    /// Identifies the owner.
    fn address(&self) -> usize;
}

impl fmt::Debug for dyn StreamOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamOwner({:#x})", self.address())
    }
}

/// When a drain ends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DrainEnd {
    /// At a random moment within the window. For subscriptions, whose clients resume at another node and lose nothing.
    Spread,
    /// At the end of the window. Until then the application can send its last events.
    Last,
}
