//! The topics of a hub: by name, by oldest event, and in the order in which they make room for new topics.

use super::idle::IdleTopics;
use super::log::id_source::IdSource;
use super::shrink::shrink;
use super::topic::{Deferred, SharedTopic, TopicState};
use super::trim_point::{DroppedTopics, TrimPoint};
use crate::runtime::sync::Arc;
use std::collections::{BTreeMap, HashMap};

#[derive(Default)]
pub(crate) struct Topics {
    by_name: HashMap<Box<str>, Arc<SharedTopic>>,
    /// Every topic that holds events, by a position at or before its oldest event. The position is out of date if the
    /// bounds of the topic itself trimmed events since.
    oldest: BTreeMap<u64, Arc<SharedTopic>>,
    /// Every topic that holds events and has neither a subscriber nor a handle.
    pub(crate) idle: IdleTopics,
    pub(crate) held_events: usize,
    pub(crate) held_bytes: usize,
    /// The trim points of topics that were dropped.
    pub(crate) trimmed: DroppedTopics,
    /// The number of topics that were dropped with their events to make room.
    pub(crate) dropped: u64,
}

/// The hub has `max_topics` topics, and each of them has a subscriber or a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyTopics;

impl Topics {
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<SharedTopic>> {
        self.by_name.get(name)
    }

    /// Whether events can be published to all these topics, one after another.
    pub(crate) fn have_room_for<'n>(&self, mut names: impl Iterator<Item = &'n str>, max_topics: usize) -> bool {
        // A topic that is created by an event is idle afterwards and can make room for the next topic.
        self.len() < max_topics || !self.idle.is_empty() || names.all(|name| self.by_name.contains_key(name))
    }

    /// The topic of this name, created if necessary. At `max_topics` a new topic replaces the idle topic whose newest event
    /// is the oldest.
    pub(crate) fn find_or_insert(
        &mut self,
        name: &str,
        max_topics: usize,
        ids: &IdSource,
        deferred: &mut Deferred,
    ) -> Result<Arc<SharedTopic>, TooManyTopics> {
        if let Some(topic) = self.by_name.get(name) {
            return Ok(topic.clone());
        }
        if self.len() >= max_topics {
            let topic = self.idle.pop().ok_or(TooManyTopics)?;
            self.drop_with_events(topic, ids, deferred);
        }
        let trimmed = self.trimmed.take(name).unwrap_or(TrimPoint { position: 0, id: Some(ids.origin()) });
        let topic = Arc::new(SharedTopic::new(name, trimmed));
        self.by_name.insert(name.into(), topic.clone());
        Ok(topic)
    }

    /// Adds a subscriber to all these topics, or to none of them. The names must differ.
    pub(crate) fn enter_all(
        &mut self,
        names: &[String],
        max_topics: usize,
        ids: &IdSource,
        deferred: &mut Deferred,
    ) -> Result<Vec<Arc<SharedTopic>>, TooManyTopics> {
        let known: Vec<&Arc<SharedTopic>> = names.iter().filter_map(|name| self.by_name.get(name.as_str())).collect();
        let idle_known = known.iter().filter(|topic| self.idle.contains(topic, topic.lock().ring.newest())).count();
        let new = names.len() - known.len();
        if new > 0 && self.len() + new > max_topics.saturating_add(self.idle.len() - idle_known) {
            return Err(TooManyTopics);
        }
        // The existing topics first, so that none of them is dropped for a new topic.
        let known: Vec<Arc<SharedTopic>> = known.into_iter().cloned().collect();
        known.iter().for_each(|topic| self.enter(topic));
        let topics = names.iter().map(|name| {
            let is_new = !self.by_name.contains_key(name.as_str());
            let topic = self.find_or_insert(name, max_topics, ids, deferred)?;
            if is_new {
                self.enter(&topic);
            }
            Ok(topic)
        });
        topics.collect()
    }

    /// Adds a subscriber or a handle to a topic.
    pub(crate) fn enter(&mut self, topic: &Arc<SharedTopic>) {
        let mut locked = topic.lock();
        locked.users += 1;
        if locked.users == 1 {
            self.idle.remove(topic, locked.ring.newest());
        }
    }

    /// Drops a topic without subscribers and handles if it is empty, and makes it idle if it holds events.
    pub(crate) fn release(&mut self, topic: &Arc<SharedTopic>) {
        let locked = topic.lock();
        // A newer topic of the same name may have replaced this topic.
        let is_current = self.by_name.get(&topic.name).is_some_and(|found| Arc::ptr_eq(found, topic));
        if locked.users > 0 || !is_current {
            return;
        }
        if locked.ring.is_empty() {
            self.idle.remove(topic, locked.ring.newest());
            self.remove(topic, locked.ring.trimmed_to());
        } else {
            self.idle.insert(topic, locked.ring.newest());
        }
    }

    /// Notes an appended event. `before` is the position of the topic's newest event until then.
    pub(crate) fn appended(
        &mut self,
        topic: &Arc<SharedTopic>,
        locked: &mut TopicState,
        before: Option<u64>,
        position: u64,
    ) {
        if before.is_none() {
            locked.oldest = position;
            self.oldest.insert(position, topic.clone());
        }
        if locked.users == 0 {
            self.idle.published(topic, before, position);
        }
    }

    /// Trims the oldest event of the hub, unless the event is after `upto`. With `work`, trims as many events of the same
    /// topic up to `upto` as `work` allows. Returns whether an event was trimmed.
    pub(crate) fn trim_oldest(
        &mut self,
        upto: u64,
        work: Option<&mut usize>,
        ids: &IdSource,
        deferred: &mut Deferred,
    ) -> bool {
        let Some(topic) = self.find_oldest(upto) else { return false };
        let mut locked = topic.lock();
        let TopicState { ring, oldest, .. } = &mut *locked;
        let (events, bytes) = (ring.events(), ring.bytes());
        let of = |position, block: &[u8]| ids.of_block(position, block);
        match work {
            None => ring.trim_oldest(&mut deferred.garbage, of),
            Some(work) => ring.trim_to(upto, work, &mut deferred.garbage, of),
        }
        self.held_events -= events - ring.events();
        self.held_bytes -= bytes - ring.bytes();
        if ring.is_empty() {
            self.oldest.remove(oldest);
            drop(locked);
            self.release(&topic);
        }
        true
    }

    /// Trims the events of these topics up to and including a position.
    pub(crate) fn trim_all(&mut self, topics: &[Arc<SharedTopic>], upto: u64, ids: &IdSource, deferred: &mut Deferred) {
        for topic in topics {
            let mut locked = topic.lock();
            let TopicState { ring, oldest, .. } = &mut *locked;
            let (events, bytes) = (ring.events(), ring.bytes());
            ring.trim_to(upto, &mut { usize::MAX }, &mut deferred.garbage, |position, block| {
                ids.of_block(position, block)
            });
            self.held_events -= events - ring.events();
            self.held_bytes -= bytes - ring.bytes();
            if events > 0 && ring.is_empty() {
                self.oldest.remove(oldest);
            }
        }
    }

    /// The topic with the oldest event of the hub, unless that event is after `upto`.
    fn find_oldest(&mut self, upto: u64) -> Option<Arc<SharedTopic>> {
        loop {
            let mut topics = self.oldest.iter();
            let (&known, topic) = topics.next()?;
            let next = topics.next().map_or(u64::MAX, |(&next, _)| next);
            if known > upto {
                return None;
            }
            let topic = topic.clone();
            let mut locked = topic.lock();
            let oldest = locked.ring.oldest();
            if let Some(oldest) = oldest.filter(|oldest| *oldest < next) {
                drop(locked);
                return (oldest <= upto).then_some(topic);
            }
            self.oldest.remove(&known);
            if let Some(oldest) = oldest {
                locked.oldest = oldest;
                self.oldest.insert(oldest, topic.clone());
            }
        }
    }

    /// Calls `change` for every topic, then counts the stored events again.
    pub(crate) fn change_all(&mut self, mut change: impl FnMut(&Arc<SharedTopic>, &mut TopicState)) {
        self.oldest.clear();
        self.idle = IdleTopics::default();
        (self.held_events, self.held_bytes) = (0, 0);
        for topic in self.by_name.values() {
            let mut locked = topic.lock();
            change(topic, &mut locked);
            self.held_events += locked.ring.events();
            self.held_bytes += locked.ring.bytes();
            if let Some(oldest) = locked.ring.oldest() {
                locked.oldest = oldest;
                self.oldest.insert(oldest, topic.clone());
            }
        }
    }

    /// Drops the empty topics without subscribers and handles. Call this after [`change_all`](Self::change_all).
    pub(crate) fn drop_empty(&mut self) {
        for topic in self.by_name.values().cloned().collect::<Vec<_>>() {
            self.release(&topic);
        }
    }

    /// Drops an idle topic with its events. Later subscribers of the topic receive a gap.
    fn drop_with_events(&mut self, topic: Arc<SharedTopic>, ids: &IdSource, deferred: &mut Deferred) {
        {
            let locked = topic.lock();
            self.held_events -= locked.ring.events();
            self.held_bytes -= locked.ring.bytes();
            self.oldest.remove(&locked.oldest);
            self.remove(&topic, locked.ring.newest_trim_point(|position, block| ids.of_block(position, block)));
        }
        self.dropped += 1;
        deferred.topics.push(topic);
    }

    fn remove(&mut self, topic: &SharedTopic, trimmed: TrimPoint) {
        self.by_name.remove(&topic.name);
        shrink(&mut self.by_name);
        if trimmed.position > 0 {
            self.trimmed.insert(&topic.name, trimmed);
        }
    }
}
