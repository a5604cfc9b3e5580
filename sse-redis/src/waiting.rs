//! One read that waits at the server for entries of many logs.

use crate::commands::{Keys, text};
use crate::failure::Failure;
use crate::follower::{Position, Reply};
use crate::replies::{streams, uid};
use crate::session::Session;
use redis::{RedisResult, Value, cmd, pipe};
use std::time::Duration;

/// A log that waits for entries after a position.
pub(crate) struct WaitingLog<'k> {
    pub(crate) keys: &'k Keys,
    pub(crate) after: Position,
    /// The log is likely to have entries: its uid is read together with them, without a round trip of its own.
    pub(crate) is_busy: bool,
}

/// Reads the entries of these logs, at most `count` of each, and after them the uid of each log that has entries. With
/// `block` the server waits for the first entry.
pub(crate) async fn read(
    session: &Session,
    logs: &[WaitingLog<'_>],
    count: usize,
    block: Option<Duration>,
) -> Result<Vec<Reply>, Failure> {
    let mut read = cmd("XREAD");
    read.arg("COUNT").arg(count);
    if let Some(block) = block {
        // Zero would block without limit.
        read.arg("BLOCK").arg(u64::try_from(block.as_millis()).unwrap_or(u64::MAX).max(1));
    }
    read.arg("STREAMS");
    read.arg(logs.iter().map(|log| &*log.keys.log).collect::<Vec<_>>());
    read.arg(logs.iter().map(|log| text(log.after)).collect::<Vec<_>>());
    let mut commands = pipe();
    commands.add_command(read);
    logs.iter().filter(|log| log.is_busy).for_each(|log| ask_for_uid(&mut commands, log));
    let mut replies = session.run_all(&mut commands).await?.into_iter();
    let mut found = streams(next(&mut replies)?)?;

    let mut answers = Vec::with_capacity(logs.len());
    let mut late = Vec::new();
    let mut more = pipe();
    for (at, log) in logs.iter().enumerate() {
        let entries = found.iter_mut().find(|(key, _)| *key == log.keys.log.as_bytes());
        let entries = entries.map(|(_, entries)| std::mem::take(entries)).unwrap_or_default();
        let full = entries.len() >= count;
        let uid = if log.is_busy {
            uid(next(&mut replies)?)
        } else if entries.is_empty() {
            answers.push(Reply::Nothing);
            continue;
        } else {
            ask_for_uid(&mut more, log);
            late.push(at);
            None
        };
        answers.push(Reply::Read(entries, full, uid));
    }
    if !late.is_empty() {
        let mut replies = session.run_all(&mut more).await?.into_iter();
        for at in late {
            if let Some(Reply::Read(_, _, known)) = answers.get_mut(at) {
                *known = uid(next(&mut replies)?);
            }
        }
    }
    Ok(answers)
}

fn ask_for_uid(commands: &mut redis::Pipeline, log: &WaitingLog<'_>) {
    commands.cmd("HGET").arg(&log.keys.meta).arg("uid");
}

fn next(replies: &mut impl Iterator<Item = RedisResult<Value>>) -> Result<Value, Failure> {
    Ok(replies.next().ok_or(Failure::Unexpected)??)
}
