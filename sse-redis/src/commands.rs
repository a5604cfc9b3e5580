//! Executes the commands of one follower on a Redis connection.

use crate::entry::{LogEntry, START_FIELD};
use crate::failure::Failure;
use crate::follower::{Command, LogHead, Position, Reply, StateFound, StatePart};
use crate::replies::{entries, head, keys_found, parts, topics_found};
use crate::session::Session;
use redis::{Cmd, cmd};

/// The keys of a log, in one slot of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) log: String,
    pub(crate) meta: String,
    /// A hash with the size of each state topic. The key of a state topic is this key, a colon and the name of the topic.
    pub(crate) state: String,
}

impl Keys {
    pub(crate) fn of(prefix: &str, hash_tag: Option<&str>, name: &str) -> Self {
        let base = match hash_tag {
            None => format!("{prefix}{{{name}}}"),
            Some(tag) => format!("{prefix}{{{tag}}}:{name}"),
        };
        Self { log: format!("{base}:log"), meta: format!("{base}:meta"), state: format!("{base}:state") }
    }

    /// The key of the state of a topic.
    pub(crate) fn state_of(&self, topic: &str) -> String {
        format!("{}:{topic}", self.state)
    }
}

/// Creates the log if it does not exist, and its first entry if the log is empty. No other command creates a log, so a
/// log that was deleted is never mistaken for the old log. A new log has no state topics.
const ATTACH: &str = "
local uid = redis.call('HGET', KEYS[2], 'uid')
local exists = redis.call('EXISTS', KEYS[1]) == 1
if not exists and redis.call('EXISTS', KEYS[3]) == 1 then
  for _, topic in ipairs(redis.call('HKEYS', KEYS[3])) do
    local keys = redis.call('HKEYS', KEYS[3] .. topic)
    for i = 1, #keys, 1000 do redis.call('HDEL', KEYS[3] .. topic, unpack(keys, i, math.min(i + 999, #keys))) end
    redis.call('HDEL', KEYS[3], topic)
  end
end
if not exists or not uid then
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
macro_rules! inspect {
    ($($part:literal)?) => {
        concat!(
            "
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
"
            $(, $part)?,
            "return head"
        )
    };
}

const INSPECT: &str = inspect!();

/// Adds the names of the state topics to an inspection, or keys of the topics from `KEYS[4]` and `ARGV[5]` on: about `ARGV[3]` keys, from the
/// cursor `ARGV[4]` of the first topic on. The reply then has the number of complete topics, the cursor of the next one, and the keys. A log
/// without state topics needs no right to `HKEYS` and `HSCAN`.
const INSPECT_STATE: &str = inspect!(
    "
head[4], head[5], head[6] = 0, '0', {}
if #ARGV == 4 then
  if redis.call('EXISTS', KEYS[3]) == 1 then head[6] = redis.call('HKEYS', KEYS[3]) end
  return head
end
local at, keys = 5, head[6]
head[5] = ARGV[4]
while ARGV[at] and #keys < tonumber(ARGV[3]) do
  local page = redis.call('HSCAN', KEYS[at - 1], head[5], 'COUNT', ARGV[3])
  head[5] = page[1]
  for i = 2, #page[2], 2 do keys[#keys + 1] = page[2][i] end
  if page[1] == '0' then at = at + 1 end
end
head[4] = at - 5
"
);

/// Executes a command on this connection, to a server that is a leader or not. The reader handles `Sleep`, `Connect` and
/// `Wait` itself.
pub(crate) async fn execute(session: &Session, keys: &Keys, command: Command, leader: bool) -> Result<Reply, Failure> {
    let inspect = async |at: &str, what, count| inspect(session, keys, [at, what], count, leader).await;
    match command {
        Command::Sleep(_) | Command::Connect | Command::Wait(..) => Err(Failure::Unexpected),
        Command::Attach(uid) => {
            let mut attach = cmd("EVAL");
            attach.arg(ATTACH).arg(3).arg(&keys.log).arg(&keys.meta).arg(&keys.state).arg(&*uid).arg(START_FIELD);
            session.run(&attach).await?;
            Ok(Reply::Attached)
        }
        Command::Inspect(at) => {
            let (at, what) = at.map_or_else(|| (String::new(), ""), |at| (text(at), "at"));
            Ok(Reply::Inspected(inspect(&at, what, 0).await?.0))
        }
        Command::Load(count) => {
            let (head, entries) = inspect("", "newest", count).await?;
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
            let (head, entries) = inspect(&text(after), "after", count).await?;
            Ok(Reply::CaughtUp(head, entries))
        }
        Command::LoadState(at, part, count) => {
            let (at, count) = (text(at), count.to_string());
            let (topics, cursor) = match &part {
                StatePart::Topics => (&[][..], "0"),
                StatePart::Keys(topics, cursor) => (&topics[..], cursor.as_str()),
            };
            let mut arguments = vec![at.as_str(), "at", &count, cursor];
            arguments.extend(topics.iter().map(String::as_str));
            let states: Vec<_> = topics.iter().map(|topic| keys.state_of(topic)).collect();
            let mut names = vec![keys.log.as_str(), &keys.meta, &keys.state];
            names.extend(states.iter().map(String::as_str));
            let value = session.run_read_only(INSPECT_STATE, &names, &arguments).await?;
            let (head, rest) = parts(value, leader)?;
            let found = match part {
                // Without a log the reply has nothing else.
                _ if head.log.is_none() => StateFound::Topics(Vec::new()),
                StatePart::Topics => StateFound::Topics(topics_found(rest)?),
                StatePart::Keys(..) => keys_found(rest)?,
            };
            Ok(Reply::State(head, found))
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
    [at, what]: [&str; 2],
    count: usize,
    leader: bool,
) -> Result<(LogHead, Vec<LogEntry>), Failure> {
    let value = session.run_read_only(INSPECT, &[&keys.log, &keys.meta], &[at, what, &count.to_string()]).await?;
    match head(value, leader) {
        Err(Failure::TooOld(_)) => Err(Failure::TooOld(session.version().await)),
        head => head,
    }
}
