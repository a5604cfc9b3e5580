//! The counters of a hub.

use crate::runtime::sync::atomic::{AtomicU64, Ordering};
use crate::runtime::sync::{Apart, thread_place, threads};
use crate::stream::CloseReason;

/// Counters since the hub was built. Delivered events are added once for each chunk.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) delivered: Striped,
    pub(crate) lagged: AtomicU64,
    pub(crate) resumed: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) retry_later: AtomicU64,
    pub(crate) ends: [AtomicU64; CloseReason::ALL.len()],
}

/// A counter that threads add to without a common cache line: a part for each thread.
#[derive(Debug)]
pub(crate) struct Striped(Box<[Apart<AtomicU64>]>);

impl Default for Striped {
    fn default() -> Self {
        Self((0..threads()).map(|_| Apart::default()).collect())
    }
}

impl Striped {
    pub(crate) fn add(&self, n: usize) {
        if let Some(part) = self.0.get(thread_place()) {
            Counters::add(part, n);
        }
    }

    fn read(&self) -> u64 {
        self.0.iter().map(|part| part.load(Ordering::Relaxed)).sum()
    }
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

    /// The counters. The fields for the current contents of the hub are 0.
    pub(crate) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            streams: 0,
            topics: 0,
            ended_topics: 0,
            dropped_topics: 0,
            held_events: 0,
            held_bytes: 0,
            #[cfg(feature = "gzip")]
            compressed_bytes: 0,
            published: read(&self.published),
            delivered: self.delivered.read(),
            lagged: read(&self.lagged),
            resumed: read(&self.resumed),
            gaps: read(&self.gaps),
            retry_later: read(&self.retry_later),
            ends: std::array::from_fn(|at| self.ends.get(at).map_or(0, read)),
        }
    }
}

/// The contents and the counters of a hub at one moment, from [`Hub::stats`](super::Hub::stats).
///
/// The cost of a call does not depend on the number of topics, events or streams.
///
/// ```
/// let hub = sse_core::Hub::new();
/// hub.publish("news", "rain")?;
/// let stats = hub.stats();
/// assert_eq!((stats.topics, stats.published, stats.held_events), (1, 1, 1));
/// assert_eq!(stats.held_bytes, "data: rain\nid: 1-00000000\n\n".len());
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Open streams that belong to the hub: subscriptions, and channels and streams of events that are attached to it.
    pub streams: usize,
    /// Topics that hold events or have a subscriber or a handle.
    pub topics: usize,
    /// The [ended](super::Hub::end) ones among the [`topics`](Self::topics).
    pub ended_topics: usize,
    /// Topics that were dropped with their events to make room for new topics, because of
    /// [`max_topics`](super::HubBuilder::max_topics). Their clients receive a gap when they resume.
    pub dropped_topics: u64,
    /// Stored events.
    pub held_events: usize,
    /// The bytes of the stored events, as they are sent.
    pub held_bytes: usize,
    /// The compressed bytes of stored events, see [`HubBuilder::gzip`](super::HubBuilder::gzip). They count towards
    /// [`hub_bytes`](super::HubBuilder::hub_bytes).
    #[cfg(feature = "gzip")]
    pub compressed_bytes: usize,
    /// Events published since the hub was built.
    pub published: u64,
    /// Events delivered to subscriptions. One event that three subscribers receive counts three times.
    pub delivered: u64,
    /// How often a subscriber lagged: events were trimmed before the subscriber read them.
    pub lagged: u64,
    /// Subscriptions that resumed after the client's last event ID without a missing event.
    pub resumed: u64,
    /// Gap events sent.
    pub gaps: u64,
    /// Requests that were answered "retry later", because the hub drains or is full. They opened no stream, so
    /// [`ended`](Self::ended) does not count them.
    pub retry_later: u64,
    ends: [u64; CloseReason::ALL.len()],
}

impl Stats {
    /// The number of streams that ended for this reason.
    ///
    /// ```
    /// use sse_core::{CloseReason, Hub, testing::Clock};
    ///
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// drop(clock.sse().subscribe(&hub, "news").into_response());
    /// assert_eq!(hub.stats().ended(CloseReason::ClientLeft), 1);
    /// assert_eq!(hub.stats().ended(CloseReason::Lagged), 0);
    /// ```
    #[must_use]
    pub fn ended(&self, reason: CloseReason) -> u64 {
        self.ends.get(reason.index()).copied().unwrap_or_default()
    }

    /// The number of ended streams for every reason, for a metric with a label.
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
