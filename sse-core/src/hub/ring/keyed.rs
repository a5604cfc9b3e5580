//! The events of a state topic: the newest event of each key, in the order of their positions.

use super::Run;
use crate::hub::id::EventId;
use crate::hub::trim_point::TrimPoint;
use bytes::Bytes;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Superseded changes are removed when there are more of them than of the others, and at least this many.
const MIN_SUPERSEDED: usize = 64;

/// The newest event of each key. A removal is an event too, until the ring forgets it.
///
/// Each key has a place, where a new event replaces the old one. So a change touches little memory of the keys that it does not
/// change, and of a topic with many keys this memory is in no cache.
#[derive(Debug, Default)]
pub(crate) struct Keyed {
    events: Slab<KeyedEvent>,
    /// The changes in the order of their positions. A change is superseded if the event at its place has another position.
    order: VecDeque<KeyedChange>,
    /// The place of each key.
    keys: HashMap<Arc<str>, usize>,
    removals: usize,
    /// The changes that removed a key, the oldest first. Some of them are superseded.
    removal_order: VecDeque<KeyedChange>,
    bytes: usize,
    /// The bytes of the removals.
    removal_bytes: usize,
    /// The position of the newest change.
    newest: u64,
}

#[derive(Debug, Clone, Copy)]
struct KeyedChange {
    position: u64,
    place: usize,
}

#[derive(Debug)]
struct KeyedEvent {
    position: u64,
    key: Arc<str>,
    block: Bytes,
    is_removal: bool,
}

impl KeyedChange {
    /// The event of this change, unless the change is superseded.
    fn event(self, events: &Slab<KeyedEvent>) -> Option<&KeyedEvent> {
        events.get(self.place).filter(|event| event.position == self.position)
    }
}

/// The bound that an event would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Keys,
    Bytes,
}

/// The bounds of a state topic: its keys, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyedBounds {
    pub(crate) keys: usize,
    pub(crate) bytes: usize,
    /// Whether the change is an entry of a log. The log has checked the change, so every change is made, and only removals are
    /// forgotten at the bounds.
    pub(crate) is_of_log: bool,
}

/// The part of a state topic that a cursor reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Every change.
    Changes,
    /// The state of keys that were not removed.
    State,
}

impl Wanted {
    fn has(self, event: &KeyedEvent) -> bool {
        self == Self::Changes || !event.is_removal
    }
}

impl Keyed {
    /// The number of keys with an event, removals included.
    pub(crate) fn events(&self) -> usize {
        self.keys.len()
    }

    /// The number of keys that were not removed.
    pub(crate) fn live(&self) -> usize {
        self.keys.len() - self.removals
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes of the keys that were not removed.
    pub(crate) const fn live_bytes(&self) -> usize {
        self.bytes - self.removal_bytes
    }

    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether the key has an event, which may be its removal.
    pub(crate) fn has_event(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// The size of the event of a key that was not removed.
    pub(crate) fn get(&self, key: &str) -> Option<usize> {
        let event = self.events.get(*self.keys.get(key)?)?;
        (!event.is_removal).then_some(event.block.len())
    }

    /// Replaces the event of a key. Returns `false`, and changes nothing, for the removal of a key that is not there, unless
    /// the removal is an entry of a log: a client can have the key from another node.
    pub(crate) fn put(
        &mut self,
        position: u64,
        key: &str,
        (block, is_removal): (Bytes, bool),
        max: KeyedBounds,
        garbage: &mut Vec<Bytes>,
    ) -> Result<bool, Full> {
        let (live, live_bytes, len) = (self.live(), self.live_bytes(), block.len());
        let known = self.keys.get(key).copied();
        let known = known.and_then(|place| Some((place, self.events.get_mut(place)?)));
        let before = known.as_ref().map(|(_, old)| (old.block.len(), old.is_removal));
        let live_before = before.filter(|(_, was_removal)| !was_removal).map(|(len, _)| len);
        if max.is_of_log {
            // The log has checked the change.
        } else if is_removal {
            if live_before.is_none() {
                return Ok(false);
            }
        } else if live + usize::from(live_before.is_none()) > max.keys {
            return Err(Full::Keys);
        } else if live_bytes - live_before.unwrap_or(0) + len > max.bytes {
            return Err(Full::Bytes);
        }
        let place = match known {
            Some((place, old)) => {
                garbage.push(std::mem::replace(&mut old.block, block));
                (old.position, old.is_removal) = (position, is_removal);
                place
            }
            None => {
                let key: Arc<str> = key.into();
                let place = self.events.insert(KeyedEvent { position, key: key.clone(), block, is_removal });
                self.keys.insert(key, place);
                place
            }
        };
        if let Some((len, was_removal)) = before {
            self.count_out(len, was_removal);
        }
        let change = KeyedChange { position, place };
        self.bytes += len;
        if is_removal {
            self.removals += 1;
            self.removal_bytes += len;
            self.removal_order.push_back(change);
        }
        self.newest = position;
        self.order.push_back(change);
        self.compact();
        Ok(true)
    }

    const fn count_out(&mut self, len: usize, was_removal: bool) {
        self.bytes -= len;
        if was_removal {
            self.removals -= 1;
            self.removal_bytes -= len;
        }
    }

    /// Removes superseded changes, at the front at once and elsewhere when they are the majority.
    fn compact(&mut self) {
        let events = &self.events;
        for order in [&mut self.order, &mut self.removal_order] {
            while order.front().is_some_and(|change| change.event(events).is_none()) {
                order.pop_front();
            }
        }
        let superseded = self.order.len() - self.keys.len();
        if superseded < MIN_SUPERSEDED || superseded <= self.keys.len() {
            return;
        }
        self.order.retain(|change| change.event(events).is_some());
        self.removal_order.retain(|change| change.event(events).is_some());
    }

    /// Forgets the oldest removal, and returns the trim point after it. `None` if there is no removal.
    pub(crate) fn forget_removal(
        &mut self,
        garbage: &mut Vec<Bytes>,
        id: impl FnOnce(u64, &[u8]) -> EventId,
    ) -> Option<TrimPoint> {
        while let Some(change) = self.removal_order.pop_front() {
            if change.event(&self.events).is_none() {
                continue;
            }
            let KeyedEvent { position, key, block, .. } = self.events.remove(change.place);
            let trimmed = TrimPoint { position, id: Some(id(position, &block)) };
            self.keys.remove(&key);
            self.count_out(block.len(), true);
            garbage.push(block);
            self.compact();
            return Some(trimmed);
        }
        None
    }

    /// The position and the block of the newest event.
    pub(crate) fn last(&self) -> Option<(u64, &[u8])> {
        let last = self.order.iter().rev().find_map(|change| change.event(&self.events))?;
        Some((last.position, &*last.block))
    }

    fn after(&self, position: u64, wanted: Wanted) -> impl Iterator<Item = (u64, &KeyedEvent)> {
        let from = self.order.partition_point(|change| change.position <= position);
        let events = self.order.range(from..).filter_map(|change| change.event(&self.events));
        events.filter(move |event| wanted.has(event)).map(|event| (event.position, event))
    }

    /// The position of the next event after a position.
    pub(crate) fn next_after(&self, position: u64, wanted: Wanted) -> Option<u64> {
        self.after(position, wanted).next().map(|(position, _)| position)
    }

    /// The events after `after`, up to and including `upto`: at most `budget` bytes, or one larger event.
    pub(crate) fn take(&self, after: u64, upto: u64, budget: usize, wanted: Wanted) -> Option<Run> {
        let mut events = self.after(after, wanted).take_while(|(position, _)| *position <= upto).peekable();
        let (first_at, first) = events.next()?;
        let (mut last, mut count, mut bytes) = (first_at, 1, first.block.len());
        if events.peek().is_none_or(|(_, next)| bytes + next.block.len() > budget) {
            return Some(Run { bytes: first.block.clone(), events: 1, last });
        }
        let mut joined = Vec::from(&*first.block);
        for (position, event) in events {
            bytes += event.block.len();
            if bytes > budget {
                break;
            }
            joined.extend_from_slice(&event.block);
            (last, count) = (position, count + 1);
        }
        Some(Run { bytes: joined.into(), events: count, last })
    }

    /// The ID and the position of the last event up to and including this position of the log. The IDs of the events ascend.
    /// Events that were loaded without their IDs are before all others.
    pub(crate) fn last_upto(&self, upto: (u64, u64)) -> Option<(EventId, u64)> {
        let (mut low, mut high) = (0, self.order.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let mut changes = self.order.range(middle..high).zip(middle..);
            match changes.find_map(|(change, at)| Some((at, change.event(&self.events)?))) {
                Some((at, event)) if EventId::of_block(&event.block).is_none_or(|id| id.position() <= upto) => {
                    low = at + 1;
                }
                _ => high = middle,
            }
        }
        self.last_before(low)
    }

    /// The ID and the position of the last event up to and including this position of the hub.
    pub(crate) fn last_at(&self, position: u64) -> Option<(EventId, u64)> {
        self.last_before(self.order.partition_point(|change| change.position <= position))
    }

    /// The ID and the position of the last event before this index. `None` if that event was loaded without its ID.
    fn last_before(&self, index: usize) -> Option<(EventId, u64)> {
        let event = self.order.range(..index).rev().find_map(|change| change.event(&self.events))?;
        Some((EventId::of_block(&event.block)?, event.position))
    }

    /// All blocks, to be dropped.
    pub(crate) fn into_blocks(self) -> impl Iterator<Item = Bytes> {
        self.events.into_iter().map(|(_, event)| event.block)
    }
}
