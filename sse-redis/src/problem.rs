//! The problems of a node, as a type for alerts.

use sse_core::hub::EventId;

/// The problem of a node, from [`Redis::problem`](crate::Redis::problem). The text of [`Display`](std::fmt::Display) names the
/// cause and the remedy.
///
/// ```
/// use sse_redis::Problem;
///
/// fn needs_a_person(problem: &Problem) -> bool {
///     !matches!(problem, Problem::Unreachable(_))
/// }
///
/// assert!(needs_a_person(&Problem::NotLeader));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No connection is open: the server does not answer, or the connection broke. The node reconnects by itself.
    #[error("the Redis server is unreachable: {0}")]
    Unreachable(Box<str>),
    /// The server is a replica, or rejects publishes as a replica does. Use the address of the leader, or a name that follows the leader.
    #[error("the Redis server is a replica: use the address of the leader")]
    NotLeader,
    /// The server has this version, and version 7.0 is required.
    #[error("the Redis server has version {0}, and at least version 7.0 is required")]
    TooOld(Box<str>),
    /// The server denied the login or a command. `docs/scaling.md` has the `ACL SETUSER` line of a user with the required
    /// rights.
    #[error("the Redis server denied access: {0}")]
    AccessDenied(Box<str>),
    /// The server answered with another error, for example that its memory is full.
    #[error("the Redis server returned an error: {0}")]
    Server(Box<str>),
    /// A probe was written and did not come back within 10 s: the node reads from another server than the one that receives
    /// its publishes, or the server rejects publishes. The problem remains until an entry arrives.
    #[error(
        "a probe did not come back: the node reads another server than it writes to, or the server rejects publishes"
    )]
    ProbeLost,
    /// The entry has a format version that this version of sse-redis does not know. The node does not pass the entry, so
    /// that no event is lost. Install a newer version of sse-redis on this node.
    #[error("the entry {id} has format version {version}, and this node reads version 1: install a newer sse-redis")]
    NewerFormat {
        /// The entry.
        id: EventId,
        /// The version of the entry.
        version: u64,
    },
    /// The node skipped this entry, because it has no topic or an invalid field, and follows the log. A program does not keep
    /// to the contract of `docs/publishing.md`. [`RedisStats::skipped`](crate::RedisStats::skipped) counts such entries.
    #[error("the entry {0} has no topic or an invalid field, so every node skips it")]
    UnknownEntry(EventId),
    /// The node does not trim the log by [`max_age`](crate::RedisBuilder::max_age) or
    /// [`max_bytes`](crate::RedisBuilder::max_bytes), for this reason. The user may lack the right to call `MEMORY USAGE`.
    #[error("the log is not trimmed by age or size: {0}")]
    Retention(Box<str>),
    /// [`Redis::stop`](crate::Redis::stop) was called.
    #[error("the node is stopped")]
    Stopped,
}

impl Problem {
    /// Whether both are of one kind, also with different texts.
    pub(crate) fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether the node cannot load the log until a person acts.
    pub(crate) const fn prevents_loading(&self) -> bool {
        matches!(self, Self::NotLeader | Self::TooOld(_) | Self::AccessDenied(_) | Self::NewerFormat { .. })
    }
}
