//! One ordered history: topics are labels in it, a connection is a cursor, `Last-Event-ID` is the cursor's position.

mod ages;
mod any_source;
mod attach;
mod builder;
mod cursor;
pub(crate) mod history;
mod id;
mod idle;
pub(crate) mod log;
mod publish;
mod registry;
mod retry_later;
mod ring;
mod shrink;
mod stats;
mod subscription;
mod tombstones;
mod topic;
mod topic_names;
mod topic_source;
mod topics;

#[doc(hidden)]
pub use any_source::AnySource;
pub use builder::HubBuilder;
pub use history::MAX_TOPIC_BYTES;
pub use id::EventId;
pub use log::feed::{Feed, FeedError};
pub use publish::{PublishError, Topic};
pub use registry::Draining;
pub use stats::Stats;
pub use subscription::{Replay, Resumption, SubscribeError, Subscription};
pub use topic_names::{IntoTopics, Many, One};
#[doc(hidden)]
pub use topic_source::TopicSource;

use crate::runtime::runtime::{Random, Runtime, Timer};
use crate::runtime::sync::atomic::AtomicU64;
use crate::runtime::sync::{Arc, Mutex};
use crate::stream::shared::Rules;
use builder::Limits;
use history::History;
use registry::Registry;
use retry_later::SentAway;
use stats::Counters;
use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A history of events under topics, and the streams that follow it. A clone is the same hub.
///
/// # Examples
/// ```
/// use sse_core::testing::Clock;
/// use sse_core::{Event, Hub, LastEventId};
///
/// let clock = Clock::new();
/// let hub = Hub::builder().build_on(clock.clone());
/// let first = hub.publish("news", Event::data("rain").event("article"))?;
/// hub.publish("news", Event::data("sun").event("article"))?;
///
/// // A client that comes back with the id of the first gets the second.
/// let feed = clock.sse_after(LastEventId::Text(first.to_string().into())).subscribe(&hub, ["news"]);
/// let text = clock.read(feed.into_response()).text();
/// assert!(text.starts_with(":\nevent: sse-position\nretry: ")); // from 2,000 to 4,000 ms
/// assert!(text.contains(&format!("\nid: {first}\ndata: {{}}\n\nevent: article\ndata: sun\n")));
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) runtime: Box<dyn AnyRuntime>,
    pub(crate) limits: Limits,
    /// What the hub asks of everything that goes to its topics' readers.
    pub(crate) rules: Rules,
    /// Taken by every publish, and by whoever comes or goes. A topic's lock may be taken inside it, never around it.
    pub(crate) history: Mutex<History>,
    /// The newest position. Everything at or below it is complete in every topic: it is stored last, while the topic's
    /// lock is held.
    pub(crate) head: AtomicU64,
    /// How often a part of the history was taken back.
    pub(crate) epoch: AtomicU64,
    pub(crate) registry: Registry,
    pub(crate) counters: Counters,
    sent_away: Mutex<SentAway>,
}

impl Inner {
    /// The time, if events have an age. To be read before a lock is taken, because the clock is the program's.
    pub(crate) fn now_if_aging(&self) -> Option<Instant> {
        self.limits.topic_age.map(|_| self.runtime.now())
    }

    /// Counts a client that must retry later, and draws its delay.
    pub(crate) fn send_away(&self) -> Duration {
        Counters::add(&self.counters.retry_later, 1);
        let now = self.runtime.now();
        let range = self.sent_away.lock().add(now, &self.limits.drain_retry);
        self.runtime.random().duration(range)
    }

    /// The block for a client whose id says nothing to this hub, or whose history was taken back.
    pub(crate) fn unknown_gap(&self, id: Option<EventId>) -> Vec<u8> {
        let event_type = &self.limits.gap_type;
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        format!("event: {event_type}\ndata: {{\"reason\":\"unknown\"}}\n{id}\n").into_bytes()
    }
}

/// A runtime behind a pointer, because a hub is no less a hub on another one.
pub(crate) trait AnyRuntime: Send + Sync {
    fn now(&self) -> Instant;
    fn timer(&self) -> Pin<Box<dyn Timer>>;
    fn random(&self) -> &Random;
}

impl<R: Runtime> AnyRuntime for R {
    fn now(&self) -> Instant {
        Runtime::now(self)
    }

    fn timer(&self) -> Pin<Box<dyn Timer>> {
        Box::pin(Runtime::timer(self))
    }

    fn random(&self) -> &Random {
        Runtime::random(self)
    }
}

impl Hub {
    /// A hub with the default bounds, on tokio's clock.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn new() -> Self {
        HubBuilder::default().build()
    }

    /// A hub with bounds of its own.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    /// A hub that follows a log elsewhere, and the feed by which it does; with the default bounds, on tokio's clock. Its
    /// readers are served as by any other; publishing is the log's.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn follower() -> (Self, Feed) {
        HubBuilder::default().follower()
    }

    /// Begins to go down, finally: every stream is told to end within the window, and newcomers are asked to come back
    /// later. The future is ready with 0 when no stream is left, or after window and grace with the number that would
    /// not end.
    ///
    /// It goes inside the future that the framework's shutdown waits for, so that newcomers still get an answer.
    ///
    /// ```
    /// use sse_core::{Hub, testing::Clock};
    /// use std::{pin::pin, time::Duration};
    /// # use std::{future::Future, task::{Context, Poll, Waker}};
    ///
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let mut reader = clock.read(clock.sse().subscribe(&hub, ["news"]).into_response());
    /// reader.text();
    ///
    /// let mut drained = pin!(hub.drain(Duration::from_secs(5)));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// # assert!(drained.as_mut().poll(&mut cx).is_pending());
    /// clock.advance(Duration::from_secs(5));
    /// assert!(reader.text().starts_with("retry: ")); // from 1,000 to 5,000 ms
    /// assert!(reader.has_ended());
    /// # assert_eq!(drained.poll(&mut cx), Poll::Ready(0));
    /// ```
    pub fn drain(&self, window: Duration) -> Draining {
        registry::begin(&self.inner, window)
    }

    /// Whether [`Hub::drain`] was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.registry.is_draining()
    }

    /// Ends every stream that has this [key](crate::Sse::key), as when a login ends, and says how many. What is pending
    /// is not delivered. A body that nobody polls is forgotten all the same; its connection ends when the socket does.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let mut reader = clock.read(clock.sse().key("ann")?.subscribe(&hub, ["news"]).into_response());
    /// assert_eq!(hub.close_by_key("bob"), 0);
    /// assert_eq!(hub.close_by_key("ann"), 1);
    /// assert!(reader.has_ended());
    /// # Ok::<(), sse_core::KeyTooLong>(())
    /// ```
    pub fn close_by_key(&self, key: impl AsRef<str>) -> usize {
        self.inner.registry.cut(key.as_ref())
    }

    /// What the hub holds and has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = &self.inner;
        let now = inner.now_if_aging();
        let mut deferred = topic::Deferred::default();
        let mut stats = inner.counters.read();
        {
            let mut history = inner.history.lock();
            history.expire(inner, now, &mut deferred);
            let topics = &history.topics;
            (stats.topics, stats.dropped_topics) = (topics.len(), topics.dropped);
            (stats.held_events, stats.held_bytes) = (topics.held_events, topics.held_bytes);
        }
        stats.streams = inner.registry.len();
        deferred.run();
        stats
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(feature = "tokio")]
impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}
