//! How a hub follows a log, without a socket, a clock or a task: commands come out, replies and the time go in.
//!
//! ```text
//!              ┌────────────────────── the connection fails ───────────────────────┐
//!              ▼                                                                   │
//!   Away ─► Connecting ─► Looking ─► Loading ─► Following ⇄ CatchingUp ── uid ──►──┤
//!                          ▲  │ ▲                  │                               │
//!               Attaching ◄┘  │ └──── every second ┘                               │
//!                             └─► Searching (the history went back) ─► Following ──┘
//! ```
//!
//! What makes it sound, each of which the simulation shows to be needed:
//!
//! 1. **Tags.** An entry is the one that was read only if its position *and* its tag agree.
//! 2. **Look on every connect**, before reading: the server is a master, and the last entry read is still there. If
//!    not, what remains is compared number by number, and the hub takes back what the log took back.
//! 3. **The log's uid with every batch**: a log that was wiped and begun again is noticed with the first of its entries.
//! 4. **Only attaching creates a log** (`NOMKSTREAM` for publishers), so that a log that was deleted cannot regrow
//!    under its old uid.
//! 5. **Numbers.** The server counts what it was ever given. A batch that is full is read again together with that
//!    count, and shows how many entries were trimmed before they were read; one that is not full needs no look, because
//!    trimming leaves at least two batches. Every second the count is compared once more.
//!
//! This file has the phases and the way from one to the next; `words` what is said between follower and host; and a file
//! each what a reply means while `looking`, `searching`, `loading` and `reading`.

mod again;
mod loading;
mod looking;
mod reading;
mod recent;
mod searching;
#[cfg(test)]
mod simulation;
mod words;

pub(crate) use words::{Account, Command, Effect, Loss, Position, Reply, Tip, Uid};

use crate::publish_id::PublishId;
use again::Again;
use loading::Loading;
use recent::Recent;
use searching::Searching;
use sse_core::Random;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The most entries asked for at once.
pub(crate) const BATCH_ENTRIES: usize = 512;

/// How often the log is looked at, and the longest a read waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After this long without an entry somebody writes a canary, and up to half as much later, so that few do.
const QUIET: Duration = Duration::from_secs(10);

/// How long a canary may take to come back.
const CANARY_TIMEOUT: Duration = Duration::from_secs(10);

/// The wait before the first attempt to connect again, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The bounds of a follower.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// What is loaded at the start: at most so many entries, and bytes, give or take one page.
    pub(crate) window: (usize, usize),
    /// The most entries asked for at once. The log keeps at least twice as many.
    pub(crate) batch: usize,
    /// How many entries are remembered, to be compared with a history that went back.
    pub(crate) remembered: usize,
}

/// Which rules hold: all of them, but in a test of what each is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) tag: bool,
    pub(crate) look_on_connect: bool,
    pub(crate) uid: bool,
    pub(crate) numbers: bool,
}

impl Rules {
    pub(crate) const ALL: Self = Self { tag: true, look_on_connect: true, uid: true, numbers: true };
}

#[derive(Debug)]
enum Phase {
    Away(Instant),
    Connecting,
    /// Asking what the log is.
    Looking,
    Attaching,
    /// Reading back from the newest entry, which lies at the back.
    Loading(Loading),
    /// For the newest entry in common.
    Searching(Searching),
    Waiting,
    CatchingUp,
}

/// The follower of one log. Call [`Follower::command`], do what it says, and answer with [`Follower::handle`]; effects
/// are to be carried out in their order, before the next command.
#[derive(Debug)]
pub(crate) struct Follower {
    random: Random,
    bounds: Bounds,
    rules: Rules,
    phase: Phase,
    uid: Option<Uid>,
    past: VecDeque<Uid>,
    recent: Recent,
    again: Again,
    /// Something was lost, and the next entry is where it is told.
    lost: Option<Loss>,
    /// This connection was looked at.
    trusted: bool,
    attempts: u32,
    batch: usize,
    next_look: Instant,
    /// The number of the newest entry when the log was looked at: once it is read, that much is caught up.
    catching_up_to: Option<u64>,
    canary_at: Instant,
    canary: Option<(PublishId, Instant)>,
}

impl Follower {
    pub(crate) fn new(now: Instant, random: Random, bounds: Bounds, rules: Rules) -> Self {
        Self {
            random,
            bounds,
            rules,
            phase: Phase::Away(now),
            uid: None,
            past: VecDeque::new(),
            recent: Recent::new(bounds.remembered),
            again: Again::default(),
            lost: None,
            trusted: false,
            attempts: 0,
            batch: (bounds.batch / 8).max(1),
            next_look: now,
            catching_up_to: None,
            canary_at: now,
            canary: None,
        }
    }

    /// What to do next.
    pub(crate) fn command(&mut self, now: Instant, effects: &mut Vec<Effect>) -> Command {
        if let Phase::Away(until) = self.phase {
            if now < until {
                return Command::Sleep(until);
            }
            self.phase = Phase::Connecting;
        }
        let last = self.recent.last().map(|(id, _)| id.position());
        if let (Phase::Waiting | Phase::CatchingUp, Some(_)) = (&self.phase, last) {
            if self.canary.is_some_and(|(_, until)| until <= now) {
                // What is written does not come back: this is not the server that takes the publishes.
                self.give_up(now, effects);
                return self.command(now, effects);
            }
            if self.canary.is_none() && self.canary_at <= now {
                let canary = PublishId::draw(&self.random);
                self.canary = now.checked_add(CANARY_TIMEOUT).map(|until| (canary, until));
                effects.push(Effect::Canary(canary));
            }
            if self.next_look <= now {
                self.phase = Phase::Looking;
            }
        }
        match (&self.phase, last) {
            (Phase::Attaching, _) => Command::Attach(self.random.uuid().simple().to_string().into_bytes().into()),
            (Phase::Looking, at) => Command::Look(at),
            (Phase::Loading(loading), _) => match loading.entries.front() {
                None => Command::Load(self.batch),
                Some(oldest) => Command::LoadBefore(oldest.position(), self.batch),
            },
            (Phase::Searching(search), _) => match self.recent.get(search.middle()) {
                Some(id) => Command::Probe(id.position()),
                None => Command::Look(last),
            },
            (Phase::Waiting, Some(last)) => {
                Command::Wait(last, self.batch, self.next_look.saturating_duration_since(now))
            }
            (Phase::CatchingUp, Some(last)) => Command::CatchUp(last, self.batch),
            (Phase::Away(_) | Phase::Connecting | Phase::Waiting | Phase::CatchingUp, _) => Command::Connect,
        }
    }

    /// Takes the reply to the last command.
    pub(crate) fn handle(&mut self, now: Instant, reply: Reply, effects: &mut Vec<Effect>) {
        match (std::mem::replace(&mut self.phase, Phase::Looking), reply) {
            (Phase::Connecting, Reply::Connected) => {
                self.trusted = !self.rules.look_on_connect && self.recent.last().is_some();
                if self.trusted {
                    self.follow(now, effects);
                }
            }
            (Phase::Attaching, Reply::Attached) => {}
            // Searching, too, if what was to be searched has been forgotten meanwhile.
            (Phase::Looking | Phase::Searching(_), Reply::Looked(tip)) => self.looked(now, tip, effects),
            (Phase::Searching(search), Reply::Probed(found)) => self.probed(now, search, found, effects),
            (Phase::Loading(loading), Reply::Loaded(tip, entries)) => self.loaded(now, loading, &tip, entries, effects),
            (Phase::Loading(loading), Reply::LoadedBefore(entries)) => self.load(now, loading, entries, effects),
            (Phase::Waiting, Reply::Read(entries, uid)) => self.read(now, entries, uid, effects),
            (Phase::CatchingUp, Reply::CaughtUp(tip, entries)) => self.caught_up(now, &tip, entries, effects),
            // A host that answers something else has lost its connection, for all this knows.
            _ => self.give_up(now, effects),
        }
    }

    fn give_up(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        effects.push(Effect::Following(false));
        self.trusted = false;
        self.canary = None;
        // What could not be read in time may have been too much.
        self.batch = (self.batch / 2).max(1);
        let longest = BACKOFF.0.saturating_mul(1 << self.attempts.min(16)).min(BACKOFF.1);
        self.attempts = self.attempts.saturating_add(1);
        self.phase = Phase::Away(now + longest / 2 + self.jitter(longest / 2));
    }

    /// An even share of a duration.
    fn jitter(&self, upto: Duration) -> Duration {
        let draw = self.random.uuid().as_u128() as u32;
        upto.mul_f64(f64::from(draw) / f64::from(u32::MAX))
    }

    fn follow(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.attempts = 0;
        self.next_look = now + LOOK_EVERY;
        self.phase = Phase::Waiting;
        let fresh = !std::mem::replace(&mut self.trusted, true);
        if fresh && self.lost.is_none() {
            self.canary_at = now + QUIET + self.jitter(QUIET / 2);
        }
        effects.push(Effect::Following(true));
    }
}
