//! The newest entries that were read, by number. A truncated log is compared with them.

use sse_core::hub::EventId;
use std::collections::VecDeque;

/// IDs with consecutive numbers. The server counts all entries that were ever added (`entries-added`). The number of an
/// entry is thus the number of entries up to it, and differences show how many entries are missing.
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

    /// Replaces all entries by this one.
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

    /// The newest entry and its number.
    pub(super) fn last(&self) -> Option<(EventId, u64)> {
        self.ids.back().map(|id| (*id, self.last))
    }

    /// The number of the oldest entry.
    pub(super) fn first_number(&self) -> u64 {
        self.last + 1 - self.ids.len() as u64
    }

    pub(super) fn get(&self, number: u64) -> Option<EventId> {
        let at = number.checked_sub(self.first_number())?;
        self.ids.get(usize::try_from(at).ok()?).copied()
    }

    /// Drops all entries after this number.
    pub(super) fn truncate(&mut self, number: u64) {
        while self.last > number && self.ids.pop_back().is_some() {
            self.last -= 1;
        }
    }
}
