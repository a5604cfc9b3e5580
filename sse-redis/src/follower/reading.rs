//! Batches of entries. An entry is passed on only if it is known that no entry before it is missing.

use super::loading_state::Goal;
use super::{Effect, FollowPhase, Follower, INSPECT_EVERY, LogHead, Loss, Uid};
use crate::entry::{EntryContent, LogEntry};
use std::collections::VecDeque;
use std::time::Instant;

/// The smallest batch, whatever the size of the entries.
const SMALL_BATCH: usize = 4;

/// The size at which a batch is aimed, in bytes. Redis limits a batch by the number of entries only, so a batch can be
/// larger when the entries suddenly grow: at most 512 of the largest entries.
const BATCH_BYTES: usize = 1024 * 1024;

impl Follower {
    pub(super) fn read(
        &mut self,
        now: Instant,
        entries: Vec<LogEntry>,
        full: bool,
        uid: Option<Uid>,
        effects: &mut Vec<Effect>,
    ) {
        if self.rules.uid && uid != self.uid {
            // Another log, or none. The entries are dropped, and the log is inspected.
            return;
        }
        if full && self.rules.numbers {
            self.phase = FollowPhase::CatchingUp;
            return;
        }
        self.phase = FollowPhase::Waiting;
        self.take(now, entries, effects);
    }

    pub(super) fn caught_up(
        &mut self,
        now: Instant,
        head: &LogHead,
        entries: Vec<LogEntry>,
        effects: &mut Vec<Effect>,
    ) {
        let (Some((_, number)), Some(log)) = (self.recent.last(), head.log) else { return };
        if self.rules.uid && head.uid != self.uid {
            return;
        }
        let trimmed = log.trimmed();
        let full = entries.len() >= self.batch;
        let mut entries = VecDeque::from(entries);
        if trimmed > number {
            let Some(oldest) = entries.pop_front() else { return };
            self.receive_probe(&oldest);
            // The entries after this one are read again when the state is loaded.
            let loss = Loss::Trimmed(trimmed - number);
            return self.load_state((oldest.id, trimmed + 1), None, Goal::Reset(loss));
        }
        self.phase = if full { FollowPhase::CatchingUp } else { FollowPhase::Waiting };
        self.take(now, entries.into(), effects);
        if self.blocked || matches!(self.phase, FollowPhase::LoadingState(_)) {
            return;
        }
        let number = self.recent.last().map(|(_, number)| number);
        if !full && number != Some(log.added) {
            // The batch ended at the end of the log, but the numbers differ.
            self.phase = FollowPhase::Inspecting;
        }
    }

    fn take(&mut self, now: Instant, entries: Vec<LogEntry>, effects: &mut Vec<Effect>) {
        self.adapt_batch(Self::mean_bytes(&entries));
        for entry in entries {
            if let EntryContent::Newer(version) = entry.content {
                return self.block_at(now, entry.id, version, effects);
            }
            if std::mem::take(&mut self.blocked) {
                effects.push(Effect::Following(true));
            }
            if let (Some(loss), Some((_, number))) = (self.lost, self.recent.last()) {
                self.receive_probe(&entry);
                return self.load_state((entry.id, number + 1), None, Goal::Reset(loss));
            }
            self.recent.push(entry.id);
            if matches!(entry.content, EntryContent::Event(_)) {
                // A busy log is inspected more often.
                self.inspect_by(now + INSPECT_EVERY);
            }
            self.pass_on(entry, effects);
        }
        self.catch_up(effects);
    }

    pub(super) fn pass_on(&mut self, entry: LogEntry, effects: &mut Vec<Effect>) {
        self.receive_probe(&entry);
        if entry.content == EntryContent::Unknown {
            effects.push(Effect::Unknown(entry.id));
        }
        let id = entry.id;
        match entry.content {
            // A key that is set twice has the same value.
            EntryContent::Event(record) if record.kind.has_key() => return effects.push(Effect::Append(id, record)),
            EntryContent::Event(record) if !self.republished.is_repetition(id, &record) => {
                return effects.push(Effect::Append(id, record));
            }
            EntryContent::Event(_) => effects.push(Effect::Repetition),
            _ => {}
        }
        effects.push(Effect::Advance(id));
    }

    pub(super) fn receive_probe(&mut self, entry: &LogEntry) {
        if let (EntryContent::Probe(heard), Some((sent, _))) = (&entry.content, self.probe)
            && *heard == sent
        {
            self.probe = None;
        }
    }

    /// Requests fewer entries if the entries are large.
    pub(super) fn adapt_batch(&mut self, each: Option<usize>) {
        if let Some(each) = each {
            self.batch = (BATCH_BYTES / each.max(1)).clamp(SMALL_BATCH.min(self.bounds.batch), self.bounds.batch);
        }
    }

    pub(super) fn mean_bytes(entries: &[LogEntry]) -> Option<usize> {
        entries.iter().map(|entry| entry.bytes).sum::<usize>().checked_div(entries.len())
    }
}
