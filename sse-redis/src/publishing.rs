//! The handle of a node: publishing.

use crate::Redis;
use crate::publish::RedisPublishError;
use crate::publish_id::PublishId;
use sse_core::IntoFrame;
use sse_core::hub::EventId;

impl Redis {
    /// Publishes an event to a topic, for the subscribers of all nodes, and returns the event ID.
    ///
    /// The future completes when the log has stored the event, or at the [`deadline`](crate::RedisBuilder::deadline). Subscribers
    /// receive the event when their node has read the entry, some milliseconds later. Comments of the event are dropped.
    ///
    /// # Errors
    /// [`RedisPublishError`]. The event may be in the log only after [`RedisPublishError::MaybeStored`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the event.
    ///
    /// ```no_run
    /// use sse_core::Event;
    /// use sse_redis::{Redis, RedisPublishError};
    ///
    /// async fn publish(redis: &Redis, title: &str) -> Result<(), RedisPublishError> {
    ///     match redis.publish("news", Event::json(title).event("article")).await {
    ///         // No answer arrived. With the same ID clients receive the event once, whether it was stored or not.
    ///         Err(RedisPublishError::MaybeStored(id)) => {
    ///             redis.publish_again(id, "news", Event::json(title).event("article")).await.map(drop)
    ///         }
    ///         result => result.map(drop),
    ///     }
    /// }
    /// ```
    pub async fn publish(&self, topic: impl AsRef<str>, event: impl IntoFrame) -> Result<EventId, RedisPublishError> {
        self.inner.writer.publish(&self.inner.hub, topic.as_ref(), event, None).await
    }

    /// Publishes an event again, with the ID of [`RedisPublishError::MaybeStored`] or with an ID of the application.
    ///
    /// Clients receive the event once if both entries are at most 60 s apart, with fewer than 524,288 entries between them.
    /// The returned ID is the ID of the second entry. Only a node on which the first entry was trimmed, lost or not
    /// loaded at its start sends the second entry.
    ///
    /// # Errors
    /// The same as [`Redis::publish`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the event.
    ///
    /// ```no_run
    /// use sse_core::Event;
    /// use sse_redis::{PublishId, Redis, RedisPublishError};
    ///
    /// async fn publish(redis: &Redis, order: PublishId) -> Result<(), RedisPublishError> {
    ///     redis.publish_again(order, "orders", Event::data("paid")).await.map(drop)
    /// }
    /// ```
    pub async fn publish_again(
        &self,
        id: PublishId,
        topic: impl AsRef<str>,
        event: impl IntoFrame,
    ) -> Result<EventId, RedisPublishError> {
        self.inner.writer.publish(&self.inner.hub, topic.as_ref(), event, Some(id)).await
    }

    /// Publishes all of these events, each to its topic, or none of them. The events are consecutive in the log, and at most
    /// 1,024.
    ///
    /// After [`MaybeStored`](RedisPublishError::MaybeStored) publish the same events in the same order with
    /// [`publish_all_again`](Self::publish_all_again): the ID is that of the whole batch.
    ///
    /// # Errors
    /// [`RedisPublishError`] of the first event that cannot be published. [`RedisPublishError::TooMany`] for more than 1,024
    /// events. The events may be in the log only after [`RedisPublishError::MaybeStored`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the events.
    ///
    /// ```no_run
    /// use sse_core::Event;
    /// use sse_redis::{Redis, RedisPublishError};
    ///
    /// async fn transfer(redis: &Redis) -> Result<(), RedisPublishError> {
    ///     let events = || [("from", Event::data("minus 5")), ("to", Event::data("plus 5"))];
    ///     match redis.publish_all(events()).await {
    ///         Err(RedisPublishError::MaybeStored(id)) => redis.publish_all_again(id, events()).await.map(drop),
    ///         result => result.map(drop),
    ///     }
    /// }
    /// ```
    pub async fn publish_all<T: AsRef<str>, E: IntoFrame>(
        &self,
        events: impl IntoIterator<Item = (T, E)>,
    ) -> Result<Vec<EventId>, RedisPublishError> {
        self.inner.writer.publish_all(&self.inner.hub, events, None).await
    }

    /// Publishes a batch again. Clients receive each event once, under the conditions of [`Redis::publish_again`].
    ///
    /// # Errors
    /// The same as [`Redis::publish_all`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the events.
    ///
    /// ```no_run
    /// # use sse_core::Event;
    /// # async fn again(redis: sse_redis::Redis, id: sse_redis::PublishId) -> Result<(), sse_redis::RedisPublishError> {
    /// redis.publish_all_again(id, [("orders", Event::data("paid"))]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish_all_again<T: AsRef<str>, E: IntoFrame>(
        &self,
        id: PublishId,
        events: impl IntoIterator<Item = (T, E)>,
    ) -> Result<Vec<EventId>, RedisPublishError> {
        self.inner.writer.publish_all(&self.inner.hub, events, Some(id)).await
    }
}
