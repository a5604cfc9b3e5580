//! Replies of the Redis server, as the follower needs them. A reply can contain anything: one that cannot be understood fails
//! its command and nothing else.

use crate::entry::LogEntry;
use crate::failure::Failure;
use crate::follower::{LogHead, LogInfo, Position, Uid};
use redis::Value;
use sse_core::hub::EventId;

/// Reads the reply to the script of an inspection.
pub(crate) fn head(value: Value, leader: bool) -> Result<(LogHead, Vec<LogEntry>), Failure> {
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
