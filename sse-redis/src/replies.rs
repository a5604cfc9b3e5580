//! Replies of the Redis server, as the follower needs them. A reply can contain anything: one that cannot be understood fails
//! its command and nothing else.

use crate::changing::STATE_POSITION_BYTES;
use crate::entry::LogEntry;
use crate::failure::Failure;
use crate::follower::{LogHead, LogInfo, Position, StateFound, Uid};
use redis::Value;
use sse_core::hub::EventId;

/// Reads the reply to the script of an inspection.
pub(crate) fn head(value: Value, leader: bool) -> Result<(LogHead, Vec<LogEntry>), Failure> {
    let (head, mut rest) = parts(value, leader)?;
    Ok((head, entries(rest.next().ok_or(Failure::Unexpected)?)?))
}

/// Reads the state of the log in the reply to the script of an inspection, and returns the rest of the reply.
pub(crate) fn parts(value: Value, leader: bool) -> Result<(LogHead, std::vec::IntoIter<Value>), Failure> {
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
    let log = log.map(log_info).transpose()?;
    Ok((LogHead { master: leader, uid, log, at }, parts))
}

/// The state topics, from the rest of an inspection that asks for them. A name that is no text is left out: no entry has this topic.
pub(crate) fn topics_found(mut rest: std::vec::IntoIter<Value>) -> Result<Vec<String>, Failure> {
    let Some(Value::Array(fields)) = rest.nth(2) else { return Err(Failure::Unexpected) };
    let name = |field| String::from_utf8(bytes(field)?.strip_prefix(b":")?.to_vec()).ok();
    Ok(fields.into_iter().filter_map(name).collect())
}

/// The keys of state topics, from the rest of an inspection that asks for them.
pub(crate) fn keys_found(mut rest: std::vec::IntoIter<Value>) -> Result<StateFound, Failure> {
    let mut next = || rest.next().ok_or(Failure::Unexpected);
    let (complete, cursor, keys) = (next()?, next()?, next()?);
    let complete = number(&complete).and_then(|complete| usize::try_from(complete).ok()).ok_or(Failure::Unexpected)?;
    let cursor = bytes(cursor).and_then(|cursor| String::from_utf8(cursor).ok()).ok_or(Failure::Unexpected)?;
    let Value::Array(keys) = keys else { return Err(Failure::Unexpected) };
    let keys = keys.into_iter().filter_map(|key| state_entry(&bytes(key)?)).collect();
    Ok(StateFound::Keys(keys, complete, cursor))
}

/// The entry that the server keeps for a key: its position, and the names and values of its fields, each with its length.
fn state_entry(kept: &[u8]) -> Option<LogEntry> {
    let (at, mut rest) = kept.split_at_checked(STATE_POSITION_BYTES)?;
    let mut words = Vec::new();
    while !rest.is_empty() {
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let (len, after) = (rest.get(..colon)?, rest.get(colon + 1..)?);
        let (word, after) = after.split_at_checked(str::from_utf8(len).ok()?.parse().ok()?)?;
        words.push(word);
        rest = after;
    }
    let (fields, _) = words.as_chunks::<2>();
    Some(LogEntry::read(position(at.trim_ascii_end())?, fields.iter().map(|[name, value]| (*name, *value))))
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

pub(crate) fn uid(value: Value) -> Option<Uid> {
    bytes(value).map(Into::into)
}

/// The key of a stream, and its entries.
type StreamEntries = (Vec<u8>, Vec<LogEntry>);

/// Reads the reply to `XREAD`: the streams that have entries.
pub(crate) fn streams(value: Value) -> Result<Vec<StreamEntries>, Failure> {
    let pair = |name, found| Ok((bytes(name).ok_or(Failure::Unexpected)?, entries(found)?));
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Array(streams) => streams
            .into_iter()
            .map(|stream| match stream {
                Value::Array(stream) => match <[Value; 2]>::try_from(stream) {
                    Ok([name, found]) => pair(name, found),
                    Err(_) => Err(Failure::Unexpected),
                },
                _ => Err(Failure::Unexpected),
            })
            .collect(),
        Value::Map(streams) => streams.into_iter().map(|(name, found)| pair(name, found)).collect(),
        _ => Err(Failure::Unexpected),
    }
}

pub(crate) fn entries(value: Value) -> Result<Vec<LogEntry>, Failure> {
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
