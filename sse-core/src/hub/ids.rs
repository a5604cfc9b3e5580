//! Where a history has its ids from: from itself, or from the log that it follows.

use super::id::EventId;
use super::taken_back::TakenBack;
use std::collections::VecDeque;

/// How many ids of a followed log are remembered, whatever their topic.
pub(crate) const FOLLOWED_IDS: usize = 65_536;

/// How many rewrites of a followed log are remembered one by one.
const REWRITES: usize = 64;

/// Where the ids of events come from.
pub(crate) enum Ids {
    /// The hub's own: the position, and one tag for the process.
    Own { tag: u32 },
    /// A followed log's.
    Followed(Followed),
}

#[derive(Default)]
pub(crate) struct Followed {
    /// The newest ids, with their positions: both ascend. An id that the log went back to has a second position, the
    /// last of those that were taken back after it.
    pub(crate) recent: VecDeque<(EventId, u64)>,
    /// Parts of the history that were taken back.
    pub(crate) rewrites: VecDeque<Rewrite>,
    pub(crate) taken_back: TakenBack,
}

#[derive(Clone, Copy)]
pub(crate) struct Rewrite {
    pub(crate) epoch: u64,
    /// Positions after this, and up to the last, are no longer.
    pub(crate) kept: u64,
    pub(crate) last: u64,
}

impl Ids {
    pub(crate) const fn own_with(tag: u32) -> Self {
        Self::Own { tag }
    }

    pub(crate) fn followed() -> Self {
        Self::Followed(Followed::default())
    }

    /// The id before the first event.
    pub(crate) fn origin(&self) -> EventId {
        self.own(0)
    }

    pub(crate) fn own(&self, position: u64) -> EventId {
        match self {
            Self::Own { tag } => EventId::new((position, 0), *tag),
            Self::Followed(_) => EventId::new((0, 0), 0),
        }
    }

    /// The id of an event, from its position and its block.
    pub(crate) fn of(&self, position: u64, block: &[u8]) -> EventId {
        match self {
            Self::Own { .. } => self.own(position),
            // Every block of a hub ends with its id, so the other way out is never taken.
            Self::Followed(_) => EventId::of_block(block).unwrap_or_else(|| self.origin()),
        }
    }

    pub(crate) fn remember(&mut self, id: EventId, position: u64) {
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

    pub(crate) fn forget(&mut self) {
        if let Self::Followed(followed) = self {
            followed.recent.clear();
            followed.taken_back = TakenBack::default();
        }
    }

    /// The last position that an id stands for, which stands for this one.
    pub(crate) fn last_position(&self, position: u64, id: EventId) -> u64 {
        let Self::Followed(followed) = self else { return position };
        let after = followed.recent.partition_point(|(recent, _)| *recent <= id);
        let last = after.checked_sub(1).and_then(|at| followed.recent.get(at)).filter(|(recent, _)| *recent == id);
        last.map_or(position, |(_, position)| *position)
    }

    pub(crate) fn rewind(&mut self, rewrite: Rewrite, id: EventId) {
        let Self::Followed(followed) = self else { return };
        let after = followed.recent.partition_point(|(_, position)| *position <= rewrite.kept);
        for (id, position) in followed.recent.drain(after..) {
            followed.taken_back.remember(id, position);
        }
        followed.recent.push_back((id, rewrite.last));
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
