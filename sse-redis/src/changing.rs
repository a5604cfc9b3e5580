//! Changing the keys of state topics: the entries of the log, and the newest entry of each key beside the log, in one step.
//!
//! | key | content |
//! |---|---|
//! | `{LOG}:state` | `bytes`: the size of all states. `:TOPIC`: the number of keys of a state topic, and their size |
//! | `{LOG}:state:TOPIC` | the newest entry of each key: its position, then the names and values of its fields, each after its length and a colon |
//!
//! The log loses old entries, and a node that starts later still needs each key. A key that is removed is only an entry of the log.

use crate::batch::MAX_BATCH;
use crate::entry::{Record, RecordKind, TOPIC_FIELD};
use crate::publish::RedisPublishError;
use crate::publish_id::PublishId;
use crate::replies::{bytes, event_id};
use crate::writer::LogWriter;
use redis::{Value, cmd};
use sse_core::Hub;
use sse_core::hub::log::StateBounds;
use sse_core::hub::{EventId, StateChange};
use std::collections::BTreeSet;
use tokio::time::Instant;

/// The bytes of the position of an entry that is kept for a key. A shorter position is followed by spaces, so that the size of a kept
/// entry is known before the server has chosen its position.
pub(crate) const STATE_POSITION_BYTES: usize = 41;

/// Makes all changes or none. `docs/publishing.md` describes the keys, the arguments and the reply.
const CHANGE: &str = include_str!("change.lua");

/// Removes a topic, with its keys if it is a state topic. `ARGV`: the number of entries that the log keeps, the topic, and the field
/// names and values of the entry.
const REMOVE: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local field, keys = ':' .. ARGV[2], {}
local size = redis.call('EXISTS', KEYS[2]) == 1 and redis.call('HGET', KEYS[2], field)
if size then
  redis.call('HDEL', KEYS[2], '')
  keys = redis.call('HKEYS', KEYS[3])
end
local id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 3))
for i = 1, #keys, 1000 do redis.call('HDEL', KEYS[3], unpack(keys, i, math.min(i + 999, #keys))) end
if size then
  redis.call('HDEL', KEYS[2], field)
  local total = redis.call('HGET', KEYS[2], 'bytes') - string.match(size, '%d+ (%d+)')
  if total > 0 then redis.call('HSET', KEYS[2], 'bytes', string.format('%.0f', total)) else redis.call('HDEL', KEYS[2], 'bytes') end
end
return id";

impl LogWriter {
    /// Makes all of these changes of state topics, or none. `bounds` are those of each topic.
    pub(crate) async fn change_all<T: AsRef<str>>(
        &self,
        hub: &Hub,
        bounds: StateBounds,
        changes: impl IntoIterator<Item = (T, StateChange)>,
    ) -> Result<Vec<Option<EventId>>, RedisPublishError> {
        let begun = Instant::now();
        let result = self.try_change_all(hub, bounds, changes).await;
        self.counters.published(&result, |ids| ids.iter().flatten().count() as u64, begun.elapsed());
        result
    }

    async fn try_change_all<T: AsRef<str>>(
        &self,
        hub: &Hub,
        bounds: StateBounds,
        changes: impl IntoIterator<Item = (T, StateChange)>,
    ) -> Result<Vec<Option<EventId>>, RedisPublishError> {
        let first = PublishId::draw(&self.random);
        let (mut arguments, mut topics, mut ids) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (id, (topic, change)) in first.successors().zip(changes) {
            if ids.len() == MAX_BATCH {
                return Err(RedisPublishError::TooMany);
            }
            let topic = topic.as_ref();
            let checked = hub.check_change(topic, change)?;
            check_state(hub, topic)?;
            let kind = if checked.is_removal { RecordKind::Unset } else { RecordKind::Set };
            let record = Record { publish: Some(id), ..Record::of_frame(topic, &checked.event) };
            // The script adds the topic, the kind and the key.
            let fields: Vec<_> = record.fields().into_iter().filter(|(name, _)| *name != TOPIC_FIELD).collect();
            arguments.extend([bounds.keys, bounds.bytes].map(|bound| bound.to_string().into_bytes()));
            arguments.extend([topic.into(), checked.key.into(), kind.as_str().unwrap_or_default().into()]);
            arguments.push((fields.len() * 2).to_string().into());
            arguments.extend(fields.into_iter().flat_map(|(name, value)| [name.into(), value]));
            topics.insert(self.keys.state_of(topic));
            ids.push(id);
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut change_all = cmd("EVAL");
        change_all.arg(CHANGE).arg(2 + topics.len()).arg(&self.keys.log).arg(&self.keys.state).arg(&topics);
        change_all.arg(self.limits.max_entries).arg(bounds.hub_bytes).arg(arguments);
        let unclear = || RedisPublishError::MaybeStored(first);
        let stored = self.append(&change_all, first, self.limits.replicas).await?;
        let Value::Array(reply) = stored.reply else { return Err(unclear()) };
        let mut reply = reply.into_iter();
        match reply.next().and_then(bytes).as_deref() {
            Some(b"ok") if reply.len() == ids.len() => {}
            Some(b"no log") => return Err(self.no_log()),
            Some(b"keys") => return Err(RedisPublishError::StateKeys(bounds.keys)),
            Some(b"bytes") => return Err(RedisPublishError::StateBytes(bounds.bytes)),
            _ => return Err(unclear()),
        }
        let changed = reply.zip(ids).map(|(position, id)| match position {
            Value::BulkString(position) if position.is_empty() => Ok(None),
            position => event_id(position, id.tag()).map(Some).ok_or_else(unclear),
        });
        let changed = changed.collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = changed.iter().flatten().last() {
            self.check_replicas(*last, stored.replicas)?;
        }
        Ok(changed)
    }

    /// Removes a topic from every hub that follows the log.
    pub(crate) async fn remove(&self, topic: &str) -> Result<EventId, RedisPublishError> {
        let id = PublishId::draw(&self.random);
        let mut remove = cmd("EVAL");
        remove.arg(REMOVE).arg(3).arg(&self.keys.log).arg(&self.keys.state).arg(self.keys.state_of(topic));
        remove.arg(self.limits.max_entries).arg(topic);
        for (name, value) in (Record { publish: Some(id), ..Record::removal(topic) }).fields() {
            remove.arg(name).arg(value);
        }
        let stored = self.append(&remove, id, self.limits.replicas).await?;
        let event = match stored.reply {
            Value::Nil => return Err(self.no_log()),
            position => event_id(position, id.tag()).ok_or(RedisPublishError::MaybeStored(id))?,
        };
        self.check_replicas(event, stored.replicas).map(|()| event)
    }
}

/// Whether a key of this topic can be changed, as far as this node knows.
fn check_state(hub: &Hub, topic: &str) -> Result<(), RedisPublishError> {
    if hub.ended(topic).is_some() {
        return Err(RedisPublishError::Ended);
    }
    let has_events = hub.topic_stats(topic).is_some_and(|stats| !stats.is_state && stats.held_events > 0);
    if has_events { Err(RedisPublishError::NotState) } else { Ok(()) }
}
