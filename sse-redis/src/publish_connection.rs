//! The connection that publishes: one for all logs of its users, open as long as it has a user.

use crate::backoff::Backoff;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, needs_reconnect};
use crate::problem::Problem;
use crate::replicas::Replication;
use crate::session::READER_NAME;
use crate::stats::ConnectionCounters;
use redis::aio::MultiplexedConnection;
use redis::{Value, cmd};
use sse_core::Random;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// The time between two pings of an idle connection. The reader, if there is one, asks for a ping when its own connection
/// breaks.
const HEARTBEAT: Duration = Duration::from_secs(1);
const HEARTBEAT_BESIDE_READER: Duration = Duration::from_secs(5);

/// A connection that stays open for this time resets the wait between attempts.
const STABLE: Duration = Duration::from_secs(5);

/// The time limit for ending a read of the other connection.
const UNBLOCK_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct PublishConnection {
    endpoint: Endpoint,
    /// The time limit of a ping, and half the time limit of any reply.
    deadline: Duration,
    in_flight: usize,
    open: watch::Sender<Open>,
    broken: Notify,
    retry: Notify,
    ping: Notify,
    users: Mutex<Users>,
    has_reader: AtomicBool,
    /// The reason why no connection is open.
    problem: Mutex<Option<Problem>>,
    pub(crate) counters: Arc<ConnectionCounters>,
    pub(crate) replication: Replication,
    random: Random,
}

/// The connection, if one is open, and a number that grows with each connection.
#[derive(Default)]
struct Open {
    connection: Option<MultiplexedConnection>,
    number: u64,
}

#[derive(Default)]
struct Users {
    number: usize,
    task: Option<AbortHandle>,
}

/// A user of the connection: a node or a publisher. The connection closes when the last one is dropped.
pub(crate) struct PublishUser(Arc<PublishConnection>);

impl Drop for PublishUser {
    fn drop(&mut self) {
        let mut users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.number -= 1;
        if users.number == 0
            && let Some(task) = users.task.take()
        {
            task.abort();
        }
    }
}

impl PublishConnection {
    /// Adds a user, and opens the connection on this runtime if it is the only one.
    pub(crate) fn user(self: &Arc<Self>, runtime: &Handle) -> PublishUser {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.number += 1;
        // The task also ends with the runtime on which it was started.
        if users.task.as_ref().is_none_or(AbortHandle::is_finished) {
            let connection = self.clone();
            users.task = Some(runtime.spawn(async move { connection.keep_connected().await }).abort_handle());
        }
        PublishUser(self.clone())
    }

    pub(crate) fn new(
        endpoint: Endpoint,
        deadline: Duration,
        in_flight: usize,
        counters: Arc<ConnectionCounters>,
        random: Random,
    ) -> Self {
        Self {
            endpoint,
            deadline,
            in_flight,
            open: watch::Sender::default(),
            broken: Notify::new(),
            retry: Notify::new(),
            ping: Notify::new(),
            users: Mutex::default(),
            has_reader: AtomicBool::new(false),
            problem: Mutex::new(None),
            counters,
            replication: Replication::default(),
            random,
        }
    }

    /// Keeps a connection open while the future is polled.
    pub(crate) async fn keep_connected(&self) {
        let _closes = CloseOnDrop(self);
        let mut backoff = Backoff::default();
        loop {
            // Each publish has a deadline of its own. This longer timeout only ends a connection that no longer answers.
            let opened = self.endpoint.connect("sse-redis-publish", self.deadline * 2, self.in_flight).await;
            self.set_problem(opened.as_ref().err().map(Failure::problem));
            if let Ok(connection) = opened {
                self.counters.connected();
                let since = Instant::now();
                self.open.send_modify(|open| {
                    open.number += 1;
                    open.connection = Some(connection);
                });
                loop {
                    let has_reader = self.has_reader.load(Ordering::Relaxed);
                    let heartbeat = if has_reader { HEARTBEAT_BESIDE_READER } else { HEARTBEAT };
                    tokio::select! {
                        () = self.broken.notified() => break,
                        () = self.ping.notified() => {}
                        () = tokio::time::sleep(heartbeat) => {}
                    }
                    self.send_ping().await;
                }
                if since.elapsed() > STABLE {
                    backoff.reset();
                }
            }
            let _ = timeout(backoff.next(&self.random), self.retry.notified()).await;
        }
    }

    /// Sets whether a reader asks for pings.
    pub(crate) fn set_reader(&self, has_reader: bool) {
        self.has_reader.store(has_reader, Ordering::Relaxed);
    }

    /// Ends the wait before the next attempt to connect: the reader has reached the server.
    pub(crate) fn connect_now(&self) {
        if self.open.borrow().connection.is_none() {
            self.retry.notify_one();
        }
    }

    /// Sends a ping now, so that a broken connection is replaced before the next publish.
    pub(crate) fn check(&self) {
        self.ping.notify_one();
    }

    async fn send_ping(&self) {
        let Some((mut connection, number)) = self.now_open() else { return };
        self.counters.sent(1);
        match timeout(self.deadline, cmd("PING").query_async::<Value>(&mut connection)).await {
            Ok(Ok(_)) => {}
            // The user may not call PING, but the server answers.
            Ok(Err(error)) if !needs_reconnect(&error) => {}
            _ => self.give_up(number),
        }
    }

    /// Closes the connection with this number.
    pub(crate) fn give_up(&self, number: u64) {
        let closed = self.open.send_if_modified(|open| open.number == number && open.connection.take().is_some());
        if closed {
            self.broken.notify_one();
        }
    }

    fn now_open(&self) -> Option<(MultiplexedConnection, u64)> {
        let open = self.open.borrow();
        open.connection.clone().map(|connection| (connection, open.number))
    }

    /// Waits for an open connection until this time.
    pub(crate) async fn open_until(&self, until: Instant) -> Option<(MultiplexedConnection, u64)> {
        let mut open = self.open.subscribe();
        let found = timeout_at(until, open.wait_for(|open| open.connection.is_some())).await.ok()?.ok()?;
        found.connection.clone().map(|connection| (connection, found.number))
    }

    /// Ends the read that waits on the reader's connection with this ID.
    pub(crate) async fn unblock(&self, id: i64) {
        let Some((mut connection, _)) = self.now_open() else { return };
        let unblock = async {
            // After a failover this connection may lead to another server, where the ID is that of another program.
            self.counters.sent(2);
            let list = cmd("CLIENT").arg("LIST").arg("ID").arg(id).query_async::<String>(&mut connection).await?;
            if list.split_ascii_whitespace().any(|word| word.strip_prefix("name=") == Some(READER_NAME)) {
                cmd("CLIENT").arg("UNBLOCK").arg(id).query_async::<Value>(&mut connection).await?;
            }
            Ok::<_, redis::RedisError>(())
        };
        // Without this command the read ends a little later by itself.
        let _ = timeout(UNBLOCK_TIMEOUT, unblock).await;
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
}

/// Closes the connection when its last user is gone.
struct CloseOnDrop<'c>(&'c PublishConnection);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| open.connection = None);
    }
}
