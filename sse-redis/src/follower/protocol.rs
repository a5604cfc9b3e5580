//! Commands and effects of the follower, and replies to it, in terms of a log instead of Redis.

use crate::entry::{LogEntry, Record};
use crate::publish_id::PublishId;
use sse_core::hub::EventId;
use std::time::{Duration, Instant};

/// The position of an entry in the log.
pub(crate) type Position = (u64, u64);

/// Identifies a log. A log that is deleted and created again has another uid.
pub(crate) type Uid = Box<[u8]>;

/// The next action of the driver, which answers with a [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Wait until this time.
    Sleep(Instant),
    /// Close the connection, if one is open, and open another.
    Connect,
    /// Create the log with this uid if there is none, and add an entry if the log is empty.
    Attach(Uid),
    /// Atomically: role, uid, information about the log, and the entry at this position.
    Inspect(Option<Position>),
    /// Atomically: the same as `Inspect`, and the newest entries, newest first. The number is a limit.
    Load(usize),
    /// The entries before a position, newest first. The number is a limit.
    LoadBefore(Position, usize),
    /// The entry at a position.
    Find(Position),
    /// The entries after a position, then the uid. Waits for an entry if there is none, at most this long. The number is a
    /// limit.
    Wait(Position, usize, Duration),
    /// Atomically: uid, information about the log, and the entries after a position. The number is a limit.
    CatchUp(Position, usize),
    /// Atomically: the same as `Inspect`, and a part of the state beside the log. The number is a limit of the keys.
    LoadState(Position, StatePart, usize),
}

/// A part of the state beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StatePart {
    /// The names of all state topics.
    Topics,
    /// Keys of these topics, from this cursor of the first one on.
    Keys(Vec<String>, String),
}

/// The reply to a [`StatePart`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StateFound {
    Topics(Vec<String>),
    /// The newest entry of each key, how many of the topics are complete, and the cursor of the next one.
    Keys(Vec<LogEntry>, usize, String),
}

/// The result of a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The command failed, or its result is unknown. The connection is closed.
    Failed,
    Connected,
    Attached,
    Inspected(LogHead),
    Loaded(LogHead, Vec<LogEntry>),
    LoadedBefore(Vec<LogEntry>),
    Found(Option<EventId>),
    /// The entries, whether the request was limited to this number, and the uid that was read after them.
    Read(Vec<LogEntry>, bool, Option<Uid>),
    /// No entry came. The uid was not read.
    Nothing,
    CaughtUp(LogHead, Vec<LogEntry>),
    State(LogHead, StateFound),
}

/// The state of the log at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogHead {
    /// Whether the server is the leader.
    pub(crate) master: bool,
    pub(crate) uid: Option<Uid>,
    /// `None`: the log does not exist.
    pub(crate) log: Option<LogInfo>,
    /// The entry at the requested position.
    pub(crate) at: Option<EventId>,
}

/// The information of the server about the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogInfo {
    /// Entries that were ever added.
    pub(crate) added: u64,
    /// Entries that the log has now.
    pub(crate) length: u64,
    /// The oldest and the newest entry of the log.
    pub(crate) first: Option<EventId>,
    pub(crate) last: Option<EventId>,
}

impl LogInfo {
    /// The number of the newest trimmed entry.
    pub(super) const fn trimmed(&self) -> u64 {
        self.added.saturating_sub(self.length)
    }
}

/// A change to the hub, or an action of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Append(EventId, Box<Record>),
    Advance(EventId),
    Truncate(EventId),
    Reset(EventId, Loss),
    /// The newest entry of each key of the state topics, in the order of the IDs.
    LoadState(Vec<(EventId, Box<Record>)>),
    /// The hub may accept subscriptions.
    Loaded,
    /// Every entry that the log had at some moment after the previous `CaughtUp` has been read.
    CaughtUp,
    /// The log is followed, or no longer followed.
    Following(bool),
    /// Write a probe.
    Probe(PublishId),
    /// The last probe did not come back.
    ProbeLost,
    /// The server is a replica.
    NotLeader,
    /// The log had this many entries that are not read yet.
    Lag(u64),
    /// An event is not sent, because the log has an earlier entry of the same publish.
    Repetition,
    /// An entry is skipped, because it is neither an event nor a probe.
    Unknown(EventId),
    /// The follower does not pass this entry, which has this version of the format.
    Newer(EventId, u64),
}

/// The cause of a reset of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// This many entries were trimmed before they were read.
    Trimmed(u64),
    /// The log was replaced by another log.
    Wiped,
    /// The log was truncated before the oldest entry that is remembered.
    Truncated,
    /// The entry count of the server differs from the count of the follower.
    Miscounted,
}
