//! The log went back: which is the newest entry that it and the hub have in common?

use super::{Effect, Follower, Loss, Phase, Tip};
use sse_core::hub::EventId;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Searching {
    /// The entry of this number is common, or the oldest that may be; that of `high` is not.
    pub(super) low: u64,
    pub(super) low_is_common: bool,
    pub(super) high: u64,
    pub(super) tip: Tip,
}

impl Searching {
    pub(super) const fn middle(&self) -> u64 {
        self.low + (self.high - self.low) / 2
    }
}

impl Follower {
    pub(super) fn probed(
        &mut self,
        now: Instant,
        mut search: Searching,
        found: Option<EventId>,
        effects: &mut Vec<Effect>,
    ) {
        let middle = search.middle();
        let Some(id) = self.recent.get(middle) else { return };
        let there = self.is(found, id);
        if there {
            (search.low, search.low_is_common) = (middle, true);
        } else if search.low_is_common && middle == search.low {
            // It was there, and has been trimmed since: the phase is to look again.
            return;
        } else {
            search.high = middle;
        }
        let common = search.low_is_common.then_some(search.low);
        let over = if search.low_is_common { search.low + 1 >= search.high } else { search.low >= search.high };
        self.phase = Phase::Searching(search);
        // Those that were not there may have been trimmed meanwhile, unless the one before them still is there.
        if over && (there || common.is_none()) {
            self.found(now, common, effects);
        }
    }

    /// The search is over: this is the newest entry that the log and the hub have in common.
    pub(super) fn found(&mut self, now: Instant, common: Option<u64>, effects: &mut Vec<Effect>) {
        let Phase::Searching(Searching { tip, .. }) = std::mem::replace(&mut self.phase, Phase::Looking) else {
            return;
        };
        if let Some((number, id)) = common.and_then(|number| Some((number, self.recent.get(number)?))) {
            self.recent.truncate(number);
            self.catching_up_to = None;
            self.again.truncate(id);
            effects.push(Effect::Truncate(id));
            return self.follow(now, effects);
        }
        let Some((log, oldest, newest)) = tip.log.and_then(|log| Some((log, log.first?, log.last?))) else { return };
        let trimmed = log.trimmed();
        if self.recent.get(trimmed + 1).is_some_and(|id| self.is(Some(oldest), id)) {
            // It was in common when the search began, and has been trimmed since: the phase is to look again.
            return;
        }
        if self.recent.first_number() <= trimmed + 1 {
            // None of those that are there was ever read.
            self.restart(now, oldest, trimmed + 1, Loss::Rewritten, effects);
        } else {
            self.begin_after(now, newest, log.added, Loss::Rewritten, effects);
        }
    }
}
