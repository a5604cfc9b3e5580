//! The order of the history, behind the lock that every publish takes: the head, the topics by name, and what is to be
//! forgotten next.

use super::ahead::Ahead;
use super::id::EventId;
use super::ring::Mark;
use super::topic::{Leftovers, Topic};
use super::{Inner, Limits};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// The longest name a topic may have, in bytes.
pub const MAX_TOPIC_BYTES: usize = 256;

/// How many topics that were dropped are remembered one by one.
const TOMBSTONES: usize = 65_536;

/// How many ids of a followed log are remembered, whatever their topic.
const FOLLOWED_IDS: usize = 65_536;

/// How many rewrites of a followed log are remembered one by one.
const REWRITES: usize = 64;

/// Into how many steps an age is divided: an event goes at most that much late, and never early.
const AGE_STEPS: u32 = 64;

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

/// Where the ids of events come from.
pub(crate) enum Ids {
    /// The hub's own: the position, and one tag for the process.
    Own { tag: u32 },
    /// A followed log's.
    Followed(Followed),
}

pub(crate) struct Followed {
    /// The newest ids, with their positions: both ascend. An id that the log went back to has a second position, the
    /// last of those that were taken back after it.
    recent: VecDeque<(EventId, u64)>,
    /// Parts of the history that were taken back, each with what remained before it.
    rewrites: VecDeque<Rewrite>,
}

#[derive(Clone, Copy)]
struct Rewrite {
    epoch: u64,
    /// Positions after this and up to the mark's are no longer.
    kept: u64,
    mark: Mark,
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
        let forgotten = self.tombstones.take(name).unwrap_or(Mark { position: 0, id: self.ids.origin() });
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
        self.tombstones.put(topic, Mark { position, id });
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
        let mark = Mark { position, id };
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
        self.tombstones = Tombstones { everything: Some(mark), ..Tombstones::default() };
        self.ids.forget();
        self.ids.remember(id, position);
        self.drop_idle();
    }

    /// What came after this position is taken back. Positions go on as before, so that none is used twice.
    pub(crate) fn rewind(&mut self, hub: &Inner, kept: Mark, left: &mut Leftovers) {
        let last = hub.head.load(Ordering::Relaxed);
        let epoch = hub.epoch.load(Ordering::Relaxed) + 1;
        // Its id stands from here on also for the last position that was taken back, as it may for an earlier such one.
        let mark = Mark { position: last, id: kept.id };
        let kept = self.ids.last_position(kept);
        self.ids.rewind(Rewrite { epoch, kept, mark });
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
                    marks.filter(|mark| mark.id == id && mark.position > 0).map(|mark| mark.position).next()
                };
                recent.or_else(kept).or_else(marked)
            }
        }
    }

    /// Whether a client with this id, which this follower does not know, may have it from a node that has come further.
    pub(crate) fn may_come(&mut self, hub: &Inner, id: EventId, names: &[String]) -> bool {
        if self.ahead.is_none() {
            return false;
        }
        let topics: Vec<_> = names.iter().filter_map(|name| self.topics.get(name.as_str()).cloned()).collect();
        let known = self.find(hub, id, &topics).is_some();
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
                recent.or_else(|| marked().map(|mark| mark.id)).or_else(kept)
            }
        }
    }
}

impl Order {
    /// Where a cursor goes on that last looked in an older epoch, if what it has delivered was taken back since.
    pub(crate) fn rewritten(&self, seen: u64, position: u64) -> Option<Mark> {
        let Ids::Followed(followed) = &self.ids else { return None };
        let mut moved: Option<Mark> = None;
        for rewrite in followed.rewrites.iter().filter(|rewrite| rewrite.epoch > seen) {
            let position = moved.map_or(position, |mark| mark.position);
            if rewrite.kept < position && position <= rewrite.mark.position {
                moved = Some(rewrite.mark);
            }
        }
        moved
    }
}

impl Ids {
    pub(crate) const fn own_with(tag: u32) -> Self {
        Self::Own { tag }
    }

    pub(crate) const fn followed() -> Self {
        Self::Followed(Followed { recent: VecDeque::new(), rewrites: VecDeque::new() })
    }

    /// The id before the first event.
    fn origin(&self) -> EventId {
        self.own(0)
    }

    fn own(&self, position: u64) -> EventId {
        match self {
            Self::Own { tag } => EventId::new((position, 0), *tag),
            Self::Followed(_) => EventId::new((0, 0), 0),
        }
    }

    /// The id of an event, from its position and its block.
    fn of(&self, position: u64, block: &[u8]) -> EventId {
        match self {
            Self::Own { .. } => self.own(position),
            // Every block of a hub ends with its id, so the other way out is never taken.
            Self::Followed(_) => EventId::of_block(block).unwrap_or_else(|| self.origin()),
        }
    }

    fn remember(&mut self, id: EventId, position: u64) {
        let Self::Followed(followed) = self else { return };
        followed.recent.push_back((id, position));
        if followed.recent.len() > FOLLOWED_IDS {
            followed.recent.pop_front();
        }
    }

    /// The newest id of a followed log.
    pub(crate) fn newest(&self) -> Option<EventId> {
        match self {
            Self::Own { .. } => None,
            Self::Followed(followed) => followed.recent.back().map(|(id, _)| *id),
        }
    }

    fn forget(&mut self) {
        if let Self::Followed(followed) = self {
            followed.recent.clear();
        }
    }

    /// The last position that a mark's id stands for.
    fn last_position(&self, mark: Mark) -> u64 {
        let Self::Followed(followed) = self else { return mark.position };
        let after = followed.recent.partition_point(|(recent, _)| *recent <= mark.id);
        let last = after.checked_sub(1).and_then(|at| followed.recent.get(at)).filter(|(recent, _)| *recent == mark.id);
        last.map_or(mark.position, |(_, position)| *position)
    }

    fn rewind(&mut self, rewrite: Rewrite) {
        let Self::Followed(followed) = self else { return };
        while followed.recent.back().is_some_and(|(_, position)| *position > rewrite.kept) {
            followed.recent.pop_back();
        }
        followed.recent.push_back((rewrite.mark.id, rewrite.mark.position));
        followed.rewrites.push_back(rewrite);
        // The oldest two become one that covers both: who stands between them is told a gap too many, and nobody too few.
        if followed.rewrites.len() > REWRITES
            && let Some(oldest) = followed.rewrites.pop_front()
            && let Some(next) = followed.rewrites.front_mut()
        {
            next.kept = next.kept.min(oldest.kept);
        }
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

/// What topics that were dropped had forgotten.
#[derive(Default)]
struct Tombstones {
    hasher: RandomState,
    by_name: HashMap<u64, Mark>,
    by_position: BTreeSet<(u64, u64)>,
    /// Of topics that are not remembered one by one; any topic may have been among them.
    everything: Option<Mark>,
}

impl Tombstones {
    fn put(&mut self, name: &str, mark: Mark) {
        if self.everything.is_some_and(|everything| everything.position >= mark.position) {
            return;
        }
        let name = self.hasher.hash_one(name);
        // Of two topics with one hash the later mark serves both.
        let before = self.by_name.get(&name).copied();
        let mark = before.filter(|before| before.position > mark.position).unwrap_or(mark);
        if let Some(before) = before {
            self.by_position.remove(&(before.position, name));
        }
        self.by_name.insert(name, mark);
        self.by_position.insert((mark.position, name));
        if self.by_name.len() > TOMBSTONES
            && let Some((_, name)) = self.by_position.pop_first()
        {
            let forgotten = self.by_name.remove(&name);
            self.everything = later(self.everything, forgotten);
        }
    }

    fn take(&mut self, name: &str) -> Option<Mark> {
        let name = self.hasher.hash_one(name);
        let mark = self.by_name.remove(&name);
        if let Some(mark) = mark {
            self.by_position.remove(&(mark.position, name));
        }
        // A tombstone is newer than the topics that were given up before it, but not than a reset.
        later(mark, self.everything)
    }
}

impl Tombstones {
    /// What came after `kept` is taken back: marks in that part move to its end, whose id is known.
    fn rewind(&mut self, kept: u64, mark: Mark) {
        for (_, name) in self.by_position.split_off(&(kept + 1, 0)) {
            self.by_name.insert(name, mark);
            self.by_position.insert((mark.position, name));
        }
        self.everything = self.everything.map(|everything| if everything.position > kept { mark } else { everything });
    }
}

fn later(one: Option<Mark>, other: Option<Mark>) -> Option<Mark> {
    one.into_iter().chain(other).max_by_key(|mark| mark.position)
}

/// Which positions are how old, in steps.
#[derive(Default)]
struct Ages(VecDeque<Age>);

/// Events that were published within one step.
struct Age {
    first: Instant,
    last: Instant,
    /// That of the last one.
    position: u64,
}

impl Ages {
    fn published(&mut self, now: Instant, position: u64, age: Duration) {
        match self.0.back_mut() {
            Some(step) if now.saturating_duration_since(step.first) < age / AGE_STEPS => {
                // Clocks are read before the lock is taken, so `now` may be a moment older.
                step.last = step.last.max(now);
                step.position = position;
            }
            _ => self.0.push_back(Age { first: now, last: now, position }),
        }
    }

    /// The newest position that is too old.
    fn expired(&mut self, now: Instant, age: Duration) -> Option<u64> {
        let mut expired = None;
        while let Some(step) = self.0.front().filter(|step| now.saturating_duration_since(step.last) >= age) {
            expired = Some(step.position);
            self.0.pop_front();
        }
        expired
    }
}
