//! The address of the Redis server, as a URL with a login.

use crate::cluster::Cluster;
use crate::endpoint::Server;
use crate::sentinel::Sentinels;
use crate::tls::Certificates;
use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisResult};
use std::fmt;
use std::sync::Arc;

/// The port of a sentinel whose address names no port.
const SENTINEL_PORT: u16 = 26_379;

/// The address of a Redis server and the login, for [`RedisBuilder::resolve`](crate::RedisBuilder::resolve).
///
/// ```
/// use sse_redis::Address;
///
/// let token = "a token with / and @ that a URL would have to encode";
/// let address = Address::new("rediss://10.0.0.5:6379").login("sse", token);
/// assert!(!format!("{address:?}").contains(token));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Address {
    url: String,
    login: Option<(String, String)>,
}

/// The kind of a URL. Only logs of a Cluster with one hash tag are on one server, and share connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Server,
    Sentinel,
    Cluster,
}

impl Address {
    /// An address with a URL of the same forms as for [`Redis::builder`](crate::Redis::builder).
    ///
    /// ```
    /// let address = sse_redis::Address::new("redis://10.0.0.5:6379");
    /// # let _ = address;
    /// ```
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), login: None }
    }

    /// Sets the user and the password, in place of those of the URL. The user `default` exists on every server.
    ///
    /// ```
    /// let address = sse_redis::Address::new("redis://10.0.0.5:6379").login("default", "secret");
    /// # let _ = address;
    /// ```
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        match Parts::of(&self.url) {
            Some(parts) if parts.kind == "sentinel" => Kind::Sentinel,
            Some(parts) if parts.kind == "cluster" => Kind::Cluster,
            _ => Kind::Server,
        }
    }

    /// Parses the URL. `key` is a key of the log, by which a Cluster has a leader for the log.
    pub(crate) fn server(&self, key: &str, certificates: &Certificates) -> RedisResult<Server> {
        let Some(parts) = Parts::of(&self.url) else {
            let info = self.with_login(info(&self.url)?);
            return Ok(Server::One(Box::new(certificates.client(info)?)));
        };
        match parts.kind {
            "cluster" => {
                let hosts = parts.hosts.split(',').map(|host| parts.url(host, parts.path));
                let seeds: Vec<_> = hosts.map(|url| Ok(self.with_login(info(&url)?))).collect::<RedisResult<_>>()?;
                // A certificate that cannot be used is an error of the start, and not of each attempt.
                seeds.iter().try_for_each(|seed| certificates.client(seed.clone()).map(drop))?;
                Ok(Server::Cluster(Arc::new(Cluster::new(seeds, key, certificates.clone()))))
            }
            "sentinel" => {
                let (name, database) = parts.path.split_once('/').unwrap_or((parts.path, "0"));
                if name.is_empty() {
                    return Err(invalid("the URL of sentinels ends with the name of the leader: /NAME"));
                }
                let hosts = parts.hosts.split(',').map(|host| {
                    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
                    let host = if has_port { host.to_owned() } else { format!("{host}:{SENTINEL_PORT}") };
                    Ok(self.with_login(info(&parts.url(&host, database))?))
                });
                let sentinels = hosts.collect::<RedisResult<Vec<_>>>()?;
                sentinels.iter().try_for_each(|sentinel| certificates.client(sentinel.clone()).map(drop))?;
                Ok(Server::Sentinels(Arc::new(Sentinels::new(sentinels, name, parts.query, certificates.clone())?)))
            }
            _ => Err(invalid(
                "the scheme is redis, rediss, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster",
            )),
        }
    }

    fn with_login(&self, info: ConnectionInfo) -> ConnectionInfo {
        let Some((user, password)) = &self.login else { return info };
        let settings = info.redis_settings().clone().set_username(user).set_password(password);
        info.set_redis_settings(settings)
    }
}

/// The parts of a URL with several hosts, `redis+KIND://USER:PASSWORD@HOST:PORT,HOST:PORT/PATH?QUERY`.
struct Parts<'u> {
    scheme: &'u str,
    kind: &'u str,
    /// Ends with `@`, or is empty.
    login: &'u str,
    hosts: &'u str,
    path: &'u str,
    query: &'u str,
}

impl<'u> Parts<'u> {
    /// `None` for the URL of one server.
    fn of(url: &'u str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (scheme, kind) = scheme.split_once('+')?;
        if kind == "unix" {
            return None;
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Some(Self { scheme, kind, login, hosts, path, query })
    }

    /// The URL of one host.
    fn url(&self, host: &str, database: &str) -> String {
        format!("{}://{}{host}/{database}", self.scheme, self.login)
    }
}

/// Parses a URL, and turns Nagle's algorithm off, because commands are small and their replies are awaited.
fn info(url: &str) -> RedisResult<ConnectionInfo> {
    Ok(url.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

fn invalid(text: &'static str) -> redis::RedisError {
    (ErrorKind::InvalidClientConfig, text).into()
}

impl From<&str> for Address {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl fmt::Debug for Address {
    // The URL may contain a password, so it is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("kind", &self.kind()).finish_non_exhaustive()
    }
}
