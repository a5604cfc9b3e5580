//! Publishing events to the topics of a hub.

use super::history::{History, MAX_TOPIC_BYTES};
use super::stats::Counters;
use super::topic::{Deferred, SharedTopic};
use super::topics::TooManyTopics;
use super::{EventId, Hub, Inner};
use crate::event::control::Control;
use crate::event::error::FrameError;
use crate::event::frame::{CheckedEvent, IntoFrame};
use crate::runtime::sync::Arc;
use std::fmt;

/// The reason why nothing was published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The event cannot be sent. Besides the rules for every event, an event of a hub has no ID, because the hub sets the
    /// ID, and not the type of the hub's gap events.
    #[error(transparent)]
    Invalid(#[from] FrameError),
    /// The name of the topic has this many bytes, more than [`MAX_TOPIC_BYTES`]. Use a shorter name.
    #[error("the topic name has {0} bytes, and the limit is {MAX_TOPIC_BYTES}")]
    TopicName(usize),
    /// The hub has `max_topics` topics, and each of them has a subscriber or a handle.
    /// [`HubBuilder::max_topics`](super::HubBuilder::max_topics) changes the limit.
    #[error(
        "the hub has `max_topics` topics, and each has a subscriber or a handle: `HubBuilder::max_topics` changes the limit"
    )]
    TooManyTopics,
    /// The hub follows a [log](super::log). Publish to the log instead.
    #[error("the hub follows a log: publish to the log instead")]
    Followed,
}

/// A handle of one topic, from [`Hub::topic`]. Clones publish to the same topic.
///
/// ```
/// # use sse_core::Hub;
/// let hub = Hub::new();
/// let ticks = hub.topic("ticks")?;
/// let of_a_thread = ticks.clone();
/// std::thread::spawn(move || of_a_thread.publish("1")).join().unwrap()?;
/// ticks.publish("2")?;
/// assert_eq!(hub.stats().published, 2);
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
pub struct Topic {
    hub: Hub,
    topic: Arc<SharedTopic>,
}

impl Topic {
    /// Looks up the topic, or creates it, and adds a handle to it.
    pub(super) fn new(hub: Hub, name: &str) -> Result<Self, PublishError> {
        let mut deferred = Deferred::default();
        let topic = {
            let mut history = hub.inner.history.lock();
            let topic = history.topic(&hub.inner, name, &mut deferred);
            topic.inspect(|topic| {
                history.topics.enter(topic);
                topic.lock().handles += 1;
            })
        };
        deferred.run();
        Ok(Self { hub, topic: topic.map_err(|_| PublishError::TooManyTopics)? })
    }

    /// The name of the topic.
    ///
    /// ```
    /// # use sse_core::Hub;
    /// assert_eq!(Hub::new().topic("ticks")?.name(), "ticks");
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.topic.name
    }

    /// Publishes one event and returns the event's ID, as [`Hub::publish`] does.
    ///
    /// # Errors
    /// [`PublishError::Invalid`] and [`PublishError::Followed`]. Nothing was published.
    ///
    /// ```
    /// # use sse_core::{Event, Hub};
    /// let hub = Hub::new();
    /// let ticks = hub.topic("ticks")?;
    /// assert!(ticks.publish("1")? < ticks.publish(Event::data("2").event("tick"))?);
    /// assert!(ticks.publish(Event::data("3").id("3")).is_err());
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn publish(&self, event: impl IntoFrame) -> Result<EventId, PublishError> {
        let block = self.hub.inner.encode(event)?;
        self.hub.inner.append(|_, _| Ok(self.topic.clone()), block)
    }
}

impl Clone for Topic {
    fn clone(&self) -> Self {
        {
            let mut locked = self.topic.lock();
            (locked.users, locked.handles) = (locked.users + 1, locked.handles + 1);
        }
        Self { hub: self.hub.clone(), topic: self.topic.clone() }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.hub.inner.leave_topic(&self.topic, |locked| locked.handles -= 1);
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The usual size of the line `id: ` with its two line feeds. Longer IDs grow the block.
const ID_LINE_BYTES: usize = 40;

impl Inner {
    /// Checks an event against the rules of this hub, and passes the checked event to `use_event`.
    pub(crate) fn check<T>(
        &self,
        event: impl IntoFrame,
        use_event: impl FnOnce(CheckedEvent<'_>) -> Result<T, FrameError>,
    ) -> Result<T, FrameError> {
        event.with_checked(|event| {
            let event = event?;
            self.rules.check(&event, Control::Events)?;
            use_event(event)
        })
    }

    /// Checks and encodes an event, without the line of its ID. The caller holds no lock, because an event may run code of
    /// the application.
    pub(crate) fn encode(&self, event: impl IntoFrame) -> Result<Vec<u8>, FrameError> {
        self.check(event, |event| {
            let mut block = Vec::with_capacity(event.len_at_least() + ID_LINE_BYTES);
            event.encode_fields(&mut block);
            // An event with many lines grows the block by more than it needs, and the ring counts only the used bytes.
            if block.capacity() - block.len() > 2 * ID_LINE_BYTES {
                block.shrink_to(block.len() + ID_LINE_BYTES);
            }
            Ok(block)
        })
    }

    /// Appends one encoded event to a topic.
    pub(super) fn append(
        &self,
        topic: impl FnOnce(&mut History, &mut Deferred) -> Result<Arc<SharedTopic>, TooManyTopics>,
        block: Vec<u8>,
    ) -> Result<EventId, PublishError> {
        let now = self.now_if_aging();
        let mut deferred = Deferred::default();
        let published = {
            let mut history = self.history.lock();
            if history.ids.is_log() {
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

    /// Appends all of these encoded events, or none of them.
    pub(super) fn append_all(&self, events: Vec<(&str, Vec<u8>)>) -> Result<Vec<EventId>, PublishError> {
        let now = self.now_if_aging();
        let mut deferred = Deferred::default();
        let published = {
            let mut history = self.history.lock();
            if history.ids.is_log() {
                return Err(PublishError::Followed);
            }
            history.expire(self, now, &mut deferred);
            if history.topics.have_room_for(events.iter().map(|(topic, _)| *topic), self.limits.max_topics) {
                let publish = |(topic, block)| {
                    let topic = history.topic(self, topic, &mut deferred).map_err(|_| PublishError::TooManyTopics)?;
                    Ok(history.append(self, now, &topic, None, block, &mut deferred))
                };
                events.into_iter().map(publish).collect()
            } else {
                Err(PublishError::TooManyTopics)
            }
        };
        Counters::add(&self.counters.published, published.as_ref().map_or(0, Vec::len));
        deferred.run();
        published
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), PublishError> {
    if name.len() > MAX_TOPIC_BYTES { Err(PublishError::TopicName(name.len())) } else { Ok(()) }
}
