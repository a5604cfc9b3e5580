//! The bounds of a hub, each with its default.

use super::history::History;
use super::log::id_source::{IdSource, Secret};
use super::registry::Registry;
use super::stats::Counters;
use super::{Feed, Hub, Inner};
use crate::event::control::is_reserved;
use crate::event::limits::{MAX_EVENT_BYTES, MAX_RETRY};
use crate::runtime::runtime::Runtime;
use crate::runtime::sync::atomic::AtomicU64;
use crate::runtime::sync::{Arc, Mutex};
use crate::stream::shared::Rules;
use std::ops::RangeInclusive;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) topic_bytes: usize,
    pub(crate) topic_events: usize,
    pub(crate) topic_age: Option<Duration>,
    pub(crate) hub_bytes: usize,
    pub(crate) max_topics: usize,
    pub(crate) max_topics_per_stream: usize,
    pub(crate) max_streams: usize,
    pub(crate) max_streams_per_key: usize,
    pub(crate) lag_ends: bool,
    pub(crate) gap_type: std::sync::Arc<str>,
    pub(crate) max_event_bytes: usize,
    /// The middle of the range from which each stream's is drawn.
    pub(crate) retry: Duration,
    pub(crate) position_updates: bool,
    pub(crate) drain_grace: Duration,
    pub(crate) drain_retry: RangeInclusive<Duration>,
}

impl Limits {
    /// The reconnection times of the streams that open.
    pub(crate) fn retry(&self) -> RangeInclusive<Duration> {
        let third = self.retry / 3;
        self.retry - third..=(self.retry + third).min(MAX_RETRY)
    }
}

/// The bounds of a hub, each with its default.
///
/// As a node with many readers may have them:
///
/// ```
/// use sse_core::Hub;
/// use std::time::Duration;
///
/// let hub = Hub::builder()
///     .topic_bytes(1024 * 1024)
///     .topic_age(Duration::from_secs(600))
///     .hub_bytes(512 * 1024 * 1024)
///     .max_streams(60_000)
///     .max_streams_per_key(5)
///     .drain_retry(Duration::from_secs(2)..=Duration::from_secs(30))
///     .build();
/// # assert_eq!(hub.stats().streams, 0);
/// ```
///
/// And what a bound does:
///
/// ```
/// use sse_core::{Event, Hub};
///
/// let hub = Hub::builder().topic_events(2).build();
/// for n in ["1", "2", "3"] {
///     hub.publish("news", Event::data(n))?;
/// }
/// assert_eq!(hub.stats().held_events, 2);
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder builds nothing until `build`"]
pub struct HubBuilder {
    limits: Limits,
    position_updates: Option<bool>,
}

impl Default for HubBuilder {
    fn default() -> Self {
        let limits = Limits {
            topic_bytes: 4 * 1024 * 1024,
            topic_events: usize::MAX,
            topic_age: None,
            hub_bytes: 64 * 1024 * 1024,
            max_topics: 100_000,
            max_topics_per_stream: 256,
            max_streams: usize::MAX,
            max_streams_per_key: usize::MAX,
            lag_ends: true,
            gap_type: "gap".into(),
            max_event_bytes: MAX_EVENT_BYTES,
            retry: Duration::from_secs(3),
            position_updates: false,
            drain_grace: Duration::from_secs(10),
            drain_retry: Duration::from_secs(1)..=Duration::from_secs(5),
        };
        Self { limits, position_updates: None }
    }
}

impl HubBuilder {
    /// How many bytes of events a topic keeps, as they are on the wire: 4 MiB by default. At the bound the oldest event
    /// goes; the newest stays, however large. Its memory may be 32 KiB more, and 16 bytes for each event.
    pub const fn topic_bytes(mut self, bytes: usize) -> Self {
        self.limits.topic_bytes = bytes;
        self
    }

    /// How many events a topic keeps, at least one: no bound by default. A burst of more than this ends every reader of
    /// the topic that is not read meanwhile, so bound the bytes rather.
    pub const fn topic_events(mut self, events: usize) -> Self {
        self.limits.topic_events = events;
        self
    }

    /// How long a topic keeps an event: no bound by default. The hub trims old events when it is next used, up to a 64th
    /// of the age late. Each use trims a bounded number of them, so that no publish waits for many; a subscription never
    /// begins with an event that is older.
    pub const fn topic_age(mut self, age: Duration) -> Self {
        self.limits.topic_age = Some(age);
        self
    }

    /// How many bytes of events all topics keep together: 64 MiB by default. At the bound the oldest event goes,
    /// whichever topic it is of. Memory may be twice this, where parts of a segment are forgotten.
    pub const fn hub_bytes(mut self, bytes: usize) -> Self {
        self.limits.hub_bytes = bytes;
        self
    }

    /// At most this many topics at once: 100,000 by default.
    ///
    /// At the bound a new topic takes the place of another: the hub drops the topic without subscribers and handles whose
    /// newest event is the oldest, and counts it in [`Stats::dropped_topics`](super::Stats::dropped_topics). A client that
    /// resumes there receives a gap. While each topic has a subscriber or a [handle](Hub::topic), a publish to a new topic
    /// returns [`PublishError::TooManyTopics`](super::PublishError::TooManyTopics), and a subscription with a new topic is
    /// answered "retry later". The hub remembers where 65,536 dropped topics ended; after more, a client may receive a gap
    /// although nothing is missing.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::PublishError};
    /// let hub = Hub::builder().max_topics(2).build();
    /// for user in ["user/1", "user/2", "user/3"] {
    ///     hub.publish(user, "you have mail")?;
    /// }
    /// let stats = hub.stats();
    /// assert_eq!((stats.topics, stats.dropped_topics, stats.held_events), (2, 1, 2));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub const fn max_topics(mut self, topics: usize) -> Self {
        self.limits.max_topics = topics;
        self
    }

    /// At most this many different topics for one stream: 256 by default. A subscription with more is answered 400 and
    /// opens no stream; [`Subscription::error`](super::Subscription::error) names the limit.
    pub const fn max_topics_per_stream(mut self, topics: usize) -> Self {
        self.limits.max_topics_per_stream = topics;
        self
    }

    /// At most this many streams at once; the next is refused softly. No bound by default.
    pub const fn max_streams(mut self, streams: usize) -> Self {
        self.limits.max_streams = streams;
        self
    }

    /// At most this many streams at once of one [`Sse::key`](crate::Sse::key); the next is refused softly. No bound by
    /// default. A browser opens six connections to a host over HTTP/1, so five leave one for everything else.
    pub const fn max_streams_per_key(mut self, streams: usize) -> Self {
        self.limits.max_streams_per_key = streams;
        self
    }

    /// Moves a reader that fell behind what its topic keeps on past a gap event. By default it is ended, so that its
    /// client comes back with its last event ID.
    pub const fn gap_on_lag(mut self) -> Self {
        self.limits.lag_ends = false;
        self
    }

    /// The type of gap events: `gap` by default, and if this is empty or one of
    /// [`RESERVED_TYPES`](crate::RESERVED_TYPES). No event of the application may have it. A line break in it becomes a
    /// space.
    pub fn gap_type(mut self, event_type: &str) -> Self {
        if !event_type.is_empty() && !is_reserved(event_type) {
            self.limits.gap_type = event_type.replace(['\r', '\n'], " ").into();
        }
        self
    }

    /// The reconnection time with which a subscription opens: 3 s by default, at most [`MAX_RETRY`].
    ///
    /// Each stream draws its own, evenly between two thirds and four thirds of this time: from 2 to 4 s by default. The
    /// clients of a server that crashed then do not all reconnect at the same moment.
    pub const fn retry(mut self, time: Duration) -> Self {
        self.limits.retry = at_most_max(time);
        self
    }

    /// The largest event that the hub accepts, in bytes of its values: [`MAX_EVENT_BYTES`], 1 MiB, by default. A line break
    /// counts as the line that it opens. A larger event is [`FrameError::TooLarge`](crate::FrameError::TooLarge), and
    /// nothing is published.
    ///
    /// Raise [`topic_bytes`](Self::topic_bytes) too: a topic keeps no event that is larger than its bound. Clients have
    /// limits of their own, as [`Decoder::max_event_bytes`](crate::Decoder::max_event_bytes). Nodes that follow one log
    /// must all have the same limit.
    ///
    /// ```
    /// # use sse_core::{Event, FrameError, Hub, hub::PublishError};
    /// let hub = Hub::builder().max_event_bytes(4).build();
    /// hub.publish("news", Event::data("1234"))?;
    /// let error = hub.publish("news", Event::data("12345")).unwrap_err();
    /// assert_eq!(error, PublishError::Invalid(FrameError::TooLarge { bytes: 5, limit: 4 }));
    /// assert!(error.to_string().contains("`max_event_bytes` of the hub's builder"));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub const fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_event_bytes = bytes;
        self
    }

    /// Lets the keep-alive of a subscription carry its position, so that the client of a quiet topic does not fall
    /// behind. Off by default, and on for a follower.
    ///
    /// A position update is an event of the reserved type `sse-position`. A GET whose `Accept` does not name
    /// `text/event-stream` receives a block without data, and other methods than GET receive the usual comment.
    pub const fn position_updates(mut self, on: bool) -> Self {
        self.position_updates = Some(on);
        self
    }

    /// How long [`Hub::drain`] waits beyond its window for streams that do not end: 10 s by default.
    pub const fn drain_grace(mut self, grace: Duration) -> Self {
        self.limits.drain_grace = grace;
        self
    }

    /// How long a client waits that is asked to reconnect or to come later, drawn evenly: 1 to 5 s by default, at most
    /// [`MAX_RETRY`]. If many clients were asked to come later in the last seconds, the end of the range grows, so that
    /// about 200 of them return in a second; up to 5 minutes.
    pub const fn drain_retry(mut self, retry: RangeInclusive<Duration>) -> Self {
        self.limits.drain_retry = at_most_max(*retry.start())..=at_most_max(*retry.end());
        self
    }

    /// The hub, on tokio's clock.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn build(self) -> Hub {
        self.build_on(crate::runtime::tokio::Tokio)
    }

    /// The hub, on this runtime.
    #[must_use]
    pub fn build_on(self, runtime: impl Runtime) -> Hub {
        let ids = IdSource::Local(Secret::new(runtime.random().secret()));
        self.hub(runtime, ids, false)
    }

    /// A hub that follows a log elsewhere, and its feed, on tokio's clock.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn follower(self) -> (Hub, Feed) {
        self.follower_on(crate::runtime::tokio::Tokio)
    }

    /// A hub that follows a log elsewhere, and its feed, on this runtime.
    #[must_use]
    pub fn follower_on(self, runtime: impl Runtime) -> (Hub, Feed) {
        let hub = self.hub(runtime, IdSource::followed(), true);
        let feed = Feed::new(hub.clone());
        (hub, feed)
    }

    fn hub(mut self, runtime: impl Runtime, ids: IdSource, position_updates: bool) -> Hub {
        self.limits.position_updates = self.position_updates.unwrap_or(position_updates);
        let rules = Rules::of_hub(self.limits.gap_type.clone(), self.limits.max_event_bytes);
        Hub {
            inner: Arc::new(Inner {
                runtime: Box::new(runtime),
                limits: self.limits,
                rules,
                history: Mutex::new(History::new(ids)),
                head: AtomicU64::new(0),
                epoch: AtomicU64::new(0),
                registry: Registry::default(),
                counters: Counters::default(),
                sent_away: Mutex::default(),
            }),
        }
    }
}

/// `min`, which is no `const fn` for a duration yet.
const fn at_most_max(time: Duration) -> Duration {
    if time.as_nanos() > MAX_RETRY.as_nanos() { MAX_RETRY } else { time }
}
