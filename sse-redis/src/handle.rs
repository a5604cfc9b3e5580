//! The handle by which an application publishes, and sees how its node stands.

use crate::entry::Record;
use crate::publish::PublishError;
use crate::publish_id::PublishId;
use crate::publisher::Publisher;
use crate::state::{Shared, State};
use crate::{RedisBuilder, StartError};
use sse_core::hub::EventId;
use sse_core::{Hub, IntoFrame};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Most events arrive within this. Whoever waits for longer is looked after by the hub, which remembers whom it asked.
const SOON: Duration = Duration::from_millis(100);

/// A node's place at the log. A clone is the same one.
///
/// The hub goes on following when every handle is dropped, until the runtime ends or [`Redis::stop`] is called.
#[derive(Clone)]
pub struct Redis {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) hub: Hub,
    pub(crate) name: String,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) ready_grace: Duration,
    pub(crate) tasks: Vec<AbortHandle>,
}

impl Redis {
    /// A node with the default bounds, at the log `sse` of this engine. See [`RedisBuilder::start`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(url: &str) -> Result<(Self, Hub), StartError> {
        Self::builder(url).start()
    }

    /// A node with bounds of its own.
    pub fn builder(url: &str) -> RedisBuilder {
        RedisBuilder::new(url)
    }

    /// Publishes an event to a topic of the log, for the readers of every node, and gives its id.
    ///
    /// It is ready when the log has stored the event, or at the deadline. That is before readers get it: they get it
    /// when their node has read it back. A comment in the event is not carried, and a future that is dropped may have
    /// stored its event.
    ///
    /// # Errors
    /// [`PublishError`]; only after [`PublishError::MaybeStored`] may the event be in the log.
    ///
    /// ```no_run
    /// use sse_core::Event;
    /// use sse_redis::{PublishError, Redis};
    ///
    /// async fn tell(redis: &Redis, title: &str) -> Result<(), PublishError> {
    ///     match redis.publish("news", Event::json(title).event("article")).await {
    ///         // The answer is missing. Under the same id readers see it once, if it was stored or not.
    ///         Err(PublishError::MaybeStored(id)) => {
    ///             redis.publish_again(id, "news", Event::json(title).event("article")).await.map(drop)
    ///         }
    ///         told => told.map(drop),
    ///     }
    /// }
    /// ```
    pub async fn publish(&self, topic: impl AsRef<str>, event: impl IntoFrame) -> Result<EventId, PublishError> {
        let record = self.record(topic.as_ref(), event)?;
        self.store(record, PublishId::draw(&self.inner.publisher.random), false).await
    }

    /// Publishes an event whose first publish was [`PublishError::MaybeStored`], under the id that it told; or under
    /// one of the application's own.
    ///
    /// Readers see the event once, if it is stored again within 60 s of the first time and fewer than 524,288 entries lie
    /// between. The id given is then that of the later entry, which nobody is sent but by a node that missed the first.
    ///
    /// # Errors
    /// As [`Redis::publish`].
    pub async fn publish_again(
        &self,
        id: PublishId,
        topic: impl AsRef<str>,
        event: impl IntoFrame,
    ) -> Result<EventId, PublishError> {
        let record = self.record(topic.as_ref(), event)?;
        self.store(record, id, true).await
    }

    fn record(&self, topic: &str, event: impl IntoFrame) -> Result<Record, PublishError> {
        Ok(Record::of_frame(topic, &self.inner.hub.check(topic, event)?))
    }

    async fn store(&self, mut record: Record, id: PublishId, again: bool) -> Result<EventId, PublishError> {
        (record.publish, record.again) = (Some(id), again);
        self.inner.publisher.publish(&record, id).await
    }

    /// The hub that follows the log.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// How the node stands to the log.
    #[must_use]
    pub fn state(&self) -> State {
        self.inner.shared.state(self.inner.hub.is_draining())
    }

    /// Whether a load balancer should send newcomers here: the hub is loaded, does not drain, and has not been
    /// [`State::Stale`] for longer than [`RedisBuilder::ready_grace`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.inner.hub.is_draining() && self.inner.shared.is_ready(self.inner.ready_grace)
    }

    /// Ready once the hub has loaded what the log has; until then it refuses subscriptions softly.
    pub async fn loaded(&self) {
        self.inner.shared.changed_to(true).await;
    }

    /// Ready once this node has come to this id, or can tell that it never will, which takes some two seconds while the
    /// log is followed. While it is not, this waits for ever: put a time around it.
    ///
    /// Readers of a publish get it when their node has read it back. Whoever wants a client to find, at once and here,
    /// what it just published waits for the publish's id. And a client that comes from a node which is some milliseconds
    /// ahead is refused softly by [`subscribe`](sse_core::Sse::subscribe), and back in some seconds; a handler that waits
    /// for the client's id first spares it that.
    ///
    /// ```no_run
    /// # use sse_core::hub::EventId;
    /// # use std::time::Duration;
    /// # async fn feed(sse: sse_core::Sse<sse_core::Tokio>, redis: sse_redis::Redis) {
    /// if let Some(id) = sse.last_event_id().as_str().and_then(EventId::parse) {
    ///     let _ = tokio::time::timeout(Duration::from_secs(5), redis.wait_for(id)).await;
    /// }
    /// let feed = sse.subscribe(redis.hub(), ["news"]);
    /// # }
    /// ```
    pub async fn wait_for(&self, id: EventId) {
        let mut progress = self.inner.shared.progress.subscribe();
        let has_come = |newest: Option<EventId>| newest.is_some_and(|newest| newest.position() >= id.position());
        // The sender is in `self`, so the channel cannot close.
        if timeout(SOON, progress.wait_for(|progress| has_come(progress.newest))).await.is_ok() {
            return;
        }
        while self.inner.hub.may_still_arrive(id) {
            let rounds = progress.borrow_and_update().rounds;
            let _ = progress.wait_for(|progress| has_come(progress.newest) || progress.rounds > rounds).await;
            if has_come(progress.borrow().newest) {
                return;
            }
        }
    }

    /// What went wrong with the engine last, in its words or the system's; `None` while the log is followed.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.inner.shared.trouble()
    }

    /// Stops following and publishing, for good. The hub goes on serving what it has; drain it first.
    pub fn stop(&self) {
        self.inner.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl fmt::Debug for Redis {
    // Never the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("log", &self.inner.name).field("state", &self.state()).finish_non_exhaustive()
    }
}
