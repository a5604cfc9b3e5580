//! Publishing: one event, several at once, or to a topic that was looked up before.

use super::history::{History, MAX_TOPIC_BYTES};
use super::log::id_source::IdSource;
use super::stats::Counters;
use super::topic::{self, Deferred};
use super::topics::TooManyTopics;
use super::{EventId, Hub, Inner};
use crate::event::control::Control;
use crate::event::error::FrameError;
use crate::event::frame::{Frame, IntoFrame};
use crate::runtime::sync::Arc;
use std::fmt;

/// Why nothing was published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The event cannot be sent; mend it. On a hub an event has no id and no type of the hub's own.
    #[error(transparent)]
    Invalid(#[from] FrameError),
    /// The topic's name is longer than [`MAX_TOPIC_BYTES`].
    #[error("the topic's name has {0} bytes, more than {MAX_TOPIC_BYTES}")]
    TopicName(usize),
    /// The hub has as many topics as it may have, and each of them has a subscriber or a handle. Raise the bound by
    /// [`HubBuilder::max_topics`](super::Builder::max_topics).
    #[error("the hub has `max_topics` topics, and each of them has a subscriber or a handle")]
    TooManyTopics,
    /// The hub follows a log; publish there.
    #[error("this hub follows a log and does not publish by itself")]
    Followed,
}

impl Hub {
    /// Publishes one event to a topic, and gives its id. It waits for nobody.
    ///
    /// The event is encoded once for all readers. It costs about 0.1 us for each reader of the topic that waits, and
    /// nothing for others; with more than 10,000 of them publish from a thread of its own.
    ///
    /// # Errors
    /// [`PublishError`]; nothing was published.
    ///
    /// ```
    /// # use sse_core::{Event, Hub, hub::PublishError};
    /// let hub = Hub::new();
    /// let id = hub.publish("news", Event::json(&["rain"]).event("article"))?;
    /// assert!(id < hub.publish("user/7", ("note", "hello"))?);
    /// assert!(matches!(hub.publish("news", Event::data("x").id("7")), Err(PublishError::Invalid(_))));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn publish(&self, topic: impl AsRef<str>, event: impl IntoFrame) -> Result<EventId, PublishError> {
        let block = self.inner.encode(event)?;
        // Read outside the lock: it is the caller's code.
        let topic = topic.as_ref();
        check_name(topic)?;
        self.inner.append(|history, deferred| history.topic(&self.inner, topic, deferred), block)
    }

    /// Publishes all of these events, each to its topic, or none of them. They follow each other in the history. A batch
    /// larger than what a topic keeps is a gap for everyone.
    ///
    /// # Errors
    /// That of the first event that cannot be published; nothing was.
    ///
    /// ```
    /// # use sse_core::{Event, Hub, hub::PublishError};
    /// let hub = Hub::new();
    /// let moved = [("from", Event::data("minus 5")), ("to", Event::data("plus 5"))];
    /// assert_eq!(hub.publish_all(moved)?.len(), 2);
    ///
    /// let second_is_wrong = [("from", Event::data("minus 5")), ("to", Event::data("plus 5").event("a\nb"))];
    /// assert!(hub.publish_all(second_is_wrong).is_err());
    /// assert_eq!(hub.stats().published, 2);
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn publish_all<T, E>(&self, events: impl IntoIterator<Item = (T, E)>) -> Result<Vec<EventId>, PublishError>
    where
        T: AsRef<str>,
        E: IntoFrame,
    {
        let inner = &*self.inner;
        let encoded = events.into_iter().map(|(topic, event)| Ok((topic, inner.encode(event)?)));
        let mut encoded = encoded.collect::<Result<Vec<_>, PublishError>>()?;
        // The names are the caller's: read before the lock is taken, and dropped after.
        let events: Vec<(&str, Vec<u8>)> =
            encoded.iter_mut().map(|(topic, block)| ((*topic).as_ref(), std::mem::take(block))).collect();
        events.iter().try_for_each(|(topic, _)| check_name(topic))?;
        let now = inner.now_if_aging();
        let mut deferred = Deferred::default();
        let published = {
            let mut history = inner.history.lock();
            if matches!(history.ids, IdSource::Log(_)) {
                return Err(PublishError::Followed);
            }
            history.expire(inner, now, &mut deferred);
            if history.topics.have_room_for(events.iter().map(|(topic, _)| *topic), inner.limits.max_topics) {
                let publish = |(topic, block)| {
                    let topic = history.topic(inner, topic, &mut deferred).map_err(|_| PublishError::TooManyTopics)?;
                    Ok(history.append(inner, now, &topic, None, block, &mut deferred))
                };
                events.into_iter().map(publish).collect()
            } else {
                Err(PublishError::TooManyTopics)
            }
        };
        Counters::add(&inner.counters.published, published.as_ref().map_or(0, Vec::len));
        deferred.run();
        published
    }

    /// Checks and encodes an event as [`Hub::publish`] would, for whoever publishes to the log that this hub follows.
    ///
    /// # Errors
    /// As a publish's, but that the hub follows is none.
    pub fn check(&self, topic: impl AsRef<str>, event: impl IntoFrame) -> Result<Frame, PublishError> {
        check_name(topic.as_ref())?;
        Ok(event.with_checked(|piece| {
            let piece = piece?;
            self.inner.rules.check(&piece, Control::Events)?;
            Ok::<_, FrameError>(piece.into_frame())
        })?)
    }

    /// A handle of one topic, for publishing without the look-up. It keeps the topic for as long as it lives.
    ///
    /// # Errors
    /// [`PublishError::TopicName`], [`PublishError::TooManyTopics`].
    ///
    /// ```
    /// # use sse_core::{Hub, hub::PublishError};
    /// let hub = Hub::new();
    /// let ticks = hub.topic("ticks")?;
    /// for n in 0..3 {
    ///     ticks.publish(n.to_string())?;
    /// }
    /// assert_eq!((ticks.name(), hub.stats().held_events), ("ticks", 3));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn topic(&self, name: impl AsRef<str>) -> Result<Topic, PublishError> {
        let name = name.as_ref();
        check_name(name)?;
        let mut deferred = Deferred::default();
        let topic = {
            let mut history = self.inner.history.lock();
            let topic = history.topic(&self.inner, name, &mut deferred);
            topic.inspect(|topic| history.topics.enter(topic))
        };
        deferred.run();
        Ok(Topic { hub: self.clone(), topic: topic.map_err(|_| PublishError::TooManyTopics)? })
    }
}

/// A topic that was looked up, from [`Hub::topic`].
pub struct Topic {
    hub: Hub,
    topic: Arc<topic::Topic>,
}

impl Topic {
    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.topic.name
    }

    /// Publishes one event, as [`Hub::publish`].
    ///
    /// # Errors
    /// [`PublishError`]; nothing was published.
    pub fn publish(&self, event: impl IntoFrame) -> Result<EventId, PublishError> {
        let block = self.hub.inner.encode(event)?;
        self.hub.inner.append(|_, _| Ok(self.topic.clone()), block)
    }
}

impl Clone for Topic {
    fn clone(&self) -> Self {
        self.topic.lock().readers += 1;
        Self { hub: self.hub.clone(), topic: self.topic.clone() }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.hub.inner.leave_topic(&self.topic, |_| {});
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Room for the line of an id, `id: `, at most 50 bytes and two line feeds, as it usually is.
const ID_LINE_BYTES: usize = 40;

impl Inner {
    /// Checks and encodes an event, outside of any lock; the line of its id is yet to come.
    pub(crate) fn encode(&self, event: impl IntoFrame) -> Result<Vec<u8>, FrameError> {
        event.with_checked(|piece| {
            let piece = piece?;
            self.rules.check(&piece, Control::Events)?;
            let mut block = Vec::with_capacity(piece.len_at_least() + ID_LINE_BYTES);
            piece.encode_fields(&mut block);
            // Many lines make it grow by more than they need, and the ring counts what they need.
            if block.capacity() - block.len() > 2 * ID_LINE_BYTES {
                block.shrink_to(block.len() + ID_LINE_BYTES);
            }
            Ok(block)
        })
    }

    fn append(
        &self,
        topic: impl FnOnce(&mut History, &mut Deferred) -> Result<Arc<topic::Topic>, TooManyTopics>,
        block: Vec<u8>,
    ) -> Result<EventId, PublishError> {
        let now = self.now_if_aging();
        let mut deferred = Deferred::default();
        let published = {
            let mut history = self.history.lock();
            if matches!(history.ids, IdSource::Log(_)) {
                return Err(PublishError::Followed);
            }
            history.expire(self, now, &mut deferred);
            let topic = topic(&mut history, &mut deferred).map_err(|_| PublishError::TooManyTopics);
            topic.map(|topic| history.append(self, now, &topic, None, block, &mut deferred))
        };
        Counters::add(&self.counters.published, usize::from(published.is_ok()));
        deferred.run();
        published
    }

    /// One subscriber or handle of a topic fewer. What `forget` takes out is dropped without a lock.
    pub(crate) fn leave_topic<T>(&self, topic: &Arc<topic::Topic>, forget: impl FnOnce(&mut topic::Locked) -> T) {
        let (forgotten, was_last) = {
            let mut locked = topic.lock();
            locked.readers -= 1;
            (forget(&mut locked), locked.readers == 0)
        };
        drop(forgotten);
        if was_last {
            self.history.lock().topics.left(topic);
        }
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), PublishError> {
    if name.len() > MAX_TOPIC_BYTES { Err(PublishError::TopicName(name.len())) } else { Ok(()) }
}
