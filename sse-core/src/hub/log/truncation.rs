//! The truncated parts of a followed log, and the event IDs in them.

use super::id_source::REMEMBERED_IDS;
use crate::hub::id::EventId;
use std::collections::{HashMap, VecDeque};

/// The number of truncated parts that are remembered one by one.
const PARTS: usize = 64;

#[derive(Default)]
pub(crate) struct Truncations {
    parts: VecDeque<TruncatedPart>,
    /// The positions of truncated IDs. Their clients receive a gap at the end of the truncated part, not at the head.
    positions: HashMap<EventId, u64>,
    /// The same IDs, the oldest truncation first.
    ids: VecDeque<(EventId, u64)>,
}

/// One truncated part. The log no longer has its positions, and the hub never uses them again.
#[derive(Clone, Copy)]
pub(crate) struct TruncatedPart {
    /// The number of truncations up to and including this one.
    pub(crate) epoch: u64,
    /// The last position before the part, and the ID of that position.
    pub(crate) kept: (u64, EventId),
    /// The last position of the part, and the ID of that position.
    pub(crate) last: (u64, EventId),
}

impl TruncatedPart {
    fn contains(&self, id: EventId) -> bool {
        id.position() > self.kept.1.position() && id.position() <= self.last.1.position()
    }
}

impl Truncations {
    /// Adds a truncated part and its IDs.
    pub(super) fn add(&mut self, part: TruncatedPart, ids: impl Iterator<Item = (EventId, u64)>) {
        for (id, position) in ids {
            self.remember(id, position);
        }
        self.parts.push_back(part);
        // The oldest two parts become one part that covers both. A client between the two parts may receive an unneeded
        // gap, and no client misses a needed gap.
        if self.parts.len() > PARTS
            && let Some(oldest) = self.parts.pop_front()
            && let Some(next) = self.parts.front_mut()
        {
            next.kept = (next.kept.0.min(oldest.kept.0), next.kept.1.min(oldest.kept.1));
            next.last.1 = next.last.1.max(oldest.last.1);
        }
    }

    fn remember(&mut self, id: EventId, position: u64) {
        self.ids.push_back((id, position));
        self.positions.insert(id, position);
        if self.ids.len() > REMEMBERED_IDS
            && let Some((id, position)) = self.ids.pop_front()
            // The same ID may have been appended and truncated again since.
            && self.positions.get(&id) == Some(&position)
        {
            self.positions.remove(&id);
        }
    }

    /// Removes the IDs after a reset. The parts remain, because a cursor may not have moved past them yet.
    pub(super) fn reset_ids(&mut self) {
        (self.positions, self.ids) = Default::default();
    }

    /// The position that a truncated ID had.
    pub(super) fn position_of(&self, id: EventId) -> Option<u64> {
        self.positions.get(&id).copied()
    }

    /// Whether an ID is between the IDs of a truncated part.
    pub(super) fn contain(&self, id: EventId) -> bool {
        self.parts.iter().any(|part| part.contains(id))
    }

    /// The last position of all truncated parts before an ID.
    pub(super) fn end_before(&self, id: EventId) -> Option<u64> {
        let before = self.parts.iter().filter(|part| id.position() > part.last.1.position());
        before.map(|part| part.last.0).max()
    }

    /// The new position of a cursor that has seen the truncations up to `seen`, if its own position was truncated.
    pub(super) fn move_cursor(&self, seen: u64, position: u64) -> Option<u64> {
        let mut moved = None;
        for part in self.parts.iter().filter(|part| part.epoch > seen) {
            let position = moved.unwrap_or(position);
            if part.kept.0 < position && position <= part.last.0 {
                moved = Some(part.last.0);
            }
        }
        moved
    }
}
