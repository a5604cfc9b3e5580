//! Follows a log, as a state machine without socket, clock and task: commands go out, replies and the time come in.
//!
//! ```text
//!                 ┌────────────────────── the connection fails ─────────────────────────┐
//!                 ▼                                                                     │
//!   Disconnected ─► Connecting ─► Inspecting ─► Loading ─► Waiting ⇄ CatchingUp ─ uid ─►┤
//!                                  ▲  │ ▲                   │                           │
//!                       Attaching ◄┘  │ └── now and then ───┘                           │
//!                                     └─► Searching (truncated) ─► Waiting ─────────────┘
//! ```
//!
//! At the start, and before the hub is truncated or reset, the phase `LoadingState` reads the state beside the log.
//!
//! Five rules make following safe. The simulation shows that each of them is needed:
//!
//! 1. **Tags.** Two entries are equal only if their positions *and* their tags are equal.
//! 2. **Inspect after every connect**, before reading: the server is a leader, and the last entry that was read is still
//!    in the log. If the entry is gone, the follower compares the remaining entries by number, and truncates the hub.
//! 3. **The uid of the log with every batch.** The first entry of a log that was deleted and created again shows this.
//! 4. **Only attaching creates a log** (publishers send `NOMKSTREAM`), so a deleted log never grows again under its old
//!    uid.
//! 5. **Numbers.** The server counts all entries that were ever added. A full batch is read again together with this
//!    count, which shows how many entries were trimmed before they were read. A batch that is not full needs no count,
//!    because trimming leaves at least two batches. The count is also compared in each inspection.
//!
//! This file contains the phases and their transitions. `protocol` defines commands, replies and effects. `inspecting`,
//! `searching`, `loading`, `loading_state` and `reading` handle the replies of their phase.

mod inspecting;
mod loading;
mod loading_state;
mod protocol;
mod quiet;
mod reading;
mod recent;
mod republished;
mod searching;
#[cfg(test)]
mod simulation;

pub(crate) use protocol::{Command, Effect, LogHead, LogInfo, Loss, Position, Reply, StateFound, StatePart, Uid};
pub(crate) use quiet::QuietTimer;

use crate::backoff::{self, Backoff};
use crate::publish_id::PublishId;
use loading::Loading;
use loading_state::StateLoad;
use recent::Recent;
use republished::Republished;
use searching::Searching;
use sse_core::Random;
use sse_core::hub::EventId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The largest number of entries in one request.
pub(crate) const BATCH_ENTRIES: usize = 512;

/// The time between two inspections of a log that receives events.
const INSPECT_EVERY: Duration = Duration::from_secs(1);

/// The time within which a probe must be read back.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The limits of a follower.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowerBounds {
    /// The largest number of entries that are loaded at the start, and of their bytes; one page may exceed them.
    pub(crate) window: (usize, usize),
    /// The largest number of entries in one request. The log keeps at least twice as many.
    pub(crate) batch: usize,
    /// The number of entries that are remembered, to find the last common entry after a truncation.
    pub(crate) remembered: usize,
}

/// The rules that are on. Only tests turn one off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowerRules {
    pub(crate) tag: bool,
    pub(crate) inspect_on_connect: bool,
    pub(crate) uid: bool,
    pub(crate) numbers: bool,
}

impl FollowerRules {
    pub(crate) const ALL: Self = Self { tag: true, inspect_on_connect: true, uid: true, numbers: true };
}

#[derive(Debug)]
enum FollowPhase {
    Disconnected(Instant),
    Connecting,
    Inspecting,
    Attaching,
    /// Reads backward from the newest entry, which is at the back of the queue.
    Loading(Loading),
    /// Searches for the newest common entry.
    Searching(Searching),
    /// Reads the state beside the log, and the entries that were added meanwhile.
    LoadingState(Box<StateLoad>),
    Waiting,
    CatchingUp,
}

/// The follower of one log.
///
/// Call [`Follower::command`], execute the command, and pass the result to [`Follower::handle`]. Apply the effects in their
/// order before the next command.
#[derive(Debug)]
pub(crate) struct Follower {
    random: Random,
    bounds: FollowerBounds,
    rules: FollowerRules,
    phase: FollowPhase,
    uid: Option<Uid>,
    past: VecDeque<Uid>,
    recent: Recent,
    republished: Republished,
    /// Entries were lost. The hub is reset at the next entry.
    lost: Option<Loss>,
    /// The log was inspected over this connection.
    trusted: bool,
    /// The next wait for an inspection has a random length.
    spread: bool,
    backoff: Backoff,
    batch: usize,
    next_inspection: Instant,
    /// The time between two inspections of a log without new events.
    inspect_quiet_every: Duration,
    /// The number of the newest entry at the last inspection. When the follower reaches this number, one round is complete.
    catching_up_to: Option<u64>,
    /// A probe should be written at this time.
    probe_at: Option<Instant>,
    probe: Option<(PublishId, Instant)>,
    /// The next entry has a later version of the format.
    blocked: bool,
}

impl Follower {
    pub(crate) fn new(now: Instant, random: Random, bounds: FollowerBounds, rules: FollowerRules) -> Self {
        Self {
            random,
            bounds,
            rules,
            phase: FollowPhase::Disconnected(now),
            uid: None,
            past: VecDeque::new(),
            recent: Recent::new(bounds.remembered),
            republished: Republished::default(),
            lost: None,
            trusted: false,
            spread: true,
            backoff: Backoff::default(),
            batch: (bounds.batch / 8).max(1),
            next_inspection: now,
            inspect_quiet_every: INSPECT_EVERY,
            catching_up_to: None,
            probe_at: None,
            probe: None,
            blocked: false,
        }
    }

    /// Returns the next command.
    pub(crate) fn command(&mut self, now: Instant, effects: &mut Vec<Effect>) -> Command {
        if let FollowPhase::Disconnected(until) = self.phase {
            if now < until {
                return Command::Sleep(until);
            }
            self.phase = FollowPhase::Connecting;
        }
        let last = self.recent.last().map(|(id, _)| id.position());
        if let (FollowPhase::Waiting | FollowPhase::CatchingUp, Some(_)) = (&self.phase, last) {
            if self.probe.is_some_and(|(_, until)| until <= now) {
                // The probe did not come back: this server does not receive the publishes.
                effects.push(Effect::ProbeLost);
                self.give_up(now, effects);
                return self.command(now, effects);
            }
            if self.probe.is_none() && self.probe_at.is_some_and(|at| at <= now) {
                self.probe_at = None;
                let probe = PublishId::draw(&self.random);
                self.probe = now.checked_add(PROBE_TIMEOUT).map(|until| (probe, until));
                effects.push(Effect::Probe(probe));
            }
            if self.next_inspection <= now {
                self.phase = FollowPhase::Inspecting;
            }
        }
        match (&self.phase, last) {
            (FollowPhase::Attaching, _) => Command::Attach(self.random.uuid().simple().to_string().into_bytes().into()),
            (FollowPhase::Inspecting, at) => Command::Inspect(at),
            (FollowPhase::Loading(loading), _) => match loading.entries.front() {
                None => Command::Load(self.batch),
                Some(oldest) => Command::LoadBefore(oldest.position(), self.batch),
            },
            (FollowPhase::Searching(search), _) => match self.recent.get(search.middle()) {
                Some(id) => Command::Find(id.position()),
                None => Command::Inspect(last),
            },
            (FollowPhase::Waiting, Some(last)) => {
                Command::Wait(last, self.batch, self.next_inspection.saturating_duration_since(now))
            }
            (FollowPhase::CatchingUp, Some(last)) => Command::CatchUp(last, self.batch),
            (FollowPhase::LoadingState(load), _) => load.command(self.batch),
            (
                FollowPhase::Disconnected(_) | FollowPhase::Connecting | FollowPhase::Waiting | FollowPhase::CatchingUp,
                _,
            ) => Command::Connect,
        }
    }

    /// Handles the reply to the last command.
    pub(crate) fn handle(&mut self, now: Instant, reply: Reply, effects: &mut Vec<Effect>) {
        match (std::mem::replace(&mut self.phase, FollowPhase::Inspecting), reply) {
            (FollowPhase::Connecting, Reply::Connected) => {
                self.trusted = !self.rules.inspect_on_connect && self.recent.last().is_some();
                if self.trusted {
                    self.follow(now, effects);
                }
            }
            (FollowPhase::Attaching, Reply::Attached) => {}
            // The phase may still be `Searching`, if the entries to search are no longer remembered.
            (FollowPhase::Inspecting | FollowPhase::Searching(_), Reply::Inspected(head)) => {
                self.inspected(now, head, effects)
            }
            (FollowPhase::Searching(search), Reply::Found(found)) => self.found_entry(now, search, found, effects),
            (FollowPhase::Loading(loading), Reply::Loaded(head, entries)) => {
                self.loaded(now, loading, &head, entries, effects)
            }
            (FollowPhase::Loading(loading), Reply::LoadedBefore(entries)) => self.load(now, loading, entries, effects),
            (FollowPhase::Waiting, Reply::Read(entries, full, uid)) => self.read(now, entries, full, uid, effects),
            (FollowPhase::Waiting, Reply::Nothing) => self.phase = FollowPhase::Waiting,
            (FollowPhase::CatchingUp, Reply::CaughtUp(head, entries)) => self.caught_up(now, &head, entries, effects),
            (FollowPhase::LoadingState(load), Reply::State(head, found)) => {
                self.state_found(now, load, &head, found, effects)
            }
            (FollowPhase::LoadingState(load), Reply::CaughtUp(head, entries)) => {
                self.state_caught_up(now, load, &head, entries, effects)
            }
            // An unexpected reply counts as a broken connection.
            _ => self.give_up(now, effects),
        }
    }

    /// Sets the time between two inspections of a log without new events: one second by default.
    pub(crate) const fn inspect_quiet_every(&mut self, time: Duration) {
        self.inspect_quiet_every = time;
    }

    /// Inspects the log at this time at the latest.
    pub(crate) fn inspect_by(&mut self, time: Instant) {
        self.next_inspection = self.next_inspection.min(time);
    }

    pub(crate) const fn next_inspection(&self) -> Instant {
        self.next_inspection
    }

    /// Writes a probe at once, or as soon as the log is followed.
    pub(crate) const fn probe_now(&mut self, now: Instant) {
        self.probe_at = Some(now);
    }

    fn give_up(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        effects.push(Effect::Following(false));
        (self.trusted, self.spread) = (false, true);
        self.probe = None;
        // The batch may have been too large to arrive in time.
        self.batch = (self.batch / 2).max(1);
        self.phase = FollowPhase::Disconnected(now + self.backoff.next(&self.random));
    }

    fn follow(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.backoff.reset();
        let quiet = self.inspect_quiet_every;
        self.next_inspection = now
            + match std::mem::replace(&mut self.trusted, true) {
                // Before the first inspection after a connect the log may have lost entries.
                false => INSPECT_EVERY,
                // The logs of one connection are not inspected at once.
                true if std::mem::take(&mut self.spread) => backoff::part(quiet, &self.random).max(INSPECT_EVERY),
                true => quiet + backoff::part(quiet / 8, &self.random),
            };
        self.phase = FollowPhase::Waiting;
        if !self.blocked {
            effects.push(Effect::Following(true));
        }
    }

    /// Does not pass this entry. The follower reads the entry again after the longest wait: it may be trimmed then.
    fn block_at(&mut self, now: Instant, id: EventId, version: u64, effects: &mut Vec<Effect>) {
        self.blocked = true;
        self.give_up(now, effects);
        self.phase = FollowPhase::Disconnected(now + backoff::LONGEST);
        effects.push(Effect::Newer(id, version));
    }
}
