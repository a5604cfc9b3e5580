//! The settings of a node.

use crate::address::Address;
use crate::connections::Connections;
use crate::endpoint::Resolve;
use crate::follower::BATCH_ENTRIES;
use crate::retention::Retention;
use crate::tls::Certificates;
use sse_core::Hub;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The smallest log. A node can detect trimmed entries only if a full batch was left unread.
pub(crate) const MIN_ENTRIES: usize = 2 * BATCH_ENTRIES;

/// The settings of a node, from [`Redis::builder`](crate::Redis::builder).
///
/// Each method sets one value and documents its default. [`start`](Self::start) checks the values and starts the node.
///
/// ```no_run
/// use sse_core::Hub;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sse_redis::StartError> {
/// let (redis, hub) = sse_redis::Redis::builder("redis://10.0.0.5:6379")
///     .log("news")
///     .max_entries(500_000) // how long a node may be unreachable without a gap
///     .hub(Hub::builder().max_streams(60_000))
///     .deadline(Duration::from_millis(500))
///     .start()?;
/// let readyz = if redis.is_ready() { 200 } else { 503 };
/// # let _ = (hub, readyz);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder starts nothing until `start` is called"]
pub struct RedisBuilder {
    pub(crate) url: String,
    pub(crate) resolve: Option<Resolve>,
    /// The connections of another node. Settings of the connection then have no meaning.
    pub(crate) connections: Option<Arc<Connections>>,
    pub(crate) prefix: String,
    pub(crate) hash_tag: Option<String>,
    pub(crate) name: String,
    pub(crate) hub: sse_core::hub::HubBuilder,
    pub(crate) max_entries: usize,
    pub(crate) retention: Retention,
    pub(crate) replicas: usize,
    pub(crate) window: (usize, usize),
    pub(crate) in_flight: usize,
    pub(crate) deadline: Duration,
    pub(crate) ready_grace: Duration,
    pub(crate) certificates: Certificates,
}

/// The reason why [`RedisBuilder::start`] did not start a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The URL or a certificate is invalid. `rediss://` and certificates need the feature `tls`.
    #[error("the URL or a certificate is invalid: {0}")]
    Url(Box<str>),
    /// The name or the hash tag of the log is not 1 to 128 bytes without braces, or the prefix is not at most 128 bytes without
    /// braces.
    #[error(
        "the name, prefix or hash tag {0:?} of the log is not 1 to 128 bytes without braces: set another with `log`, `prefix` \
         or `hash_tag`"
    )]
    Log(Box<str>),
    /// The number of entries is below 1,024.
    #[error("a log of {0} entries is too short, and the minimum is {MIN_ENTRIES}: set more with `max_entries`")]
    TooShort(usize),
    /// The call was made outside of a tokio runtime.
    #[error("there is no tokio runtime: call `start` inside of one")]
    NoRuntime,
}

impl RedisBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            resolve: None,
            connections: None,
            prefix: String::new(),
            hash_tag: None,
            name: "sse".to_owned(),
            hub: Hub::builder(),
            max_entries: 100_000,
            retention: Retention::default(),
            replicas: 0,
            window: (10_000, 64 * 1024 * 1024),
            in_flight: 1_024,
            deadline: Duration::from_secs(2),
            ready_grace: Duration::MAX,
            certificates: Certificates::default(),
        }
    }

    /// Sets the name of the log: 1 to 128 bytes without braces, `sse` by default. The keys of the log are `{NAME}:log` and
    /// `{NAME}:meta`. [`start`](Self::start) rejects other names with [`StartError::Log`].
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").log("news");
    /// assert!(format!("{builder:?}").contains("news"));
    /// ```
    pub fn log(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets a prefix of both keys of the log: empty by default, at most 128 bytes without braces. With the prefix `myapp:`
    /// the keys are `myapp:{NAME}:log` and `myapp:{NAME}:meta`, which the key pattern `~myapp:*` of a Redis user permits.
    /// [`start`](Self::start) rejects other prefixes with [`StartError::Log`].
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").prefix("myapp:").log("news");
    /// # let _ = builder;
    /// ```
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Sets the hash tag of both keys of the log: 1 to 128 bytes without braces, by default the name of the log. With the hash
    /// tag `app` the keys are `{app}:NAME:log` and `{app}:NAME:meta`. [`start`](Self::start) rejects other hash tags with
    /// [`StartError::Log`].
    ///
    /// A Redis Cluster stores all keys of one hash tag on one leader, and one read can wait for several logs only if they have the
    /// same hash tag. So in a Cluster the nodes of [`Redis::with_log`](crate::Redis::with_log) share two connections if this is
    /// set. Without a Cluster they share them in any case.
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis+cluster://10.0.0.5:6379").hash_tag("app").log("news");
    /// # let _ = builder;
    /// ```
    pub fn hash_tag(mut self, hash_tag: &str) -> Self {
        self.hash_tag = Some(hash_tag.to_owned());
        self
    }

    /// Asks this function for the address and the login before each connection, in place of the URL: for service discovery, tokens
    /// that expire, and passwords that change. The function must return within 10 s. After an error the node asks again, with
    /// the waits of a server that is unreachable, and [`Redis::problem`](crate::Redis::problem) has the text.
    ///
    /// The address must be of the same kind as the URL of the builder: a Cluster or not. The login of an open connection does
    /// not change, so an old password must stay valid until the server closes the connection or the node restarts.
    ///
    /// ```no_run
    /// # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// use sse_redis::{Address, Redis};
    ///
    /// # fn start() -> Result<(), sse_redis::StartError> {
    /// let url = "rediss://redis.internal:6379";
    /// let (redis, hub) = Redis::builder(url)
    ///     .resolve(move || async move { Ok::<_, std::io::Error>(Address::new(url).login("sse", token().await?)) })
    ///     .start()?;
    /// # let _ = (redis, hub);
    /// # Ok(())
    /// # }
    /// ```
    pub fn resolve<F, E>(mut self, resolve: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Address, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.connections = None;
        self.resolve = Some(Arc::new(move || {
            let resolving = resolve();
            Box::pin(async move { resolving.await.map_err(Into::into) })
        }));
        self
    }

    /// Sets the limits of the hub of this node. By default those of [`Hub::builder`].
    ///
    /// ```
    /// use sse_core::Hub;
    ///
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").hub(Hub::builder().max_streams(60_000));
    /// # let _ = builder;
    /// ```
    pub fn hub(mut self, hub: sse_core::hub::HubBuilder) -> Self {
        self.hub = hub;
        self
    }

    /// Sets how many of the newest events a node loads when it starts, so that clients can resume there: 10,000 by
    /// default, at least 1, and at most 64 MiB. A client whose ID is older than these events receives a gap. Probes do not
    /// count as events, and a probe counts as 89 bytes of the 64 MiB.
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").window(50_000);
    /// # let _ = builder;
    /// ```
    pub const fn window(mut self, entries: usize) -> Self {
        self.window.0 = entries;
        self
    }

    /// Sets how long a node without its Redis server stays [ready](crate::Redis::is_ready): without limit by default.
    ///
    /// Set a limit only if a node can lose the server while others keep the server. Otherwise all nodes become unready at
    /// once.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").ready_grace(Duration::from_secs(600));
    /// # let _ = builder;
    /// ```
    pub const fn ready_grace(mut self, grace: Duration) -> Self {
        self.ready_grace = grace;
        self
    }

    /// Trusts only servers whose certificate was issued by one of these roots (PEM), for example by a private authority. By
    /// default the node trusts the roots of the operating system. The certificate must contain the host name of the URL.
    ///
    /// [`start`](Self::start) returns [`StartError::Url`] if the PEM contains no certificate, or if the URL is not
    /// `rediss://`.
    ///
    /// ```no_run
    /// # fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let (redis, hub) = sse_redis::Redis::builder("rediss://redis.internal:6379")
    ///     .root_certificates(std::fs::read("authority.pem")?)
    ///     .start()?;
    /// # let _ = (redis, hub);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.connections = None;
        self.certificates.roots = Some(pem.into());
        self
    }

    /// Presents this certificate with its chain, and proves the identity with this key (both PEM). A Redis server requires
    /// a client certificate unless `tls-auth-clients no` is set. By default the node presents none.
    ///
    /// [`start`](Self::start) returns [`StartError::Url`] if the PEM contains no certificate or no key, or if the URL is not
    /// `rediss://`.
    ///
    /// ```no_run
    /// # fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let (redis, hub) = sse_redis::Redis::builder("rediss://redis.internal:6379")
    ///     .client_certificate(std::fs::read("node.pem")?, std::fs::read("node.key")?)
    ///     .start()?;
    /// # let _ = (redis, hub);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn client_certificate(mut self, pem: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.connections = None;
        self.certificates.own = Some((pem.into(), key.into()));
        self
    }
}

impl fmt::Debug for RedisBuilder {
    // The URL may contain a password, so it is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("log", &self.name)
            .field("max_entries", &self.max_entries)
            .finish_non_exhaustive()
    }
}
