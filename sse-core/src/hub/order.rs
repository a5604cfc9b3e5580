//! The order of the history, behind the lock that every publish takes: the head, the topics by name, and what is to be
//! forgotten next.

use super::id::EventId;
use super::ring::Mark;
use super::topic::{Leftovers, Topic};
use super::{Inner, Limits};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// The longest name a topic may have, in bytes.
pub const MAX_TOPIC_BYTES: usize = 256;

/// How many topics that were dropped are remembered one by one.
const TOMBSTONES: usize = 65_536;

/// How many ids of a followed log are remembered, whatever their topic.
const FOLLOWED_IDS: usize = 65_536;

/// How many rewrites of a followed log are remembered.
const REWRITES: usize = 64;

/// Into how many steps an age is divided: an event goes at most that much late, and never early.
const AGE_STEPS: u32 = 64;

pub(crate) struct Order {
    pub(crate) ids: Ids,
    topics: HashMap<Box<str>, Arc<Topic>>,
    /// Every topic that holds events, by a position that is not after its oldest one.
    oldest: BTreeMap<u64, Arc<Topic>>,
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
    /// The newest ids, with their positions: both ascend.
    recent: VecDeque<(EventId, u64)>,
    /// Parts of the history that were taken back, each with what remained before it.
    rewrites: VecDeque<Rewrite>,
}

#[derive(Clone, Copy)]
struct Rewrite {
    epoch: u64,
    /// Positions after `kept` and up to `last` are no longer.
    kept: Mark,
    last: u64,
}

/// There are as many topics as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyTopics;

impl Order {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            ids,
            topics: HashMap::new(),
            oldest: BTreeMap::new(),
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
        topic: &Arc<Topic>,
        id: Option<EventId>,
        mut block: Vec<u8>,
        left: &mut Leftovers,
    ) -> EventId {
        use std::io::Write;
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let id = id.unwrap_or_else(|| self.ids.own(position));
        // Writing to a Vec cannot fail.
        let _ = write!(block, "id: {id}\n\n");
        let block = Bytes::from(block);
        let (events, bytes) = (1, block.len());
        {
            let mut locked = topic.lock();
            let locked = &mut *locked;
            let before = (locked.ring.events(), locked.ring.bytes());
            if locked.ring.is_empty() {
                self.oldest.insert(position, topic.clone());
            }
            locked.ring.push(position, block, &mut left.garbage);
            while locked.ring.events() > 1
                && (locked.ring.events() > hub.limits.topic_events || locked.ring.bytes() > hub.limits.topic_bytes)
            {
                let ids = &self.ids;
                locked.ring.evict(&mut left.garbage, |position, block| ids.of(position, block));
            }
            let woken = topic.changed(locked, || hub.head.store(position, Ordering::Release));
            // Mostly nobody: a list of nothing would be an allocation.
            if !woken.is_empty() {
                left.woken.push(woken);
            }
            self.held_events = self.held_events + events - (before.0 + events - locked.ring.events());
            self.held_bytes = self.held_bytes + bytes - (before.1 + bytes - locked.ring.bytes());
        }
        self.ids.remember(id, position);
        if let Some(age) = hub.limits.topic_age {
            self.ages.published(hub.runtime.now(), position, age);
        }
        while self.held_bytes > hub.limits.hub_bytes && self.held_events > 1 {
            self.forget_oldest(u64::MAX, left);
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
    pub(crate) fn expire(&mut self, hub: &Inner, left: &mut Leftovers) {
        let Some(age) = hub.limits.topic_age else { return };
        let Some(position) = self.ages.expired(hub.runtime.now(), age) else { return };
        while self.oldest.first_key_value().is_some_and(|(&oldest, _)| oldest <= position) {
            self.forget_oldest(position, left);
        }
    }

    /// Forgets the oldest event of all, if it is not beyond a position.
    fn forget_oldest(&mut self, upto: u64, left: &mut Leftovers) {
        let Some((_, topic)) = self.oldest.pop_first() else { return };
        let mut locked = topic.lock();
        let ring = &mut locked.ring;
        // The key may be of an event that the topic's own bounds removed.
        let next = self.oldest.first_key_value().map_or(u64::MAX, |(&next, _)| next);
        if ring.oldest().is_some_and(|oldest| oldest < next && oldest <= upto) {
            let bytes = ring.bytes();
            let ids = &self.ids;
            ring.evict(&mut left.garbage, |position, block| ids.of(position, block));
            self.held_events -= 1;
            self.held_bytes -= bytes - ring.bytes();
        }
        let idle = locked.readers == 0;
        match locked.ring.oldest() {
            Some(oldest) => {
                drop(locked);
                self.oldest.insert(oldest, topic);
            }
            None => {
                drop(locked);
                if idle {
                    self.drop_if_idle(&topic);
                }
            }
        }
    }

    /// Everything is forgotten, in every topic there is or was, up to this id.
    pub(crate) fn reset(&mut self, hub: &Inner, id: EventId, left: &mut Leftovers) {
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let mark = Mark { position, id };
        for topic in self.topics.values() {
            let mut locked = topic.lock();
            locked.ring.forget(mark, &mut left.garbage);
            left.woken.push(topic.changed(&mut locked, || {}));
        }
        // Last, so that a cursor finds the gaps of all its topics at this position, or none of them.
        hub.head.store(position, Ordering::Release);
        self.oldest.clear();
        self.ages = Ages::default();
        (self.held_events, self.held_bytes) = (0, 0);
        self.tombstones = Tombstones { everything: Some(mark), ..Tombstones::default() };
        self.ids.forget();
        self.ids.remember(id, position);
        for topic in self.topics.values().cloned().collect::<Vec<_>>() {
            self.drop_if_idle(&topic);
        }
    }

    /// What came after this position is taken back. Positions go on as before, so that none is used twice.
    pub(crate) fn rewind(&mut self, hub: &Inner, kept: Mark, left: &mut Leftovers) {
        let last = hub.head.load(Ordering::Relaxed);
        let epoch = hub.epoch.load(Ordering::Relaxed) + 1;
        self.ids.rewind(Rewrite { epoch, kept, last });
        hub.epoch.store(epoch, Ordering::Release);
        self.oldest.clear();
        (self.held_events, self.held_bytes) = (0, 0);
        for topic in self.topics.values() {
            let mut locked = topic.lock();
            locked.ring.rewind(kept.position, &mut left.garbage);
            if let Some(oldest) = locked.ring.oldest() {
                self.oldest.insert(oldest, topic.clone());
            }
            self.held_events += locked.ring.events();
            self.held_bytes += locked.ring.bytes();
            left.woken.push(topic.changed(&mut locked, || {}));
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
                let recent = followed.recent.binary_search_by_key(&id, |(id, _)| *id).ok();
                let recent = recent.and_then(|at| followed.recent.get(at)).map(|(_, position)| *position);
                let kept = || topics.iter().find_map(|topic| topic.lock().ring.find(id));
                let marked = || {
                    let marks = topics.iter().map(|topic| topic.lock().ring.forgotten());
                    marks.filter(|mark| mark.id == id && mark.position > 0).map(|mark| mark.position).next()
                };
                recent.or_else(kept).or_else(marked)
            }
        }
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
    /// Where a cursor stands that last looked in an older epoch, if what it has delivered was taken back since.
    pub(crate) fn rewritten(&self, seen: u64, position: u64) -> Option<Mark> {
        let Ids::Followed(followed) = &self.ids else { return None };
        let mut moved = None;
        let mut position = position;
        for rewrite in followed.rewrites.iter().filter(|rewrite| rewrite.epoch > seen) {
            if (rewrite.kept.position + 1..=rewrite.last).contains(&position) {
                position = rewrite.last;
                moved = Some(Mark { position, id: rewrite.kept.id });
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

    fn rewind(&mut self, rewrite: Rewrite) {
        let Self::Followed(followed) = self else { return };
        while followed.recent.back().is_some_and(|(id, _)| *id >= rewrite.kept.id) {
            followed.recent.pop_back();
        }
        // From here on that id stands for all positions up to the last that was taken back.
        followed.recent.push_back((rewrite.kept.id, rewrite.last));
        followed.rewrites.push_back(rewrite);
        if followed.rewrites.len() > REWRITES {
            followed.rewrites.pop_front();
        }
    }
}

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

fn later(one: Option<Mark>, other: Option<Mark>) -> Option<Mark> {
    one.into_iter().chain(other).max_by_key(|mark| mark.position)
}

/// Which positions are how old, in steps.
#[derive(Default)]
struct Ages {
    /// Events up to this position were published at this moment or before.
    marks: VecDeque<(Instant, u64)>,
    latest: Option<(Instant, u64)>,
}

impl Ages {
    fn published(&mut self, now: Instant, position: u64, age: Duration) {
        let step = age / AGE_STEPS;
        if self.marks.back().is_none_or(|(last, _)| now.saturating_duration_since(*last) >= step) {
            self.marks.push_back((now, position));
        }
        self.latest = Some((now, position));
    }

    /// The newest position that is too old.
    fn expired(&mut self, now: Instant, age: Duration) -> Option<u64> {
        let old = |(at, _): &(Instant, u64)| now.saturating_duration_since(*at) >= age;
        let mut expired = None;
        while let Some(&mark) = self.marks.front().filter(|mark| old(mark)) {
            expired = Some(mark.1);
            self.marks.pop_front();
        }
        match self.latest {
            Some(latest) if old(&latest) => Some(latest.1),
            _ => expired,
        }
    }
}
