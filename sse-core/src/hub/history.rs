//! The order of the history, behind the lock that every publish takes: the head, and what is trimmed next.

use super::Inner;
use super::ages::Ages;
use super::id::EventId;
use super::log::id_source::IdSource;
use super::log::unknown_ids::Ahead;
use super::ring::TrimPoint;
use super::tombstones::Tombstones;
use super::topic::{Deferred, Topic};
use super::topics::{TooManyTopics, Topics};
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;
use std::time::Instant;

/// The longest name a topic may have, in bytes.
pub const MAX_TOPIC_BYTES: usize = 256;

/// How much one use of the hub trims because of age: so many single events, or a 16th as many segments, of at most
/// [`EXPIRED_TOPICS`] topics.
const EXPIRED_WORK: usize = 1024;

/// Of how many topics one use of the hub trims events because of age.
const EXPIRED_TOPICS: usize = 32;

pub(crate) struct History {
    pub(crate) ids: IdSource,
    /// Whether subscriptions are taken; not while a follower loads what its log has.
    pub(crate) admits: bool,
    /// Clients ahead of a follower that says when it has caught up.
    pub(crate) ahead: Option<Ahead>,
    pub(crate) topics: Topics,
    pub(crate) ages: Ages,
}

impl History {
    pub(crate) fn new(ids: IdSource) -> Self {
        Self { ids, admits: true, ahead: None, topics: Topics::default(), ages: Ages::default() }
    }

    /// The topic of this name, made if there is none.
    pub(crate) fn topic(
        &mut self,
        hub: &Inner,
        name: &str,
        deferred: &mut Deferred,
    ) -> Result<Arc<Topic>, TooManyTopics> {
        self.topics.find_or_insert(name, hub.limits.max_topics, &self.ids, deferred)
    }

    /// Appends one event, whose block lacks its id yet. Gives its id.
    pub(crate) fn append(
        &mut self,
        hub: &Inner,
        now: Option<Instant>,
        topic: &Arc<Topic>,
        id: Option<EventId>,
        mut block: Vec<u8>,
        deferred: &mut Deferred,
    ) -> EventId {
        use std::io::Write;
        let limits = &hub.limits;
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let id = id.unwrap_or_else(|| self.ids.own(position));
        // Writing to a Vec cannot fail.
        let _ = write!(block, "id: {id}\n\n");
        {
            let mut locked = topic.lock();
            let ring = &mut locked.ring;
            let before = (!ring.is_empty()).then(|| ring.newest());
            self.topics.held_events -= ring.events();
            self.topics.held_bytes -= ring.bytes();
            ring.push(position, block.into(), &mut deferred.garbage);
            while ring.events() > 1 && (ring.events() > limits.topic_events || ring.bytes() > limits.topic_bytes) {
                ring.evict(&mut deferred.garbage, |position, block| self.ids.of(position, block));
            }
            self.topics.held_events += ring.events();
            self.topics.held_bytes += ring.bytes();
            self.topics.appended(topic, &mut locked, before, position);
            topic.changed(&mut locked, deferred, || hub.head.store(position, Ordering::Release));
        }
        self.ids.remember(id, position);
        if let (Some(now), Some(age)) = (now, limits.topic_age) {
            self.ages.published(now, position, age);
        }
        while self.topics.held_bytes > limits.hub_bytes && self.topics.held_events > 1 {
            self.topics.trim_oldest(u64::MAX, None, &self.ids, deferred);
        }
        id
    }

    /// Moves the head without an event, and gives its position.
    pub(crate) fn advance(&mut self, hub: &Inner, id: EventId) -> u64 {
        let position = hub.head.load(Ordering::Relaxed) + 1;
        hub.head.store(position, Ordering::Release);
        self.ids.remember(id, position);
        position
    }

    /// Passes over an event for whose topic there is no room, so that whoever asks for the topic later is told.
    pub(crate) fn forget_at_once(&mut self, hub: &Inner, topic: &str, id: EventId) {
        let position = self.advance(hub, id);
        self.topics.tombstones.put(topic, TrimPoint { position, id: Some(id) });
    }

    /// Trims events that are older than they may be, a bounded number of them.
    pub(crate) fn expire(&mut self, hub: &Inner, now: Option<Instant>, deferred: &mut Deferred) {
        let (Some(now), Some(age)) = (now, hub.limits.topic_age) else { return };
        let Some(upto) = self.ages.expired(now, age) else { return };
        let mut work = EXPIRED_WORK;
        for _ in 0..EXPIRED_TOPICS {
            if !self.topics.trim_oldest(upto, Some(&mut work), &self.ids, deferred) {
                return self.ages.trimmed();
            }
            if work == 0 {
                return;
            }
        }
    }

    /// Everything is forgotten, in every topic there is or was, up to this id.
    pub(crate) fn reset(&mut self, hub: &Inner, id: EventId, deferred: &mut Deferred) {
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let mark = TrimPoint { position, id: Some(id) };
        self.topics.change_all(|topic, locked| {
            locked.ring.reset_to(mark, &mut deferred.garbage);
            topic.changed(locked, deferred, || {});
        });
        // Last, so that a cursor finds the gaps of all its topics at this position, or none of them.
        hub.head.store(position, Ordering::Release);
        self.ages = Ages::default();
        self.topics.tombstones = Tombstones::of_everything(mark);
        self.ids.forget();
        self.ids.remember(id, position);
        self.topics.drop_empty();
    }

    /// What came after this id, which stands for this position, is taken back. Positions go on as before, so that none is
    /// used twice.
    pub(crate) fn truncate(&mut self, hub: &Inner, (position, id): (u64, EventId), deferred: &mut Deferred) {
        let last = hub.head.load(Ordering::Relaxed);
        let epoch = hub.epoch.load(Ordering::Relaxed) + 1;
        // The id stands from here on also for the last position that was taken back, as it may for an earlier such one.
        let kept = self.ids.last_position(position, id);
        self.ids.truncate(epoch, (kept, last), id);
        let mark = TrimPoint { position: last, id: None };
        self.topics.tombstones.truncate(kept, mark);
        // Before the topics, so that a cursor that parks after one of them has changed sees it.
        hub.epoch.store(epoch, Ordering::Release);
        self.topics.change_all(|topic, locked| {
            locked.ring.truncate(kept, mark, &mut deferred.garbage);
            topic.changed(locked, deferred, || {});
        });
        self.topics.drop_empty();
    }

    /// The position that an id stands for, if it is one of this history's.
    pub(crate) fn find(&self, hub: &Inner, id: EventId, topics: &[Arc<Topic>]) -> Option<u64> {
        self.ids.find(hub.head.load(Ordering::Acquire), id, topics)
    }

    /// The position that an id stood for until the log took it back.
    pub(crate) fn find_taken_back(&self, id: EventId) -> Option<u64> {
        match &self.ids {
            IdSource::Local(_) => None,
            IdSource::Log(followed) => followed.taken_back.position(id),
        }
    }

    /// Whether a client with this id, which this follower does not know, may have it from a node that has come further.
    pub(crate) fn may_still_arrive(&mut self, hub: &Inner, id: EventId, names: &[String]) -> bool {
        if self.ahead.is_none() {
            return false;
        }
        let topics: Vec<_> = names.iter().filter_map(|name| self.topics.get(name).cloned()).collect();
        let known = self.find(hub, id, &topics).or_else(|| self.find_taken_back(id)).is_some();
        let newest = self.ids.newest();
        !known && self.ahead.as_mut().is_some_and(|ahead| !ahead.is_settled(id, newest))
    }

    /// Where a cursor goes on that last looked in an older epoch, if what it has delivered was taken back since.
    pub(crate) fn rewritten(&self, seen: u64, position: u64) -> Option<u64> {
        let IdSource::Log(followed) = &self.ids else { return None };
        let mut moved = None;
        for rewrite in followed.rewrites.iter().filter(|rewrite| rewrite.epoch > seen) {
            let position = moved.unwrap_or(position);
            if rewrite.kept < position && position <= rewrite.last {
                moved = Some(rewrite.last);
            }
        }
        moved
    }
}
