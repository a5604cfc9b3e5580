//! The errors of the calls of `Runs`.

use sse_core::hub::MAX_TOPIC_BYTES;

/// The reason why no run was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartRunError {
    /// A run has this ID, and goes on or is kept. [`Runs::start_or_get`](crate::Runs::start_or_get) returns that run;
    /// [`Runs::remove`](crate::Runs::remove) frees the ID.
    #[error("a run with this ID exists")]
    Exists,
    /// The prefix and the ID together have this many bytes, more than [`MAX_TOPIC_BYTES`].
    #[error("the topic of the run has {0} bytes, and the limit is {MAX_TOPIC_BYTES}")]
    IdTooLong(usize),
    /// As many runs are active as [`RunsBuilder::max_active`](crate::RunsBuilder::max_active) allows, or the hub has
    /// [`max_topics`](sse_core::hub::HubBuilder::max_topics) topics that are in use.
    #[error("too many runs are active: `RunsBuilder::max_active` and `HubBuilder::max_topics` change the limits")]
    TooMany,
    /// The hub follows a log, and these runs are in the memory of one process. `RunsBuilder::redis` shares them between the
    /// nodes of the log.
    #[error("the hub follows a log: `RunsBuilder::redis` shares the runs between the nodes of the log")]
    Followed,
    /// The log of several nodes did not answer in time. If the log has started the run, the run ends as `failed`.
    #[error(transparent)]
    Log(RunLogError),
    /// The call was made outside of a tokio runtime.
    #[error("a run needs a tokio runtime")]
    NoRuntime,
}

/// The log of several nodes did not answer within 5 s, for this reason. Answer 503. Runs in the memory of one process never return
/// this error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log of the runs did not answer: {0}")]
pub struct RunLogError(pub(crate) Box<str>);
