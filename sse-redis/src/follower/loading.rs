//! The start: read the newest entries page by page, newest first, so that clients can resume here.
//!
//! Only events count against the number of the window. A log that was quiet for days contains many probes, and a node must
//! still load the events before them.

use super::loading_state::Goal;
use super::{Effect, FollowPhase, Follower, LogHead};
use crate::entry::{EntryContent, LogEntry};
use std::collections::VecDeque;
use std::time::Instant;

/// The memory of an entry without an event, beside its fields. With the default window of 64 MiB a node loads at most about
/// 700,000 probes.
const ENTRY_BYTES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Loading {
    pub(super) entries: VecDeque<LogEntry>,
    /// The number of events in `entries`.
    events: usize,
    bytes: usize,
    /// The number of the newest entry.
    number: u64,
}

impl Follower {
    pub(super) fn loaded(
        &mut self,
        now: Instant,
        mut loading: Loading,
        head: &LogHead,
        entries: Vec<LogEntry>,
        effects: &mut Vec<Effect>,
    ) {
        let (true, Some(uid), Some(log)) = (head.master, head.uid.clone(), head.log) else { return };
        if entries.is_empty() {
            return;
        }
        self.adopt(uid);
        loading.number = log.added;
        self.load(now, loading, entries, effects);
    }

    /// Adds one page to the window, newest entry first.
    pub(super) fn load(
        &mut self,
        now: Instant,
        mut loading: Loading,
        entries: Vec<LogEntry>,
        effects: &mut Vec<Effect>,
    ) {
        let room = |loading: &Loading| loading.events < self.bounds.window.0 && loading.bytes <= self.bounds.window.1;
        let whole = entries.len() < self.batch;
        let weight = Self::mean_bytes(&entries);
        for entry in entries {
            if let EntryContent::Newer(version) = entry.content {
                return self.block_at(now, entry.id, version, effects);
            }
            if room(&loading) {
                match entry.content {
                    EntryContent::Event(_) => {
                        loading.events += 1;
                        loading.bytes += entry.bytes;
                    }
                    _ => loading.bytes += entry.bytes + ENTRY_BYTES,
                }
                loading.entries.push_front(entry);
            }
        }
        let more = !whole && room(&loading);
        self.adapt_batch(weight);
        if more {
            self.phase = FollowPhase::Loading(loading);
            return;
        }
        let Some(newest) = loading.entries.back().map(|entry| (entry.id, loading.number)) else { return };
        self.load_state(newest, None, Goal::Start(loading.entries));
    }

    /// Passes the window on. `number` is that of its newest entry.
    pub(super) fn start(&mut self, entries: VecDeque<LogEntry>, number: u64, effects: &mut Vec<Effect>) {
        let before = (number + 1).saturating_sub(entries.len() as u64);
        for (entry, number) in entries.into_iter().zip(before..) {
            if self.recent.last().is_none() {
                self.recent.start(entry.id, number);
            } else {
                self.recent.push(entry.id);
            }
            self.pass_on(entry, effects);
        }
        self.blocked = false;
    }
}
