//! Executes the commands of the follower on a Redis connection. A reply can contain anything: one that cannot be understood
//! fails its command and nothing else.

use crate::entry::{LogEntry, START_FIELD};
use crate::follower::{Command, LogHead, LogInfo, Position, Reply, Uid};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value, cmd, pipe};
use sse_core::hub::EventId;

/// The two keys of a log, in one slot of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) log: String,
    pub(crate) meta: String,
}

impl Keys {
    pub(crate) fn of(name: &str) -> Self {
        Self { log: format!("{{{name}}}:log"), meta: format!("{{{name}}}:meta") }
    }
}

/// The cause of a failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Server(#[from] RedisError),
    #[error("the Redis server sent an unexpected reply")]
    Unexpected,
}

/// Creates the log if it does not exist, and its first entry if the log is empty. No other command creates a log, so a
/// log that was deleted is never mistaken for the old log.
const ATTACH: &str = "
local uid = redis.call('HGET', KEYS[2], 'uid')
if redis.call('EXISTS', KEYS[1]) == 0 or not uid then
  uid = ARGV[1]
  redis.call('HSET', KEYS[2], 'uid', uid, 'format', '1')
  redis.call('XADD', KEYS[1], '*', ARGV[2], uid)
elseif redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], '*', ARGV[2], uid)
end
return 1";

/// Executes a command on this connection. The driver handles `Sleep` and `Connect` itself.
pub(crate) async fn execute(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    command: Command,
) -> Result<Reply, Failure> {
    match command {
        Command::Sleep(_) | Command::Connect => Err(Failure::Unexpected),
        Command::Attach(uid) => {
            let mut attach = cmd("EVAL");
            attach.arg(ATTACH).arg(2).arg(&keys.log).arg(&keys.meta).arg(&*uid).arg(START_FIELD);
            attach.query_async::<Value>(connection).await?;
            Ok(Reply::Attached)
        }
        Command::Inspect(at) => {
            let mut pipe = inspection(keys);
            if let Some(at) = at {
                pipe.add_command(range(keys, at));
            }
            let mut values = ask(&pipe, connection).await?;
            let mut head = head(&mut values)?;
            if at.is_some() {
                head.at = entries(next(&mut values)?)?.first().map(|entry| entry.id);
            }
            Ok(Reply::Inspected(head))
        }
        Command::Load(count) => {
            let mut pipe = inspection(keys);
            pipe.cmd("XREVRANGE").arg(&keys.log).arg("+").arg("-").arg("COUNT").arg(count);
            let mut values = ask(&pipe, connection).await?;
            Ok(Reply::Loaded(head(&mut values)?, entries(next(&mut values)?)?))
        }
        Command::LoadBefore(before, count) => {
            let mut back = cmd("XREVRANGE");
            back.arg(&keys.log).arg(format!("({}", text(before))).arg("-").arg("COUNT").arg(count);
            Ok(Reply::LoadedBefore(entries(back.query_async(connection).await?)?))
        }
        Command::Find(position) => {
            let found = range(keys, position).query_async(connection).await?;
            Ok(Reply::Found(entries(found)?.first().map(|entry| entry.id)))
        }
        Command::Wait(after, count, block) => {
            let mut pipe = pipe();
            // Zero would block without limit.
            let block = u64::try_from(block.as_millis()).unwrap_or(u64::MAX).max(1);
            pipe.cmd("XREAD").arg("COUNT").arg(count).arg("BLOCK").arg(block);
            pipe.arg("STREAMS").arg(&keys.log).arg(text(after));
            pipe.cmd("HGET").arg(&keys.meta).arg("uid");
            let mut values = ask(&pipe, connection).await?;
            Ok(Reply::Read(read(next(&mut values)?)?, uid(next(&mut values)?)))
        }
        Command::CatchUp(after, count) => {
            let mut pipe = inspection(keys);
            pipe.cmd("XREAD").arg("COUNT").arg(count).arg("STREAMS").arg(&keys.log).arg(text(after));
            let mut values = ask(&pipe, connection).await?;
            Ok(Reply::CaughtUp(head(&mut values)?, read(next(&mut values)?)?))
        }
    }
}

fn text(position: Position) -> String {
    format!("{}-{}", position.0, position.1)
}

fn range(keys: &Keys, at: Position) -> Cmd {
    let mut range = cmd("XRANGE");
    range.arg(&keys.log).arg(text(at)).arg(text(at));
    range
}

/// The commands of a transaction that returns a [`LogHead`].
fn inspection(keys: &Keys) -> Pipeline {
    let mut pipe = pipe();
    pipe.atomic().cmd("ROLE");
    pipe.cmd("HGET").arg(&keys.meta).arg("uid");
    pipe.cmd("XINFO").arg("STREAM").arg(&keys.log);
    pipe
}

type Values = std::vec::IntoIter<RedisResult<Value>>;

async fn ask(pipe: &Pipeline, connection: &mut MultiplexedConnection) -> Result<Values, Failure> {
    let mut pipe = pipe.clone();
    pipe.ignore_errors();
    Ok(pipe.query_async::<Vec<RedisResult<Value>>>(connection).await?.into_iter())
}

fn next(values: &mut Values) -> Result<Value, Failure> {
    Ok(values.next().ok_or(Failure::Unexpected)??)
}

fn head(values: &mut Values) -> Result<LogHead, Failure> {
    let role = match next(values)? {
        Value::Array(role) => role.into_iter().next().and_then(bytes),
        _ => None,
    };
    let uid = uid(next(values)?);
    let log = match values.next().ok_or(Failure::Unexpected)? {
        Ok(account) => Some(self::log(account).ok_or(Failure::Unexpected)?),
        Err(error) if error.detail().is_some_and(|detail| detail.contains("no such key")) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(LogHead { master: role.as_deref() == Some(b"master"), uid, log, at: None })
}

fn uid(value: Value) -> Option<Uid> {
    bytes(value).map(Into::into)
}

/// Reads the reply to `XINFO STREAM`.
fn log(value: Value) -> Option<LogInfo> {
    let (mut added, mut length, mut first, mut last) = (None, None, None, None);
    for (name, value) in pairs(value)? {
        match name.as_slice() {
            b"entries-added" => added = number(&value),
            b"length" => length = number(&value),
            b"first-entry" => first = entry(value).map(|entry| entry.id),
            b"last-entry" => last = entry(value).map(|entry| entry.id),
            _ => {}
        }
    }
    // A server before 7.0 does not send `entries-added`.
    Some(LogInfo { added: added?, length: length?, first, last })
}

fn pairs(value: Value) -> Option<Vec<(Vec<u8>, Value)>> {
    match value {
        Value::Array(values) => {
            let mut values = values.into_iter();
            let mut pairs = Vec::with_capacity(values.len() / 2);
            while let (Some(name), Some(value)) = (values.next(), values.next()) {
                pairs.push((bytes(name)?, value));
            }
            Some(pairs)
        }
        Value::Map(pairs) => pairs.into_iter().map(|(name, value)| Some((bytes(name)?, value))).collect(),
        _ => None,
    }
}

/// Reads the reply to `XREAD` with one stream.
fn read(value: Value) -> Result<Vec<LogEntry>, Failure> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Array(streams) => match streams.into_iter().next() {
            Some(Value::Array(stream)) => entries(stream.into_iter().nth(1).ok_or(Failure::Unexpected)?),
            _ => Err(Failure::Unexpected),
        },
        Value::Map(streams) => entries(streams.into_iter().next().ok_or(Failure::Unexpected)?.1),
        _ => Err(Failure::Unexpected),
    }
}

fn entries(value: Value) -> Result<Vec<LogEntry>, Failure> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Array(entries) => entries.into_iter().map(entry).collect::<Option<_>>().ok_or(Failure::Unexpected),
        _ => Err(Failure::Unexpected),
    }
}

fn entry(value: Value) -> Option<LogEntry> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let position = position(&bytes(parts.next()?)?)?;
    let fields = match parts.next()? {
        Value::Array(fields) => fields.into_iter().map(bytes).collect::<Option<Vec<_>>>()?,
        Value::Map(fields) => {
            let fields = fields.into_iter().flat_map(|(name, value)| [name, value]);
            fields.map(bytes).collect::<Option<Vec<_>>>()?
        }
        _ => return None,
    };
    let (fields, _) = fields.as_chunks::<2>();
    Some(LogEntry::read(position, fields.iter().map(|[name, value]| (name.as_slice(), value.as_slice()))))
}

/// Parses a position as Redis writes it: `<ms>-<seq>`.
pub(crate) fn position(text: &[u8]) -> Option<Position> {
    let (ms, seq) = str::from_utf8(text).ok()?.split_once('-')?;
    Some((ms.parse().ok()?, seq.parse().ok()?))
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

pub(crate) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.into_bytes()),
        _ => None,
    }
}

/// The event ID of a position that Redis returned.
pub(crate) fn event_id(value: Value, tag: u32) -> Option<EventId> {
    Some(EventId::new(position(&bytes(value)?)?, tag))
}
