//! What a look at the log says: it is as it was, it is trimmed, it went back, or it is another.

use super::searching::Searching;
use super::{Effect, Follower, Loading, Loss, Phase, Tip, Uid};
use sse_core::hub::EventId;
use std::time::Instant;

/// How many past lives of the log are remembered.
const PAST_UIDS: usize = 64;

impl Follower {
    pub(super) fn looked(&mut self, now: Instant, tip: Tip, effects: &mut Vec<Effect>) {
        if !tip.master {
            return self.give_up(now, effects);
        }
        let (Some(uid), Some(log)) = (tip.uid.clone(), tip.log) else {
            self.phase = Phase::Attaching;
            return;
        };
        let (Some(oldest), Some(newest)) = (log.first, log.last) else {
            self.phase = Phase::Attaching;
            return;
        };
        let Some((last, number)) = self.recent.last() else {
            self.phase = Phase::Loading(Loading::default());
            return;
        };
        let known = self.uid.as_ref() == Some(&uid) || !self.rules.uid;
        if self.is(tip.at, last) {
            // The last entry read is there, so everything before it is as it was.
            self.adopt(uid);
            let agrees = if newest.position() == last.position() { log.added == number } else { log.added > number };
            if !agrees && self.rules.numbers {
                self.recent.start(last, log.added.saturating_sub(u64::from(newest != last)));
                self.lose(now, Loss::Miscounted);
            }
            // It may have gone back to fewer than it had then.
            self.catching_up_to = Some(self.catching_up_to.map_or(log.added, |wanted| wanted.min(log.added)));
            self.catch_up(effects);
            return self.follow(now, effects);
        }
        let trimmed = log.trimmed();
        if known && self.rules.numbers && trimmed >= number {
            // Ours is no longer there, because it is too old. All that are there are new.
            return self.restart(now, oldest, trimmed + 1, Loss::Trimmed(trimmed - number), effects);
        }
        if known {
            let low = self.recent.first_number().max(trimmed + 1);
            self.phase = Phase::Searching(Searching { low, low_is_common: false, high: number, tip });
            if low >= number {
                self.found(now, None, effects);
            }
            return;
        }
        let seen = self.past.contains(&uid) && self.rules.uid;
        self.adopt(uid);
        if seen {
            // A life of the log that was read before: what of it was read is not known any more.
            self.begin_after(now, newest, log.added, Loss::Wiped, effects);
        } else {
            self.restart(now, oldest, trimmed + 1, Loss::Wiped, effects);
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

    /// Everything is forgotten, and this entry is where it is told.
    pub(super) fn restart(&mut self, now: Instant, id: EventId, number: u64, loss: Loss, effects: &mut Vec<Effect>) {
        if !matches!(loss, Loss::Trimmed(_)) {
            self.again.clear();
        }
        (self.lost, self.catching_up_to) = (None, None);
        self.again.pass_over(id);
        self.recent.start(id, number);
        effects.push(Effect::Reset(id, loss));
        self.follow(now, effects);
    }

    /// Everything is forgotten, and the entry that comes next is where it is told. The newest is not, because another
    /// node may know it and, behind it, what was lost.
    pub(super) fn begin_after(
        &mut self,
        now: Instant,
        newest: EventId,
        number: u64,
        loss: Loss,
        effects: &mut Vec<Effect>,
    ) {
        self.again.clear();
        self.catching_up_to = None;
        self.recent.start(newest, number);
        self.lose(now, loss);
        self.follow(now, effects);
    }

    /// Something is missing before the entry that comes next, which a canary brings if nothing else does.
    pub(super) const fn lose(&mut self, now: Instant, loss: Loss) {
        self.lost = Some(loss);
        self.canary_at = now;
    }

    pub(super) fn is(&self, found: Option<EventId>, id: EventId) -> bool {
        found.is_some_and(|found| found == id || (!self.rules.tag && found.position() == id.position()))
    }
}
