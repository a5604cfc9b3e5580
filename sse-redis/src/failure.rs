//! Failed commands, and the problems that they show.

use crate::problem::Problem;
use redis::{ErrorKind, RedisError};

/// The cause of a failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Server(#[from] RedisError),
    #[error("the Redis server sent an unexpected reply")]
    Unexpected,
    #[error("the address of the Redis server was not resolved: {0}")]
    Unresolved(String),
    #[error("no leader of the log was found in time")]
    Unfound,
    #[error("the Redis server has version {0}, and at least version 7.0 is required")]
    TooOld(String),
}

impl Failure {
    /// Whether the connection must be replaced. Otherwise only the log of the command is affected.
    pub(crate) fn closes_connection(&self) -> bool {
        matches!(self, Self::Server(error) if needs_reconnect(error))
    }

    /// The problem for the operator.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Server(error) => problem_of(error),
            Self::Unexpected => Problem::Server(self.to_string().into()),
            Self::Unresolved(_) | Self::Unfound => Problem::Unreachable(self.to_string().into()),
            Self::TooOld(version) => Problem::TooOld(version.as_str().into()),
        }
    }
}

/// Whether another connection may reach a server that accepts this command: the connection is broken, or the server is not the
/// leader or not ready. After any other error, for example `NOREPLICAS` or `OOM`, the same server would answer.
pub(crate) fn needs_reconnect(error: &RedisError) -> bool {
    error.code().is_none_or(|code| {
        matches!(code, "READONLY" | "LOADING" | "MASTERDOWN" | "MOVED" | "CLUSTERDOWN" | "UNBLOCKED")
    })
}

/// Whether the slot of the log is on its way to another server of a cluster.
pub(crate) fn is_moving(error: &RedisError) -> bool {
    matches!(error.code(), Some("ASK" | "TRYAGAIN"))
}

/// The problem that an error of the server or of the connection shows.
fn problem_of(error: &RedisError) -> Problem {
    let text = error.to_string().into();
    if error.kind() == ErrorKind::AuthenticationFailed {
        return Problem::AccessDenied(text);
    }
    match error.code() {
        Some("NOPERM" | "NOAUTH" | "WRONGPASS") => Problem::AccessDenied(text),
        Some("READONLY") => Problem::NotLeader,
        Some(_) => Problem::Server(text),
        None => Problem::Unreachable(text),
    }
}
