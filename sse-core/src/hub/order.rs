//! The order of the history, behind the lock that every publish takes: the head, the topics by name, and what is to be
//! forgotten next.

use super::ages::Ages;
use super::ahead::Ahead;
use super::id::EventId;
use super::ids::{Ids, Rewrite};
use super::ring::Mark;
use super::tombstones::Tombstones;
use super::topic::{Leftovers, Topic};
use super::{Inner, Limits};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::time::Instant;

/// The longest name a topic may have, in bytes.
pub const MAX_TOPIC_BYTES: usize = 256;

pub(crate) struct Order {
    pub(crate) ids: Ids,
    /// Whether subscriptions are taken; not while a follower loads what its log has.
    pub(crate) admits: bool,
    /// Clients ahead of a follower that says when it has caught up.
    pub(crate) ahead: Option<Ahead>,
    topics: HashMap<Box<str>, Arc<Topic>>,
    /// Every topic that holds events, the one with the oldest first.
    oldest: BinaryHeap<Oldest>,
    pub(crate) held_events: usize,
    pub(crate) held_bytes: usize,
    tombstones: Tombstones,
    ages: Ages,
}

/// A topic, by a position that is not after its oldest event. Its own bounds may have moved that on since.
struct Oldest {
    position: u64,
    topic: Arc<Topic>,
}

/// There are as many topics as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyTopics;

impl Order {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            ids,
            admits: true,
            ahead: None,
            topics: HashMap::new(),
            oldest: BinaryHeap::new(),
            held_events: 0,
            held_bytes: 0,
            tombstones: Tombstones::default(),
            ages: Ages::default(),
        }
    }

    pub(crate) fn topics(&self) -> usize {
        self.topics.len()
    }

    /// The topic of this name, made if there is none.
    pub(crate) fn topic(&mut self, name: &str, limits: &Limits) -> Result<Arc<Topic>, TooManyTopics> {
        if let Some(topic) = self.topics.get(name) {
            return Ok(topic.clone());
        }
        if self.topics.len() >= limits.max_topics {
            return Err(TooManyTopics);
        }
        let forgotten = self.tombstones.take(name).unwrap_or(Mark { position: 0, id: Some(self.ids.origin()) });
        let topic = Arc::new(Topic::new(name, forgotten));
        self.topics.insert(name.into(), topic.clone());
        Ok(topic)
    }

    /// Whether so many more topics of these names would be too many.
    pub(crate) fn has_room_for<'n>(&self, names: impl Iterator<Item = &'n str>, limits: &Limits) -> bool {
        let new: HashSet<_> = names.filter(|name| !self.topics.contains_key(*name)).collect();
        self.topics.len() + new.len() <= limits.max_topics
    }

    /// Lets a topic go that nobody reads and that holds nothing, but remembers what it forgot.
    pub(crate) fn drop_if_idle(&mut self, topic: &Arc<Topic>) {
        let forgotten = {
            let locked = topic.lock();
            if locked.readers > 0 || !locked.ring.is_empty() {
                return;
            }
            locked.ring.forgotten()
        };
        // Another topic of this name may have come since.
        let same = self.topics.get(&topic.name).is_some_and(|found| Arc::ptr_eq(found, topic));
        if same {
            self.topics.remove(&topic.name);
            if forgotten.position > 0 {
                self.tombstones.put(&topic.name, forgotten);
            }
        }
    }

    /// Appends one event, whose block lacks its id yet. Gives its id.
    pub(crate) fn append(
        &mut self,
        hub: &Inner,
        now: Option<Instant>,
        topic: &Arc<Topic>,
        id: Option<EventId>,
        mut block: Vec<u8>,
        left: &mut Leftovers,
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
            if ring.is_empty() {
                self.oldest.push(Oldest { position, topic: topic.clone() });
            }
            self.held_events -= ring.events();
            self.held_bytes -= ring.bytes();
            ring.push(position, block.into(), &mut left.garbage);
            while ring.events() > 1 && (ring.events() > limits.topic_events || ring.bytes() > limits.topic_bytes) {
                ring.evict(&mut left.garbage, |position, block| self.ids.of(position, block));
            }
            self.held_events += ring.events();
            self.held_bytes += ring.bytes();
            topic.changed(&mut locked, left, || hub.head.store(position, Ordering::Release));
        }
        self.ids.remember(id, position);
        if let (Some(now), Some(age)) = (now, limits.topic_age) {
            self.ages.published(now, position, age);
        }
        while self.held_bytes > limits.hub_bytes && self.held_events > 1 {
            self.forget_oldest(left);
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
        self.tombstones.put(topic, Mark { position, id: Some(id) });
    }

    /// Forgets what is older than it may be.
    pub(crate) fn expire(&mut self, hub: &Inner, now: Option<Instant>, left: &mut Leftovers) {
        let (Some(now), Some(age)) = (now, hub.limits.topic_age) else { return };
        let Some(position) = self.ages.expired(now, age) else { return };
        while self.find_oldest().is_some_and(|oldest| oldest <= position) {
            self.forget_oldest(left);
        }
    }

    /// The position of the oldest event of all, whose topic is then the first.
    fn find_oldest(&mut self) -> Option<u64> {
        loop {
            let mut first = self.oldest.peek_mut()?;
            let oldest = first.topic.lock().ring.oldest();
            match oldest {
                Some(oldest) if oldest == first.position => return Some(oldest),
                // Later than it was. Its place is found when `first` is let go.
                Some(oldest) => first.position = oldest,
                None => drop(PeekMut::pop(first)),
            }
        }
    }

    /// Forgets the oldest event of all.
    fn forget_oldest(&mut self, left: &mut Leftovers) {
        let Some(_) = self.find_oldest() else { return };
        let Some(mut first) = self.oldest.peek_mut() else { return };
        let topic = first.topic.clone();
        let mut locked = topic.lock();
        let (ids, ring) = (&self.ids, &mut locked.ring);
        let bytes = ring.bytes();
        ring.evict(&mut left.garbage, |position, block| ids.of(position, block));
        self.held_events -= 1;
        self.held_bytes -= bytes - ring.bytes();
        match ring.oldest() {
            Some(oldest) => first.position = oldest,
            None => {
                drop(PeekMut::pop(first));
                drop(locked);
                self.drop_if_idle(&topic);
            }
        }
    }

    /// Everything is forgotten, in every topic there is or was, up to this id.
    pub(crate) fn reset(&mut self, hub: &Inner, id: EventId, left: &mut Leftovers) {
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let mark = Mark { position, id: Some(id) };
        for topic in self.topics.values() {
            let mut locked = topic.lock();
            locked.ring.reset_to(mark, &mut left.garbage);
            topic.changed(&mut locked, left, || {});
        }
        // Last, so that a cursor finds the gaps of all its topics at this position, or none of them.
        hub.head.store(position, Ordering::Release);
        self.oldest.clear();
        self.ages = Ages::default();
        (self.held_events, self.held_bytes) = (0, 0);
        self.tombstones = Tombstones::of_everything(mark);
        self.ids.forget();
        self.ids.remember(id, position);
        self.drop_idle();
    }

    /// What came after this id, which stands for this position, is taken back. Positions go on as before, so that none is
    /// used twice.
    pub(crate) fn rewind(&mut self, hub: &Inner, (position, id): (u64, EventId), left: &mut Leftovers) {
        let last = hub.head.load(Ordering::Relaxed);
        let epoch = hub.epoch.load(Ordering::Relaxed) + 1;
        // The id stands from here on also for the last position that was taken back, as it may for an earlier such one.
        let kept = self.ids.last_position(position, id);
        self.ids.rewind(Rewrite { epoch, kept, last }, id);
        let mark = Mark { position: last, id: None };
        self.tombstones.rewind(kept, mark);
        // Before the topics, so that a cursor that parks after one of them has changed sees it.
        hub.epoch.store(epoch, Ordering::Release);
        self.oldest.clear();
        (self.held_events, self.held_bytes) = (0, 0);
        for topic in self.topics.values() {
            let mut locked = topic.lock();
            locked.ring.rewind(kept, mark, &mut left.garbage);
            if let Some(oldest) = locked.ring.oldest() {
                self.oldest.push(Oldest { position: oldest, topic: topic.clone() });
            }
            self.held_events += locked.ring.events();
            self.held_bytes += locked.ring.bytes();
            topic.changed(&mut locked, left, || {});
        }
        self.drop_idle();
    }

    fn drop_idle(&mut self) {
        for topic in self.topics.values().cloned().collect::<Vec<_>>() {
            self.drop_if_idle(&topic);
        }
    }

    /// The position that an id stands for, if it is exactly one of this history's.
    pub(crate) fn find(&self, hub: &Inner, id: EventId, topics: &[Arc<Topic>]) -> Option<u64> {
        match &self.ids {
            Ids::Own { tag } => {
                let (position, rest) = id.position();
                let known = id.tag() == *tag && rest == 0 && position <= hub.head.load(Ordering::Acquire);
                known.then_some(position)
            }
            Ids::Followed(followed) => {
                // The first: what a topic forgot is told as after what was taken back, and must not be passed over.
                let at = followed.recent.partition_point(|(recent, _)| *recent < id);
                let recent = followed.recent.get(at).filter(|(recent, _)| *recent == id).map(|(_, position)| *position);
                let kept = || topics.iter().find_map(|topic| topic.lock().ring.find(id));
                let marked = || {
                    let marks = topics.iter().map(|topic| topic.lock().ring.forgotten());
                    marks.filter(|mark| mark.id == Some(id) && mark.position > 0).map(|mark| mark.position).next()
                };
                recent.or_else(kept).or_else(marked)
            }
        }
    }

    /// The position that an id stood for until the log took it back.
    pub(crate) fn find_taken_back(&self, id: EventId) -> Option<u64> {
        match &self.ids {
            Ids::Own { .. } => None,
            Ids::Followed(followed) => followed.taken_back.position(id),
        }
    }

    /// Whether a client with this id, which this follower does not know, may have it from a node that has come further.
    pub(crate) fn may_come(&mut self, hub: &Inner, id: EventId, names: &[String]) -> bool {
        if self.ahead.is_none() {
            return false;
        }
        let topics: Vec<_> = names.iter().filter_map(|name| self.topics.get(name.as_str()).cloned()).collect();
        let known = self.find(hub, id, &topics).or_else(|| self.find_taken_back(id)).is_some();
        !known && self.ahead.as_mut().is_some_and(|ahead| !ahead.is_settled(id))
    }

    /// The id of a position, if it is still known.
    pub(crate) fn id_at(&self, position: u64, topics: &[Arc<Topic>]) -> Option<EventId> {
        match &self.ids {
            Ids::Own { .. } => Some(self.ids.own(position)),
            Ids::Followed(followed) => {
                let recent = followed.recent.binary_search_by_key(&position, |(_, position)| *position).ok();
                let recent = recent.and_then(|at| followed.recent.get(at)).map(|(id, _)| *id);
                let marked =
                    || topics.iter().map(|topic| topic.lock().ring.forgotten()).find(|mark| mark.position == position);
                let kept = || topics.iter().find_map(|topic| topic.lock().ring.id_at(position));
                recent.or_else(|| marked()?.id).or_else(kept)
            }
        }
    }

    /// Where a cursor goes on that last looked in an older epoch, if what it has delivered was taken back since.
    pub(crate) fn rewritten(&self, seen: u64, position: u64) -> Option<u64> {
        let Ids::Followed(followed) = &self.ids else { return None };
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

/// The first of a heap is the greatest, and that is to be the oldest.
impl Ord for Oldest {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.position.cmp(&self.position)
    }
}

impl PartialOrd for Oldest {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Oldest {
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
    }
}

impl Eq for Oldest {}
