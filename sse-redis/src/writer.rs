//! Writing to the log: one multiplexed connection, a limit on publishes in flight, and a deadline.

use crate::commands::{Keys, event_id};
use crate::connection::connect;
use crate::entry::{PROBE_FIELD, Record};
use crate::failure::problem_of;
use crate::problem::Problem;
use crate::publish::{NotStored, RedisPublishError};
use crate::publish_id::PublishId;
use crate::stats::{RedisCounters, RedisStats};
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, Value, cmd};
use sse_core::hub::EventId;
use sse_core::{Hub, IntoFrame, Random};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// The first and the longest wait before a new attempt to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The time between two pings of an idle connection.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A connection that stays open for this time resets the wait between attempts.
const STABLE: Duration = Duration::from_secs(5);

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

/// Whether another connection may reach a server that accepts publishes. After any other error, for example `NOREPLICAS` or
/// `OOM`, the same server would answer.
fn needs_reconnect(code: &str) -> bool {
    matches!(code, "READONLY" | "LOADING" | "MASTERDOWN" | "MOVED" | "CLUSTERDOWN" | "UNBLOCKED")
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishLimits {
    pub(crate) max_entries: usize,
    pub(crate) in_flight: usize,
    pub(crate) deadline: Duration,
}

/// Writes entries to the log.
pub(crate) struct LogWriter {
    client: Client,
    keys: Keys,
    limits: PublishLimits,
    permits: Semaphore,
    line: watch::Sender<PublishConnection>,
    broken: Notify,
    retry: Notify,
    /// The reason why no connection is open.
    problem: Mutex<Option<Problem>>,
    pub(crate) counters: RedisCounters,
    random: Random,
}

/// The connection, if one is open, and a number that grows with each connection.
#[derive(Default)]
struct PublishConnection {
    connection: Option<MultiplexedConnection>,
    number: u64,
    stopped: bool,
}

impl LogWriter {
    pub(crate) fn new(client: Client, keys: Keys, limits: PublishLimits, random: Random) -> Self {
        let permits = Semaphore::new(limits.in_flight);
        Self {
            client,
            keys,
            limits,
            permits,
            line: watch::Sender::default(),
            broken: Notify::new(),
            retry: Notify::new(),
            problem: Mutex::new(None),
            counters: RedisCounters::default(),
            random,
        }
    }

    /// Keeps a connection open while the future is polled.
    pub(crate) async fn keep_connected(&self) {
        let mut attempts = 0;
        loop {
            // Each publish has a deadline of its own. This longer timeout only ends a connection that no longer answers.
            let opened =
                connect(&self.client, "sse-redis-publish", self.limits.deadline * 2, self.limits.in_flight).await;
            self.set_problem(opened.as_ref().err().map(problem_of));
            if let Ok(connection) = opened {
                self.counters.connected();
                let since = Instant::now();
                self.line.send_modify(|line| {
                    line.number += 1;
                    line.connection = Some(connection);
                });
                while timeout(HEARTBEAT, self.broken.notified()).await.is_err() {
                    self.ping().await;
                }
                if since.elapsed() > STABLE {
                    attempts = 0;
                }
            }
            let longest = BACKOFF.0.saturating_mul(1 << attempts.min(16)).min(BACKOFF.1);
            attempts += 1;
            let jitter = f64::from(self.random.uuid().as_u128() as u32) / f64::from(u32::MAX);
            let _ = timeout(longest.mul_f64(0.5 + jitter / 2.0), self.retry.notified()).await;
        }
    }

    /// Ends the wait before the next attempt to connect: the follower has reached the server.
    pub(crate) fn connect_now(&self) {
        if self.line.borrow().connection.is_none() {
            self.retry.notify_one();
        }
    }

    /// Rejects all further publishes.
    pub(crate) fn stop(&self) {
        self.line.send_modify(|line| (line.connection, line.stopped) = (None, true));
    }

    /// Checks that the connection answers, so that a broken one is replaced before the next publish.
    async fn ping(&self) {
        let (connection, number) = {
            let line = self.line.borrow();
            (line.connection.clone(), line.number)
        };
        let Some(mut connection) = connection else { return };
        match timeout(self.limits.deadline, cmd("PING").query_async::<Value>(&mut connection)).await {
            Ok(Ok(_)) => {}
            // The user may not call PING, but the server answers.
            Ok(Err(error)) if error.code().is_some_and(|code| !needs_reconnect(code)) => {}
            _ => self.give_up(number),
        }
    }

    /// Closes the connection with this number.
    fn give_up(&self, number: u64) {
        let closed = self.line.send_if_modified(|line| line.number == number && line.connection.take().is_some());
        if closed {
            self.broken.notify_one();
        }
    }

    /// Waits for an open connection until this time.
    async fn connection(&self, until: Instant) -> Result<(MultiplexedConnection, u64), NotStored> {
        let mut line = self.line.subscribe();
        let open = timeout_at(until, line.wait_for(|line| line.stopped || line.connection.is_some())).await;
        let Ok(Ok(line)) = open else { return Err(NotStored::Away) };
        if line.stopped {
            return Err(NotStored::Stopped);
        }
        line.connection.clone().map(|connection| (connection, line.number)).ok_or(NotStored::Away)
    }

    /// The reason why no connection is open, or `None`.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_problem(&self, problem: Option<Problem>) {
        let before =
            std::mem::replace(&mut *self.problem.lock().unwrap_or_else(PoisonError::into_inner), problem.clone());
        if let (None, Some(problem)) = (before, problem) {
            crate::trace::publisher_away(&problem);
        }
    }

    pub(crate) fn stats(&self) -> RedisStats {
        self.counters.stats(self.limits.in_flight.saturating_sub(self.permits.available_permits()))
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
            Value::Nil => Err(NotStored::NoLog.into()),
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
            Value::Nil => return Err(NotStored::NoLog.into()),
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
        let (mut connection, number) = self.connection(turn).await?;
        match timeout_at(deadline, add.query_async::<Value>(&mut connection)).await {
            Ok(Ok(reply)) => Ok(reply),
            // The server answered with an error: the event was not stored.
            Ok(Err(error)) if error.code().is_some() => {
                if error.code().is_some_and(needs_reconnect) {
                    self.give_up(number);
                }
                Err(NotStored::Refused(error.to_string().into()).into())
            }
            Ok(Err(_)) => {
                self.give_up(number);
                Err(RedisPublishError::MaybeStored(id))
            }
            // The ping finds out whether the connection is broken.
            Err(_) => Err(RedisPublishError::MaybeStored(id)),
        }
    }
}
