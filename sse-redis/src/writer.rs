//! Writing to one log: a limit on publishes in flight, and a deadline.

use crate::commands::Keys;
use crate::entry::{PROBE_FIELD, Record};
use crate::failure::{is_moving, needs_reconnect};
use crate::problem::Problem;
use crate::publish::{NotStored, RedisPublishError};
use crate::publish_connection::PublishConnection;
use crate::publish_id::PublishId;
use crate::replies::event_id;
use crate::stats::{RedisCounters, RedisStats};
use redis::{Cmd, Value, cmd};
use sse_core::hub::EventId;
use sse_core::{Hub, IntoFrame, Random};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

/// The wait before a publish is repeated while the slot of the log moves to another server of a cluster.
const MOVING: Duration = Duration::from_millis(50);

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

#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishLimits {
    pub(crate) max_entries: usize,
    pub(crate) in_flight: usize,
    pub(crate) deadline: Duration,
}

/// Writes entries to one log.
pub(crate) struct LogWriter {
    connection: Arc<PublishConnection>,
    /// Wakes the reader.
    wake: Arc<Notify>,
    keys: Keys,
    limits: PublishLimits,
    permits: Semaphore,
    stopped: watch::Sender<bool>,
    pub(crate) counters: RedisCounters,
    random: Random,
    /// The log did not exist. The reader of this node creates the log.
    no_log: AtomicBool,
}

impl LogWriter {
    pub(crate) fn new(
        connection: Arc<PublishConnection>,
        wake: Arc<Notify>,
        keys: Keys,
        limits: PublishLimits,
        random: Random,
    ) -> Self {
        Self {
            connection,
            wake,
            keys,
            limits,
            permits: Semaphore::new(limits.in_flight),
            stopped: watch::Sender::new(false),
            counters: RedisCounters::default(),
            random,
            no_log: AtomicBool::new(false),
        }
    }

    /// Rejects all further publishes.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// The reason why no connection is open, or `None`.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.connection.problem()
    }

    /// Whether a publish found no log since the last call.
    pub(crate) fn found_no_log(&self) -> bool {
        self.no_log.swap(false, Ordering::Relaxed)
    }

    fn no_log(&self) -> RedisPublishError {
        self.no_log.store(true, Ordering::Relaxed);
        self.wake.notify_one();
        NotStored::NoLog.into()
    }

    pub(crate) fn stats(&self) -> RedisStats {
        let in_flight = self.limits.in_flight.saturating_sub(self.permits.available_permits());
        self.counters.stats(in_flight, &self.connection.counters)
    }

    /// Publishes an event under the limits of this hub, with a publish ID of its own or as a repetition of this one.
    pub(crate) async fn publish(
        &self,
        hub: &Hub,
        topic: &str,
        event: impl IntoFrame,
        again: Option<PublishId>,
    ) -> Result<EventId, RedisPublishError> {
        let begun = Instant::now();
        let result = self.try_publish(hub, topic, event, again).await;
        self.counters.published(&result, |_| 1, begun.elapsed());
        result
    }

    async fn try_publish(
        &self,
        hub: &Hub,
        topic: &str,
        event: impl IntoFrame,
        again: Option<PublishId>,
    ) -> Result<EventId, RedisPublishError> {
        let mut record = Record::of_frame(topic, &hub.check(topic, event)?);
        let id = again.unwrap_or_else(|| PublishId::draw(&self.random));
        (record.publish, record.republished) = (Some(id), again.is_some());
        let mut add = self.add();
        for (name, value) in record.fields() {
            add.arg(name).arg(value);
        }
        match self.store(&add, id).await? {
            Value::Nil => Err(self.no_log()),
            position => event_id(position, id.tag()).ok_or(RedisPublishError::MaybeStored(id)),
        }
    }

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
        let positions = match self.store(&add, first).await? {
            Value::Nil => return Err(self.no_log()),
            Value::Array(positions) if positions.len() == ids.len() => positions,
            _ => return Err(RedisPublishError::MaybeStored(first)),
        };
        let ids = positions.into_iter().zip(ids).map(|(position, id)| event_id(position, id.tag()));
        ids.collect::<Option<_>>().ok_or(RedisPublishError::MaybeStored(first))
    }

    /// Writes a probe. The follower notices whether the probe was stored.
    pub(crate) async fn probe(&self, probe: PublishId) {
        let mut add = self.add();
        add.arg(PROBE_FIELD).arg(probe.to_string());
        let _ = self.store(&add, probe).await;
    }

    fn add(&self) -> Cmd {
        let mut add = cmd("XADD");
        add.arg(&self.keys.log).arg("NOMKSTREAM").arg("MAXLEN").arg("~").arg(self.limits.max_entries).arg("*");
        add
    }

    /// Sends a command within the limits, and returns its reply.
    async fn store(&self, add: &Cmd, id: PublishId) -> Result<Value, RedisPublishError> {
        let now = Instant::now();
        // Half of the time is for waiting, so that the other half remains for the reply.
        let (turn, deadline) = (now + self.limits.deadline / 2, now + self.limits.deadline);
        let permit = timeout_at(turn, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(RedisPublishError::Overloaded) };
        let mut stopped = self.stopped.subscribe();
        let mut refused = NotStored::Away;
        loop {
            let (mut connection, number) = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return Err(NotStored::Stopped.into()),
                connection = self.connection.open_until(turn) => connection.ok_or(refused)?,
            };
            self.connection.counters.sent(1);
            match timeout_at(deadline, add.query_async::<Value>(&mut connection)).await {
                Ok(Ok(reply)) => return Ok(reply),
                // The server answered with an error: the event was not stored.
                Ok(Err(error)) if error.code().is_some() => {
                    refused = NotStored::Refused(error.to_string().into());
                    if needs_reconnect(&error) {
                        // Another server may have become the leader.
                        self.connection.give_up(number);
                    } else if is_moving(&error) && Instant::now() + MOVING < turn {
                        tokio::time::sleep(MOVING).await;
                    } else {
                        return Err(refused.into());
                    }
                }
                Ok(Err(_)) => {
                    self.connection.give_up(number);
                    return Err(RedisPublishError::MaybeStored(id));
                }
                Err(_) => {
                    // A ping finds out whether the connection is broken.
                    self.connection.check();
                    return Err(RedisPublishError::MaybeStored(id));
                }
            }
        }
    }
}
