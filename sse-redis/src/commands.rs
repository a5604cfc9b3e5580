//! Executes the commands of the follower on a Redis connection. A reply can contain anything: one that cannot be understood
//! fails its command and nothing else.

use crate::entry::{LogEntry, START_FIELD};
use crate::failure::Failure;
use crate::follower::{Command, LogHead, LogInfo, Position, Reply, Uid};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, RedisResult, Value, cmd, pipe};
use sse_core::hub::EventId;

/// The two keys of a log, in one slot of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) log: String,
    pub(crate) meta: String,
}

impl Keys {
    pub(crate) fn of(prefix: &str, name: &str) -> Self {
        Self { log: format!("{prefix}{{{name}}}:log"), meta: format!("{prefix}{{{name}}}:meta") }
    }
}

/// A connection of the follower, and the commands that the server offers on it.
pub(crate) struct Session {
    connection: MultiplexedConnection,
    /// The server has `EVAL_RO`, and the user may call it.
    read_only: bool,
    /// The server has `ROLE`, and the user may call it. Several services do not offer the command.
    role: bool,
}

impl Session {
    pub(crate) const fn new(connection: MultiplexedConnection) -> Self {
        Self { connection, read_only: true, role: true }
    }
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

/// Returns the uid, information about the log, the entry at the position `ARGV[1]`, and the newest `ARGV[3]` entries or the
/// next entries after `ARGV[1]`, according to `ARGV[2]`.
///
/// A script is atomic, as a transaction is, and Redis runs a script that only reads also when its memory is full, unlike a
/// transaction. For the two ends of the log the script returns the publish ID only, which is enough for the event ID.
const INSPECT: &str = "
local function short(entry)
  if not entry then return false end
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'n' then
      if #fields[i + 1] == 24 and not string.find(fields[i + 1], '[^0-9a-f]') then
        return {entry[1], {'n', fields[i + 1]}}
      end
      break
    end
  end
  return entry
end
local head = {redis.call('HGET', KEYS[2], 'uid'), false, false, {}}
if redis.call('EXISTS', KEYS[1]) == 0 then return head end
local info, log = redis.call('XINFO', 'STREAM', KEYS[1]), {}
for i = 1, #info, 2 do log[info[i]] = info[i + 1] end
head[2] = {log['entries-added'] or -1, log['length'], short(log['first-entry']), short(log['last-entry'])}
if ARGV[2] == 'at' then
  head[3] = short(redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1])
elseif ARGV[2] == 'newest' then
  head[4] = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[3])
elseif ARGV[2] == 'after' then
  head[4] = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[3])
end
return head";

/// Executes a command on this connection. The driver handles `Sleep` and `Connect` itself.
pub(crate) async fn execute(session: &mut Session, keys: &Keys, command: Command) -> Result<Reply, Failure> {
    match command {
        Command::Sleep(_) | Command::Connect => Err(Failure::Unexpected),
        Command::Attach(uid) => {
            let mut attach = cmd("EVAL");
            attach.arg(ATTACH).arg(2).arg(&keys.log).arg(&keys.meta).arg(&*uid).arg(START_FIELD);
            attach.query_async::<Value>(&mut session.connection).await?;
            Ok(Reply::Attached)
        }
        Command::Inspect(at) => {
            let at = at.map_or_else(|| [String::new(), String::new()], |at| [text(at), "at".to_owned()]);
            Ok(Reply::Inspected(inspect(session, keys, at, 0).await?.0))
        }
        Command::Load(count) => {
            let (head, entries) = inspect(session, keys, [String::new(), "newest".to_owned()], count).await?;
            Ok(Reply::Loaded(head, entries))
        }
        Command::LoadBefore(before, count) => {
            let mut back = cmd("XREVRANGE");
            back.arg(&keys.log).arg(format!("({}", text(before))).arg("-").arg("COUNT").arg(count);
            Ok(Reply::LoadedBefore(entries(back.query_async(&mut session.connection).await?)?))
        }
        Command::Find(position) => {
            let found = range(keys, position).query_async(&mut session.connection).await?;
            Ok(Reply::Found(entries(found)?.first().map(|entry| entry.id)))
        }
        Command::Wait(after, count, block) => {
            let mut pipe = pipe();
            // Zero would block without limit.
            let block = u64::try_from(block.as_millis()).unwrap_or(u64::MAX).max(1);
            pipe.cmd("XREAD").arg("COUNT").arg(count).arg("BLOCK").arg(block);
            pipe.arg("STREAMS").arg(&keys.log).arg(text(after));
            pipe.cmd("HGET").arg(&keys.meta).arg("uid");
            pipe.ignore_errors();
            let mut values = pipe.query_async::<Vec<RedisResult<Value>>>(&mut session.connection).await?.into_iter();
            let mut next = || Ok::<_, Failure>(values.next().ok_or(Failure::Unexpected)??);
            Ok(Reply::Read(read(next()?)?, uid(next()?)))
        }
        Command::CatchUp(after, count) => {
            let (head, entries) = inspect(session, keys, [text(after), "after".to_owned()], count).await?;
            Ok(Reply::CaughtUp(head, entries))
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

/// Whether the server does not have this command, or this user may not call it.
fn is_unavailable(error: &RedisError) -> bool {
    error.code() == Some("NOPERM") || error.detail().is_some_and(|detail| detail.starts_with("unknown command"))
}

/// Runs [`INSPECT`], after `ROLE` where the server offers that command.
async fn inspect(
    session: &mut Session,
    keys: &Keys,
    arguments: [String; 2],
    count: usize,
) -> Result<(LogHead, Vec<LogEntry>), Failure> {
    let leader = is_leader(session).await?;
    let script = |name| {
        let mut script = cmd(name);
        script.arg(INSPECT).arg(2).arg(&keys.log).arg(&keys.meta).arg(&arguments).arg(count);
        script
    };
    let mut value = None;
    if session.read_only {
        match script("EVAL_RO").query_async::<Value>(&mut session.connection).await {
            Ok(found) => value = Some(found),
            Err(error) if is_unavailable(&error) => session.read_only = false,
            Err(error) => return Err(error.into()),
        }
    }
    let value = match value {
        Some(value) => value,
        None => script("EVAL").query_async(&mut session.connection).await?,
    };
    match head(value, leader) {
        Err(Failure::TooOld(_)) => Err(Failure::TooOld(version(session).await)),
        head => head,
    }
}

/// Whether the server is a leader. A server that does not answer this question counts as one: a probe that does not come
/// back, or a publish that is rejected, then shows that it is a replica.
async fn is_leader(session: &mut Session) -> Result<bool, Failure> {
    if session.role {
        match cmd("ROLE").query_async::<Value>(&mut session.connection).await {
            Ok(Value::Array(role)) => return Ok(role.into_iter().next().and_then(bytes).as_deref() == Some(b"master")),
            Ok(_) => return Err(Failure::Unexpected),
            Err(error) if is_unavailable(&error) => session.role = false,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// The version of the server, for an error text.
async fn version(session: &mut Session) -> String {
    let info = cmd("INFO").arg("server").query_async::<String>(&mut session.connection).await.unwrap_or_default();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    version.unwrap_or("below 7.0").to_owned()
}

/// Reads the reply to [`INSPECT`].
fn head(value: Value, leader: bool) -> Result<(LogHead, Vec<LogEntry>), Failure> {
    let Value::Array(parts) = value else { return Err(Failure::Unexpected) };
    let mut parts = parts.into_iter();
    let mut next = || parts.next().ok_or(Failure::Unexpected);
    let uid = uid(next()?);
    let log = match next()? {
        Value::Nil => None,
        Value::Array(info) => Some(info),
        _ => return Err(Failure::Unexpected),
    };
    let at = match next()? {
        Value::Nil => None,
        found => Some(entry(found).ok_or(Failure::Unexpected)?.id),
    };
    let entries = entries(next()?)?;
    let log = log.map(log_info).transpose()?;
    Ok((LogHead { master: leader, uid, log, at }, entries))
}

fn log_info(info: Vec<Value>) -> Result<LogInfo, Failure> {
    let mut info = info.into_iter();
    let mut next = || info.next().ok_or(Failure::Unexpected);
    let (added, length) = (next()?, next()?);
    if added == Value::Int(-1) {
        // A server before 7.0 does not send `entries-added`.
        return Err(Failure::TooOld(String::new()));
    }
    let mut end = || match next()? {
        Value::Nil => Ok(None),
        found => Ok::<_, Failure>(Some(entry(found).ok_or(Failure::Unexpected)?.id)),
    };
    let (first, last) = (end()?, end()?);
    let number = |value| number(&value).ok_or(Failure::Unexpected);
    Ok(LogInfo { added: number(added)?, length: number(length)?, first, last })
}

fn uid(value: Value) -> Option<Uid> {
    bytes(value).map(Into::into)
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
