//! The handle of a node: its hub and its state.

use crate::connections::Connections;
use crate::problem::Problem;
use crate::state::{NodeState, NodeStatus};
use crate::stats::RedisStats;
use crate::writer::LogWriter;
use crate::{RedisBuilder, StartError};
use sse_core::Hub;
use sse_core::hub::EventId;
use sse_core::hub::log::LogHandle;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Most events arrive within this time. For a longer wait the hub remembers the ID.
const SOON: Duration = Duration::from_millis(100);

/// The handle of a node. Clones share the node.
///
/// The node follows the log until [`stop`](Self::stop) is called or the runtime ends, also after every handle is dropped.
///
/// ```no_run
/// use sse_core::Event;
/// use sse_redis::Redis;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let (redis, hub) = Redis::start("redis://127.0.0.1:6379")?;
/// redis.publish("news", Event::data("rain")).await?;
/// # let _ = hub;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Redis {
    pub(crate) inner: Arc<RedisInner>,
}

pub(crate) struct RedisInner {
    pub(crate) hub: Hub,
    pub(crate) log: LogHandle,
    pub(crate) writer: Arc<LogWriter>,
    pub(crate) shared: Arc<NodeStatus>,
    pub(crate) connections: Arc<Connections>,
    /// The settings with which this node was started.
    pub(crate) builder: RedisBuilder,
}

impl Redis {
    /// Starts a node with the default settings and the log `sse`. See [`RedisBuilder::start`].
    ///
    /// # Errors
    /// [`StartError`]. Nothing was started.
    ///
    /// ```
    /// use sse_redis::{Redis, StartError};
    ///
    /// assert_eq!(Redis::start("redis://127.0.0.1").map(drop), Err(StartError::NoRuntime));
    /// ```
    pub fn start(url: &str) -> Result<(Self, Hub), StartError> {
        Self::builder(url).start()
    }

    /// Returns a builder for a node with other settings.
    ///
    /// | URL | server |
    /// |---|---|
    /// | `redis://USER:PASSWORD@HOST:PORT/DATABASE` | one server, or a name that leads to the leader |
    /// | `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME` | the leader that these sentinels have under this name, with the login of the leader. The port is 26379 by default. `/NAME/DATABASE` names a database. `?sentinel_user=USER&sentinel_password=PASSWORD` is the login of the sentinels |
    /// | `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT` | the leader of the log in a Redis Cluster, from any of these servers |
    ///
    /// With the feature `tls` each scheme can start with `rediss` in place of `redis`. The node looks for the leader at every
    /// connect. [`RedisBuilder::resolve`] asks a function for the address and the login instead.
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1:6379").log("news");
    /// # let _ = builder;
    /// ```
    pub fn builder(url: &str) -> RedisBuilder {
        RedisBuilder::new(url)
    }

    /// Returns a builder for a node of another log, with the settings of this node, over the same two connections. A program
    /// with many logs needs two connections to the server, and not two for each log. In a Redis Cluster only logs of one
    /// [hash tag](RedisBuilder::hash_tag) have the same leader, so logs without a common one have connections of their own.
    ///
    /// Each node is stopped by its own handle. The connections close when all nodes and publishers that share them are
    /// stopped or dropped.
    ///
    /// ```no_run
    /// # fn start() -> Result<(), sse_redis::StartError> {
    /// let (news, news_hub) = sse_redis::Redis::builder("redis://127.0.0.1:6379").log("news").start()?;
    /// let (sport, sport_hub) = news.with_log("sport").start()?;
    /// let weather = news.with_log("weather").publisher()?;
    /// # let _ = (news_hub, sport, sport_hub, weather);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_log(&self, name: &str) -> RedisBuilder {
        let mut builder = self.inner.builder.clone().log(name);
        builder.connections = Some(self.inner.connections.clone());
        builder
    }

    /// Returns the hub that follows the log. Handlers subscribe to this hub.
    ///
    /// ```no_run
    /// # fn handler(sse: sse_core::Sse<sse_core::Tokio>, redis: sse_redis::Redis) {
    /// let subscription = sse.subscribe(redis.hub(), ["news"]);
    /// # }
    /// ```
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Returns the state of the node.
    ///
    /// ```no_run
    /// # fn check(redis: sse_redis::Redis) {
    /// if redis.state() == sse_redis::NodeState::Stale {
    ///     eprintln!("Redis: {}", redis.last_error().unwrap_or_default());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn state(&self) -> NodeState {
        self.inner.shared.state(self.inner.hub.is_draining())
    }

    /// Whether a load balancer should send new clients to this node: the hub is loaded, does not drain, and the node is not
    /// stopped.
    ///
    /// A node without its Redis server stays ready, because all nodes lose the server at the same time, and a load balancer
    /// without ready nodes answers 503, after which browsers do not reconnect. Use [`state`](Self::state) for alerts, or set
    /// [`RedisBuilder::ready_grace`] if nodes can lose the server one by one.
    ///
    /// ```no_run
    /// # fn readyz(redis: sse_redis::Redis) -> u16 {
    /// if redis.is_ready() { 200 } else { 503 }
    /// # }
    /// ```
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.inner.hub.is_draining() && self.inner.shared.is_ready(Instant::now(), self.inner.builder.ready_grace)
    }

    /// Waits until the hub has loaded the entries of the log. Before that, subscriptions are answered "retry later". While
    /// the server is unreachable, the wait has no limit; [`last_error`](Self::last_error) returns the reason.
    ///
    /// A server should accept clients first, and wait for this beside that: clients that come too early retry by themselves.
    ///
    /// # Errors
    /// The [`Problem`] for which the node cannot load, if a person must act: [`Problem::NotLeader`], [`Problem::TooOld`],
    /// [`Problem::AccessDenied`], [`Problem::NewerFormat`] or [`Problem::Stopped`]. Except after [`stop`](Self::stop) the node
    /// continues to try.
    ///
    /// # Cancel safety
    /// A dropped future has no effect.
    ///
    /// ```no_run
    /// # async fn start(redis: sse_redis::Redis) {
    /// use std::time::{Duration, Instant};
    ///
    /// match tokio::time::timeout(Duration::from_secs(10), redis.loaded()).await {
    ///     Ok(Ok(())) => {}
    ///     Ok(Err(problem)) => eprintln!("a person must act: {problem}"),
    ///     Err(_) => eprintln!("still loading: {}", redis.last_error().unwrap_or_default()),
    /// }
    /// # }
    /// ```
    pub async fn loaded(&self) -> Result<(), Problem> {
        self.inner.shared.loaded().await
    }

    /// Waits until this node has received the event with this ID, or until it is certain that this ID never arrives. The
    /// second case takes about two seconds while the log is followed, and about ten while the server is unreachable. While the
    /// node loads the log, the wait has no limit, so put a timeout around the call.
    ///
    /// Call this method after a publish, so that a client finds the event at once on this node. A handler calls it with the
    /// last event ID of its client, because another node may be some milliseconds ahead: without the call, such a client is
    /// answered "retry later" and returns after some seconds.
    ///
    /// # Cancel safety
    /// A dropped future has no effect.
    ///
    /// ```no_run
    /// # use sse_core::hub::EventId;
    /// # use std::time::{Duration, Instant};
    /// # async fn feed(sse: sse_core::Sse<sse_core::Tokio>, redis: sse_redis::Redis) {
    /// if let Some(id) = sse.last_event_id().as_str().and_then(EventId::parse) {
    ///     let _ = tokio::time::timeout(Duration::from_secs(5), redis.wait_for(id)).await;
    /// }
    /// let feed = sse.subscribe(redis.hub(), ["news"]);
    /// # }
    /// ```
    pub async fn wait_for(&self, id: EventId) {
        let mut progress = self.inner.shared.progress.subscribe();
        let has_come = |newest: Option<EventId>| newest.is_some_and(|newest| newest.position() >= id.position());
        // The sender is a field of `self`, so the channel cannot close.
        if timeout(SOON, progress.wait_for(|progress| has_come(progress.newest))).await.is_ok() {
            return;
        }
        while self.inner.log.may_still_arrive(id) {
            let rounds = progress.borrow_and_update().rounds;
            let _ = progress.wait_for(|progress| has_come(progress.newest) || progress.rounds > rounds).await;
            if has_come(progress.borrow().newest) {
                return;
            }
        }
    }

    /// Returns the counters of the node since its start.
    ///
    /// ```no_run
    /// # fn check(redis: sse_redis::Redis) {
    /// if redis.stats().lag > 1_000 {
    ///     eprintln!("this node is behind");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> RedisStats {
        self.inner.writer.stats()
    }

    /// Returns the text of [`problem`](Self::problem), or `None`.
    ///
    /// ```no_run
    /// # fn check(redis: sse_redis::Redis) {
    /// if let Some(error) = redis.last_error() {
    ///     eprintln!("Redis: {error}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.problem().map(|problem| problem.to_string())
    }

    /// Returns the problem of the node, or `None` while the log is followed and the server stores publishes. The value is for
    /// alerts. For a minute after an entry was skipped, the problem is [`Problem::UnknownEntry`].
    ///
    /// ```no_run
    /// # fn check(redis: sse_redis::Redis) {
    /// use sse_redis::Problem;
    ///
    /// match redis.problem() {
    ///     None | Some(Problem::Unreachable(_)) => {} // the node reconnects by itself
    ///     Some(problem) => eprintln!("a person must act: {problem}"),
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let status = &self.inner.shared;
        if status.is_stopped() {
            return Some(Problem::Stopped);
        }
        status.problem().or_else(|| self.inner.writer.problem()).or_else(|| status.unknown_entry())
    }

    /// Stops following and publishing, for good. [`is_ready`](Self::is_ready) becomes false, and a publish returns
    /// [`NotStored::Stopped`](crate::NotStored::Stopped). The hub still serves the events that it holds, so drain the hub first.
    ///
    /// ```no_run
    /// # async fn shut_down(redis: sse_redis::Redis) {
    /// redis.hub().drain(std::time::Duration::from_secs(10)).await;
    /// redis.stop();
    /// # }
    /// ```
    pub fn stop(&self) {
        self.inner.shared.set_stopped();
        self.inner.writer.stop();
        self.inner.connections.logs.wake.notify_one();
    }
}

impl fmt::Debug for Redis {
    // The URL may contain a password, so it is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("log", &self.inner.builder.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
