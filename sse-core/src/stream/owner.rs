//! The owner of a stream: a hub, seen from below.

use super::shared::Shared;
use super::state::CloseReason;
use crate::runtime::sync::Arc;
use std::fmt;
use std::time::Duration;

/// What a stream and its response need of the hub that counts and drains them.
///
/// A trait, so that a stream is complete without a hub and does not import one.
pub(crate) trait StreamOwner: Send + Sync {
    /// Counts a stream that opens; false if the owner drains or is full.
    fn enter(&self, shared: &Arc<Shared>, ends: DrainEnd, key: Option<std::sync::Arc<str>>) -> bool;

    /// Counts the reason of a stream that has ended.
    fn ended(&self, reason: CloseReason);

    /// Removes a stream that entered.
    fn leave(&self, shared: &Shared);

    /// Whether the owner drains.
    fn is_draining(&self) -> bool;

    /// Counts a client that must retry later, and draws its delay.
    fn retry_later(&self) -> Duration;

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
    /// At a random moment within the window: the client of a subscription resumes elsewhere and loses nothing.
    Spread,
    /// At the end of the window: until then the application can send its last events.
    Last,
}
