//! The state beside the log: the newest entry of each key of the state topics, which the log itself may not have any more.
//!
//! The server returns the state page by page, and it changes meanwhile. A key that changed after the entry at which the hub starts
//! is left out, because the hub receives the change from the log. So the state is complete as soon as the follower has read the log
//! up to the entry that was the newest one after the last page. Only then are the state and these entries passed on, in one step:
//! after any failure before, the follower starts again with an inspection.

use super::{Command, Effect, FollowPhase, Follower, LogHead, Loss, StateFound, StatePart, Uid};
use crate::entry::{EntryContent, LogEntry};
use sse_core::hub::EventId;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// The largest number of topics in one request.
const TOPICS: usize = 512;

/// What happens to the hub when the state is loaded.
#[derive(Debug)]
pub(super) enum Goal {
    /// The hub receives its first entries.
    Start(VecDeque<LogEntry>),
    Reset(Loss),
    Truncate,
}

#[derive(Debug)]
pub(super) struct StateLoad {
    goal: Goal,
    /// The last entry that the hub has before the entries which follow the state, and its number.
    at: (EventId, u64),
    /// The uid of the log, if the follower does not have it yet.
    uid: Option<Uid>,
    scan: Scan,
    /// The newest entry of each topic and key.
    keys: HashMap<(String, String), LogEntry>,
    /// The entries after `at`.
    behind: Vec<LogEntry>,
}

#[derive(Debug)]
enum Scan {
    Topics,
    /// Keys of these topics, from this cursor of the first one on.
    Keys(Vec<String>, String),
    /// The entries up to this number.
    Behind(u64),
}

impl StateLoad {
    /// The last entry that was read.
    fn last(&self) -> EventId {
        self.behind.last().map_or(self.at.0, |entry| entry.id)
    }

    fn number(&self) -> u64 {
        self.at.1 + self.behind.len() as u64
    }

    pub(super) fn command(&self, batch: usize) -> Command {
        let part = match &self.scan {
            Scan::Behind(_) => return Command::CatchUp(self.last().position(), batch),
            Scan::Topics => StatePart::Topics,
            Scan::Keys(topics, cursor) => {
                StatePart::Keys(topics.iter().take(TOPICS).cloned().collect(), cursor.clone())
            }
        };
        Command::LoadState(self.at.0.position(), part, batch)
    }

    /// Adds keys. The server can return a key twice, with a newer entry the second time.
    fn add(&mut self, entries: Vec<LogEntry>) {
        for entry in entries {
            let EntryContent::Event(record) = &entry.content else { continue };
            let key = (record.topic.clone(), record.key().to_owned());
            let newest = self.keys.get(&key).map(LogEntry::position);
            if newest.is_none_or(|newest| newest < entry.position()) {
                self.keys.insert(key, entry);
            }
        }
    }

    /// Whether the state before the entries of the log contains this entry.
    fn is_before(&self, entry: &LogEntry) -> bool {
        match &self.goal {
            Goal::Start(entries) => entries.front().is_some_and(|first| entry.position() < first.position()),
            Goal::Reset(_) | Goal::Truncate => entry.position() <= self.at.0.position(),
        }
    }

    /// The state before the entries of the log, in the order of the IDs.
    fn take_state(&mut self) -> Vec<LogEntry> {
        let mut state: Vec<_> = std::mem::take(&mut self.keys).into_values().collect();
        state.retain(|entry| self.is_before(entry));
        state.sort_unstable_by_key(LogEntry::position);
        state
    }
}

impl Follower {
    /// Loads the state, and then changes the hub. `at` is the entry at which the hub starts, is reset or is truncated, with its
    /// number. `uid` is that of a log which the follower does not have yet.
    pub(super) fn load_state(&mut self, at: (EventId, u64), uid: Option<Uid>, goal: Goal) {
        let (scan, keys, behind) = (Scan::Topics, HashMap::new(), Vec::new());
        self.phase = FollowPhase::LoadingState(Box::new(StateLoad { goal, at, uid, scan, keys, behind }));
    }

    pub(super) fn state_found(
        &mut self,
        now: Instant,
        mut load: Box<StateLoad>,
        head: &LogHead,
        found: StateFound,
        effects: &mut Vec<Effect>,
    ) {
        let Some(log) = head.log.filter(|_| head.master && self.is_of_log(&load, head)) else { return };
        // The entry is still in the log, or was trimmed: the log has not lost it.
        if !self.is_same(head.at, load.at.0) && log.trimmed() < load.at.1 {
            return;
        }
        let (topics, cursor) = match (std::mem::replace(&mut load.scan, Scan::Topics), found) {
            (Scan::Topics, StateFound::Topics(topics)) if topics.is_empty() => {
                // A state that begins meanwhile is in the log.
                return self.finish(now, *load, effects);
            }
            (Scan::Topics, StateFound::Topics(topics)) => (topics, "0".to_owned()),
            (Scan::Keys(mut topics, _), StateFound::Keys(entries, complete, cursor)) => {
                self.adapt_batch(Self::mean_bytes(&entries));
                load.add(entries);
                topics.drain(..complete.min(topics.len()));
                (topics, cursor)
            }
            _ => return,
        };
        load.scan = if topics.is_empty() { Scan::Behind(log.added) } else { Scan::Keys(topics, cursor) };
        self.follow_state(now, load, effects);
    }

    pub(super) fn state_caught_up(
        &mut self,
        now: Instant,
        mut load: Box<StateLoad>,
        head: &LogHead,
        entries: Vec<LogEntry>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(log) = head.log.filter(|_| self.is_of_log(&load, head)) else { return };
        if entries.is_empty() || log.trimmed() > load.number() {
            return;
        }
        self.adapt_batch(Self::mean_bytes(&entries));
        for entry in entries {
            if let EntryContent::Newer(version) = entry.content {
                return self.block_at(now, entry.id, version, effects);
            }
            load.behind.push(entry);
        }
        self.follow_state(now, load, effects);
    }

    fn is_of_log(&self, load: &StateLoad, head: &LogHead) -> bool {
        !self.rules.uid || head.uid.as_ref() == load.uid.as_ref().or(self.uid.as_ref())
    }

    fn follow_state(&mut self, now: Instant, load: Box<StateLoad>, effects: &mut Vec<Effect>) {
        match load.scan {
            Scan::Behind(upto) if load.number() >= upto => self.finish(now, *load, effects),
            _ => self.phase = FollowPhase::LoadingState(load),
        }
    }

    /// Changes the hub.
    fn finish(&mut self, now: Instant, mut load: StateLoad, effects: &mut Vec<Effect>) {
        let state = load.take_state();
        let StateLoad { goal, at, uid, behind, .. } = load;
        if let Some(uid) = uid {
            self.adopt(uid);
        }
        let state = state.into_iter().filter_map(|entry| match entry.content {
            EntryContent::Event(record) => Some((entry.id, record)),
            _ => None,
        });
        let state = Some(state.collect::<Vec<_>>()).filter(|state| !state.is_empty()).map(Effect::LoadState);
        let is_start = matches!(goal, Goal::Start(_));
        match goal {
            Goal::Start(entries) => {
                effects.extend(state);
                self.start(entries, at.1, effects);
            }
            Goal::Reset(loss) => {
                self.reset_at(at, loss, effects);
                effects.extend(state);
            }
            Goal::Truncate => {
                self.truncate_after(at, effects);
                effects.extend(state);
            }
        }
        for entry in behind {
            self.recent.push(entry.id);
            self.pass_on(entry, effects);
        }
        if is_start {
            effects.extend([Effect::Loaded, Effect::CaughtUp]);
        }
        self.follow(now, effects);
    }
}
