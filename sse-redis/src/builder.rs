//! A node's bounds, each with its default, and how it starts.

use crate::Redis;
use crate::commands::Keys;
use crate::connection::info;
use crate::driver::Driver;
use crate::follower::{BATCH_ENTRIES, Bounds, Follower, Rules};
use crate::handle::Inner;
use crate::publisher::{Limits, Publisher};
use crate::state::Shared;
use sse_core::{Hub, Random, Runtime, Tokio};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The fewest entries that a log may keep: an unread entry is only ever trimmed when a whole batch is unread.
const MIN_ENTRIES: usize = 2 * BATCH_ENTRIES;

/// How many entries are remembered, to be compared with a history that went back: as many as the hub does.
const REMEMBERED: usize = 65_536;

/// A node's bounds, each with its default.
///
/// ```no_run
/// use sse_core::Hub;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sse_redis::StartError> {
/// let (redis, hub) = sse_redis::Redis::builder("redis://10.0.0.5:6379")
///     .log("news")
///     .max_entries(500_000) // how long a node may be cut off without a gap
///     .hub(Hub::builder().max_streams(60_000))
///     .deadline(Duration::from_millis(500))
///     .start()?;
/// let readyz = if redis.is_ready() { 200 } else { 503 };
/// # let _ = (hub, readyz);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder starts nothing until `start`"]
pub struct RedisBuilder {
    url: String,
    name: String,
    hub: sse_core::hub::HubBuilder,
    max_entries: usize,
    window: (usize, usize),
    in_flight: usize,
    deadline: Duration,
    ready_grace: Duration,
    #[cfg(feature = "tls")]
    certificates: crate::tls::Certificates,
}

/// Why a node did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The URL is none of an engine, or the certificates are none; with the feature `tls` it may be `rediss://`, and only
    /// then may there be certificates.
    #[error("not the way to an engine: {0}")]
    Url(Box<str>),
    /// A log's name is 1 to 128 bytes without braces.
    #[error("not the name of a log: {0:?}")]
    Log(Box<str>),
    /// A log keeps at least 1,024 entries.
    #[error("a log of {0} entries is too short; it keeps at least {MIN_ENTRIES}")]
    TooShort(usize),
    /// It was started outside of tokio.
    #[error("there is no tokio runtime here")]
    NoRuntime,
}

impl RedisBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            name: "sse".to_owned(),
            hub: Hub::builder(),
            max_entries: 100_000,
            window: (10_000, 64 * 1024 * 1024),
            in_flight: 1_024,
            deadline: Duration::from_secs(2),
            ready_grace: Duration::from_secs(30),
            #[cfg(feature = "tls")]
            certificates: Default::default(),
        }
    }

    /// The log's name: `sse` by default. Its keys are `{NAME}:log` and `{NAME}:meta`.
    pub fn log(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The bounds of the hub.
    pub fn hub(mut self, hub: sse_core::hub::HubBuilder) -> Self {
        self.hub = hub;
        self
    }

    /// How many entries the log keeps, or somewhat more (`MAXLEN ~`): 100,000 by default, at least 1,024. Every node
    /// should say the same. In the engine's memory that is about 1.2 times their size.
    pub const fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// How many of the newest entries a node loads at its start, for clients that resume there: 10,000 by default, and
    /// 64 MiB at most. A client whose id is older is told a gap.
    pub const fn window(mut self, entries: usize) -> Self {
        self.window.0 = entries;
        self
    }

    /// How many publishes may be in flight: 1,024 by default. Further ones wait for their turn, for half the
    /// time that a publish may take.
    pub const fn in_flight(mut self, publishes: usize) -> Self {
        self.in_flight = publishes;
        self
    }

    /// How long a publish may take: 2 s by default.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// For how long a node without its engine is still [ready](Redis::is_ready): 30 s by default.
    pub const fn ready_grace(mut self, grace: Duration) -> Self {
        self.ready_grace = grace;
        self
    }

    /// Trusts only engines whose certificate comes from one of these roots (PEM), for one, of a private authority; by
    /// default those that the system trusts. For `rediss://` alone. Without a certificate in it the start fails with
    /// [`StartError::Url`].
    ///
    /// The name in the URL must be one of the certificate's.
    ///
    /// ```no_run
    /// # fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let (redis, hub) = sse_redis::Redis::builder("rediss://engine.internal:6379")
    ///     .root_certificates(std::fs::read("authority.pem")?)
    ///     .client_certificate(std::fs::read("node.pem")?, std::fs::read("node.key")?)
    ///     .start()?;
    /// # let _ = (redis, hub);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.roots = Some(pem.into());
        self
    }

    /// Shows this certificate, with what leads to its root, and proves it with this key (both PEM): what an engine asks of
    /// its clients unless it is set to `tls-auth-clients no`. For `rediss://` alone. None by default. Without a
    /// certificate and a key in them the start fails with [`StartError::Url`].
    #[cfg(feature = "tls")]
    pub fn client_certificate(mut self, pem: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificates.own = Some((pem.into(), key.into()));
        self
    }

    /// Starts to follow the log, on the tokio runtime that this is called on, and gives the handle and the hub.
    ///
    /// The engine need not be there yet: the node tries until it is, and [`Redis::trouble`] says what is wrong. A log
    /// that does not exist is created.
    ///
    /// # Errors
    /// [`StartError`]; nothing was started.
    pub fn start(self) -> Result<(Redis, Hub), StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        if self.name.is_empty() || self.name.len() > 128 || self.name.contains(['{', '}']) {
            return Err(StartError::Log(self.name.into()));
        }
        if self.max_entries < MIN_ENTRIES {
            return Err(StartError::TooShort(self.max_entries));
        }
        #[cfg(feature = "tls")]
        let client = info(&self.url).and_then(|info| self.certificates.client(info));
        #[cfg(not(feature = "tls"))]
        let client = info(&self.url).and_then(redis::Client::open);
        let client = client.map_err(|error| StartError::Url(error.to_string().into()))?;
        let keys = Keys::of(&self.name);
        let (hub, mut feed) = self.hub.follower();
        feed.admit(false);
        let limits =
            Limits { max_entries: self.max_entries, in_flight: self.in_flight.max(1), deadline: self.deadline };
        let publisher = Arc::new(Publisher::new(client.clone(), keys.clone(), limits, generator()));
        let shared = Arc::new(Shared::new());
        let bounds = Bounds { window: self.window, batch: BATCH_ENTRIES, remembered: REMEMBERED };
        let driver = Driver {
            follower: Follower::new(Instant::now(), generator(), bounds, Rules::ALL),
            feed,
            client,
            keys,
            publisher: publisher.clone(),
            shared: shared.clone(),
        };
        let keeper = publisher.clone();
        let keeping = runtime.spawn(async move { keeper.keep_connected().await });
        let tasks = vec![runtime.spawn(driver.run()).abort_handle(), keeping.abort_handle()];
        let inner =
            Inner { hub: hub.clone(), name: self.name, publisher, shared, ready_grace: self.ready_grace, tasks };
        Ok((Redis { inner: Arc::new(inner) }, hub))
    }
}

/// A generator of its own, seeded by the process's.
fn generator() -> Random {
    let mut seed = [0; 32];
    let tokio: Tokio = Default::default();
    let draws = std::iter::repeat_with(|| tokio.random().uuid().into_bytes());
    for (half, draw) in seed.chunks_exact_mut(16).zip(draws) {
        half.copy_from_slice(&draw);
    }
    Random::from_seed(seed)
}

impl fmt::Debug for RedisBuilder {
    // Never the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("log", &self.name)
            .field("max_entries", &self.max_entries)
            .finish_non_exhaustive()
    }
}
