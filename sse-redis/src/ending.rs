//! The end of a topic, and its removal, as entries of the log.

use crate::entry::RecordKind;
use crate::publish::RedisPublishError;
use crate::publish_id::PublishId;
use crate::{Publisher, Redis};
use sse_core::hub::{EventId, MAX_TOPIC_BYTES};
use sse_core::{Hub, IntoFrame};
use tokio::time::timeout;

impl Redis {
    /// Publishes the last event of a topic, on every node: its streams finish, as after [`Hub::end`], and every node skips later
    /// entries of the topic. The future completes when this node has read the entry, so a publish through this node then
    /// returns [`RedisPublishError::Ended`].
    ///
    /// If several nodes end one topic, the first entry of the log is the end, and the others return
    /// [`RedisPublishError::Ended`].
    ///
    /// # Errors
    /// [`RedisPublishError`]. The end may be in the log only after [`RedisPublishError::MaybeStored`]; then call
    /// [`end_again`](Self::end_again).
    ///
    /// # Cancel safety
    /// A dropped future may have stored the end.
    ///
    /// ```no_run
    /// # use sse_core::Event;
    /// # async fn run(redis: sse_redis::Redis) -> Result<(), sse_redis::RedisPublishError> {
    /// redis.publish("answer/7", Event::data("Hello")).await?;
    /// redis.end("answer/7", Event::data("{}").event("done")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn end(&self, topic: impl AsRef<str>, last: impl IntoFrame) -> Result<EventId, RedisPublishError> {
        self.end_once(topic.as_ref(), last, None).await
    }

    /// Ends a topic again, with the ID of [`RedisPublishError::MaybeStored`], as [`publish_again`](Self::publish_again).
    ///
    /// # Errors
    /// The same as [`end`](Self::end), except that the end which the first call stored is no error.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the end.
    ///
    /// ```no_run
    /// # use sse_redis::RedisPublishError;
    /// # async fn run(redis: sse_redis::Redis) -> Result<(), RedisPublishError> {
    /// match redis.end("answer/7", ("done", "{}")).await {
    ///     Err(RedisPublishError::MaybeStored(id)) => redis.end_again(id, "answer/7", ("done", "{}")).await.map(drop),
    ///     result => result.map(drop),
    /// }
    /// # }
    /// ```
    pub async fn end_again(
        &self,
        id: PublishId,
        topic: impl AsRef<str>,
        last: impl IntoFrame,
    ) -> Result<EventId, RedisPublishError> {
        self.end_once(topic.as_ref(), last, Some(id)).await
    }

    async fn end_once(
        &self,
        topic: &str,
        last: impl IntoFrame,
        again: Option<PublishId>,
    ) -> Result<EventId, RedisPublishError> {
        let hub = &self.inner.hub;
        let own = |end: EventId| again.is_some_and(|again| again.tag() == end.tag());
        let stored = self.inner.writer.publish_as(RecordKind::End, hub, topic, last, again).await;
        let id = match stored {
            Ok(id) => id,
            // The first call stored the end.
            Err(RedisPublishError::Ended) => {
                return hub.ended(topic).filter(|end| own(*end)).ok_or(RedisPublishError::Ended);
            }
            Err(error) => return Err(error),
        };
        // Without the entry the end is still in the log, and this node reads it later.
        let _ = timeout(self.inner.builder.deadline, self.wait_for(id)).await;
        match hub.ended(topic) {
            Some(end) if end != id && !own(end) => Err(RedisPublishError::Ended),
            end => Ok(end.unwrap_or(id)),
        }
    }

    /// Removes a topic from the hubs of all nodes, as [`Hub::remove`] does, and returns the ID of the entry. The name can be
    /// used again. The future completes when this node has read the entry. The entries of the topic stay in the log until the
    /// log is trimmed, and no node sends them.
    ///
    /// # Errors
    /// [`RedisPublishError`]. After [`RedisPublishError::MaybeStored`] call this again: a second removal changes nothing, unless
    /// the name was used again in the meantime.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the removal.
    ///
    /// ```no_run
    /// # async fn run(redis: sse_redis::Redis) -> Result<(), sse_redis::RedisPublishError> {
    /// redis.remove("answer/7").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove(&self, topic: impl AsRef<str>) -> Result<EventId, RedisPublishError> {
        let id = self.inner.writer.remove(checked(topic.as_ref())?).await?;
        let _ = timeout(self.inner.builder.deadline, self.wait_for(id)).await;
        Ok(id)
    }
}

impl Publisher {
    /// Publishes the last event of a topic, as [`Redis::end`]. A publisher does not follow the log, so it does not find out
    /// whether the topic had ended before: the nodes then skip the entry.
    ///
    /// # Errors
    /// [`RedisPublishError`], never [`RedisPublishError::Ended`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the end.
    ///
    /// ```no_run
    /// # async fn job(publisher: sse_redis::Publisher) -> Result<(), sse_redis::RedisPublishError> {
    /// publisher.end("export/7", ("done", "{}")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn end(&self, topic: impl AsRef<str>, last: impl IntoFrame) -> Result<EventId, RedisPublishError> {
        let (writer, limits): (_, &Hub) = self.parts();
        writer.publish_as(RecordKind::End, limits, topic.as_ref(), last, None).await
    }

    /// Removes a topic, as [`Redis::remove`].
    ///
    /// # Errors
    /// As [`Redis::remove`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the removal.
    ///
    /// ```no_run
    /// # async fn job(publisher: sse_redis::Publisher) -> Result<(), sse_redis::RedisPublishError> {
    /// publisher.remove("export/7").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove(&self, topic: impl AsRef<str>) -> Result<EventId, RedisPublishError> {
        self.parts().0.remove(checked(topic.as_ref())?).await
    }
}

fn checked(topic: &str) -> Result<&str, RedisPublishError> {
    if topic.len() > MAX_TOPIC_BYTES { Err(RedisPublishError::TopicName(topic.len())) } else { Ok(topic) }
}
