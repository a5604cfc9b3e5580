//! The topics of a hub: by name, by oldest event, and in the order in which they make room for new topics.

use super::deferred::Deferred;
use super::idle::IdleTopics;
use super::log::id_source::IdSource;
use super::shrink::shrink;
use super::topic::{SharedTopic, TopicPhase, TopicState};
use super::topic_extra::TopicEnd;
use super::trim_point::{DroppedTopics, EndTime, Tombstone, TrimPoint};
use crate::runtime::sync::Arc;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

#[derive(Default)]
pub(crate) struct Topics {
    by_name: HashMap<Box<str>, Arc<SharedTopic>>,
    /// Every topic that holds events, by a position at or before its oldest event. The position is out of date if the
    /// bounds of the topic itself trimmed events since.
    oldest: BTreeMap<u64, Arc<SharedTopic>>,
    /// Every topic that holds events and has neither a subscriber nor a handle.
    pub(crate) idle: IdleTopics,
    /// Every topic that has ended, by the position of its end, with the time of the end.
    ended: BTreeMap<u64, (EndTime, Arc<SharedTopic>)>,
    pub(crate) held_events: usize,
    pub(crate) held_bytes: usize,
    /// The parts of them that belong to state topics, which nothing trims.
    pub(crate) state_events: usize,
    pub(crate) state_bytes: usize,
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

    /// The number of topics that have ended.
    pub(crate) fn ended(&self) -> usize {
        self.ended.len()
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
        let origin = TrimPoint { position: 0, id: Some(ids.origin()) };
        let dropped = self.trimmed.take(name).unwrap_or(Tombstone { trimmed: origin, ended: None });
        let topic = Arc::new(SharedTopic::new(name, dropped.trimmed));
        if let Some(at) = dropped.ended {
            let (position, id) = (dropped.trimmed.position, ids.of_trim_point(dropped.trimmed));
            self.end(&topic, &mut topic.lock(), TopicEnd { position, id: id.unwrap_or(ids.origin()) }, at);
        }
        self.by_name.insert(name.into(), topic.clone());
        Ok(topic)
    }

    /// Whether the topic of this name has ended, also if it was dropped since.
    pub(crate) fn has_ended(&self, name: &str) -> bool {
        match self.by_name.get(name) {
            Some(topic) => topic.phase() != TopicPhase::Open,
            None => self.trimmed.has_ended(name),
        }
    }

    /// Ends a topic, whose last event was appended.
    pub(crate) fn end(&mut self, topic: &Arc<SharedTopic>, locked: &mut TopicState, end: TopicEnd, at: EndTime) {
        topic.set_end(locked, Some(end));
        self.ended.insert(end.position, (at, topic.clone()));
    }

    /// The topic that ended first, if it ended at this time or before.
    pub(crate) fn ended_by(&self, time: Instant) -> Option<Arc<SharedTopic>> {
        let (_, (EndTime(at), topic)) = self.ended.first_key_value()?;
        at.is_some_and(|at| at <= time).then(|| topic.clone())
    }

    /// Adds a subscriber or a listener to all these topics, or to none of them. The names must differ.
    pub(crate) fn enter_all(
        &mut self,
        (names, is_listener): (&[String], bool),
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
        known.iter().for_each(|topic| self.enter(topic, is_listener));
        let topics = names.iter().map(|name| {
            let is_new = !self.by_name.contains_key(name.as_str());
            let topic = self.find_or_insert(name, max_topics, ids, deferred)?;
            if is_new {
                self.enter(&topic, is_listener);
            }
            Ok(topic)
        });
        topics.collect()
    }

    /// Adds a subscriber or a handle to a topic.
    pub(crate) fn enter(&mut self, topic: &Arc<SharedTopic>, is_handle: bool) {
        let mut locked = topic.lock();
        locked.enter(is_handle);
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
            self.remove(topic, locked.ring.trimmed_to(), true);
        } else if !locked.has_state() {
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

    /// Notes a change of a state topic. `before` are its events, their bytes, and the position of the newest one until then.
    pub(crate) fn changed(
        &mut self,
        topic: &Arc<SharedTopic>,
        locked: &mut TopicState,
        before: (usize, usize, u64),
        position: u64,
    ) {
        let (events, bytes, newest) = before;
        self.held_events = self.held_events - events + locked.ring.events();
        self.held_bytes = self.held_bytes - bytes + locked.ring.bytes();
        self.state_events = self.state_events - events + locked.ring.events();
        self.state_bytes = self.state_bytes - bytes + locked.ring.bytes();
        if locked.users == 0 {
            self.idle.remove(topic, newest);
            if !locked.has_state() {
                self.idle.insert(topic, position);
            }
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
        (self.state_events, self.state_bytes) = (0, 0);
        for topic in self.by_name.values() {
            let mut locked = topic.lock();
            change(topic, &mut locked);
            self.held_events += locked.ring.events();
            self.held_bytes += locked.ring.bytes();
            if locked.ring.keyed().is_some() {
                self.state_events += locked.ring.events();
                self.state_bytes += locked.ring.bytes();
            }
            if let Some(oldest) = locked.ring.oldest() {
                locked.oldest = oldest;
                self.oldest.insert(oldest, topic.clone());
            }
        }
    }

    /// Notes that the log lost the ends after this position. The caller opens the topics again.
    pub(crate) fn reopen_after(&mut self, position: u64) {
        self.ended.split_off(&(position + 1));
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
            let trimmed = locked.ring.newest_trim_point(|position, block| ids.of_block(position, block));
            self.forget_events(&locked);
            self.remove(&topic, trimmed, true);
        }
        self.dropped += 1;
        deferred.topics.push(topic);
    }

    /// Drops a topic with its events, also if it is in use. `drop_events` drops the events and tells the subscribers.
    /// `trimmed` is the trim point for later subscribers, and that of the newest event if it is `None`.
    pub(crate) fn drop_in_use(
        &mut self,
        topic: &Arc<SharedTopic>,
        trimmed: Option<TrimPoint>,
        ids: &IdSource,
        drop_events: impl FnOnce(&mut TopicState, TrimPoint),
    ) {
        let mut locked = topic.lock();
        let newest = || locked.ring.newest_trim_point(|position, block| ids.of_block(position, block));
        let trimmed = trimmed.unwrap_or_else(newest);
        self.idle.remove(topic, locked.ring.newest());
        self.forget_events(&locked);
        self.remove(topic, trimmed, false);
        drop_events(&mut locked, trimmed);
    }

    /// Removes the events of a topic from the counts and from the order of the oldest events.
    fn forget_events(&mut self, locked: &TopicState) {
        self.held_events -= locked.ring.events();
        self.held_bytes -= locked.ring.bytes();
        if locked.ring.keyed().is_some() {
            self.state_events -= locked.ring.events();
            self.state_bytes -= locked.ring.bytes();
        } else if !locked.ring.is_empty() {
            self.oldest.remove(&locked.oldest);
        }
    }

    /// Removes a topic from the tables. `remembers_end` is whether a topic that has ended stays ended.
    fn remove(&mut self, topic: &SharedTopic, trimmed: TrimPoint, remembers_end: bool) {
        self.by_name.remove(&topic.name);
        shrink(&mut self.by_name);
        let ended = match topic.phase() {
            TopicPhase::Ended(position) => self.ended.remove(&position).map(|(at, _)| at),
            TopicPhase::Open | TopicPhase::Removed => None,
        };
        if trimmed.position > 0 {
            self.trimmed.insert(&topic.name, Tombstone { trimmed, ended: ended.filter(|_| remembers_end) });
        }
    }
}
