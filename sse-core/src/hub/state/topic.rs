//! The handle of a state topic, and changes of several topics at once.

use super::Change;
use crate::event::error::FrameError;
use crate::event::event::Event;
use crate::event::frame::{Frame, IntoFrame};
use crate::hub::publish::{PublishError, Topic, check_name};
use crate::hub::topic::json_string;
use crate::hub::topic_bounds::TopicBounds;
use crate::hub::{EventId, Hub};
use std::fmt;

/// The maximum length of a key of a state topic, in bytes.
pub const MAX_STATE_KEY_BYTES: usize = 256;

/// The type of the events that tell a removal, unless the application chooses another one.
const REMOVED: &str = "removed";

impl Hub {
    /// Returns a handle of a topic that holds the current state: the newest event of each key.
    ///
    /// A new subscriber receives the newest event of each key, in the order of the changes, and then every change. A client that
    /// returns receives the newest event of each key that changed since, once. A subscriber that is slow skips values that
    /// were replaced in the meantime. So no client receives an old value after a new one, and no client lags.
    ///
    /// The state has at most 65,536 keys and [`topic_bytes`](crate::hub::HubBuilder::topic_bytes), unless
    /// [`state_topic_with`](Self::state_topic_with) sets other bounds. Neither `topic_events` nor `topic_age` nor the trimming
    /// of the hub removes a key, and a topic with keys never makes room for other topics.
    ///
    /// # Errors
    /// [`PublishError::NotState`] for a topic with events that were published; [`PublishError::TopicName`],
    /// [`PublishError::TooManyTopics`] and [`PublishError::Followed`].
    ///
    /// ```
    /// # use sse_core::{Hub, hub::PublishError, testing::Clock};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let prices = hub.state_topic("prices")?;
    /// prices.set("ACME", ("price", "7"))?;
    /// prices.set("EMCA", ("price", "1"))?;
    /// prices.set("ACME", ("price", "8"))?;
    ///
    /// let mut client = clock.read(clock.sse().subscribe(&hub, ["prices"]).into_response());
    /// let text = client.text();
    /// assert!(!text.contains("data: 7\n") && text.contains("data: 1\n") && text.contains("data: 8\n"));
    ///
    /// prices.remove("ACME")?;
    /// assert!(client.text().starts_with("event: removed\ndata: {\"key\":\"ACME\"}\n"));
    /// assert_eq!(hub.publish("prices", "9"), Err(PublishError::State));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn state_topic(&self, name: impl AsRef<str>) -> Result<StateTopic, PublishError> {
        if self.inner.history.lock().ids.is_log() {
            return Err(PublishError::Followed);
        }
        let topic = self.topic(name)?;
        {
            let mut locked = topic.shared().lock();
            if locked.ring.keyed().is_none() && !locked.ring.is_empty() {
                return Err(PublishError::NotState);
            }
            topic.shared().make_state(&mut locked);
        }
        Ok(StateTopic { topic })
    }

    /// Returns a handle of a state topic, as [`state_topic`](Self::state_topic) does, and sets its bounds, for all its handles.
    /// [`TopicBounds::events`] is the number of keys. Removed keys count until their removal is forgotten: at a bound the hub
    /// forgets the oldest removals, and a client that may have missed one of them receives a gap and then the whole state.
    ///
    /// # Errors
    /// As [`state_topic`](Self::state_topic).
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{PublishError, TopicBounds}};
    /// let hub = Hub::new();
    /// let prices = hub.state_topic_with("prices", TopicBounds::new().events(1))?;
    /// prices.set("ACME", "7")?;
    /// assert_eq!(prices.set("EMCA", "1"), Err(PublishError::StateKeys(1)));
    /// prices.remove("ACME")?;
    /// prices.set("EMCA", "1")?;
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn state_topic_with(&self, name: impl AsRef<str>, bounds: TopicBounds) -> Result<StateTopic, PublishError> {
        let state = self.state_topic(name)?;
        state.topic.shared().lock().extra().bounds = bounds;
        Ok(state)
    }

    /// Makes all of these changes of state topics, or none of them. Returns the ID of each change, and `None` for the removal
    /// of a key that its topic does not have. A topic without events becomes a state topic.
    ///
    /// # Errors
    /// The [`PublishError`] of the first change that cannot be made. Nothing was changed.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{PublishError, StateChange}};
    /// let hub = Hub::new();
    /// let moved = [("left", StateChange::remove("ann")), ("right", StateChange::set("ann", ("joined", "ann")))];
    /// let ids = hub.change_all(moved)?;
    /// assert!(ids[0].is_none() && ids[1].is_some());
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn change_all<T: AsRef<str>>(
        &self,
        changes: impl IntoIterator<Item = (T, StateChange)>,
    ) -> Result<Vec<Option<EventId>>, PublishError> {
        let changes: Vec<(T, StateChange)> = changes.into_iter().collect();
        // The names are values of the caller: `as_ref` runs before the lock is taken, and their drop after its release.
        let mut encoded = Vec::with_capacity(changes.len());
        for (topic, change) in &changes {
            let topic = topic.as_ref();
            check_name(topic)?;
            let block = change.encode(self)?;
            encoded.push(Change { topic, key: &change.key, block, is_removal: change.is_removal });
        }
        self.inner.change_all(encoded)
    }
}

/// One change of a state topic, for [`Hub::change_all`].
#[derive(Debug, Clone)]
#[must_use = "a change has no effect until `Hub::change_all`"]
pub struct StateChange {
    pub(in crate::hub) key: String,
    pub(in crate::hub) event: Result<Frame, FrameError>,
    pub(in crate::hub) is_removal: bool,
}

impl StateChange {
    /// Sets the event of a key. Put the key into the event, because the client receives nothing else. [`Hub::change_all`] returns
    /// the error of an event that cannot be sent.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{PublishError, StateChange}};
    /// let hub = Hub::new();
    /// let wrong = StateChange::set("ACME", ("a\nb", "7"));
    /// assert!(matches!(hub.change_all([("prices", wrong)]), Err(PublishError::Invalid(_))));
    /// ```
    pub fn set(key: impl Into<String>, event: impl IntoFrame) -> Self {
        Self { key: key.into(), event: event.with_checked(|event| Ok(event?.into_frame())), is_removal: false }
    }

    /// Removes a key. Subscribers receive the event `removed` with the data `{"key":"..."}`.
    pub fn remove(key: impl Into<String>) -> Self {
        let key = key.into();
        let event = removal(&key);
        Self::remove_with(key, event)
    }

    /// Removes a key, and sends an event of the application to the subscribers.
    pub fn remove_with(key: impl Into<String>, event: impl IntoFrame) -> Self {
        Self { is_removal: true, ..Self::set(key, event) }
    }

    fn encode(&self, hub: &Hub) -> Result<Vec<u8>, PublishError> {
        check_key(&self.key)?;
        Ok(hub.inner.encode(self.event.clone())?)
    }
}

/// The event of a removed key.
fn removal(key: &str) -> Event<'static> {
    Event::data(format!("{{\"key\":{}}}", json_string(key))).event(REMOVED)
}

pub(in crate::hub) fn check_key(key: &str) -> Result<(), PublishError> {
    if key.len() > MAX_STATE_KEY_BYTES { Err(PublishError::StateKey(key.len())) } else { Ok(()) }
}

/// A handle of a state topic, from [`Hub::state_topic`]. The hub keeps the topic as long as a handle exists.
#[derive(Clone)]
pub struct StateTopic {
    topic: Topic,
}

impl StateTopic {
    /// The name of the topic.
    #[must_use]
    pub fn name(&self) -> &str {
        self.topic.name()
    }

    /// Sets the event of a key, and returns the ID of the event. Put the key into the event, because the client receives
    /// nothing else. A key has at most [`MAX_STATE_KEY_BYTES`](crate::hub::MAX_STATE_KEY_BYTES) bytes.
    ///
    /// # Errors
    /// [`PublishError`]. Nothing was changed.
    ///
    /// ```
    /// # use sse_core::{Event, Hub};
    /// let hub = Hub::new();
    /// let prices = hub.state_topic("prices")?;
    /// let first = prices.set("ACME", Event::json(&("ACME", 7)).event("price"))?;
    /// assert!(first < prices.set("ACME", Event::json(&("ACME", 8)).event("price"))?);
    /// assert_eq!(hub.stats().held_events, 1);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn set(&self, key: impl AsRef<str>, event: impl IntoFrame) -> Result<EventId, PublishError> {
        // A set always has an ID.
        self.change(key.as_ref(), event, false)?.ok_or(PublishError::Removed)
    }

    /// Removes a key, and returns the ID of the removal: `None` if the topic does not have the key. Subscribers receive the event
    /// `removed` with the data `{"key":"..."}`; [`remove_with`](Self::remove_with) sends another one.
    ///
    /// # Errors
    /// [`PublishError`]. Nothing was changed.
    ///
    /// ```
    /// # use sse_core::Hub;
    /// let prices = Hub::new().state_topic("prices")?;
    /// prices.set("ACME", "7")?;
    /// assert!(prices.remove("ACME")?.is_some());
    /// assert!(prices.remove("ACME")?.is_none());
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn remove(&self, key: impl AsRef<str>) -> Result<Option<EventId>, PublishError> {
        let key = key.as_ref();
        self.change(key, removal(key), true)
    }

    /// Removes a key, and sends an event of the application to the subscribers.
    ///
    /// # Errors
    /// [`PublishError`]. Nothing was changed.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let room = hub.state_topic("room/7")?;
    /// room.set("ann", ("joined", "ann"))?;
    /// let mut client = clock.read(clock.sse().subscribe(&hub, ["room/7"]).into_response());
    /// client.text();
    /// room.remove_with("ann", ("left", "ann"))?;
    /// assert!(client.text().starts_with("event: left\ndata: ann\n"));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn remove_with(&self, key: impl AsRef<str>, event: impl IntoFrame) -> Result<Option<EventId>, PublishError> {
        self.change(key.as_ref(), event, true)
    }

    fn change(&self, key: &str, event: impl IntoFrame, is_removal: bool) -> Result<Option<EventId>, PublishError> {
        check_key(key)?;
        let inner = &self.topic.hub().inner;
        let block = inner.encode(event)?;
        inner.change(|| self.topic.open(), key, (block, is_removal))
    }
}

impl fmt::Debug for StateTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateTopic").field("name", &self.name()).finish_non_exhaustive()
    }
}
