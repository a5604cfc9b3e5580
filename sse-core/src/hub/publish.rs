//! Publishing events to the topics of a hub.

use super::deferred::Deferred;
use super::history::{History, MAX_TOPIC_BYTES};
use super::state::MAX_STATE_KEY_BYTES;
use super::stats::Counters;
use super::topic::{SharedTopic, TopicPhase};
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
    /// The topic has [ended](Hub::end), so no event can follow. [`Hub::remove`] makes the name free again.
    #[error("the topic has ended")]
    Ended,
    /// The topic is a [state topic](Hub::state_topic), whose events have keys.
    #[error("the topic is a state topic: `Hub::state_topic` returns a handle with `set` and `remove`")]
    State,
    /// The topic has events that were published, so it cannot be a [state topic](Hub::state_topic). [`Hub::remove`] makes the
    /// name free again.
    #[error("the topic has events that were published, so it cannot be a state topic")]
    NotState,
    /// The state topic has this number of keys. [`TopicBounds::events`](super::TopicBounds::events) changes the limit.
    #[error(
        "the state topic has {0} keys, which is its limit: `TopicBounds::events` in `Hub::state_topic_with` changes it"
    )]
    StateKeys(usize),
    /// The state would have more bytes than this limit.
    #[error(
        "the limit of the state is {0} bytes: `TopicBounds::bytes` in `Hub::state_topic_with`, and `HubBuilder::hub_bytes`, change it"
    )]
    StateBytes(usize),
    /// The key has this many bytes, more than [`MAX_STATE_KEY_BYTES`](super::MAX_STATE_KEY_BYTES).
    #[error("the key has {0} bytes, and the limit is {MAX_STATE_KEY_BYTES}")]
    StateKey(usize),
    /// The topic of this handle was [removed](Hub::remove). Get a new handle with [`Hub::topic`] to publish to a new topic of
    /// this name.
    #[error("the topic of this handle was removed")]
    Removed,
}

impl From<TooManyTopics> for PublishError {
    fn from(_: TooManyTopics) -> Self {
        Self::TooManyTopics
    }
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
        let now = hub.inner.now_if_aging();
        let mut deferred = Deferred::default();
        let topic = {
            let mut history = hub.inner.history.lock();
            // The handle must not be of a topic that the next use of the hub forgets.
            history.expire(&hub.inner, now, &mut deferred);
            let topic = history.topic(&hub.inner, name, &mut deferred);
            topic.inspect(|topic| history.topics.enter(topic, true))
        };
        deferred.run(&hub.inner);
        Ok(Self { hub, topic: topic? })
    }

    pub(super) const fn shared(&self) -> &Arc<SharedTopic> {
        &self.topic
    }

    pub(super) const fn hub(&self) -> &Hub {
        &self.hub
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
    /// [`PublishError::Invalid`], [`PublishError::Followed`], [`PublishError::Ended`] and [`PublishError::Removed`]. Nothing
    /// was published.
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
        self.hub.inner.append(|_, _| self.open(), block, false)
    }

    /// The topic, unless it has ended or was removed. The caller holds the lock of the history.
    pub(super) fn open(&self) -> Result<Arc<SharedTopic>, PublishError> {
        match self.topic.phase() {
            TopicPhase::Open => Ok(self.topic.clone()),
            TopicPhase::Ended(_) => Err(PublishError::Ended),
            TopicPhase::Removed => Err(PublishError::Removed),
        }
    }
}

impl Clone for Topic {
    fn clone(&self) -> Self {
        {
            self.topic.lock().enter(true);
        }
        Self { hub: self.hub.clone(), topic: self.topic.clone() }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.hub.inner.leave_topic(&self.topic, true, |_| ());
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

    /// Appends one encoded event to a topic. `ends` makes this event the last one of the topic.
    pub(super) fn append(
        &self,
        topic: impl FnOnce(&mut History, &mut Deferred) -> Result<Arc<SharedTopic>, PublishError>,
        block: Vec<u8>,
        ends: bool,
    ) -> Result<EventId, PublishError> {
        let now = self.now_if_aging();
        let mut deferred = Deferred::default();
        let published = {
            let mut history = self.history.lock();
            if history.ids.is_log() {
                return Err(PublishError::Followed);
            }
            history.expire(self, now, &mut deferred);
            let topic = topic(&mut history, &mut deferred);
            let topic = topic.and_then(|topic| if topic.is_state() { Err(PublishError::State) } else { Ok(topic) });
            topic.map(|topic| history.append(self, now, &topic, (None, ends), block, &mut deferred))
        };
        Counters::add(&self.counters.published, usize::from(published.is_ok()));
        deferred.run(self);
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
            if events.iter().any(|(topic, _)| history.topics.has_ended(topic)) {
                Err(PublishError::Ended)
            } else if events.iter().any(|(topic, _)| history.topics.get(topic).is_some_and(|topic| topic.is_state())) {
                Err(PublishError::State)
            } else if history.topics.have_room_for(events.iter().map(|(topic, _)| *topic), self.limits.max_topics) {
                let publish = |(topic, block)| {
                    let topic = history.topic(self, topic, &mut deferred)?;
                    Ok(history.append(self, now, &topic, (None, false), block, &mut deferred))
                };
                events.into_iter().map(publish).collect()
            } else {
                Err(PublishError::TooManyTopics)
            }
        };
        Counters::add(&self.counters.published, published.as_ref().map_or(0, Vec::len));
        deferred.run(self);
        published
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), PublishError> {
    if name.len() > MAX_TOPIC_BYTES { Err(PublishError::TopicName(name.len())) } else { Ok(()) }
}
