//! What a follower says to its host, and is told: the engine's commands and replies, without the engine.

use crate::entry::{Entry, Record};
use crate::publish_id::PublishId;
use sse_core::hub::EventId;
use std::time::{Duration, Instant};

/// A place in the log.
pub(crate) type Position = (u64, u64);

/// What tells one life of a log from another.
pub(crate) type Uid = Box<[u8]>;

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
    pub(super) const fn trimmed(&self) -> u64 {
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
