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

/// Whether a script called a command or used a key without the right: the texts of Redis 7.0, and of later versions and Valkey.
fn is_denied_in_script(error: &RedisError) -> bool {
    let texts = ["The user executing the script can't", "ACL failure in script"];
    error.detail().is_some_and(|detail| texts.iter().any(|text| detail.starts_with(text)))
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
        Some(_) if is_denied_in_script(error) => Problem::AccessDenied(text),
        Some(_) => Problem::Server(text),
        None => Problem::Unreachable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> RedisError {
        let reply = redis::parse_redis_value(format!("-{code} text\r\n").as_bytes()).unwrap();
        reply.extract_error().unwrap_err()
    }

    #[test]
    fn only_an_error_that_another_connection_may_avoid_closes_the_connection() {
        for code in ["READONLY", "LOADING", "MASTERDOWN", "MOVED", "CLUSTERDOWN", "UNBLOCKED"] {
            assert!(needs_reconnect(&error(code)), "{code}");
        }
        for code in ["ERR", "NOREPLICAS", "OOM", "NOPERM", "WRONGTYPE", "MISCONF", "BUSY", "NOAUTH", "ASK", "TRYAGAIN"]
        {
            assert!(!needs_reconnect(&error(code)), "{code}");
        }
        assert!(needs_reconnect(&std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()));
    }

    #[test]
    fn each_error_has_a_problem() {
        assert_eq!(problem_of(&error("READONLY")), Problem::NotLeader);
        for code in ["NOPERM", "NOAUTH", "WRONGPASS"] {
            assert!(matches!(problem_of(&error(code)), Problem::AccessDenied(_)), "{code}");
        }
        assert!(matches!(problem_of(&error("OOM")), Problem::Server(text) if text.contains("OOM")));
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe).into();
        assert!(matches!(problem_of(&broken), Problem::Unreachable(_)));
    }
}
