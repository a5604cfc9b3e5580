//! The topics of a hub: by name, by their oldest event, and in the order in which they make room for other topics.

use super::idle::Idle;
use super::log::id_source::IdSource;
use super::ring::TrimPoint;
use super::tombstones::Tombstones;
use super::topic::{Deferred, Locked, Topic};
use crate::hub::shrink::shrink;
use crate::runtime::sync::Arc;
use std::collections::{BTreeMap, HashMap};

#[derive(Default)]
pub(crate) struct Topics {
    by_name: HashMap<Box<str>, Arc<Topic>>,
    /// Every topic that holds events, by a position that is not after its oldest event. The topic's own bounds may have
    /// trimmed more since.
    oldest: BTreeMap<u64, Arc<Topic>>,
    /// Every topic that holds events and has no subscriber and no handle.
    pub(crate) idle: Idle,
    pub(crate) held_events: usize,
    pub(crate) held_bytes: usize,
    pub(crate) tombstones: Tombstones,
    /// How many topics made room for others.
    pub(crate) dropped: u64,
}

/// The hub has `max_topics` topics, and each of them has a subscriber or a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyTopics;

impl Topics {
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// Whether events of all these topics can be published one after another.
    pub(crate) fn have_room_for<'n>(&self, mut names: impl Iterator<Item = &'n str>, max_topics: usize) -> bool {
        // A topic that an event makes is idle from then on, and makes room for the next one.
        self.len() < max_topics || !self.idle.is_empty() || names.all(|name| self.by_name.contains_key(name))
    }

    /// The topic of this name. A new topic takes the place of the idle topic whose newest event is the oldest, if there
    /// is no other place.
    pub(crate) fn find_or_insert(
        &mut self,
        name: &str,
        max_topics: usize,
        ids: &IdSource,
        deferred: &mut Deferred,
    ) -> Result<Arc<Topic>, TooManyTopics> {
        if let Some(topic) = self.by_name.get(name) {
            return Ok(topic.clone());
        }
        if self.len() >= max_topics {
            let topic = self.idle.pop().ok_or(TooManyTopics)?;
            self.drop_with_events(topic, ids, deferred);
        }
        let trimmed = self.tombstones.take(name).unwrap_or(TrimPoint { position: 0, id: Some(ids.origin()) });
        let topic = Arc::new(Topic::new(name, trimmed));
        self.by_name.insert(name.into(), topic.clone());
        Ok(topic)
    }

    /// Enters all these topics, whose names differ, as a subscriber; or none of them.
    pub(crate) fn enter_all(
        &mut self,
        names: &[String],
        max_topics: usize,
        ids: &IdSource,
        deferred: &mut Deferred,
    ) -> Result<Vec<Arc<Topic>>, TooManyTopics> {
        let known: Vec<&Arc<Topic>> = names.iter().filter_map(|name| self.by_name.get(name.as_str())).collect();
        let spared = known.iter().filter(|topic| self.idle.contains(topic, topic.lock().ring.newest())).count();
        let new = names.len() - known.len();
        if new > 0 && self.len() + new > max_topics.saturating_add(self.idle.len() - spared) {
            return Err(TooManyTopics);
        }
        // The known ones first, so that none of them makes room for another.
        let known: Vec<Arc<Topic>> = known.into_iter().cloned().collect();
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
    pub(crate) fn enter(&mut self, topic: &Arc<Topic>) {
        let mut locked = topic.lock();
        locked.readers += 1;
        if locked.readers == 1 {
            self.idle.remove(topic, locked.ring.newest());
        }
    }

    /// The last subscriber or handle of a topic may have left: an empty topic is dropped, another is idle from now on.
    pub(crate) fn left(&mut self, topic: &Arc<Topic>) {
        let locked = topic.lock();
        // A topic of the same name may have replaced this one since.
        let is_current = self.by_name.get(&topic.name).is_some_and(|found| Arc::ptr_eq(found, topic));
        if locked.readers > 0 || !is_current {
            return;
        }
        if locked.ring.is_empty() {
            self.idle.remove(topic, locked.ring.newest());
            self.remove(topic, locked.ring.trimmed_to());
        } else {
            self.idle.insert(topic, locked.ring.newest());
        }
    }

    /// Notes an event that a topic holds from now on. `before` is the position of its newest event until then.
    pub(crate) fn appended(&mut self, topic: &Arc<Topic>, locked: &mut Locked, before: Option<u64>, position: u64) {
        if before.is_none() {
            locked.oldest = position;
            self.oldest.insert(position, topic.clone());
        }
        if locked.readers == 0 {
            self.idle.published(topic, before, position);
        }
    }

    /// Trims the oldest event of all, unless it is after `upto`; with `work`, as many events of its topic up to there as
    /// that allows. Returns whether there was such an event.
    pub(crate) fn trim_oldest(
        &mut self,
        upto: u64,
        work: Option<&mut usize>,
        ids: &IdSource,
        deferred: &mut Deferred,
    ) -> bool {
        let Some(topic) = self.find_oldest(upto) else { return false };
        let mut locked = topic.lock();
        let Locked { ring, oldest, .. } = &mut *locked;
        let (events, bytes) = (ring.events(), ring.bytes());
        let of = |position, block: &[u8]| ids.of(position, block);
        match work {
            None => ring.evict(&mut deferred.garbage, of),
            Some(work) => ring.trim(upto, work, &mut deferred.garbage, of),
        }
        self.held_events -= events - ring.events();
        self.held_bytes -= bytes - ring.bytes();
        if ring.is_empty() {
            self.oldest.remove(oldest);
            drop(locked);
            self.left(&topic);
        }
        true
    }

    /// Trims the events of these topics that are not after a position.
    pub(crate) fn trim_all(&mut self, topics: &[Arc<Topic>], upto: u64, ids: &IdSource, deferred: &mut Deferred) {
        for topic in topics {
            let mut locked = topic.lock();
            let Locked { ring, oldest, .. } = &mut *locked;
            let (events, bytes) = (ring.events(), ring.bytes());
            ring.trim(upto, &mut { usize::MAX }, &mut deferred.garbage, |position, block| ids.of(position, block));
            self.held_events -= events - ring.events();
            self.held_bytes -= bytes - ring.bytes();
            if events > 0 && ring.is_empty() {
                self.oldest.remove(oldest);
            }
        }
    }

    /// The topic with the oldest event of all, unless that event is after `upto`.
    fn find_oldest(&mut self, upto: u64) -> Option<Arc<Topic>> {
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

    /// Lets `change` change every ring, and counts what they hold then.
    pub(crate) fn change_all(&mut self, mut change: impl FnMut(&Arc<Topic>, &mut Locked)) {
        self.oldest.clear();
        self.idle = Idle::default();
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

    /// After [`change_all`](Self::change_all): drops the topics that are empty and have no subscriber and no handle.
    pub(crate) fn drop_empty(&mut self) {
        for topic in self.by_name.values().cloned().collect::<Vec<_>>() {
            self.left(&topic);
        }
    }

    /// Drops an idle topic, whose subscribers of later find that its events were trimmed.
    fn drop_with_events(&mut self, topic: Arc<Topic>, ids: &IdSource, deferred: &mut Deferred) {
        {
            let locked = topic.lock();
            self.held_events -= locked.ring.events();
            self.held_bytes -= locked.ring.bytes();
            self.oldest.remove(&locked.oldest);
            self.remove(&topic, locked.ring.newest_mark(|position, block| ids.of(position, block)));
        }
        self.dropped += 1;
        deferred.topics.push(topic);
    }

    fn remove(&mut self, topic: &Topic, trimmed: TrimPoint) {
        self.by_name.remove(&topic.name);
        shrink(&mut self.by_name);
        if trimmed.position > 0 {
            self.tombstones.put(&topic.name, trimmed);
        }
    }
}
