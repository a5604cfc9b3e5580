//! After a truncation: a binary search for the newest entry that the log and the hub have in common.

use super::loading_state::Goal;
use super::{Effect, FollowPhase, Follower, LogHead, Loss};
use sse_core::hub::EventId;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Searching {
    /// The number of a common entry, or of the oldest entry that may be common. The entry `high` is not common.
    pub(super) low: u64,
    pub(super) low_is_common: bool,
    pub(super) high: u64,
    pub(super) head: LogHead,
}

impl Searching {
    pub(super) const fn middle(&self) -> u64 {
        self.low + (self.high - self.low) / 2
    }
}

impl Follower {
    pub(super) fn found_entry(
        &mut self,
        now: Instant,
        mut search: Searching,
        found: Option<EventId>,
        effects: &mut Vec<Effect>,
    ) {
        let middle = search.middle();
        let Some(id) = self.recent.get(middle) else { return };
        let there = self.is_same(found, id);
        if there {
            (search.low, search.low_is_common) = (middle, true);
        } else if search.low_is_common && middle == search.low {
            // The entry was there, and has been trimmed during the search: inspect again.
            return;
        } else {
            search.high = middle;
        }
        let common = search.low_is_common.then_some(search.low);
        let over = if search.low_is_common { search.low + 1 >= search.high } else { search.low >= search.high };
        self.phase = FollowPhase::Searching(search);
        // Entries that were not found may have been trimmed during the search, unless the entry before them is still there.
        if over && (there || common.is_none()) {
            self.end_search(now, common, effects);
        }
    }

    /// Ends the search. `common` is the newest entry that the log and the hub have in common.
    pub(super) fn end_search(&mut self, now: Instant, common: Option<u64>, effects: &mut Vec<Effect>) {
        let FollowPhase::Searching(Searching { head, .. }) =
            std::mem::replace(&mut self.phase, FollowPhase::Inspecting)
        else {
            return;
        };
        if let Some((number, id)) = common.and_then(|number| Some((number, self.recent.get(number)?))) {
            return self.load_state((id, number), None, Goal::Truncate);
        }
        let Some((log, oldest, newest)) = head.log.and_then(|log| Some((log, log.first?, log.last?))) else { return };
        let trimmed = log.trimmed();
        if self.recent.get(trimmed + 1).is_some_and(|id| self.is_same(Some(oldest), id)) {
            // The entry was common at the start of the search, and was trimmed since: inspect again.
            return;
        }
        if self.recent.first_number() <= trimmed + 1 {
            // None of the entries of the log was ever read.
            self.load_state((oldest, trimmed + 1), None, Goal::Reset(Loss::Truncated));
        } else {
            self.reset_after(now, newest, log.added, Loss::Truncated, effects);
        }
    }

    /// Truncates the hub after this entry, which has this number.
    pub(super) fn truncate_after(&mut self, (id, number): (EventId, u64), effects: &mut Vec<Effect>) {
        self.recent.truncate(number);
        self.catching_up_to = None;
        self.republished.truncate(id);
        effects.push(Effect::Truncate(id));
    }
}
