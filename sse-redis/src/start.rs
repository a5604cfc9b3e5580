//! Starts a node, or a publisher without a node.

use crate::address::{Address, Kind};
use crate::builder::MIN_ENTRIES;
use crate::commands::Keys;
use crate::connections::Connections;
use crate::endpoint::Endpoint;
use crate::follower::{BATCH_ENTRIES, Follower, FollowerBounds, FollowerRules};
use crate::handle::RedisInner;
use crate::node::NodeLog;
use crate::publisher::Publisher;
use crate::state::NodeStatus;
use crate::writer::{LogWriter, PublishLimits};
use crate::{Redis, RedisBuilder, StartError};
use sse_core::{Hub, Random, Runtime, Tokio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// The largest log. Redis rejects larger numbers.
const MAX_ENTRIES: usize = i64::MAX as usize;

/// The largest name, prefix or hash tag of a log, in bytes.
const MAX_NAME: usize = 128;

/// The largest number of publishes in flight.
const MAX_IN_FLIGHT: usize = 65_536;

/// The largest number of replicas that a publish waits for.
const MAX_REPLICAS: usize = 1_000;

/// The shortest and the longest time limit of a publish.
const MIN_DEADLINE: Duration = Duration::from_millis(1);
const MAX_DEADLINE: Duration = Duration::from_secs(3_600);

/// The number of entry IDs that the follower remembers, the same as the hub.
const REMEMBERED: usize = 65_536;

impl RedisBuilder {
    /// Starts the node on the current tokio runtime. Returns the handle and the hub that follows the log.
    ///
    /// The Redis server need not be reachable yet: the node retries until the server answers, and [`Redis::last_error`]
    /// returns the reason. The node creates a log that does not exist.
    ///
    /// # Errors
    /// [`StartError`]. Nothing was started.
    ///
    /// ```
    /// use sse_redis::{Redis, StartError};
    ///
    /// let result = Redis::builder("redis://127.0.0.1").start().map(drop);
    /// assert_eq!(result, Err(StartError::NoRuntime));
    /// ```
    pub fn start(self) -> Result<(Redis, Hub), StartError> {
        let (runtime, connections) = self.check()?;
        let keys = self.keys();
        let writer = self.writer(&connections, &keys);
        let (hub, mut feed) = sse_core::hub::log::follow(self.hub.clone());
        feed.accept_subscribers(false);
        let log = feed.handle();
        let shared = Arc::new(NodeStatus::new());
        let bounds = FollowerBounds {
            window: (self.window.0.max(1), self.window.1),
            batch: BATCH_ENTRIES,
            remembered: REMEMBERED,
        };
        let follower = Follower::new(Instant::now(), generator(), bounds, FollowerRules::ALL);
        let user = connections.publishing.user(&runtime);
        let node = NodeLog::new(follower, feed, keys, writer.clone(), shared.clone(), user);
        connections.follow(&runtime, node, generator());
        let inner = RedisInner { hub: hub.clone(), log, writer, shared, connections, builder: self };
        Ok((Redis { inner: Arc::new(inner) }, hub))
    }

    /// Starts a publisher on the current tokio runtime, which publishes to the log and does not follow the log: one
    /// connection, and no history. For workers and short programs.
    ///
    /// The settings of a node apply, except [`window`](Self::window) and [`ready_grace`](Self::ready_grace). A publisher does
    /// not create the log.
    ///
    /// # Errors
    /// [`StartError`]. Nothing was started.
    ///
    /// ```
    /// use sse_redis::{Redis, StartError};
    ///
    /// let result = Redis::builder("redis://127.0.0.1").publisher().map(drop);
    /// assert_eq!(result, Err(StartError::NoRuntime));
    /// ```
    pub fn publisher(self) -> Result<Publisher, StartError> {
        let (runtime, connections) = self.check()?;
        let writer = self.writer(&connections, &self.keys());
        let user = connections.publishing.user(&runtime);
        Ok(Publisher::new(self, connections, writer, user))
    }

    fn check(&self) -> Result<(Handle, Arc<Connections>), StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let invalid = |text: &str| text.len() > MAX_NAME || text.contains(['{', '}']);
        for name in [Some(&self.name), self.hash_tag.as_ref()].into_iter().flatten() {
            if name.is_empty() || invalid(name) {
                return Err(StartError::Log(name.as_str().into()));
            }
        }
        if invalid(&self.prefix) {
            return Err(StartError::Log(self.prefix.as_str().into()));
        }
        if self.max_entries < MIN_ENTRIES {
            return Err(StartError::TooShort(self.max_entries));
        }
        let address = Address::new(self.url.as_str());
        // Logs of a Cluster with different hash tags are on different servers.
        let serves =
            |connections: &Connections| address.kind() != Kind::Cluster || *connections.hash_tag == *self.shared_tag();
        if let Some(connections) = self.connections.as_ref().filter(|connections| serves(connections)) {
            return Ok((runtime, connections.clone()));
        }
        let key = self.keys().log;
        let server = address.server(&key, &self.certificates);
        let server = server.map_err(|error| StartError::Url(error.to_string().into()))?;
        let endpoint = match self.resolve.clone() {
            None => Endpoint::Fixed(server),
            Some(resolve) => {
                Endpoint::Resolved { resolve, kind: address.kind(), key, certificates: self.certificates.clone() }
            }
        };
        Ok((runtime, Arc::new(Connections::new(endpoint, self.shared_tag(), self.limits(), generator()))))
    }

    fn keys(&self) -> Keys {
        Keys::of(&self.prefix, self.hash_tag.as_deref(), &self.name)
    }

    fn shared_tag(&self) -> &str {
        self.hash_tag.as_deref().unwrap_or(&self.name)
    }

    fn limits(&self) -> PublishLimits {
        PublishLimits {
            max_entries: self.max_entries.min(MAX_ENTRIES),
            in_flight: self.in_flight.clamp(1, MAX_IN_FLIGHT),
            deadline: self.deadline.clamp(MIN_DEADLINE, MAX_DEADLINE),
            replicas: self.replicas.min(MAX_REPLICAS) as u64,
            retention: self.retention,
        }
    }

    fn writer(&self, connections: &Connections, keys: &Keys) -> Arc<LogWriter> {
        let (connection, wake) = (connections.publishing.clone(), connections.logs.wake.clone());
        Arc::new(LogWriter::new(connection, wake, keys.clone(), self.limits(), generator()))
    }
}

/// A generator of its own, with a seed from the generator of the process.
fn generator() -> Random {
    let mut seed = [0; 32];
    let tokio: Tokio = Default::default();
    let draws = std::iter::repeat_with(|| tokio.random().uuid().into_bytes());
    for (half, draw) in seed.chunks_exact_mut(16).zip(draws) {
        half.copy_from_slice(&draw);
    }
    Random::from_seed(seed)
}
