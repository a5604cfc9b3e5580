//! Many events in one command.

use crate::entry::Record;
use crate::publish::RedisPublishError;
use crate::publish_id::PublishId;
use crate::replies::event_id;
use crate::writer::{LogWriter, check_kind};
use redis::{Value, cmd};
use sse_core::hub::EventId;
use sse_core::{Hub, IntoFrame};
use tokio::time::Instant;

/// The largest number of events of one `publish_all`. The server does nothing else while it stores them.
pub(crate) const MAX_BATCH: usize = 1_024;

/// Appends entries, without another entry between them. The first argument is the number of entries that the log keeps. Each
/// entry is the number of its field names and values, and these. A transaction would need two more rights.
const ADD_ALL: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local ids, at = {}, 2
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  ids[#ids + 1] = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
return ids";

impl LogWriter {
    /// Publishes all events as consecutive entries, or none. The publish IDs follow from the first.
    pub(crate) async fn publish_all<T: AsRef<str>, E: IntoFrame>(
        &self,
        hub: &Hub,
        events: impl IntoIterator<Item = (T, E)>,
        again: Option<PublishId>,
    ) -> Result<Vec<EventId>, RedisPublishError> {
        let begun = Instant::now();
        let result = self.try_publish_all(hub, events, again).await;
        self.counters.published(&result, |ids| ids.len() as u64, begun.elapsed());
        result
    }

    async fn try_publish_all<T: AsRef<str>, E: IntoFrame>(
        &self,
        hub: &Hub,
        events: impl IntoIterator<Item = (T, E)>,
        again: Option<PublishId>,
    ) -> Result<Vec<EventId>, RedisPublishError> {
        let first = again.unwrap_or_else(|| PublishId::draw(&self.random));
        let mut add = cmd("EVAL");
        add.arg(ADD_ALL).arg(1).arg(&self.keys.log).arg(self.limits.max_entries);
        let mut ids = Vec::new();
        for (id, (topic, event)) in first.successors().zip(events) {
            if ids.len() == MAX_BATCH {
                return Err(RedisPublishError::TooMany);
            }
            let mut record = Record::of_frame(topic.as_ref(), &hub.check(topic.as_ref(), event)?);
            check_kind(hub, topic.as_ref())?;
            (record.publish, record.republished) = (Some(id), again.is_some());
            let fields = record.fields();
            add.arg(fields.len() * 2);
            for (name, value) in fields {
                add.arg(name).arg(value);
            }
            ids.push(id);
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.append(&add, first, self.limits.replicas).await?;
        let positions = match stored.reply {
            Value::Nil => return Err(self.no_log()),
            Value::Array(positions) if positions.len() == ids.len() => positions,
            _ => return Err(RedisPublishError::MaybeStored(first)),
        };
        let ids = positions.into_iter().zip(ids).map(|(position, id)| event_id(position, id.tag()));
        let ids = ids.collect::<Option<Vec<_>>>().ok_or(RedisPublishError::MaybeStored(first))?;
        ids.last().map_or(Ok(()), |last| self.check_replicas(*last, stored.replicas)).map(|()| ids)
    }
}
