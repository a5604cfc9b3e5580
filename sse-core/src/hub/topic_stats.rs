//! The contents of one topic.

use super::Hub;
use super::deferred::Deferred;

/// The contents of one topic at one moment, from [`Hub::topic_stats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// Streams at this node that follow the topic. A [listener](Hub::listen) does not count.
    pub subscribers: usize,
    /// Whether the topic has [ended](Hub::end).
    pub is_ended: bool,
    /// Whether this is a [state topic](Hub::state_topic).
    pub is_state: bool,
    /// Stored events.
    pub held_events: usize,
    /// The bytes of the stored events, as they are sent.
    pub held_bytes: usize,
}

impl Hub {
    /// Returns the contents of one topic, or `None` if the hub does not have the topic: it holds no events, and has neither a
    /// subscriber nor a handle. The call trims expired events first.
    ///
    /// ```
    /// # use sse_core::Hub;
    /// let hub = Hub::new();
    /// hub.publish("news", "rain")?;
    /// let stats = hub.topic_stats("news").unwrap();
    /// assert_eq!((stats.subscribers, stats.is_ended, stats.held_events), (0, false, 1));
    /// assert!(hub.topic_stats("sport").is_none());
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    #[must_use]
    pub fn topic_stats(&self, topic: impl AsRef<str>) -> Option<TopicStats> {
        let topic = topic.as_ref();
        let now = self.inner.now_if_aging();
        let mut deferred = Deferred::default();
        let stats = {
            let mut history = self.inner.history.lock();
            history.expire(&self.inner, now, &mut deferred);
            history.topics.get(topic).map(|topic| {
                let locked = topic.lock();
                TopicStats {
                    subscribers: locked.subscribers(),
                    is_ended: locked.end().is_some(),
                    is_state: topic.is_state(),
                    held_events: locked.ring.events(),
                    held_bytes: locked.ring.bytes(),
                }
            })
        };
        deferred.run(&self.inner);
        stats
    }
}
