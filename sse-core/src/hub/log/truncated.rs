//! IdSource of a followed log that it took back: their clients are told so, rather than that nobody knows them.

use super::id_source::FOLLOWED_IDS;
use crate::hub::id::EventId;
use std::collections::{HashMap, VecDeque};

/// The newest ids that were taken back, as many as are remembered of those that stand, each with the position it had.
#[derive(Default)]
pub(crate) struct TruncatedIds {
    positions: HashMap<EventId, u64>,
    history: VecDeque<(EventId, u64)>,
}

impl TruncatedIds {
    pub(crate) fn remember(&mut self, id: EventId, position: u64) {
        self.history.push_back((id, position));
        self.positions.insert(id, position);
        if self.history.len() > FOLLOWED_IDS
            && let Some((id, position)) = self.history.pop_front()
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
