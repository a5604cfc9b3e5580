//! Publishing: one multiplexed connection for all, a bound on what is in flight, and a deadline.

use crate::commands::{Keys, event_id};
use crate::connection::connect;
use crate::entry::{CANARY, Record};
use crate::publish::{NotStored, PublishError};
use crate::publish_id::PublishId;
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, Value, cmd};
use sse_core::Random;
use sse_core::hub::EventId;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The wait before the connection is made again, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often an idle connection is asked whether it lives.
const HEARTBEAT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_entries: usize,
    pub(crate) in_flight: usize,
    pub(crate) deadline: Duration,
}

pub(crate) struct Publisher {
    client: Client,
    keys: Keys,
    limits: Limits,
    permits: Semaphore,
    line: Mutex<Line>,
    broken: Notify,
    pub(crate) random: Random,
}

/// The connection, if there is one, and the how-manieth.
#[derive(Default)]
struct Line {
    connection: Option<MultiplexedConnection>,
    number: u64,
}

impl Publisher {
    pub(crate) fn new(client: Client, keys: Keys, limits: Limits, random: Random) -> Self {
        let permits = Semaphore::new(limits.in_flight);
        Self { client, keys, limits, permits, line: Mutex::default(), broken: Notify::new(), random }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a connection, for as long as it is polled.
    pub(crate) async fn keep_connected(&self) {
        let mut attempts = 0;
        loop {
            // Publishes have a deadline of their own, so that replies need none; what is behind one that did not come
            // in time is given up with the connection.
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

    /// Finds out whether the connection still answers, so that it is made anew before somebody publishes.
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

    /// Gives the connection up, unless there is another by now.
    fn give_up(&self, number: u64) {
        let mut line = self.line();
        if line.number == number && line.connection.take().is_some() {
            self.broken.notify_one();
        }
    }

    pub(crate) async fn publish(&self, record: &Record, id: PublishId) -> Result<EventId, PublishError> {
        let mut add = self.add();
        for (name, value) in record.fields() {
            add.arg(name).arg(value);
        }
        self.store(&add, id).await
    }

    /// A sign of life in the log. Whether it was written shows when it is read.
    pub(crate) async fn canary(&self, canary: PublishId) {
        let mut add = self.add();
        add.arg(CANARY).arg(canary.to_string());
        let _ = self.store(&add, canary).await;
    }

    fn add(&self) -> Cmd {
        let mut add = cmd("XADD");
        add.arg(&self.keys.log).arg("NOMKSTREAM").arg("MAXLEN").arg("~").arg(self.limits.max_entries).arg("*");
        add
    }

    async fn store(&self, add: &Cmd, id: PublishId) -> Result<EventId, PublishError> {
        let deadline = Instant::now() + self.limits.deadline;
        // Half of the time is for waiting, so that whoever has its turn also has the time for an answer.
        let permit = timeout(self.limits.deadline / 2, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(PublishError::Overloaded) };
        let (connection, number) = {
            let line = self.line();
            (line.connection.clone(), line.number)
        };
        let Some(mut connection) = connection else { return Err(NotStored::Away.into()) };
        match timeout_at(deadline, add.query_async::<Value>(&mut connection)).await {
            Ok(Ok(Value::Nil)) => Err(NotStored::NoLog.into()),
            Ok(Ok(position)) => event_id(position, id.tag()).ok_or(PublishError::MaybeStored(id)),
            // The engine's own words: it has not done it.
            Ok(Err(error)) if error.code().is_some() => {
                if !error.to_string().contains("OOM") {
                    // A replica, a server that loads: look for the right one again.
                    self.give_up(number);
                }
                Err(NotStored::Refused(error.to_string().into()).into())
            }
            Ok(Err(_)) => {
                self.give_up(number);
                Err(PublishError::MaybeStored(id))
            }
            // Whether the connection is to blame is found out by asking it.
            Err(_) => Err(PublishError::MaybeStored(id)),
        }
    }
}
