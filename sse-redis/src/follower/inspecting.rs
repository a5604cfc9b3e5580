//! The result of an inspection: the log is unchanged, trimmed, truncated, or another log.

use super::loading_state::Goal;
use super::searching::Searching;
use super::{Effect, FollowPhase, Follower, Loading, LogHead, Loss, Uid};
use sse_core::hub::EventId;
use std::time::Instant;

/// The number of former log uids that are remembered.
const PAST_UIDS: usize = 64;

impl Follower {
    pub(super) fn inspected(&mut self, now: Instant, head: LogHead, effects: &mut Vec<Effect>) {
        if !head.master {
            effects.push(Effect::NotLeader);
            return self.give_up(now, effects);
        }
        let (Some(uid), Some(log)) = (head.uid.clone(), head.log) else {
            self.phase = FollowPhase::Attaching;
            return;
        };
        let (Some(oldest), Some(newest)) = (log.first, log.last) else {
            self.phase = FollowPhase::Attaching;
            return;
        };
        let Some((last, number)) = self.recent.last() else {
            self.phase = FollowPhase::Loading(Loading::default());
            return;
        };
        let known = self.uid.as_ref() == Some(&uid) || !self.rules.uid;
        if self.is_same(head.at, last) {
            // The last entry that was read is still in the log, so everything before it is unchanged.
            self.adopt(uid);
            let agrees = if newest.position() == last.position() { log.added == number } else { log.added > number };
            if !agrees && self.rules.numbers {
                self.recent.start(last, log.added.saturating_sub(u64::from(newest != last)));
                self.reset_at_next(now, Loss::Miscounted);
            }
            effects.push(Effect::Lag(log.added.saturating_sub(number)));
            // After a truncation the log can have fewer entries than before.
            self.catching_up_to = Some(self.catching_up_to.map_or(log.added, |wanted| wanted.min(log.added)));
            self.catch_up(effects);
            return self.follow(now, effects);
        }
        let trimmed = log.trimmed();
        if known && self.rules.numbers && trimmed >= number {
            // The last entry that was read is trimmed. All entries of the log are new.
            let loss = Loss::Trimmed(trimmed - number);
            return self.load_state((oldest, trimmed + 1), None, Goal::Reset(loss));
        }
        if known {
            let low = self.recent.first_number().max(trimmed + 1);
            self.phase = FollowPhase::Searching(Searching { low, low_is_common: false, high: number, head });
            if low >= number {
                self.end_search(now, None, effects);
            }
            return;
        }
        let seen = self.past.contains(&uid) && self.rules.uid;
        if seen {
            // The log had this uid before. The entries of that time which were read are no longer known.
            self.adopt(uid);
            self.reset_after(now, newest, log.added, Loss::Wiped, effects);
        } else {
            self.load_state((oldest, trimmed + 1), Some(uid), Goal::Reset(Loss::Wiped));
        }
    }

    pub(super) fn adopt(&mut self, uid: Uid) {
        if self.uid.as_ref() == Some(&uid) {
            return;
        }
        if let Some(past) = self.uid.replace(uid)
            && !self.past.contains(&past)
        {
            self.past.push_back(past);
            if self.past.len() > PAST_UIDS {
                self.past.pop_front();
            }
        }
    }

    pub(super) fn catch_up(&mut self, effects: &mut Vec<Effect>) {
        let number = self.recent.last().map(|(_, number)| number);
        if self.catching_up_to.is_some_and(|wanted| number >= Some(wanted)) {
            self.catching_up_to = None;
            effects.push(Effect::CaughtUp);
        }
    }

    /// Resets the hub at this entry, which has this number.
    pub(super) fn reset_at(&mut self, (id, number): (EventId, u64), loss: Loss, effects: &mut Vec<Effect>) {
        if !matches!(loss, Loss::Trimmed(_)) {
            self.republished.clear();
        }
        (self.lost, self.catching_up_to, self.blocked) = (None, None, false);
        self.republished.skip(id);
        self.recent.start(id, number);
        effects.push(Effect::Reset(id, loss));
    }

    /// Resets the hub at the next entry of the log. The newest entry cannot be used: another node may know the newest
    /// entry, and the lost entries after it.
    pub(super) fn reset_after(
        &mut self,
        now: Instant,
        newest: EventId,
        number: u64,
        loss: Loss,
        effects: &mut Vec<Effect>,
    ) {
        self.republished.clear();
        self.catching_up_to = None;
        self.recent.start(newest, number);
        self.reset_at_next(now, loss);
        self.follow(now, effects);
    }

    /// The hub was reset by itself, so it is reset again at the next entry, with the state.
    pub(crate) fn reset_soon(&mut self, now: Instant) {
        self.reset_at_next(now, Loss::Miscounted);
    }

    /// Entries are missing before the next entry. A probe is written at once, so that there is a next entry.
    pub(super) fn reset_at_next(&mut self, now: Instant, loss: Loss) {
        self.lost = Some(loss);
        self.probe_now(now);
    }

    pub(super) fn is_same(&self, found: Option<EventId>, id: EventId) -> bool {
        found.is_some_and(|found| found == id || (!self.rules.tag && found.position() == id.position()))
    }
}
