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
    #[error("the Redis server has version {0}, and at least version 7.0 is required")]
    TooOld(String),
}

impl Failure {
    /// The problem for the operator.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Server(error) => problem_of(error),
            Self::Unexpected => Problem::Server(self.to_string().into()),
            Self::TooOld(version) => Problem::TooOld(version.as_str().into()),
        }
    }
}

/// The problem that an error of the server or of the connection shows.
pub(crate) fn problem_of(error: &RedisError) -> Problem {
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
