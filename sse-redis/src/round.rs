//! The commands of all logs at one moment.

use crate::follower::{Command, Position};
use crate::node::{NodeLog, WrongServer};
use std::time::{Duration, Instant};

/// The commands, each with the index of its log.
pub(crate) struct Round {
    pub(crate) connecting: Vec<usize>,
    pub(crate) commands: Vec<(usize, Command)>,
    /// The logs that wait for entries after a position.
    pub(crate) waiting: Vec<(usize, Position)>,
    /// The smallest limit on entries of the logs that wait.
    pub(crate) count: Option<usize>,
    /// A log has a command after this time.
    pub(crate) wakes_after: Duration,
}

impl Round {
    /// Asks each log for its next command. A log that wants to connect wakes after `until_connect`.
    pub(crate) fn collect(logs: &mut [NodeLog], now: Instant, until_connect: Duration) -> Result<Self, WrongServer> {
        let mut round = Self {
            connecting: Vec::new(),
            commands: Vec::new(),
            waiting: Vec::new(),
            count: None,
            wakes_after: Duration::MAX,
        };
        for (at, log) in logs.iter_mut().enumerate() {
            let wakes_after = match log.command(now)? {
                Command::Sleep(until) => until.saturating_duration_since(now),
                Command::Connect => {
                    round.connecting.push(at);
                    until_connect
                }
                Command::Wait(after, count, block) => {
                    round.count = Some(round.count.map_or(count, |least| least.min(count)));
                    round.waiting.push((at, after));
                    block
                }
                command => {
                    round.commands.push((at, command));
                    continue;
                }
            };
            round.wakes_after = round.wakes_after.min(wakes_after);
        }
        Ok(round)
    }
}
