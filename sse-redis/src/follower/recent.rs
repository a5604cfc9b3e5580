//! The newest entries that were read, by their numbers: what a history that went back is compared with.

use sse_core::hub::EventId;
use std::collections::VecDeque;

/// Ids with consecutive numbers. The server counts every entry that a log was ever given (`entries-added`), so an
/// entry's number says how many came before it, and what of them is missing.
#[derive(Debug)]
pub(super) struct Recent {
    ids: VecDeque<EventId>,
    last: u64,
    most: usize,
}

impl Recent {
    pub(super) fn new(most: usize) -> Self {
        Self { ids: VecDeque::new(), last: 0, most: most.max(1) }
    }

    /// Begins anew with one entry.
    pub(super) fn start(&mut self, id: EventId, number: u64) {
        self.ids.clear();
        self.ids.push_back(id);
        self.last = number;
    }

    pub(super) fn push(&mut self, id: EventId) {
        self.ids.push_back(id);
        self.last += 1;
        if self.ids.len() > self.most {
            self.ids.pop_front();
        }
    }

    /// The newest, with its number.
    pub(super) fn last(&self) -> Option<(EventId, u64)> {
        self.ids.back().map(|id| (*id, self.last))
    }

    /// The number of the oldest.
    pub(super) fn first_number(&self) -> u64 {
        self.last + 1 - self.ids.len() as u64
    }

    pub(super) fn get(&self, number: u64) -> Option<EventId> {
        let at = number.checked_sub(self.first_number())?;
        self.ids.get(usize::try_from(at).ok()?).copied()
    }

    /// Forgets what came after this number.
    pub(super) fn truncate(&mut self, number: u64) {
        while self.last > number && self.ids.pop_back().is_some() {
            self.last -= 1;
        }
    }
}
