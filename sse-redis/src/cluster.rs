//! A Redis Cluster. All keys of a log are in one slot, so a log has one leader.

use crate::tls::Certificates;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, RedisResult, Value, cmd};
use std::sync::{Mutex, PoisonError};

/// The number of redirects from one server to the next. The servers of a healthy cluster name the leader at once.
const REDIRECTS: usize = 5;

/// The number of servers that are remembered beside those of the URL.
const REMEMBERED: usize = 16;

pub(crate) struct Cluster {
    /// The servers of the URL.
    seeds: Vec<ConnectionInfo>,
    /// A key of the log.
    key: String,
    certificates: Certificates,
    /// Servers that led the log, the last one first. They also know the leader after every server of the URL is gone.
    known: Mutex<Vec<ConnectionInfo>>,
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<ConnectionInfo>, key: &str, certificates: Certificates) -> Self {
        Self { seeds, key: key.to_owned(), certificates, known: Mutex::default() }
    }

    /// Finds the server that leads the log now, and connects to it.
    pub(crate) async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let mut candidates = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        candidates.extend(self.seeds.iter().cloned());
        let mut last = (ErrorKind::InvalidClientConfig, "the URL names no server").into();
        for candidate in candidates {
            match self.follow(candidate, config).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Follows the redirects from this server.
    async fn follow(
        &self,
        mut server: ConnectionInfo,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        for _ in 0..REDIRECTS {
            let client = self.certificates.client(server.clone())?;
            let mut connection = client.get_multiplexed_async_connection_with_config(config).await?;
            match cmd("EXISTS").arg(&self.key).query_async::<Value>(&mut connection).await {
                Ok(_) => {
                    self.remember(server);
                    return Ok(connection);
                }
                // `ASK` redirects a single command while the slot moves. The log follows when the slot has moved.
                Err(error) if error.code() == Some("MOVED") => {
                    let leader = error.redirect_node().and_then(|(address, _)| redirected(&server, address));
                    server = leader.ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        }
        Err((ErrorKind::Client, "the servers of the cluster redirect to each other").into())
    }

    fn remember(&self, leader: ConnectionInfo) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| other.addr() != leader.addr());
        known.insert(0, leader);
        known.truncate(REMEMBERED);
    }
}

/// The server at `HOST:PORT`, with the login of this server. A server that does not know its host name sends `:PORT` or
/// `?:PORT`, and means its own host.
fn redirected(from: &ConnectionInfo, address: &str) -> Option<ConnectionInfo> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = |own: &str| if host.is_empty() || host == "?" { own.to_owned() } else { host.to_owned() };
    let addr = match from.addr() {
        ConnectionAddr::Tcp(own, _) => ConnectionAddr::Tcp(host(own), port),
        ConnectionAddr::TcpTls { host: own, insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: host(own), port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => return None,
    };
    Some(from.clone().set_addr(addr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::IntoConnectionInfo;

    #[test]
    fn a_redirect_keeps_the_login_and_a_missing_host_is_the_same_host() {
        let from = "redis://user:secret@10.0.0.1:7000".into_connection_info().unwrap();
        for (address, host) in
            [("10.0.0.2:7001", "10.0.0.2"), (":7001", "10.0.0.1"), ("?:7001", "10.0.0.1"), ("::1:7001", "::1")]
        {
            let to = redirected(&from, address).unwrap();
            assert_eq!(*to.addr(), ConnectionAddr::Tcp(host.to_owned(), 7_001));
            assert_eq!(to.redis_settings().password(), Some("secret"));
        }
        assert!(redirected(&from, "10.0.0.2").is_none());
    }
}
