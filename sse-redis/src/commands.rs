//! Executes the commands of one follower on a Redis connection.

use crate::entry::{LogEntry, START_FIELD};
use crate::failure::Failure;
use crate::follower::{Command, LogHead, Position, Reply};
use crate::replies::{entries, head};
use crate::session::Session;
use redis::{Cmd, cmd};

/// The two keys of a log, in one slot of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) log: String,
    pub(crate) meta: String,
}

impl Keys {
    pub(crate) fn of(prefix: &str, hash_tag: Option<&str>, name: &str) -> Self {
        let base = match hash_tag {
            None => format!("{prefix}{{{name}}}"),
            Some(tag) => format!("{prefix}{{{tag}}}:{name}"),
        };
        Self { log: format!("{base}:log"), meta: format!("{base}:meta") }
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
local info, log = redis.pcall('XINFO', 'STREAM', KEYS[1]), {}
if info.err and string.find(info.err, 'no such key') then return head end
if info.err then return info end
for i = 1, #info, 2 do log[info[i]] = info[i + 1] end
local last = log['last-entry']
head[2] = {log['entries-added'] or -1, log['length'], short(log['first-entry']), short(last)}
if ARGV[2] == 'at' then
  if not last or last[1] ~= ARGV[1] then last = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1] end
  head[3] = short(last)
elseif ARGV[2] == 'newest' then
  head[4] = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[3])
elseif ARGV[2] == 'after' then
  head[4] = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[3])
end
return head";

/// Executes a command on this connection, to a server that is a leader or not. The reader handles `Sleep`, `Connect` and
/// `Wait` itself.
pub(crate) async fn execute(session: &Session, keys: &Keys, command: Command, leader: bool) -> Result<Reply, Failure> {
    let inspect = async |arguments, count| inspect(session, keys, arguments, count, leader).await;
    match command {
        Command::Sleep(_) | Command::Connect | Command::Wait(..) => Err(Failure::Unexpected),
        Command::Attach(uid) => {
            let mut attach = cmd("EVAL");
            attach.arg(ATTACH).arg(2).arg(&keys.log).arg(&keys.meta).arg(&*uid).arg(START_FIELD);
            session.run(&attach).await?;
            Ok(Reply::Attached)
        }
        Command::Inspect(at) => {
            let at = at.map_or_else(|| [String::new(), String::new()], |at| [text(at), "at".to_owned()]);
            Ok(Reply::Inspected(inspect(at, 0).await?.0))
        }
        Command::Load(count) => {
            let (head, entries) = inspect([String::new(), "newest".to_owned()], count).await?;
            Ok(Reply::Loaded(head, entries))
        }
        Command::LoadBefore(before, count) => {
            let mut back = cmd("XREVRANGE");
            back.arg(&keys.log).arg(format!("({}", text(before))).arg("-").arg("COUNT").arg(count);
            Ok(Reply::LoadedBefore(entries(session.run(&back).await?)?))
        }
        Command::Find(position) => {
            let found = session.run(&range(keys, position)).await?;
            Ok(Reply::Found(entries(found)?.first().map(|entry| entry.id)))
        }
        Command::CatchUp(after, count) => {
            let (head, entries) = inspect([text(after), "after".to_owned()], count).await?;
            Ok(Reply::CaughtUp(head, entries))
        }
    }
}

pub(crate) fn text(position: Position) -> String {
    format!("{}-{}", position.0, position.1)
}

fn range(keys: &Keys, at: Position) -> Cmd {
    let mut range = cmd("XRANGE");
    range.arg(&keys.log).arg(text(at)).arg(text(at));
    range
}

/// Runs [`INSPECT`].
async fn inspect(
    session: &Session,
    keys: &Keys,
    arguments: [String; 2],
    count: usize,
    leader: bool,
) -> Result<(LogHead, Vec<LogEntry>), Failure> {
    let value = session.run_read_only(INSPECT, [&keys.log, &keys.meta], &arguments, count).await?;
    match head(value, leader) {
        Err(Failure::TooOld(_)) => Err(Failure::TooOld(session.version().await)),
        head => head,
    }
}
