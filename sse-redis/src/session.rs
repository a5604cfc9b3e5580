//! One connection of the reader, and the commands that the server offers on it.

use crate::failure::Failure;
use crate::stats::ConnectionCounters;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value, cmd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The name of the connection in `CLIENT LIST`.
pub(crate) const READER_NAME: &str = "sse-redis-follow";

/// A connection to a server. Commands can run at the same time; the server answers them one after the other.
pub(crate) struct Session {
    connection: MultiplexedConnection,
    counters: Arc<ConnectionCounters>,
    /// The server has `EVAL_RO`, and the user may call it.
    read_only: AtomicBool,
    /// The server has `ROLE`, and the user may call it. Several services do not offer the command.
    role: AtomicBool,
    /// The ID of this connection, with which another connection can end a read that waits. `None`: the server has no IDs.
    pub(crate) id: Option<i64>,
}

impl Session {
    pub(crate) async fn new(connection: MultiplexedConnection, counters: Arc<ConnectionCounters>) -> Self {
        let mut session =
            Self { connection, counters, read_only: AtomicBool::new(true), role: AtomicBool::new(true), id: None };
        if let Ok(Value::Int(id)) = session.run(cmd("CLIENT").arg("ID")).await {
            session.id = Some(id);
        }
        session
    }

    pub(crate) async fn run(&self, command: &Cmd) -> RedisResult<Value> {
        self.counters.sent(1);
        command.query_async(&mut self.connection.clone()).await
    }

    /// Sends all of these commands, and returns the reply or the error of each.
    pub(crate) async fn run_all(&self, commands: &mut Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        self.counters.sent(commands.len() as u64);
        commands.ignore_errors().query_async(&mut self.connection.clone()).await
    }

    /// Runs a script that only reads.
    pub(crate) async fn run_read_only(&self, script: &str, keys: &[&str], arguments: &[&str]) -> RedisResult<Value> {
        let command = |name| {
            let mut command = cmd(name);
            command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        if self.read_only.load(Ordering::Relaxed) {
            match self.run(&command("EVAL_RO")).await {
                Err(error) if is_unavailable(&error) => self.read_only.store(false, Ordering::Relaxed),
                result => return result,
            }
        }
        self.run(&command("EVAL")).await
    }

    /// Whether the server is a leader. A server that does not answer this question counts as one: a probe that does not come
    /// back, or a publish that is rejected, then shows that it is a replica.
    pub(crate) async fn is_leader(&self) -> Result<bool, Failure> {
        if self.role.load(Ordering::Relaxed) {
            match self.run(&cmd("ROLE")).await {
                Ok(Value::Array(role)) => {
                    let role = role.into_iter().next().and_then(crate::replies::bytes);
                    return Ok(role.as_deref() == Some(b"master"));
                }
                Ok(_) => return Err(Failure::Unexpected),
                Err(error) if is_unavailable(&error) => self.role.store(false, Ordering::Relaxed),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// The version of the server, for an error text.
    pub(crate) async fn version(&self) -> String {
        let info = self.run(cmd("INFO").arg("server")).await.ok().and_then(crate::replies::bytes).unwrap_or_default();
        let info = String::from_utf8_lossy(&info);
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        version.unwrap_or("below 7.0").to_owned()
    }
}

/// Whether the server does not have this command, or this user may not call it.
fn is_unavailable(error: &RedisError) -> bool {
    error.code() == Some("NOPERM") || error.detail().is_some_and(|detail| detail.starts_with("unknown command"))
}
