//! What was read: nothing of it is passed on before it is known that nothing is missing before it.

use super::{Effect, Follower, Loss, Phase, QUIET, Tip, Uid};
use crate::entry::{Content, Entry};
use std::collections::VecDeque;
use std::time::Instant;

/// The fewest asked for at once, however large they are.
const SMALL_BATCH: usize = 4;

/// What a batch should have in bytes. Entries are counted and not weighed by the server, so that a batch may be
/// larger where they suddenly grow: at most 512 of the largest.
const BATCH_BYTES: usize = 1024 * 1024;

impl Follower {
    pub(super) fn read(&mut self, now: Instant, entries: Vec<Entry>, uid: Option<Uid>, effects: &mut Vec<Effect>) {
        if self.rules.uid && uid != self.uid {
            // Another log, or none: nothing of this is taken before it was looked at.
            return;
        }
        if entries.len() >= self.batch && self.rules.numbers {
            self.phase = Phase::CatchingUp;
            return;
        }
        self.phase = Phase::Waiting;
        self.take(now, entries, effects);
    }

    pub(super) fn caught_up(&mut self, now: Instant, tip: &Tip, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
        let (Some((_, number)), Some(log)) = (self.recent.last(), tip.log) else { return };
        if self.rules.uid && tip.uid != self.uid {
            return;
        }
        let trimmed = log.trimmed();
        let full = entries.len() >= self.batch;
        let mut entries = VecDeque::from(entries);
        if trimmed > number {
            let Some(oldest) = entries.pop_front() else { return };
            self.restart(now, oldest.id, trimmed + 1, Loss::Trimmed(trimmed - number), effects);
            self.hear(&oldest);
            self.remember(&oldest);
        }
        self.phase = if full { Phase::CatchingUp } else { Phase::Waiting };
        self.take(now, entries.into(), effects);
        let number = self.recent.last().map(|(_, number)| number);
        if !full && number != Some(log.added) {
            // It ends where the log ends, and yet the numbers differ: look.
            self.phase = Phase::Looking;
        }
    }

    fn take(&mut self, now: Instant, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
        self.weigh(Self::each(&entries));
        if !entries.is_empty() {
            self.canary_at = now + QUIET + self.jitter(QUIET / 2);
        }
        for entry in entries {
            self.recent.push(entry.id);
            if let Some(loss) = self.lost.take() {
                effects.push(Effect::Reset(entry.id, loss));
                self.hear(&entry);
                self.remember(&entry);
                continue;
            }
            self.pass_on(entry, effects);
        }
        self.catch_up(effects);
    }

    pub(super) fn pass_on(&mut self, entry: Entry, effects: &mut Vec<Effect>) {
        self.hear(&entry);
        effects.push(match entry.content {
            Content::Event(record) if !self.again.is_repeated(entry.id, &record) => Effect::Append(entry.id, record),
            _ => Effect::Advance(entry.id),
        });
    }

    /// An entry that is passed over, but may be published again.
    pub(super) fn remember(&mut self, entry: &Entry) {
        if let Content::Event(record) = &entry.content {
            self.again.is_repeated(entry.id, record);
        }
    }

    pub(super) fn hear(&mut self, entry: &Entry) {
        if let (Content::Canary(heard), Some((sent, _))) = (&entry.content, self.canary)
            && *heard == sent
        {
            self.canary = None;
        }
    }

    /// Asks for fewer where entries are large.
    pub(super) fn weigh(&mut self, each: Option<usize>) {
        if let Some(each) = each {
            self.batch = (BATCH_BYTES / each.max(1)).clamp(SMALL_BATCH.min(self.bounds.batch), self.bounds.batch);
        }
    }

    pub(super) fn each(entries: &[Entry]) -> Option<usize> {
        entries.iter().map(|entry| entry.bytes).sum::<usize>().checked_div(entries.len())
    }
}
