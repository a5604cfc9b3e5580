//! Ids of a followed log that it took back: their clients are told so, rather than that nobody knows them.

use super::id::EventId;
use super::ids::FOLLOWED_IDS;
use std::collections::{HashMap, VecDeque};

/// The newest ids that were taken back, as many as are remembered of those that stand, each with the position it had.
#[derive(Default)]
pub(crate) struct TakenBack {
    positions: HashMap<EventId, u64>,
    order: VecDeque<(EventId, u64)>,
}

impl TakenBack {
    pub(crate) fn remember(&mut self, id: EventId, position: u64) {
        self.order.push_back((id, position));
        self.positions.insert(id, position);
        if self.order.len() > FOLLOWED_IDS
            && let Some((id, position)) = self.order.pop_front()
            // It may have come again since, and been taken back again.
            && self.positions.get(&id) == Some(&position)
        {
            self.positions.remove(&id);
        }
    }

    pub(crate) fn position(&self, id: EventId) -> Option<u64> {
        self.positions.get(&id).copied()
    }
}
