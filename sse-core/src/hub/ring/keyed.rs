//! The events of a state topic: the newest event of each key, in the order of their positions.

use super::Run;
use crate::hub::id::EventId;
use crate::hub::trim_point::TrimPoint;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Superseded slots are removed when there are more of them than of the others, and at least this many.
const MIN_SUPERSEDED: usize = 64;

/// The newest event of each key. A removal is an event too, until the ring forgets it.
#[derive(Debug, Default)]
pub(crate) struct Keyed {
    /// In the order of their positions.
    slots: VecDeque<KeyedSlot>,
    /// The number of slots that were removed at the front so far.
    base: usize,
    /// The slot of each key, counted from the first slot ever.
    keys: HashMap<Arc<str>, usize>,
    removals: usize,
    /// The slots of the removals, the oldest first. A slot that was superseded since is no removal any more.
    removal_slots: VecDeque<usize>,
    bytes: usize,
    /// The bytes of the removals.
    removal_bytes: usize,
    /// The position of the newest change.
    newest: u64,
}

#[derive(Debug)]
struct KeyedSlot {
    position: u64,
    /// `None` for a slot that a newer event of its key superseded.
    event: Option<KeyedEvent>,
}

#[derive(Debug)]
struct KeyedEvent {
    key: Arc<str>,
    block: Bytes,
    is_removal: bool,
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
        let event = self.slots.get(self.keys.get(key)?.checked_sub(self.base)?)?.event.as_ref()?;
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
        let (number, live, live_bytes) = (self.base + self.slots.len(), self.live(), self.live_bytes());
        let known = self.keys.get_mut(key);
        let old = known.as_deref().and_then(|known| self.slots.get_mut(known.checked_sub(self.base)?));
        let before = old.as_deref().and_then(|slot| slot.event.as_ref()).filter(|old| !old.is_removal);
        let before = before.map(|old| old.block.len());
        if max.is_of_log {
            // The log has checked the change.
        } else if is_removal {
            if before.is_none() {
                return Ok(false);
            }
        } else if live + usize::from(before.is_none()) > max.keys {
            return Err(Full::Keys);
        } else if live_bytes - before.unwrap_or(0) + block.len() > max.bytes {
            return Err(Full::Bytes);
        }
        let key = match (known, old.and_then(|slot| slot.event.take())) {
            (Some(known), Some(old)) => {
                *known = number;
                self.count_out(&old);
                garbage.push(old.block);
                old.key
            }
            _ => {
                let key: Arc<str> = key.into();
                self.keys.insert(key.clone(), number);
                key
            }
        };
        self.bytes += block.len();
        if is_removal {
            self.removals += 1;
            self.removal_bytes += block.len();
            self.removal_slots.push_back(number);
        }
        self.newest = position;
        self.slots.push_back(KeyedSlot { position, event: Some(KeyedEvent { key, block, is_removal }) });
        self.compact();
        Ok(true)
    }

    fn count_out(&mut self, old: &KeyedEvent) {
        self.bytes -= old.block.len();
        if old.is_removal {
            self.removals -= 1;
            self.removal_bytes -= old.block.len();
        }
    }

    /// Removes superseded slots, at the front at once and elsewhere when they are the majority.
    fn compact(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.event.is_none()) {
            self.slots.pop_front();
            self.base += 1;
        }
        while self.removal_slots.front().is_some_and(|slot| *slot < self.base) {
            self.removal_slots.pop_front();
        }
        let superseded = self.slots.len() - self.keys.len();
        if superseded < MIN_SUPERSEDED || superseded <= self.keys.len() {
            return;
        }
        self.slots.retain(|slot| slot.event.is_some());
        self.base = 0;
        self.removal_slots.clear();
        for (number, slot) in self.slots.iter().enumerate() {
            let Some(event) = &slot.event else { continue };
            if let Some(known) = self.keys.get_mut(&event.key) {
                *known = number;
            }
            if event.is_removal {
                self.removal_slots.push_back(number);
            }
        }
    }

    /// Forgets the oldest removal, and returns the trim point after it. `None` if there is no removal.
    pub(crate) fn forget_removal(
        &mut self,
        garbage: &mut Vec<Bytes>,
        id: impl FnOnce(u64, &[u8]) -> EventId,
    ) -> Option<TrimPoint> {
        while let Some(number) = self.removal_slots.pop_front() {
            let Some(slot) = number.checked_sub(self.base).and_then(|at| self.slots.get_mut(at)) else { continue };
            let Some(event) = slot.event.take_if(|event| event.is_removal) else { continue };
            let trimmed = TrimPoint { position: slot.position, id: Some(id(slot.position, &event.block)) };
            self.keys.remove(&event.key);
            self.count_out(&event);
            garbage.push(event.block);
            self.compact();
            return Some(trimmed);
        }
        None
    }

    /// The position and the block of the newest event.
    pub(crate) fn last(&self) -> Option<(u64, &[u8])> {
        self.slots.iter().rev().find_map(|slot| Some((slot.position, &*slot.event.as_ref()?.block)))
    }

    fn after(&self, position: u64, wanted: Wanted) -> impl Iterator<Item = (u64, &KeyedEvent)> {
        let from = self.slots.partition_point(|slot| slot.position <= position);
        let slots = self.slots.range(from..);
        slots.filter_map(move |slot| Some((slot.position, slot.event.as_ref().filter(|event| wanted.has(event))?)))
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
        let (mut low, mut high) = (0, self.slots.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let mut events = self.slots.range(middle..high).zip(middle..);
            match events.find_map(|(slot, at)| Some((at, slot.event.as_ref()?))) {
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
        self.last_before(self.slots.partition_point(|slot| slot.position <= position))
    }

    /// The ID and the position of the last event before this slot. `None` if that event was loaded without its ID.
    fn last_before(&self, slot: usize) -> Option<(EventId, u64)> {
        let slots = self.slots.range(..slot).rev();
        let (position, event) = slots.filter_map(|slot| Some((slot.position, slot.event.as_ref()?))).next()?;
        Some((EventId::of_block(&event.block)?, position))
    }

    /// All blocks, to be dropped.
    pub(crate) fn into_blocks(self) -> impl Iterator<Item = Bytes> {
        self.slots.into_iter().filter_map(|slot| Some(slot.event?.block))
    }
}
