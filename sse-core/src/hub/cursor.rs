//! A cursor: a position in the history, and the topics that it looks at.

use super::Inner;
use super::ring::{Next, TrimPoint};
use super::stats::Counters;
use super::topic::Topic;
use crate::event::control::Control;
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;
use crate::stream::CloseReason;
use crate::stream::source::{CHUNK_BYTES, Step};
use crate::stream::state::Pending;
use bytes::Bytes;
use slab::Slab;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::task::{Poll, Waker};

/// A chunk that is at least this large is handed on, rather than copied together with more.
const WHOLE_BYTES: usize = CHUNK_BYTES / 2;

pub(crate) struct Cursor {
    hub: Arc<Inner>,
    places: Box<[Place]>,
    /// All events of its topics up to here were delivered.
    position: u64,
    /// The last position that the client was told.
    told: u64,
    /// What of the history was taken back when it last looked.
    epoch: u64,
    /// Whether it replays, and each place skips the events up to its own start.
    replays: bool,
    control: Control,
    waker: Option<Waker>,
}

struct Place {
    topic: Arc<Topic>,
    /// In a replay the position up to which the client asked for no events. Otherwise the position up to which the topic
    /// had trimmed its events when the client asked.
    missing: u64,
    /// The round in which it was parked, and where.
    parked: (u64, usize),
}

/// The places with something new, by the position of what comes next there; the least is the first.
type Merge = BinaryHeap<Reverse<(u64, usize)>>;

impl Cursor {
    /// A cursor over topics that it was entered in. It leaves them when it is dropped.
    pub(crate) fn new(hub: &Arc<Inner>, topics: Vec<Arc<Topic>>, control: Control) -> Self {
        let places = topics.into_iter().map(|topic| Place { topic, missing: 0, parked: (0, 0) }).collect();
        let epoch = hub.epoch.load(Ordering::Acquire);
        Self { hub: hub.clone(), places, position: 0, told: 0, epoch, replays: false, control, waker: None }
    }

    pub(crate) fn topics(&self) -> Vec<Arc<Topic>> {
        self.places.iter().map(|place| place.topic.clone()).collect()
    }

    /// Goes to a position of the history as it is now. The caller holds the order's lock.
    pub(crate) fn start_at(&mut self, position: u64) {
        (self.position, self.told) = (position, position);
        self.epoch = self.hub.epoch.load(Ordering::Acquire);
        for place in &mut self.places {
            place.missing = place.topic.lock().ring.trimmed_to().position;
        }
        self.replays = false;
    }

    /// Starts a replay of every topic after one position. The caller holds the order's lock.
    pub(crate) fn replay_after(&mut self, position: u64) {
        self.start_at(position);
        self.replays = true;
        for place in &mut self.places {
            place.missing = position;
        }
    }

    /// Starts the replay of one topic after a position of its own, and returns the position of the whole cursor. `None` if
    /// the cursor does not follow the topic. The caller holds the order's lock.
    pub(crate) fn replay_topic_after(&mut self, topic: &Arc<Topic>, position: u64) -> Option<u64> {
        self.places.iter_mut().find(|place| Arc::ptr_eq(&place.topic, topic))?.missing = position;
        self.position = self.places.iter().map(|place| place.missing).min()?;
        self.told = self.position;
        Some(self.position)
    }

    /// The position after which the first place sends its next event.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// Starts no place of a replay before a position. The caller holds the order's lock.
    pub(crate) fn replay_not_before(&mut self, position: u64) {
        for place in &mut self.places {
            place.missing = place.missing.max(position);
        }
        self.position = self.position.max(position);
        self.told = self.position;
    }

    /// The position after which a place sends its next event.
    fn position_at(&self, place: &Place) -> u64 {
        if self.replays { self.position.max(place.missing) } else { self.position }
    }

    /// Stands where the history was taken back since. The caller holds the order's lock.
    pub(crate) fn start_at_taken_back(&mut self, position: u64) {
        self.start_at(position);
        // As one who has not looked since the first rewrite of all.
        self.epoch = 0;
    }

    /// What comes next, or nothing yet: then the waker is woken when something does.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Step> {
        loop {
            // First the head: whatever is at or below it is complete in every topic. Then the epoch: what was taken back
            // before that head is known by it.
            let head = self.hub.head.load(Ordering::Acquire);
            if let Some(gap) = self.look_back() {
                return Poll::Ready(Step::Chunk(gap));
            }
            if let Some(step) = self.take(head) {
                return Poll::Ready(step);
            }
            // Register, then look again: parking looks, under the lock that a publish takes.
            if self.park(waker) {
                return Poll::Pending;
            }
            if self.hub.head.load(Ordering::Acquire) == head {
                // Something is in a topic and not yet public: whoever puts it there holds this lock until it is.
                drop(self.hub.history.lock());
            }
        }
    }

    /// The position up to which everything was delivered, as a block of its own, if the client was not told yet.
    pub(crate) fn heartbeat(&mut self) -> Option<Bytes> {
        if !self.hub.limits.position_updates || self.control == Control::Omitted {
            return None;
        }
        let head = self.hub.head.load(Ordering::Acquire);
        if self.is_rewritten() || self.places.iter().any(|place| place.topic.newest() > self.position_at(place)) {
            return None;
        }
        // Nothing of its topics lies between.
        self.position = self.position.max(head);
        if self.position == self.told {
            return None;
        }
        let id = self.hub.history.lock().ids.at(self.position, &[])?;
        self.told = self.position;
        self.control.position(id).map(Bytes::from)
    }

    /// Whether some of the history was taken back since it last looked.
    fn is_rewritten(&self) -> bool {
        self.hub.epoch.load(Ordering::Acquire) != self.epoch
    }

    /// If what was delivered is no longer part of the history, the gap that says so. It tells no position, because there
    /// is none yet that other nodes know only after they have noticed too; the next entry has one.
    fn look_back(&mut self) -> Option<Bytes> {
        if !self.is_rewritten() {
            return None;
        }
        let position = {
            let history = self.hub.history.lock();
            let seen = std::mem::replace(&mut self.epoch, self.hub.epoch.load(Ordering::Acquire));
            history.rewritten(seen, self.position)?
        };
        (self.position, self.told) = (position, position);
        Counters::add(&self.hub.counters.gaps, 1);
        crate::runtime::trace::gap("unknown", None, false);
        Some(self.hub.unknown_gap(None).into())
    }

    /// Everything up to the head as one chunk, up to 64 KiB or one larger event.
    fn take(&mut self, head: u64) -> Option<Step> {
        // The next of one topic alone need not be looked for, unless it is a gap.
        if let [place] = &*self.places {
            let position = self.position_at(place);
            if place.topic.newest() <= position {
                return None;
            }
            let run = place.topic.lock().ring.take(position, head, CHUNK_BYTES);
            if let Some(run) = run {
                Counters::add(&self.hub.counters.delivered, run.events);
                (self.position, self.told) = (run.last, run.last);
                return Some(Step::Chunk(self.control.filter(run.bytes)));
            }
        }
        let mut chunk = Pending::default();
        let (mut events, mut lagged) = (0, false);
        let mut merge: Merge = (0..self.places.len()).filter_map(|at| self.next_at(at, head)).collect();
        while chunk.len() < CHUNK_BYTES
            && let Some(Reverse((position, at))) = merge.pop()
            && let Some(place) = self.places.get(at)
        {
            let after = self.position_at(place);
            let mut locked = place.topic.lock();
            match locked.ring.next_after(after).filter(|next| next.position() == position) {
                // It was trimmed since: look again.
                None => drop(locked),
                Some(Next::Gap(mark)) => {
                    drop(locked);
                    let mut topics = vec![at];
                    while let Some(&Reverse((same, at))) = merge.peek()
                        && same == position
                    {
                        topics.push(at);
                        merge.pop();
                    }
                    match self.gaps(mark, &topics) {
                        Some(gaps) => chunk.push(gaps.into()),
                        None => {
                            lagged = true;
                            break;
                        }
                    }
                    merge.extend(topics.into_iter().skip(1).filter_map(|at| self.next_at(at, head)));
                }
                Some(Next::Event(_)) => {
                    let upto = merge.peek().map_or(head, |Reverse((second, _))| head.min(second - 1));
                    let room = CHUNK_BYTES - chunk.len();
                    let Some(run) = locked.ring.take(after, upto, room) else { continue };
                    drop(locked);
                    if run.bytes.len() > room && !chunk.is_empty() {
                        break;
                    }
                    self.position = run.last;
                    events += run.events;
                    chunk.push(run.bytes);
                    // A run of one topic alone, or a large one, is handed on without a copy.
                    if upto == head || chunk.len() >= WHOLE_BYTES {
                        break;
                    }
                }
            }
            merge.extend(self.next_at(at, head));
        }
        Counters::add(&self.hub.counters.delivered, events);
        if let Some(chunk) = chunk.take() {
            self.told = self.position;
            return Some(Step::Chunk(self.control.filter(chunk)));
        }
        lagged.then(|| {
            Counters::add(&self.hub.counters.lagged, 1);
            Step::End(CloseReason::Lagged)
        })
    }

    /// What comes next at a place, if there is something that is not beyond the head.
    fn next_at(&self, at: usize, head: u64) -> Option<Reverse<(u64, usize)>> {
        let place = self.places.get(at)?;
        let after = self.position_at(place);
        if place.topic.newest() <= after {
            return None;
        }
        let next = place.topic.lock().ring.next_after(after)?.position();
        (next <= head).then_some(Reverse((next, at)))
    }

    /// Passes the gaps at a position: a block for each of these places that has one there. Only the last block has the id.
    /// `None` if this cursor lags and the hub ends such streams.
    fn gaps(&mut self, mark: TrimPoint, places: &[usize]) -> Option<Vec<u8>> {
        let mut gaps = Vec::new();
        let mut lagged = false;
        for place in places.iter().filter_map(|at| self.places.get(*at)) {
            let locked = place.topic.lock();
            let position = self.position_at(place);
            if locked.ring.trimmed_to().position == mark.position && mark.position > position {
                gaps.push(place);
                // What the client asked for too late is told, and what the log lost; what it lost while it read is lag.
                lagged |= position >= place.missing.max(locked.ring.reset());
            }
        }
        if gaps.is_empty() {
            // They have moved on since: look again.
            return Some(Vec::new());
        }
        // A client that does not reconnect by itself would lose the rest too.
        if lagged && self.hub.limits.lag_ends && self.control != Control::Omitted {
            return None;
        }
        if lagged {
            Counters::add(&self.hub.counters.lagged, 1);
        }
        Counters::add(&self.hub.counters.gaps, gaps.len());
        let of_mark = self.hub.history.lock().ids.of_mark(mark);
        let mut blocks = Vec::new();
        for (left, place) in (0..gaps.len()).rev().zip(&gaps) {
            let id = of_mark.filter(|_| left == 0);
            place.topic.write_gap(&mut blocks, &self.hub.limits.gap_type, id);
            crate::runtime::trace::gap("trimmed", Some(&place.topic.name), lagged);
        }
        self.position = mark.position;
        Some(blocks)
    }

    /// Leaves the waker with every topic; false if one has something new.
    fn park(&mut self, waker: &Waker) -> bool {
        let same = self.waker.as_ref().is_some_and(|parked| parked.will_wake(waker));
        if !same {
            // Until it is with every topic, nobody may think that it is.
            self.waker = None;
        }
        for place in &mut self.places {
            // Still parked: whoever publishes from now on wakes it.
            let parked = place.topic.round() == place.parked.0;
            if parked && same {
                continue;
            }
            let position = if self.replays { self.position.max(place.missing) } else { self.position };
            let fresh = waker.clone();
            let mut locked = place.topic.lock();
            if locked.ring.newest() > position || self.hub.epoch.load(Ordering::Acquire) != self.epoch {
                return false;
            }
            let old = if place.topic.round() == place.parked.0 {
                locked.parked.get_mut(place.parked.1).map(|slot| std::mem::replace(slot, fresh))
            } else {
                place.parked = (place.topic.round(), locked.parked.insert(fresh));
                None
            };
            drop(locked);
            drop(old);
        }
        if !same {
            self.waker = Some(waker.clone());
        }
        true
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        for place in &self.places {
            self.hub.leave_topic(&place.topic, |locked| {
                let parked = place.topic.round() == place.parked.0;
                let waker = if parked { locked.parked.try_remove(place.parked.1) } else { None };
                // The last one leaves no room behind, which a crowd may have needed.
                (waker, if locked.parked.is_empty() { std::mem::take(&mut locked.parked) } else { Slab::new() })
            });
        }
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("position", &self.position).finish_non_exhaustive()
    }
}
