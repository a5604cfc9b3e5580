//! Writing to one log: a limit on publishes in flight, and a deadline.

use crate::commands::Keys;
use crate::entry::{PROBE_FIELD, Record, RecordKind};
use crate::failure::{is_moving, needs_reconnect, problem_of};
use crate::problem::Problem;
use crate::publish::{NotStored, RedisPublishError};
use crate::publish_connection::PublishConnection;
use crate::publish_id::PublishId;
use crate::refusal::Refusal;
use crate::replies::event_id;
use crate::retention::Retention;
use crate::stats::{RedisCounters, RedisStats};
use redis::{Cmd, Value, cmd};
use sse_core::hub::EventId;
use sse_core::{Hub, IntoFrame, Random};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

/// The wait before a publish is repeated while the slot of the log moves to another server of a cluster.
const MOVING: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishLimits {
    pub(crate) max_entries: usize,
    pub(crate) in_flight: usize,
    pub(crate) deadline: Duration,
    pub(crate) replicas: u64,
    pub(crate) retention: Retention,
}

/// Writes entries to one log.
pub(crate) struct LogWriter {
    connection: Arc<PublishConnection>,
    /// Wakes the reader.
    wake: Arc<Notify>,
    pub(crate) keys: Keys,
    pub(crate) limits: PublishLimits,
    permits: Semaphore,
    /// For one command at a time that does not wait for publishes.
    reserved: Semaphore,
    stopped: watch::Sender<bool>,
    pub(crate) counters: RedisCounters,
    pub(crate) random: Random,
    /// The log did not exist. The reader of this node creates the log.
    no_log: AtomicBool,
    refusal: Refusal,
    /// The log is not trimmed by age or size.
    trim_problem: Mutex<Option<Problem>>,
}

/// Nothing was stored, or no answer came.
struct Failed {
    error: RedisPublishError,
    /// The problem that the error of the server shows.
    problem: Option<Problem>,
}

impl<E: Into<RedisPublishError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), problem: None }
    }
}

/// The reply to a command that stored something, and the number of replicas that have it.
pub(crate) struct Stored {
    pub(crate) reply: Value,
    pub(crate) replicas: u64,
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
            reserved: Semaphore::new(1),
            stopped: watch::Sender::new(false),
            counters: RedisCounters::default(),
            random,
            no_log: AtomicBool::new(false),
            refusal: Refusal::default(),
            trim_problem: Mutex::new(None),
        }
    }

    /// Rejects all further publishes.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// The reason why no connection is open, why the server refuses entries, or why the log is not trimmed, or `None`.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let trim = || self.trim_problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.connection.problem().or_else(|| self.refusal.problem()).or_else(trim)
    }

    /// Whether the log has limits of age or size.
    pub(crate) fn has_retention(&self) -> bool {
        self.limits.retention != Retention::default()
    }

    /// Whether a publish found no log since the last call.
    pub(crate) fn found_no_log(&self) -> bool {
        self.no_log.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn no_log(&self) -> RedisPublishError {
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
        self.publish_as(RecordKind::Event, hub, topic, event, again).await
    }

    /// Publishes an event, or the last event of its topic.
    pub(crate) async fn publish_as(
        &self,
        kind: RecordKind,
        hub: &Hub,
        topic: &str,
        event: impl IntoFrame,
        again: Option<PublishId>,
    ) -> Result<EventId, RedisPublishError> {
        let begun = Instant::now();
        let result = match hub.check(topic, event) {
            Ok(frame) => self.publish_record(hub, Record { kind, ..Record::of_frame(topic, &frame) }, again).await,
            Err(error) => Err(error.into()),
        };
        self.counters.published(&result, |_| 1, begun.elapsed());
        result
    }

    /// Publishes an event, unless its topic has ended or is a state topic.
    async fn publish_record(
        &self,
        hub: &Hub,
        record: Record,
        again: Option<PublishId>,
    ) -> Result<EventId, RedisPublishError> {
        let topic = record.topic.clone();
        check_kind(hub, &topic)?;
        let id = self.store_record(record, again).await?;
        // The end may have come from another node meanwhile.
        if hub.ended(&topic).is_some_and(|end| end < id) { Err(RedisPublishError::Ended) } else { Ok(id) }
    }

    async fn store_record(&self, mut record: Record, again: Option<PublishId>) -> Result<EventId, RedisPublishError> {
        let id = again.unwrap_or_else(|| PublishId::draw(&self.random));
        (record.publish, record.republished) = (Some(id), again.is_some());
        let mut add = self.add();
        for (name, value) in record.fields() {
            add.arg(name).arg(value);
        }
        let stored = self.append(&add, id, self.limits.replicas).await?;
        let event = match stored.reply {
            Value::Nil => return Err(self.no_log()),
            position => event_id(position, id.tag()).ok_or(RedisPublishError::MaybeStored(id))?,
        };
        self.check_replicas(event, stored.replicas).map(|()| event)
    }

    pub(crate) fn check_replicas(&self, id: EventId, replicas: u64) -> Result<(), RedisPublishError> {
        if replicas < self.limits.replicas { Err(RedisPublishError::NotReplicated { id, replicas }) } else { Ok(()) }
    }

    /// Writes a probe. The follower notices whether the probe was stored.
    pub(crate) async fn probe(&self, probe: PublishId) {
        let mut add = self.add();
        add.arg(PROBE_FIELD).arg(probe.to_string());
        let _ = self.append(&add, probe, 0).await;
    }

    /// Trims the log by age and size.
    pub(crate) async fn trim(&self) {
        let Some(trim) = self.limits.retention.command(&self.keys.log) else { return };
        let trimmed = self.store(&self.permits, &trim, PublishId::draw(&self.random), 0).await;
        // Without an answer the reason is the problem of the connection.
        let problem = match trimmed {
            Err(Failed { error: RedisPublishError::NotStored(NotStored::Refused(text)), .. }) => {
                Some(Problem::Retention(text))
            }
            _ => None,
        };
        *self.trim_problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    fn add(&self) -> Cmd {
        let mut add = cmd("XADD");
        add.arg(&self.keys.log).arg("NOMKSTREAM").arg("MAXLEN").arg("~").arg(self.limits.max_entries).arg("*");
        add
    }

    /// Appends entries, and notes whether the server accepts them.
    pub(crate) async fn append(&self, add: &Cmd, id: PublishId, replicas: u64) -> Result<Stored, RedisPublishError> {
        self.append_with(&self.permits, add, id, replicas).await
    }

    /// As `append`, also while publishes hold all of their permits.
    pub(crate) async fn append_reserved(&self, add: &Cmd, id: PublishId) -> Result<Stored, RedisPublishError> {
        self.append_with(&self.reserved, add, id, 0).await
    }

    async fn append_with(
        &self,
        permits: &Semaphore,
        add: &Cmd,
        id: PublishId,
        replicas: u64,
    ) -> Result<Stored, RedisPublishError> {
        let stored = self.store(permits, add, id, replicas).await;
        match &stored {
            Ok(_) => self.refusal.set(None),
            Err(Failed { problem: Some(problem), .. }) => self.refusal.set(Some(problem.clone())),
            Err(_) => {}
        }
        stored.map_err(|failed| failed.error)
    }

    /// Sends a command within the limits, and returns its reply when this many replicas have its effect, or at the deadline.
    async fn store(&self, permits: &Semaphore, add: &Cmd, id: PublishId, replicas: u64) -> Result<Stored, Failed> {
        let now = Instant::now();
        // Half of the time is for waiting, so that the other half remains for the reply.
        let (turn, deadline) = (now + self.limits.deadline / 2, now + self.limits.deadline);
        let permit = timeout_at(turn, permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(RedisPublishError::Overloaded.into()) };
        let mut stopped = self.stopped.subscribe();
        let mut refused = Failed::from(NotStored::Away);
        loop {
            let (mut connection, number) = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return Err(NotStored::Stopped.into()),
                connection = self.connection.open_until(turn) => connection.ok_or(refused)?,
            };
            self.connection.counters.sent(1);
            match timeout_at(deadline, add.query_async::<Value>(&mut connection)).await {
                Ok(Ok(reply)) if replicas == 0 || reply == Value::Nil => return Ok(Stored { reply, replicas: 0 }),
                Ok(Ok(reply)) => {
                    self.connection.counters.sent(1);
                    let found = self.connection.replication.wait((connection, number), replicas, deadline).await;
                    return Ok(Stored { reply, replicas: found });
                }
                // The server answered with an error: the event was not stored.
                Ok(Err(error)) if error.code().is_some() => {
                    refused = Failed {
                        error: NotStored::Refused(error.to_string().into()).into(),
                        problem: Some(problem_of(&error)),
                    };
                    if needs_reconnect(&error) {
                        // Another server may have become the leader.
                        self.connection.give_up(number);
                    } else if is_moving(&error) && Instant::now() + MOVING < turn {
                        tokio::time::sleep(MOVING).await;
                    } else {
                        return Err(refused);
                    }
                }
                Ok(Err(_)) => {
                    self.connection.give_up(number);
                    return Err(RedisPublishError::MaybeStored(id).into());
                }
                Err(_) => {
                    // A ping finds out whether the connection is broken.
                    self.connection.check();
                    return Err(RedisPublishError::MaybeStored(id).into());
                }
            }
        }
    }
}

/// Whether an event without a key can be published to this topic, as far as this node knows.
pub(crate) fn check_kind(hub: &Hub, topic: &str) -> Result<(), RedisPublishError> {
    if hub.ended(topic).is_some() {
        return Err(RedisPublishError::Ended);
    }
    let is_state = hub.topic_stats(topic).is_some_and(|stats| stats.is_state);
    if is_state { Err(RedisPublishError::State) } else { Ok(()) }
}
