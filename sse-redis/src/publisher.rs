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
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// The first and the longest wait before a new attempt to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The time between two pings of an idle connection.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A connection that stays open for this time resets the wait between attempts.
const STABLE: Duration = Duration::from_secs(5);

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

pub(crate) struct Publisher {
    client: Client,
    keys: Keys,
    limits: PublishLimits,
    permits: Semaphore,
    line: watch::Sender<PublishConnection>,
    broken: Notify,
    retry: Notify,
    pub(crate) random: Random,
}

/// The connection, if one is open, and a number that grows with each connection.
#[derive(Default)]
struct PublishConnection {
    connection: Option<MultiplexedConnection>,
    number: u64,
    stopped: bool,
}

impl Publisher {
    pub(crate) fn new(client: Client, keys: Keys, limits: PublishLimits, random: Random) -> Self {
        let permits = Semaphore::new(limits.in_flight);
        let (broken, retry) = (Notify::new(), Notify::new());
        Self { client, keys, limits, permits, line: watch::Sender::default(), broken, retry, random }
    }

    /// Keeps a connection open while the future is polled.
    pub(crate) async fn keep_connected(&self) {
        let mut attempts = 0;
        loop {
            // Each publish has a deadline of its own. This longer timeout only ends a connection that no longer answers.
            if let Ok(connection) = connect(&self.client, self.limits.deadline * 2, self.limits.in_flight).await {
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
        let now = Instant::now();
        // Half of the time is for waiting, so that the other half remains for the reply.
        let (turn, deadline) = (now + self.limits.deadline / 2, now + self.limits.deadline);
        let permit = timeout_at(turn, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(RedisPublishError::Overloaded) };
        let (mut connection, number) = self.connection(turn).await?;
        match timeout_at(deadline, add.query_async::<Value>(&mut connection)).await {
            Ok(Ok(Value::Nil)) => Err(NotStored::NoLog.into()),
            Ok(Ok(position)) => event_id(position, id.tag()).ok_or(RedisPublishError::MaybeStored(id)),
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
