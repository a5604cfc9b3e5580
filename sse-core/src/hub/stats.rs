//! What a hub counts.

use crate::runtime::sync::atomic::{AtomicU64, Ordering};
use crate::stream::CloseReason;

/// What happened so far, added to once a chunk.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) lagged: AtomicU64,
    pub(crate) resumed: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) retry_later: AtomicU64,
    pub(crate) ends: [AtomicU64; CloseReason::ALL.len()],
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, reason: CloseReason) {
        if let Some(counter) = self.ends.get(reason.index()) {
            Self::add(counter, 1);
        }
    }

    /// The counters alone.
    pub(crate) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            streams: 0,
            topics: 0,
            dropped_topics: 0,
            held_events: 0,
            held_bytes: 0,
            published: read(&self.published),
            delivered: read(&self.delivered),
            lagged: read(&self.lagged),
            resumed: read(&self.resumed),
            gaps: read(&self.gaps),
            retry_later: read(&self.retry_later),
            ends: std::array::from_fn(|at| self.ends.get(at).map_or(0, read)),
        }
    }
}

/// A hub at one moment. Reading it costs the same whatever the hub holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Streams that are attached: subscriptions, channels and streams of events.
    pub streams: usize,
    /// Topics that hold events, or have a subscriber or a handle.
    pub topics: usize,
    /// Topics that the hub dropped with their events to make room for others, because of
    /// [`max_topics`](super::HubBuilder::max_topics). Their clients receive a gap when they resume.
    pub dropped_topics: u64,
    /// Events that are held for those who come back.
    pub held_events: usize,
    /// Their bytes on the wire.
    pub held_bytes: usize,
    /// Events published since the hub was made.
    pub published: u64,
    /// Events handed to subscriptions; each reader counts.
    pub delivered: u64,
    /// How often a cursor fell behind what its topics keep.
    pub lagged: u64,
    /// Subscriptions that went on after the client's last event ID with nothing missing.
    pub resumed: u64,
    /// Gap events sent.
    pub gaps: u64,
    /// Requests that were asked to come later, because the hub drains or is full. None of them opened a stream, so that
    /// [`ended`](Self::ended) counts none of them.
    pub retry_later: u64,
    ends: [u64; CloseReason::ALL.len()],
}

impl Stats {
    /// How many of the streams ended for this reason.
    #[must_use]
    pub fn ended(&self, reason: CloseReason) -> u64 {
        self.ends.get(reason.index()).copied().unwrap_or_default()
    }

    /// The same for every reason there is, as a metric with a label wants it.
    ///
    /// ```
    /// let stats = sse_core::Hub::new().stats();
    /// assert!(stats.ends().any(|(reason, streams)| reason.as_str() == "lagged" && streams == 0));
    /// ```
    pub fn ends(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        let ends = self.ends;
        CloseReason::ALL.into_iter().zip(ends)
    }
}
