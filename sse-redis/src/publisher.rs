//! Publishing: one multiplexed connection, a limit on publishes in flight, and a deadline.

use crate::commands::{Keys, event_id};
use crate::connection::connect;
use crate::entry::{PROBE_FIELD, Record};
use crate::publish::{NotStored, RedisPublishError};
use crate::publish_id::PublishId;
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, Value, cmd};
use sse_core::Random;
use sse_core::hub::EventId;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The first and the longest wait before a new attempt to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The time between two pings of an idle connection.
const HEARTBEAT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishLimits {
    pub(crate) max_entries: usize,
    pub(crate) in_flight: usize,
    pub(crate) deadline: Duration,
}

pub(crate) struct Publisher {
    client: Client,
    keys: Keys,
    limits: PublishLimits,
    permits: Semaphore,
    line: Mutex<PublishConnection>,
    broken: Notify,
    pub(crate) random: Random,
}

/// The connection, if one is open, and a number that grows with each connection.
#[derive(Default)]
struct PublishConnection {
    connection: Option<MultiplexedConnection>,
    number: u64,
}

impl Publisher {
    pub(crate) fn new(client: Client, keys: Keys, limits: PublishLimits, random: Random) -> Self {
        let permits = Semaphore::new(limits.in_flight);
        Self { client, keys, limits, permits, line: Mutex::default(), broken: Notify::new(), random }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, PublishConnection> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a connection open while the future is polled.
    pub(crate) async fn keep_connected(&self) {
        let mut attempts = 0;
        loop {
            // Each publish has a deadline of its own. This longer timeout only ends a connection that no longer answers.
            if let Ok(connection) = connect(&self.client, self.limits.deadline * 2, self.limits.in_flight).await {
                attempts = 0;
                {
                    let mut line = self.line();
                    line.number += 1;
                    line.connection = Some(connection);
                }
                while timeout(HEARTBEAT, self.broken.notified()).await.is_err() {
                    self.ping().await;
                }
            }
            let longest = BACKOFF.0.saturating_mul(1 << attempts.min(16)).min(BACKOFF.1);
            attempts += 1;
            let jitter = f64::from(self.random.uuid().as_u128() as u32) / f64::from(u32::MAX);
            sleep(longest.mul_f64(0.5 + jitter / 2.0)).await;
        }
    }

    /// Checks that the connection answers, so that a broken one is replaced before the next publish.
    async fn ping(&self) {
        let (connection, number) = {
            let line = self.line();
            (line.connection.clone(), line.number)
        };
        let Some(mut connection) = connection else { return };
        let ping = timeout(self.limits.deadline, cmd("PING").query_async::<Value>(&mut connection)).await;
        if !matches!(ping, Ok(Ok(_))) {
            self.give_up(number);
        }
    }

    /// Closes the connection with this number.
    fn give_up(&self, number: u64) {
        let mut line = self.line();
        if line.number == number && line.connection.take().is_some() {
            self.broken.notify_one();
        }
    }

    pub(crate) async fn publish(&self, record: &Record, id: PublishId) -> Result<EventId, RedisPublishError> {
        let mut add = self.add();
        for (name, value) in record.fields() {
            add.arg(name).arg(value);
        }
        self.store(&add, id).await
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

    async fn store(&self, add: &Cmd, id: PublishId) -> Result<EventId, RedisPublishError> {
        let deadline = Instant::now() + self.limits.deadline;
        // Half of the time is for waiting, so that the other half remains for the reply.
        let permit = timeout(self.limits.deadline / 2, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(RedisPublishError::Overloaded) };
        let (connection, number) = {
            let line = self.line();
            (line.connection.clone(), line.number)
        };
        let Some(mut connection) = connection else { return Err(NotStored::Away.into()) };
        match timeout_at(deadline, add.query_async::<Value>(&mut connection)).await {
            Ok(Ok(Value::Nil)) => Err(NotStored::NoLog.into()),
            Ok(Ok(position)) => event_id(position, id.tag()).ok_or(RedisPublishError::MaybeStored(id)),
            // The server answered with an error: the event was not stored.
            Ok(Err(error)) if error.code().is_some() => {
                if !error.to_string().contains("OOM") {
                    // A replica, or a server that loads: connect again, to find the leader.
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
