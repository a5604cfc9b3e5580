//! A publisher without a node.

use crate::RedisBuilder;
use crate::connections::Connections;
use crate::problem::Problem;
use crate::publish::RedisPublishError;
use crate::publish_connection::PublishUser;
use crate::publish_id::PublishId;
use crate::writer::LogWriter;
use sse_core::hub::EventId;
use sse_core::{Hub, IntoFrame};
use std::fmt;
use std::sync::Arc;

/// Publishes to a log without following the log, from [`RedisBuilder::publisher`](crate::RedisBuilder::publisher). Clones share
/// one connection, which closes when the last clone is dropped.
///
/// Nodes of other programs follow the log and serve the clients. One of them must have started once, because a publisher
/// does not create the log.
///
/// ```no_run
/// use sse_core::Event;
///
/// # async fn job() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = sse_redis::Redis::builder("redis://127.0.0.1:6379").log("news").publisher()?;
/// publisher.publish("news", Event::data("rain").event("article")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Publisher {
    inner: Arc<PublisherInner>,
}

struct PublisherInner {
    /// The settings with which this publisher was started.
    builder: RedisBuilder,
    connections: Arc<Connections>,
    /// Has no events. The hub checks events under the limits of the builder.
    limits: Hub,
    writer: Arc<LogWriter>,
    /// Keeps the connection open.
    _user: PublishUser,
}

impl Publisher {
    pub(crate) fn new(
        builder: RedisBuilder,
        connections: Arc<Connections>,
        writer: Arc<LogWriter>,
        user: PublishUser,
    ) -> Self {
        let limits = builder.hub.clone().build();
        Self { inner: Arc::new(PublisherInner { builder, connections, limits, writer, _user: user }) }
    }

    pub(crate) fn parts(&self) -> (&LogWriter, &Hub) {
        (&self.inner.writer, &self.inner.limits)
    }

    /// Returns a builder for a publisher of another log, over the same connection, as [`Redis::with_log`](crate::Redis::with_log).
    ///
    /// ```no_run
    /// # fn job() -> Result<(), sse_redis::StartError> {
    /// let news = sse_redis::Redis::builder("redis://127.0.0.1:6379").log("news").publisher()?;
    /// let sport = news.with_log("sport").publisher()?;
    /// # let _ = sport;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_log(&self, name: &str) -> RedisBuilder {
        let mut builder = self.inner.builder.clone().log(name);
        builder.connections = Some(self.inner.connections.clone());
        builder
    }

    /// Publishes an event to a topic, as [`Redis::publish`](crate::Redis::publish).
    ///
    /// # Errors
    /// [`RedisPublishError`]. The event may be in the log only after [`RedisPublishError::MaybeStored`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the event.
    ///
    /// ```no_run
    /// # use sse_core::Event;
    /// # async fn job(publisher: sse_redis::Publisher) -> Result<(), sse_redis::RedisPublishError> {
    /// publisher.publish("news", Event::data("rain")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish(&self, topic: impl AsRef<str>, event: impl IntoFrame) -> Result<EventId, RedisPublishError> {
        self.inner.writer.publish(&self.inner.limits, topic.as_ref(), event, None).await
    }

    /// Publishes an event again, as [`Redis::publish_again`](crate::Redis::publish_again). A job that may run twice gives its
    /// events IDs of its own.
    ///
    /// # Errors
    /// The same as [`Publisher::publish`].
    ///
    /// # Cancel safety
    /// A dropped future may have stored the event.
    ///
    /// ```no_run
    /// # use sse_core::Event;
    /// # async fn job(publisher: sse_redis::Publisher, order: sse_redis::PublishId) -> Result<(), sse_redis::RedisPublishError> {
    /// publisher.publish_again(order, "orders", Event::data("paid")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish_again(
        &self,
        id: PublishId,
        topic: impl AsRef<str>,
        event: impl IntoFrame,
    ) -> Result<EventId, RedisPublishError> {
        self.inner.writer.publish(&self.inner.limits, topic.as_ref(), event, Some(id)).await
    }

    /// Publishes all of these events or none, as [`Redis::publish_all`](crate::Redis::publish_all).
    ///
    /// # Errors
    /// The same as [`Redis::publish_all`](crate::Redis::publish_all).
    ///
    /// # Cancel safety
    /// A dropped future may have stored the events.
    ///
    /// ```no_run
    /// # use sse_core::Event;
    /// # async fn job(publisher: sse_redis::Publisher) -> Result<(), sse_redis::RedisPublishError> {
    /// publisher.publish_all([("from", Event::data("minus 5")), ("to", Event::data("plus 5"))]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish_all<T: AsRef<str>, E: IntoFrame>(
        &self,
        events: impl IntoIterator<Item = (T, E)>,
    ) -> Result<Vec<EventId>, RedisPublishError> {
        self.inner.writer.publish_all(&self.inner.limits, events, None).await
    }

    /// Publishes a batch again, as [`Redis::publish_all_again`](crate::Redis::publish_all_again).
    ///
    /// # Errors
    /// The same as [`Redis::publish_all`](crate::Redis::publish_all).
    ///
    /// # Cancel safety
    /// A dropped future may have stored the events.
    ///
    /// ```no_run
    /// # use sse_core::Event;
    /// # async fn job(publisher: sse_redis::Publisher, id: sse_redis::PublishId) -> Result<(), sse_redis::RedisPublishError> {
    /// publisher.publish_all_again(id, [("orders", Event::data("paid"))]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish_all_again<T: AsRef<str>, E: IntoFrame>(
        &self,
        id: PublishId,
        events: impl IntoIterator<Item = (T, E)>,
    ) -> Result<Vec<EventId>, RedisPublishError> {
        self.inner.writer.publish_all(&self.inner.limits, events, Some(id)).await
    }

    /// Returns the reason why no connection is open, or why the server refused the last publish, or `None`.
    ///
    /// ```no_run
    /// # fn check(publisher: sse_redis::Publisher) {
    /// if let Some(problem) = publisher.problem() {
    ///     eprintln!("{problem}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.inner.writer.problem()
    }
}

impl fmt::Debug for Publisher {
    // The URL may contain a password, so it is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("log", &self.inner.builder.name)
            .field("problem", &self.problem())
            .finish_non_exhaustive()
    }
}
