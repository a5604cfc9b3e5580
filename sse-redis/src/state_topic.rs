//! State topics of a log: the newest event of each key, on every node.

use crate::publish::RedisPublishError;
use crate::{Publisher, Redis};
use sse_core::hub::log::StateBounds;
use sse_core::hub::{EventId, StateChange, TopicBounds};
use sse_core::{Hub, IntoFrame};
use std::fmt;

/// A handle of a state topic of a log, from [`Redis::state_topic`] or [`Publisher::state_topic`].
#[derive(Clone)]
pub struct RedisStateTopic {
    writer: StateWriter,
    name: Box<str>,
    bounds: StateBounds,
}

/// The owner of the connection.
#[derive(Clone)]
enum StateWriter {
    Node(Redis),
    Publisher(Publisher),
}

impl Redis {
    /// Returns a handle of a topic that holds the current state, the newest event of each key, on every node. The clients
    /// subscribe to the topic on any node, as to any other topic, and receive the same as from
    /// [`Hub::state_topic`](Hub::state_topic).
    ///
    /// The last entry of the log wins: all nodes make the changes in the order of the log. Redis keeps the newest event of each key
    /// beside the log, so that a node that starts later loads the whole state, however short the log is.
    ///
    /// A topic is of one kind. [`Redis::publish`] to a state topic returns [`RedisPublishError::State`], and `set` for a topic
    /// with other events [`RedisPublishError::NotState`].
    ///
    /// ```no_run
    /// # async fn run(redis: sse_redis::Redis) -> Result<(), sse_redis::RedisPublishError> {
    /// let prices = redis.state_topic("prices");
    /// prices.set("ACME", ("price", "8")).await?;
    /// prices.remove("ACME").await?; // event `removed`, data {"key":"ACME"}
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn state_topic(&self, name: impl AsRef<str>) -> RedisStateTopic {
        self.state_topic_with(name, TopicBounds::new())
    }

    /// Returns a handle of a state topic, as [`state_topic`](Self::state_topic), with other bounds. [`TopicBounds::events`] is the
    /// number of keys, by default 65,536, and [`TopicBounds::bytes`] the size of the state in Redis, by default
    /// [`topic_bytes`](sse_core::hub::HubBuilder::topic_bytes). The states of all topics together have at most
    /// [`hub_bytes`](sse_core::hub::HubBuilder::hub_bytes). A key counts with its length, the fields of its entry, and about 60
    /// bytes.
    ///
    /// The bounds are those of this handle, so give all handles of a topic the same ones.
    ///
    /// ```no_run
    /// # async fn run(redis: sse_redis::Redis) {
    /// use sse_core::hub::TopicBounds;
    /// use sse_redis::RedisPublishError;
    ///
    /// let prices = redis.state_topic_with("prices", TopicBounds::new().events(1));
    /// prices.set("ACME", "7").await.unwrap();
    /// assert_eq!(prices.set("EMCA", "1").await, Err(RedisPublishError::StateKeys(1)));
    /// # }
    /// ```
    #[must_use]
    pub fn state_topic_with(&self, name: impl AsRef<str>, bounds: TopicBounds) -> RedisStateTopic {
        let bounds = self.hub().state_bounds(bounds);
        RedisStateTopic { writer: StateWriter::Node(self.clone()), name: name.as_ref().into(), bounds }
    }

    /// Makes all of these changes of state topics, or none of them: at most 1,024, consecutive in the log. Returns the ID of each
    /// change, and `None` for the removal of a key that its topic does not have. The bounds of the topics are the default ones.
    ///
    /// # Errors
    /// The [`RedisPublishError`] of the first change that cannot be made. The changes may be in the log only after
    /// [`RedisPublishError::MaybeStored`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the changes.
    ///
    /// ```no_run
    /// # async fn run(redis: sse_redis::Redis) -> Result<(), sse_redis::RedisPublishError> {
    /// use sse_core::hub::StateChange;
    ///
    /// let moved = [("left", StateChange::remove("ann")), ("right", StateChange::set("ann", ("joined", "ann")))];
    /// redis.change_all(moved).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn change_all<T: AsRef<str>>(
        &self,
        changes: impl IntoIterator<Item = (T, StateChange)>,
    ) -> Result<Vec<Option<EventId>>, RedisPublishError> {
        let bounds = self.hub().state_bounds(TopicBounds::new());
        self.inner.writer.change_all(&self.inner.hub, bounds, changes).await
    }
}

impl Publisher {
    /// Returns a handle of a state topic, as [`Redis::state_topic`]. A publisher does not follow the log, so it does not find out
    /// whether the topic has other events: the nodes then skip the entries with keys.
    ///
    /// ```no_run
    /// # async fn job(publisher: sse_redis::Publisher) -> Result<(), sse_redis::RedisPublishError> {
    /// publisher.state_topic("prices").set("ACME", ("price", "8")).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn state_topic(&self, name: impl AsRef<str>) -> RedisStateTopic {
        self.state_topic_with(name, TopicBounds::new())
    }

    /// Returns a handle of a state topic with other bounds, as [`Redis::state_topic_with`].
    #[must_use]
    pub fn state_topic_with(&self, name: impl AsRef<str>, bounds: TopicBounds) -> RedisStateTopic {
        let bounds = self.parts().1.state_bounds(bounds);
        RedisStateTopic { writer: StateWriter::Publisher(self.clone()), name: name.as_ref().into(), bounds }
    }

    /// Makes all of these changes of state topics, or none of them, as [`Redis::change_all`].
    ///
    /// # Errors
    /// As [`Redis::change_all`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the changes.
    pub async fn change_all<T: AsRef<str>>(
        &self,
        changes: impl IntoIterator<Item = (T, StateChange)>,
    ) -> Result<Vec<Option<EventId>>, RedisPublishError> {
        let (writer, limits) = self.parts();
        writer.change_all(limits, limits.state_bounds(TopicBounds::new()), changes).await
    }
}

impl RedisStateTopic {
    /// The name of the topic.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the event of a key, and returns the ID of the event. Put the key into the event, because the client receives nothing
    /// else. A key has at most [`MAX_STATE_KEY_BYTES`](sse_core::hub::MAX_STATE_KEY_BYTES) bytes.
    ///
    /// # Errors
    /// [`RedisPublishError`]. The event may be in the log only after [`RedisPublishError::MaybeStored`]; then set the key again.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the event.
    ///
    /// ```no_run
    /// # use sse_core::Event;
    /// # async fn run(redis: sse_redis::Redis) -> Result<(), sse_redis::RedisPublishError> {
    /// redis.state_topic("prices").set("ACME", Event::json(&("ACME", 8)).event("price")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn set(&self, key: impl AsRef<str>, event: impl IntoFrame) -> Result<EventId, RedisPublishError> {
        let id = self.change(StateChange::set(key.as_ref(), event)).await?;
        // A set always has an ID.
        id.ok_or(RedisPublishError::StateKeys(self.bounds.keys))
    }

    /// Removes a key, and returns the ID of the removal: `None` if the topic does not have the key. Subscribers receive the event
    /// `removed` with the data `{"key":"..."}`; [`remove_with`](Self::remove_with) sends another one.
    ///
    /// # Errors
    /// [`RedisPublishError`]. The removal may be in the log only after [`RedisPublishError::MaybeStored`]; then remove the key
    /// again.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the removal.
    ///
    /// ```no_run
    /// # async fn run(redis: sse_redis::Redis) -> Result<(), sse_redis::RedisPublishError> {
    /// redis.state_topic("prices").remove("ACME").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove(&self, key: impl AsRef<str>) -> Result<Option<EventId>, RedisPublishError> {
        self.change(StateChange::remove(key.as_ref())).await
    }

    /// Removes a key, and sends an event of the application to the subscribers.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    ///
    /// # Cancel safety
    /// A dropped future may have stored the removal.
    ///
    /// ```no_run
    /// # async fn run(redis: sse_redis::Redis) -> Result<(), sse_redis::RedisPublishError> {
    /// redis.state_topic("room/7").remove_with("ann", ("left", "ann")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_with(
        &self,
        key: impl AsRef<str>,
        event: impl IntoFrame,
    ) -> Result<Option<EventId>, RedisPublishError> {
        self.change(StateChange::remove_with(key.as_ref(), event)).await
    }

    async fn change(&self, change: StateChange) -> Result<Option<EventId>, RedisPublishError> {
        let (writer, hub): (_, &Hub) = match &self.writer {
            StateWriter::Node(redis) => (&*redis.inner.writer, &redis.inner.hub),
            StateWriter::Publisher(publisher) => publisher.parts(),
        };
        let ids = writer.change_all(hub, self.bounds, [(&self.name, change)]).await?;
        Ok(ids.into_iter().next().flatten())
    }
}

impl fmt::Debug for RedisStateTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStateTopic").field("name", &self.name).finish_non_exhaustive()
    }
}
