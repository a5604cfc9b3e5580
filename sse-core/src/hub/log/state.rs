//! State topics of a hub that follows a log: loading the state, and checking changes before they are written to the log.

use super::{LogFeed, LogFeedError};
use crate::event::frame::{Frame, IntoFrame};
use crate::hub::deferred::Deferred;
use crate::hub::history::History;
use crate::hub::publish::{PublishError, check_name};
use crate::hub::state::{ChangeId, check_key, own_bounds};
use crate::hub::topic::{SharedTopic, TopicPhase};
use crate::hub::trim_point::TrimPoint;
use crate::hub::{EventId, Hub, Inner, StateChange, TopicBounds};
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;

/// One change of a state topic that was checked for a log, from [`Hub::check_change`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedChange {
    /// The key, of at most [`MAX_STATE_KEY_BYTES`](crate::hub::MAX_STATE_KEY_BYTES) bytes.
    pub key: String,
    /// The event of the key, or the event that tells its removal.
    pub event: Frame,
    /// Whether the key is removed.
    pub is_removal: bool,
}

/// The bounds of a state topic in a log, from [`Hub::state_bounds`]. The writer of the log enforces them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateBounds {
    /// The maximum number of keys of the topic.
    pub keys: usize,
    /// The maximum size of the state of the topic, in bytes.
    pub bytes: usize,
    /// The maximum size of the states of all topics together, in bytes.
    pub hub_bytes: usize,
}

impl Hub {
    /// Checks one change of a state topic under the rules of this hub, without making the change: for a writer of a
    /// [log](crate::hub::log), whose nodes then append [`LogChange::Set`](super::LogChange::Set) or
    /// [`LogChange::Unset`](super::LogChange::Unset).
    ///
    /// # Errors
    /// [`PublishError::Invalid`], [`PublishError::TopicName`] and [`PublishError::StateKey`].
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{PublishError, StateChange, log}};
    /// let (hub, _feed) = log::follow(Hub::builder());
    /// let checked = hub.check_change("prices", StateChange::remove("ACME"))?;
    /// assert_eq!((&*checked.key, checked.is_removal), ("ACME", true));
    /// assert_eq!(checked.event, "event: removed\ndata: {\"key\":\"ACME\"}\n\n");
    /// let long = StateChange::set("k".repeat(257), "7");
    /// assert_eq!(hub.check_change("prices", long), Err(PublishError::StateKey(257)));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn check_change(&self, topic: impl AsRef<str>, change: StateChange) -> Result<CheckedChange, PublishError> {
        check_name(topic.as_ref())?;
        let StateChange { key, event, is_removal } = change;
        check_key(&key)?;
        let event = self.inner.check(event, |event| Ok(event.into_frame()))?;
        Ok(CheckedChange { key, event, is_removal })
    }

    /// The bounds of a state topic with these bounds of its own: those of [`Hub::state_topic_with`].
    ///
    /// ```
    /// # use sse_core::{Hub, hub::TopicBounds};
    /// let bounds = Hub::builder().topic_bytes(1_000).build().state_bounds(TopicBounds::new().events(10));
    /// assert_eq!((bounds.keys, bounds.bytes), (10, 1_000));
    /// ```
    #[must_use]
    pub fn state_bounds(&self, own: TopicBounds) -> StateBounds {
        let limits = &self.inner.limits;
        let (keys, bytes) = own_bounds(own, limits.topic_bytes);
        StateBounds { keys, bytes: bytes.min(limits.hub_bytes), hub_bytes: limits.hub_bytes }
    }
}

impl LogFeed {
    /// Loads the newest event of each key whose entry this feed did not append, because the log keeps its state apart from its
    /// entries. Each item is the ID of the entry, the topic, the key and the event, in the order of the IDs.
    ///
    /// Call this before the first entry, after each [`truncate`](Self::truncate), which drops the state topics that changed in
    /// the lost part, and after each [`reset`](Self::reset), which drops all. The keys of the state topics that are left stay as
    /// they are. A client that resumes with an ID from before the load receives a gap and then the whole state, because
    /// the hub does not know the removals before the load.
    ///
    /// The hub skips a key whose event cannot be sent, and one of a topic that has ended or has other events. The returned list
    /// has the IDs of these entries and the errors.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log::{self, LogChange}}, testing::Clock};
    /// let clock = Clock::new();
    /// let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
    /// let id = |ms| EventId::new((ms, 0), 7);
    /// feed.load_state([(id(1), "prices", "ACME", "7"), (id(2), "prices", "EMCA", "1")]);
    /// feed.append_all([(id(9), LogChange::Set("prices", "ACME", "8"))])?;
    /// let text = clock.read(clock.sse().subscribe(&hub, ["prices"]).into_response()).text();
    /// assert!(text.contains("data: 1\nid: 2-00000007\n\ndata: 8\nid: 9-00000007\n\n") && !text.contains("data: 7"));
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn load_state<'a, E: IntoFrame>(
        &mut self,
        keys: impl IntoIterator<Item = (EventId, &'a str, &'a str, E)>,
    ) -> Vec<(EventId, LogFeedError)> {
        let inner = &*self.hub.inner;
        let mut skipped = Vec::new();
        // Outside of the lock, because an event may run code of the application.
        let encode = |(id, topic, key, event): (EventId, &'a str, &'a str, E)| {
            let checked = inner.encode(event).map_err(LogFeedError::from).and_then(|block| {
                check_name(topic).map_err(|_| LogFeedError::TopicName(topic.len()))?;
                check_key(key).map_err(|_| LogFeedError::StateKey(key.len()))?;
                Ok((id, topic, key, block))
            });
            checked.map_err(|error| skipped.push((id, error))).ok()
        };
        let keys: Vec<_> = keys.into_iter().filter_map(encode).collect();
        if !keys.is_empty() {
            let mut deferred = Deferred::default();
            inner.history.lock().load(inner, keys, &mut skipped, &mut deferred);
            deferred.run(inner);
        }
        skipped
    }
}

impl History {
    /// Makes the change of one key that an entry of the log makes.
    pub(super) fn change_key(
        &mut self,
        hub: &Inner,
        topic: &str,
        event: (&str, (Vec<u8>, bool)),
        id: ChangeId,
        deferred: &mut Deferred,
    ) -> Result<(), LogFeedError> {
        // The bytes of the log bound the number of state topics, and a node that had no room for one would never have its keys.
        let found = match self.topics.get(topic) {
            Some(topic) if topic.phase() == TopicPhase::Open => Ok(topic.clone()),
            None if !self.topics.trimmed.has_ended(topic) => {
                self.topics.find_or_insert(topic, usize::MAX, &self.ids, deferred).map_err(PublishError::from)
            }
            _ => Err(PublishError::Ended),
        };
        let topic = found.map_err(|_| LogFeedError::Ended)?;
        if !topic.is_state() && !topic.lock().ring.is_empty() {
            return Err(LogFeedError::NotState);
        }
        // A change of the log has no bound.
        let _ = self.change(hub, &topic, event, id, deferred);
        Ok(())
    }

    fn load(
        &mut self,
        hub: &Inner,
        keys: Vec<(EventId, &str, &str, Vec<u8>)>,
        skipped: &mut Vec<(EventId, LogFeedError)>,
        deferred: &mut Deferred,
    ) {
        // After a truncation or a reset the clients have later IDs, which they must keep.
        let is_start = self.ids.newest().is_none();
        let mut loaded: Vec<Arc<SharedTopic>> = Vec::new();
        for (id, name, key, block) in keys {
            let has_key =
                |topic: &Arc<SharedTopic>| topic.lock().ring.keyed().is_some_and(|keyed| keyed.has_event(key));
            if self.topics.get(name).is_some_and(has_key) {
                continue;
            }
            let change = ChangeId::Loaded(is_start.then_some(id));
            if let Err(error) = self.change_key(hub, name, (key, (block, false)), change, deferred) {
                skipped.push((id, error));
            } else if loaded.last().is_none_or(|last| *last.name != *name) {
                loaded.extend(self.topics.get(name).cloned());
            }
        }
        if !is_start {
            return;
        }
        // A position after all of them: also the client of the last one may have missed a removal.
        let position = hub.head.load(Ordering::Relaxed) + 1;
        for topic in loaded {
            let mut locked = topic.lock();
            locked.ring.forget_removals_before(TrimPoint { position, id: None });
            topic.commit(&mut locked, deferred, || {});
        }
        hub.head.store(position, Ordering::Release);
    }
}
