//! Changing the state of topics: all changes of a call, or none.

use crate::hub::deferred::Deferred;
use crate::hub::history::History;
use crate::hub::publish::PublishError;
use crate::hub::ring::{Full, KeyedBounds};
use crate::hub::stats::Counters;
use crate::hub::topic::{SharedTopic, TopicPhase};
use crate::hub::topic_bounds::TopicBounds;
use crate::hub::topic_extra::TopicExtra;
use crate::hub::{EventId, Inner};
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;
use std::collections::HashMap;

/// The keys of a state topic, unless its own bounds say otherwise.
const DEFAULT_KEYS: usize = 65_536;

/// At least the size of the line `id: ` with its two line feeds.
const ID_LINE_BYTES: usize = 48;

/// One change of the state of a topic.
#[derive(Debug)]
pub(in crate::hub) struct Change<'c> {
    pub(in crate::hub) topic: &'c str,
    pub(in crate::hub) key: &'c str,
    /// The event without the line of its ID.
    pub(in crate::hub) block: Vec<u8>,
    pub(in crate::hub) is_removal: bool,
}

/// The ID of a change.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) enum ChangeId {
    /// An ID of the hub.
    Own,
    /// The ID of an entry of the log.
    OfLog(EventId),
    /// The change was loaded as a part of the state. Its ID, if it has one, is not remembered, because the hub does not know what
    /// followed.
    Loaded(Option<EventId>),
}

/// The state of one topic after some of the changes.
struct Plan<'c> {
    max: (usize, usize),
    live: usize,
    bytes: usize,
    /// The size of the event of each changed key, `None` for a removed key.
    changed: HashMap<&'c str, Option<usize>>,
}

impl Inner {
    /// Makes one change of this topic. Returns its ID; `None` for the removal of a key that the topic does not have.
    pub(in crate::hub) fn change(
        &self,
        topic: impl FnOnce() -> Result<Arc<SharedTopic>, PublishError>,
        key: &str,
        event: (Vec<u8>, bool),
    ) -> Result<Option<EventId>, PublishError> {
        let now = self.now_if_aging();
        let mut deferred = Deferred::default();
        let id = {
            let mut history = self.history.lock();
            history.expire(self, now, &mut deferred);
            topic().and_then(|topic| history.change(self, &topic, (key, event), ChangeId::Own, &mut deferred))
        };
        Counters::add(&self.counters.published, usize::from(matches!(id, Ok(Some(_)))));
        deferred.run(self);
        id
    }

    /// Makes all of these changes, or none of them. Returns the ID of each; `None` for the removal of a key that the topic
    /// does not have.
    pub(in crate::hub) fn change_all(&self, changes: Vec<Change<'_>>) -> Result<Vec<Option<EventId>>, PublishError> {
        let now = self.now_if_aging();
        let mut deferred = Deferred::default();
        let ids = {
            let mut history = self.history.lock();
            history.expire(self, now, &mut deferred);
            history.plan(self, &changes).and_then(|names| history.change_all(self, &names, changes, &mut deferred))
        };
        let published = ids.as_ref().map_or(0, |ids: &Vec<Option<EventId>>| ids.iter().flatten().count());
        Counters::add(&self.counters.published, published);
        deferred.run(self);
        ids
    }
}

impl History {
    /// Checks whether the topics can take all of these changes, and returns the names of the topics.
    fn plan(&self, hub: &Inner, changes: &[Change<'_>]) -> Result<Vec<String>, PublishError> {
        if self.ids.is_log() {
            return Err(PublishError::Followed);
        }
        let mut plans: HashMap<&str, Plan<'_>> = HashMap::new();
        let mut total = self.topics.state_bytes;
        for change in changes {
            let topic = self.topics.get(change.topic);
            let plan = match plans.get_mut(change.topic) {
                Some(plan) => plan,
                None => plans.entry(change.topic).or_insert(self.plan_of(hub, topic, change.topic)?),
            };
            let before = match plan.changed.get(change.key) {
                Some(known) => *known,
                None => topic.and_then(|topic| topic.lock().ring.keyed()?.get(change.key)),
            };
            let bytes = change.block.len() + ID_LINE_BYTES;
            (plan.live, plan.bytes) = (plan.live - usize::from(before.is_some()), plan.bytes - before.unwrap_or(0));
            total = total.saturating_sub(before.unwrap_or(0)) + bytes;
            if !change.is_removal {
                (plan.live, plan.bytes) = (plan.live + 1, plan.bytes + bytes);
                if plan.live > plan.max.0 {
                    return Err(PublishError::StateKeys(plan.max.0));
                }
                if plan.bytes > plan.max.1 || total > hub.limits.hub_bytes {
                    return Err(PublishError::StateBytes(plan.max.1.min(hub.limits.hub_bytes)));
                }
            }
            plan.changed.insert(change.key, (!change.is_removal).then_some(bytes));
        }
        Ok(plans.into_keys().map(str::to_owned).collect())
    }

    /// Makes these changes, which were planned. The hub keeps the topics meanwhile, so that none makes room for another one.
    fn change_all(
        &mut self,
        hub: &Inner,
        names: &[String],
        changes: Vec<Change<'_>>,
        deferred: &mut Deferred,
    ) -> Result<Vec<Option<EventId>>, PublishError> {
        let topics = self.topics.enter_all((names, true), hub.limits.max_topics, &self.ids, deferred)?;
        let by_name: HashMap<&str, &Arc<SharedTopic>> = topics.iter().map(|topic| (&*topic.name, topic)).collect();
        let changes = changes.into_iter().map(|Change { topic, key, block, is_removal }| {
            let topic = by_name.get(topic).ok_or(PublishError::TooManyTopics)?;
            self.change(hub, topic, (key, (block, is_removal)), ChangeId::Own, deferred)
        });
        let ids = changes.collect();
        for topic in &topics {
            // A handle that leaves wakes no task.
            let _ = topic.lock().leave(true);
            self.topics.release(topic);
        }
        ids
    }

    fn plan_of<'c>(&self, hub: &Inner, topic: Option<&Arc<SharedTopic>>, name: &str) -> Result<Plan<'c>, PublishError> {
        let Some(topic) = topic else {
            let max = (DEFAULT_KEYS, hub.limits.topic_bytes);
            let plan = Plan { max, live: 0, bytes: 0, changed: HashMap::new() };
            return if self.topics.trimmed.has_ended(name) { Err(PublishError::Ended) } else { Ok(plan) };
        };
        if topic.phase() != TopicPhase::Open {
            return Err(PublishError::Ended);
        }
        let locked = topic.lock();
        let max = bounds(locked.extra.as_deref(), hub);
        match locked.ring.keyed() {
            Some(keyed) => Ok(Plan { max, live: keyed.live(), bytes: keyed.live_bytes(), changed: HashMap::new() }),
            None if locked.ring.is_empty() => Ok(Plan { max, live: 0, bytes: 0, changed: HashMap::new() }),
            None => Err(PublishError::NotState),
        }
    }

    /// Makes one change. The topic holds no event that was published without a key.
    pub(in crate::hub) fn change(
        &mut self,
        hub: &Inner,
        topic: &Arc<SharedTopic>,
        (key, (mut block, is_removal)): (&str, (Vec<u8>, bool)),
        id: ChangeId,
        deferred: &mut Deferred,
    ) -> Result<Option<EventId>, PublishError> {
        use std::io::Write;
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let is_of_log = !matches!(id, ChangeId::Own);
        let (id, is_known) = match id {
            ChangeId::Own => (Some(self.ids.local(position)), true),
            ChangeId::OfLog(id) => (Some(id), true),
            ChangeId::Loaded(id) => (id, false),
        };
        // Writing to a Vec cannot fail.
        let _ = id.map(|id| writeln!(block, "id: {id}"));
        block.push(b'\n');
        {
            let mut locked = topic.lock();
            if is_of_log || !is_removal {
                topic.make_state(&mut locked);
            }
            let (keys, bytes) = bounds(locked.extra.as_deref(), hub);
            let ring = &mut locked.ring;
            let before = (ring.events(), ring.bytes(), ring.newest());
            // What the other state topics leave of the bound of the hub.
            let room = hub.limits.hub_bytes.saturating_sub(self.topics.state_bytes - ring.bytes());
            let max = KeyedBounds { keys, bytes: bytes.min(room), is_of_log };
            // Without room to spare the bytes need no second allocation.
            let event = (block.into_boxed_slice().into(), is_removal);
            let id_of = |position, block: &[u8]| self.ids.of_block(position, block);
            match ring.put(position, key, event, max, &mut deferred.garbage, id_of) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(Full::Keys) => return Err(PublishError::StateKeys(keys)),
                Err(Full::Bytes) => return Err(PublishError::StateBytes(bytes.min(hub.limits.hub_bytes))),
            }
            self.topics.changed(topic, &mut locked, before, position);
            topic.commit(&mut locked, deferred, || hub.head.store(position, Ordering::Release));
        }
        if let Some(id) = id.filter(|_| is_known) {
            self.ids.remember(id, position);
        }
        self.trim_to_hub_bytes(hub, deferred);
        Ok(id)
    }
}

/// The bounds of a state topic: its keys, and their bytes.
fn bounds(extra: Option<&TopicExtra>, hub: &Inner) -> (usize, usize) {
    own_bounds(extra.map(|extra| extra.bounds).unwrap_or_default(), hub.limits.topic_bytes)
}

/// The bounds of a state topic with these bounds of its own, in a hub with this bound of the bytes of a topic.
pub(in crate::hub) fn own_bounds(own: TopicBounds, topic_bytes: usize) -> (usize, usize) {
    (own.events.unwrap_or(DEFAULT_KEYS).max(1), own.bytes.unwrap_or(topic_bytes))
}
