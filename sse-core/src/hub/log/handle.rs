//! A handle for the parts of a follower that do not write to the hub.

use crate::hub::{EventId, Hub};

/// A handle of a hub that follows a log, from [`LogFeed::handle`](super::LogFeed::handle). Clones share the hub.
///
/// The [`LogFeed`](super::LogFeed) has a single owner, for one the task that reads the log. Handlers use this handle.
#[derive(Debug, Clone)]
pub struct LogHandle {
    hub: Hub,
}

impl LogHandle {
    pub(super) const fn new(hub: Hub) -> Self {
        Self { hub }
    }

    /// Whether an event with this unknown ID may still arrive from the log, because another node has read further.
    ///
    /// A subscription with such an ID is answered "retry later". A handler that prefers to let its client wait calls this
    /// first, and again until the answer is `false`.
    ///
    /// The answer is `true` from the first call with an ID until [`LogFeed::caught_up`](super::LogFeed::caught_up) was
    /// called twice. It is always `false` before the first call of `caught_up`, and for an ID that the hub knows.
    ///
    /// ```
    /// use sse_core::Hub;
    /// use sse_core::hub::{EventId, log};
    ///
    /// let (_hub, mut feed) = log::follow(Hub::builder());
    /// let handle = feed.handle();
    /// feed.append(EventId::new((1, 0), 7), "news", "rain")?;
    /// feed.caught_up();
    ///
    /// let of_another_node = EventId::new((2, 0), 7);
    /// assert!(handle.may_still_arrive(of_another_node));
    /// feed.caught_up();
    /// feed.caught_up();
    /// assert!(!handle.may_still_arrive(of_another_node));
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    #[must_use]
    pub fn may_still_arrive(&self, id: EventId) -> bool {
        let inner = &self.hub.inner;
        inner.history.lock().may_still_arrive(inner, id, &[])
    }
}
