//! A feed: the same subscription for every client of a route.

use super::{Hub, IntoTopics, Replay, Subscription};
use crate::request::policy::Policy;
use crate::response::options::Sse;
use crate::runtime::runtime::Runtime;
use std::sync::Arc;
use std::time::Duration;

/// The same subscription for every client of a route: a hub, topics, and options. A clone copies reference counts.
///
/// Each adapter has a function `feed`, which makes a route of a feed without a handler.
///
/// ```
/// use sse_core::hub::Feed;
/// use sse_core::{Hub, Replay, testing::Clock};
///
/// let clock = Clock::new();
/// let hub = Hub::builder().build_on(clock.clone());
/// hub.publish("news", "rain")?;
///
/// let feed = Feed::new(&hub, ["news"]).replay(Replay::All);
/// let mut client = clock.read(feed.subscribe(clock.sse()).into_response());
/// assert!(client.text().contains("data: rain\n"));
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Feed {
    hub: Hub,
    topics: Arc<[String]>,
    replay: Replay,
    keep_alive: Option<Option<Duration>>,
    pace: Duration,
    policy: Option<Policy>,
}

impl Feed {
    /// Creates a feed of these topics. A feed with more topics than
    /// [`HubBuilder::max_topics_per_stream`](super::HubBuilder::max_topics_per_stream), or with a name of more than 256
    /// bytes, answers every request with 400.
    pub fn new<K>(hub: &Hub, topics: impl IntoTopics<K>) -> Self {
        let topics = topics.into_topics().map(|topic| topic.as_ref().to_owned()).collect();
        Self { hub: hub.clone(), topics, replay: Replay::None, keep_alive: None, pace: Duration::ZERO, policy: None }
    }

    /// Sends stored events to a new client, see [`Subscription::replay`]. None by default.
    #[must_use]
    pub fn replay(self, replay: Replay) -> Self {
        Self { replay, ..self }
    }

    /// Sets the interval of keep-alives, see [`Sse::keep_alive`](crate::Sse::keep_alive). 15 s by default.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::Feed, testing::Clock};
    /// # use std::time::Duration;
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let feed = Feed::new(&hub, ["news"]).keep_alive(Duration::from_secs(5));
    /// let mut client = clock.read(feed.subscribe(clock.sse()).into_response());
    /// assert!(client.text().starts_with(":\nevent: sse-position\n"));
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(client.text(), ":\n");
    /// ```
    #[must_use]
    pub fn keep_alive(self, interval: impl Into<Option<Duration>>) -> Self {
        Self { keep_alive: Some(interval.into()), ..self }
    }

    /// Writes to each client at most once per window, see [`Sse::pace`](crate::Sse::pace). No window by default.
    #[must_use]
    pub fn pace(self, window: Duration) -> Self {
        Self { pace: window, ..self }
    }

    /// Sets the policy of the feed. Without this call the policy is that of the route.
    ///
    /// ```
    /// # use sse_core::{Hub, Policy, hub::Feed, testing::Clock};
    /// let hub = Hub::builder().build_on(Clock::new());
    /// assert!(Feed::new(&hub, ["news"]).own_policy().is_none());
    /// assert!(Feed::new(&hub, ["news"]).policy(Policy::local()).own_policy().is_some());
    /// ```
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// The policy that [`policy`](Self::policy) set.
    #[must_use]
    pub const fn own_policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// Subscribes one client. [`Feed`] has an example.
    pub fn subscribe<R: Runtime>(&self, sse: Sse<R>) -> Subscription<R> {
        let sse = match self.keep_alive {
            Some(interval) => sse.keep_alive(interval),
            None => sse,
        };
        sse.pace(self.pace).subscribe(&self.hub, &*self.topics).replay(self.replay)
    }
}
