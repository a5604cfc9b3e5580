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

mod again;
mod recent;
#[cfg(test)]
mod simulation;

use crate::entry::{Content, Entry, Record};
use crate::publish_id::PublishId;
use again::Again;
use recent::Recent;
use sse_core::Random;
use sse_core::hub::EventId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A place in the log.
pub(crate) type Position = (u64, u64);

/// What tells one life of a log from another.
pub(crate) type Uid = Box<[u8]>;

/// The most entries asked for at once.
pub(crate) const BATCH_ENTRIES: usize = 512;

/// The fewest asked for at once, however large they are.
const SMALL_BATCH: usize = 4;

/// What a batch should have in bytes. Entries are counted and not weighed by the server, so that a batch may be
/// larger where they suddenly grow: at most 512 of the largest.
const BATCH_BYTES: usize = 1024 * 1024;

/// How often the log is looked at, and the longest a read waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After this long without an entry somebody writes a canary, and up to half as much later, so that few do.
const QUIET: Duration = Duration::from_secs(10);

/// How long a canary may take to come back.
const CANARY_TIMEOUT: Duration = Duration::from_secs(10);

/// The wait before the first attempt to connect again, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How many past lives of the log are remembered.
const PAST_UIDS: usize = 64;

/// What the host is to do next, one at a time, and to answer with a [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Wait until then, and come again.
    Sleep(Instant),
    /// Drop the connection, if there is one, and make another.
    Connect,
    /// Create the log unless it is there, with this uid unless it has one; add an entry if it has none.
    Attach(Uid),
    /// In one transaction: role, uid, the log's own account, and the entry at this position.
    Look(Option<Position>),
    /// In one transaction: as `Look`, and the newest entries, at most so many, newest first.
    Load(usize),
    /// The entries before a position, at most so many, newest first.
    LoadBefore(Position, usize),
    /// The entry at a position.
    Probe(Position),
    /// The entries after a position, at most so many, waiting for one if there is none; then the uid.
    Wait(Position, usize, Duration),
    /// In one transaction: uid, the log's own account, and the entries after a position, at most so many.
    CatchUp(Position, usize),
}

/// What became of a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It was not done, or nobody knows: the connection is given up.
    Failed,
    Connected,
    Attached,
    Looked(Tip),
    Loaded(Tip, Vec<Entry>),
    LoadedBefore(Vec<Entry>),
    Probed(Option<EventId>),
    Read(Vec<Entry>, Option<Uid>),
    CaughtUp(Tip, Vec<Entry>),
}

/// The log at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tip {
    /// Whether the server is a master.
    pub(crate) master: bool,
    pub(crate) uid: Option<Uid>,
    /// `None`: there is no log.
    pub(crate) log: Option<Account>,
    /// The entry at the position asked about.
    pub(crate) at: Option<EventId>,
}

/// What the server says about the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// How many entries it was ever given.
    pub(crate) added: u64,
    /// How many it has.
    pub(crate) length: u64,
    /// The oldest and the newest it has.
    pub(crate) first: Option<EventId>,
    pub(crate) last: Option<EventId>,
}

impl Account {
    /// The number of the newest entry that is no longer there.
    const fn trimmed(&self) -> u64 {
        self.added.saturating_sub(self.length)
    }
}

/// What happens to the hub and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Append(EventId, Box<Record>),
    Advance(EventId),
    Truncate(EventId),
    Reset(EventId, Loss),
    /// The hub may take subscriptions.
    Loaded,
    /// All that the log had at some moment since this was said last was read.
    CaughtUp,
    /// The log is being followed, or it is not.
    Following(bool),
    /// Write a sign of life.
    Canary(PublishId),
}

/// Why the hub forgot what it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// So many entries were trimmed before they were read.
    Trimmed(u64),
    /// The log is another one.
    Wiped,
    /// It went back further than anybody here remembers.
    Rewritten,
    /// The server's count and ours differ.
    Miscounted,
}

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

#[derive(Debug, Default)]
struct Loading {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The number of the newest.
    number: u64,
}

#[derive(Debug)]
struct Searching {
    /// The entry of this number is common, or the oldest that may be; that of `high` is not.
    low: u64,
    low_is_common: bool,
    high: u64,
    tip: Tip,
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
            (Phase::Looking, Reply::Looked(tip)) => self.looked(now, tip, effects),
            // What was to be searched has been forgotten meanwhile.
            (Phase::Searching(_), Reply::Looked(tip)) => self.looked(now, tip, effects),
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
        if !self.trusted {
            self.trusted = true;
            self.canary_at = now + QUIET + self.jitter(QUIET / 2);
        }
        effects.push(Effect::Following(true));
    }

    fn is(&self, found: Option<EventId>, id: EventId) -> bool {
        found.is_some_and(|found| found == id || (!self.rules.tag && found.position() == id.position()))
    }

    fn looked(&mut self, now: Instant, tip: Tip, effects: &mut Vec<Effect>) {
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
            self.catching_up_to.get_or_insert(log.added);
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
            self.restart(now, newest, log.added, Loss::Wiped, effects);
        } else {
            self.restart(now, oldest, trimmed + 1, Loss::Wiped, effects);
        }
    }

    fn adopt(&mut self, uid: Uid) {
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

    fn catch_up(&mut self, effects: &mut Vec<Effect>) {
        let number = self.recent.last().map(|(_, number)| number);
        if self.catching_up_to.is_some_and(|wanted| number >= Some(wanted)) {
            self.catching_up_to = None;
            effects.push(Effect::CaughtUp);
        }
    }

    /// Everything is forgotten, and this entry is where it is told.
    fn restart(&mut self, now: Instant, id: EventId, number: u64, loss: Loss, effects: &mut Vec<Effect>) {
        if !matches!(loss, Loss::Trimmed(_)) {
            self.again.clear();
        }
        (self.lost, self.catching_up_to) = (None, None);
        self.again.pass_over(id);
        self.recent.start(id, number);
        effects.push(Effect::Reset(id, loss));
        self.follow(now, effects);
    }

    /// Something is missing before the entry that comes next, which a canary brings if nothing else does.
    const fn lose(&mut self, now: Instant, loss: Loss) {
        self.lost = Some(loss);
        self.canary_at = now;
    }

    fn probed(&mut self, now: Instant, mut search: Searching, found: Option<EventId>, effects: &mut Vec<Effect>) {
        let middle = search.middle();
        let Some(id) = self.recent.get(middle) else { return };
        if self.is(found, id) {
            (search.low, search.low_is_common) = (middle, true);
        } else {
            search.high = middle;
        }
        let common = search.low_is_common.then_some(search.low);
        let over = if search.low_is_common { search.low + 1 >= search.high } else { search.low >= search.high };
        self.phase = Phase::Searching(search);
        if over {
            self.found(now, common, effects);
        }
    }

    /// The search is over: this is the newest entry that the log and the hub have in common.
    fn found(&mut self, now: Instant, common: Option<u64>, effects: &mut Vec<Effect>) {
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
        if self.recent.first_number() <= trimmed + 1 {
            // None of those that are there was ever read.
            self.restart(now, oldest, trimmed + 1, Loss::Rewritten, effects);
        } else {
            self.restart(now, newest, log.added, Loss::Rewritten, effects);
        }
    }

    fn loaded(
        &mut self,
        now: Instant,
        mut loading: Loading,
        tip: &Tip,
        entries: Vec<Entry>,
        effects: &mut Vec<Effect>,
    ) {
        let (true, Some(uid), Some(log)) = (tip.master, tip.uid.clone(), tip.log) else { return };
        if entries.is_empty() {
            return;
        }
        self.adopt(uid);
        loading.number = log.added;
        self.load(now, loading, entries, effects);
    }

    /// One page more of the window, newest first.
    fn load(&mut self, now: Instant, mut loading: Loading, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
        let room =
            |loading: &Loading| loading.entries.len() < self.bounds.window.0 && loading.bytes <= self.bounds.window.1;
        let whole = entries.len() < self.batch;
        let weight = Self::each(&entries);
        for entry in entries {
            if room(&loading) {
                loading.bytes += entry.bytes;
                loading.entries.push_front(entry);
            }
        }
        let more = !whole && room(&loading);
        self.weigh(weight);
        if more {
            self.phase = Phase::Loading(loading);
            return;
        }
        let before = (loading.number + 1).saturating_sub(loading.entries.len() as u64);
        for (entry, number) in loading.entries.into_iter().zip(before..) {
            if self.recent.last().is_none() {
                self.recent.start(entry.id, number);
            } else {
                self.recent.push(entry.id);
            }
            self.pass_on(entry, effects);
        }
        effects.extend([Effect::Loaded, Effect::CaughtUp]);
        self.follow(now, effects);
    }

    /// Asks for fewer where entries are large.
    fn weigh(&mut self, each: Option<usize>) {
        if let Some(each) = each {
            self.batch = (BATCH_BYTES / each.max(1)).clamp(SMALL_BATCH.min(self.bounds.batch), self.bounds.batch);
        }
    }

    fn each(entries: &[Entry]) -> Option<usize> {
        entries.iter().map(|entry| entry.bytes).sum::<usize>().checked_div(entries.len())
    }

    fn read(&mut self, now: Instant, entries: Vec<Entry>, uid: Option<Uid>, effects: &mut Vec<Effect>) {
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

    fn caught_up(&mut self, now: Instant, tip: &Tip, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
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

    fn pass_on(&mut self, entry: Entry, effects: &mut Vec<Effect>) {
        self.hear(&entry);
        effects.push(match entry.content {
            Content::Event(record) if !self.again.is_repeated(entry.id, &record) => Effect::Append(entry.id, record),
            _ => Effect::Advance(entry.id),
        });
    }

    /// An entry that is passed over, but may be published again.
    fn remember(&mut self, entry: &Entry) {
        if let Content::Event(record) = &entry.content {
            self.again.is_repeated(entry.id, record);
        }
    }

    fn hear(&mut self, entry: &Entry) {
        if let (Content::Canary(heard), Some((sent, _))) = (&entry.content, self.canary)
            && *heard == sent
        {
            self.canary = None;
        }
    }
}

impl Searching {
    const fn middle(&self) -> u64 {
        self.low + (self.high - self.low) / 2
    }
}
