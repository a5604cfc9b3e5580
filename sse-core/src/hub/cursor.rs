//! A cursor: a position in the history, and the topics that it looks at.

use super::Inner;
use super::ring::{Mark, Next};
use super::stats::Counters;
use super::topic::Topic;
use crate::stream::CloseReason;
use crate::stream::source::{CHUNK_BYTES, Step};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use bytes::Bytes;
use std::fmt;
use std::task::{Poll, Waker};

/// A chunk that is at least this large is handed on as it is, rather than copied together with more.
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
    waker: Option<Waker>,
}

struct Place {
    topic: Arc<Topic>,
    /// What the topic had forgotten of what the client asks for, when it asked.
    known_gap: u64,
    /// The round in which it was parked, and where.
    parked: (u64, usize),
}

/// What a merge step found at the earliest position.
enum Earliest {
    /// Gaps of one or more topics.
    Gaps(Mark),
    /// An event of the topic with this index, and how far its run may go.
    Run(usize, u64),
    Nothing,
}

impl Cursor {
    /// Enters the topics as a reader.
    pub(crate) fn new(hub: &Arc<Inner>, topics: Vec<Arc<Topic>>) -> Self {
        let place = |topic: Arc<Topic>| {
            topic.lock().readers += 1;
            Place { topic, known_gap: 0, parked: (0, 0) }
        };
        let places = topics.into_iter().map(place).collect();
        let epoch = hub.epoch.load(Ordering::Acquire);
        Self { hub: hub.clone(), places, position: 0, told: 0, epoch, waker: None }
    }

    pub(crate) fn topics(&self) -> Vec<Arc<Topic>> {
        self.places.iter().map(|place| place.topic.clone()).collect()
    }

    /// Goes to a position, from which on nothing is forgotten but what the client will be told.
    pub(crate) fn start_at(&mut self, position: u64) {
        (self.position, self.told) = (position, position);
        for place in &mut self.places {
            place.known_gap = place.topic.lock().ring.forgotten().position;
        }
    }

    /// What comes next, or nothing yet: then the waker is woken when something does.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Step> {
        if let Some(gap) = self.look_back() {
            return Poll::Ready(Step::Chunk(gap));
        }
        loop {
            // First the head: whatever is at or below it is complete in every topic.
            let head = self.hub.head.load(Ordering::Acquire);
            if let Some(step) = self.take(head) {
                return Poll::Ready(step);
            }
            // Register, then look again: parking looks, under the lock that a publish takes.
            if self.park(waker) {
                return Poll::Pending;
            }
            if self.hub.head.load(Ordering::Acquire) == head {
                // Something is in a topic and not yet public: whoever puts it there holds this lock until it is.
                drop(self.hub.order.lock());
            }
        }
    }

    /// The position up to which everything was delivered, as an id-only block, if the client was not told yet.
    pub(crate) fn heartbeat(&mut self) -> Option<Bytes> {
        let head = self.hub.head.load(Ordering::Acquire);
        if self.hub.limits.heartbeats != Some(true) || self.places.iter().any(|place| place.topic.newest() > self.position) {
            return None;
        }
        // Nothing of its topics lies between.
        self.position = self.position.max(head);
        if self.position == self.told {
            return None;
        }
        let id = self.hub.order.lock().id_at(self.position, &[])?;
        self.told = self.position;
        Some(format!("id: {id}\n\n").into())
    }

    /// If what was delivered is no longer part of the history, the gap that says so.
    fn look_back(&mut self) -> Option<Bytes> {
        let epoch = self.hub.epoch.load(Ordering::Acquire);
        if epoch == self.epoch {
            return None;
        }
        let mark = self.hub.order.lock().rewritten(self.epoch, self.position);
        self.epoch = epoch;
        let mark = mark?;
        (self.position, self.told) = (mark.position, mark.position);
        Counters::add(&self.hub.counters.gaps, 1);
        Some(self.hub.unknown_gap(Some(mark.id)).into())
    }

    /// Everything up to the head as one chunk, up to 64 KiB or one larger event.
    fn take(&mut self, head: u64) -> Option<Step> {
        let mut chunk = Bytes::new();
        let mut joined = Vec::new();
        let mut events = 0;
        let mut lagged = false;
        while joined.len() < CHUNK_BYTES {
            let alone;
            let more = match self.earliest(head) {
                Earliest::Nothing => break,
                Earliest::Gaps(mark) => {
                    alone = false;
                    match self.gaps(mark) {
                        Some(gaps) if gaps.is_empty() => continue,
                        Some(gaps) => Bytes::from(gaps),
                        None => {
                            lagged = true;
                            break;
                        }
                    }
                }
                Earliest::Run(at, upto) => {
                    let budget = CHUNK_BYTES.saturating_sub(joined.len().max(chunk.len()));
                    let Some(place) = self.places.get(at) else { break };
                    // What was there may have been forgotten since: look again.
                    let Some(taken) = place.topic.lock().ring.take(self.position, upto, budget) else { continue };
                    let first = chunk.is_empty() && joined.is_empty();
                    if taken.bytes.len() > budget && !first {
                        break;
                    }
                    self.position = taken.last;
                    events += taken.events;
                    alone = upto == head;
                    taken.bytes
                }
            };
            // The usual case copies nothing.
            if joined.is_empty() && chunk.is_empty() {
                chunk = more;
                if alone || chunk.len() >= WHOLE_BYTES {
                    break;
                }
                continue;
            }
            if joined.is_empty() {
                joined.reserve(chunk.len() + more.len());
                joined.extend_from_slice(&std::mem::take(&mut chunk));
            }
            joined.extend_from_slice(&more);
            if alone {
                break;
            }
        }
        if !joined.is_empty() {
            chunk = joined.into();
        }
        Counters::add(&self.hub.counters.delivered, events);
        if !chunk.is_empty() {
            self.told = self.position;
            return Some(Step::Chunk(chunk));
        }
        lagged.then(|| {
            Counters::add(&self.hub.counters.lagged, 1);
            Step::End(CloseReason::Lagged)
        })
    }

    /// What comes first after the position and not beyond the head, in any topic.
    fn earliest(&self, head: u64) -> Earliest {
        let mut first: Option<(usize, Next)> = None;
        let mut second = u64::MAX;
        for (at, place) in self.places.iter().enumerate() {
            if place.topic.newest() <= self.position {
                continue;
            }
            let Some(next) = place.topic.lock().ring.next_after(self.position) else { continue };
            match first {
                Some((_, found)) if found.position() <= next.position() => second = second.min(next.position()),
                found => {
                    second = found.map_or(second, |(_, next)| next.position());
                    first = Some((at, next));
                }
            }
        }
        match first {
            Some((_, next)) if next.position() > head => Earliest::Nothing,
            Some((_, Next::Gap(mark))) => Earliest::Gaps(mark),
            Some((at, Next::Event(_))) => Earliest::Run(at, head.min(second - 1)),
            None => Earliest::Nothing,
        }
    }

    /// Passes the gaps at a position: a block for each topic that has one there, with the position told in the last.
    /// Nothing, if this cursor fell behind and such a one is to end.
    fn gaps(&mut self, mark: Mark) -> Option<Vec<u8>> {
        let here = |place: &&Place| place.topic.lock().ring.forgotten().position == mark.position;
        let gaps: Vec<&Place> = self.places.iter().filter(here).collect();
        if gaps.is_empty() {
            // They have moved on since: look again.
            return Some(Vec::new());
        }
        // What the client asked for too late is told, and what a followed log lost; what it lost while it read is lag.
        let reset = self.hub.reset.load(Ordering::Acquire) == mark.position;
        let lagged = !reset && gaps.iter().any(|place| self.position >= place.known_gap);
        if lagged && self.hub.limits.lag_ends {
            return None;
        }
        if lagged {
            Counters::add(&self.hub.counters.lagged, 1);
        }
        Counters::add(&self.hub.counters.gaps, gaps.len());
        let mut blocks = Vec::new();
        for (left, place) in (0..gaps.len()).rev().zip(&gaps) {
            let id = (left == 0).then_some(mark.id);
            place.topic.write_gap(&mut blocks, &self.hub.limits.gap_type, id);
        }
        self.position = mark.position;
        Some(blocks)
    }

    /// Leaves the waker with every topic; false if one has something new.
    fn park(&mut self, waker: &Waker) -> bool {
        let same = self.waker.as_ref().is_some_and(|parked| parked.will_wake(waker));
        for place in &mut self.places {
            // Still parked: whoever publishes from now on wakes it.
            let parked = place.topic.round() == place.parked.0;
            if parked && same {
                continue;
            }
            let fresh = waker.clone();
            let mut locked = place.topic.lock();
            if locked.ring.newest() > self.position {
                drop(locked);
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
                if parked { locked.parked.try_remove(place.parked.1) } else { None }
            });
        }
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("position", &self.position).finish_non_exhaustive()
    }
}
