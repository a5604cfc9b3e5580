//! Where the Redis server is now, and how to connect to it.

use crate::address::{Address, Kind};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::sentinel::Sentinels;
use crate::tls::Certificates;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, Value, cmd};
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The time limit for a connection to one server, including TLS and authentication.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The time limit for finding the leader, by sentinels or in a cluster.
const FIND_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit of a function that resolves the address.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The future of a function that resolves the address.
pub(crate) type Resolving = Pin<Box<dyn Future<Output = Result<Address, Box<dyn Error + Send + Sync>>> + Send>>;

/// A function that resolves the address.
pub(crate) type Resolve = Arc<dyn Fn() -> Resolving + Send + Sync>;

/// The server of a URL.
#[derive(Clone)]
pub(crate) enum Server {
    One(Box<Client>),
    Sentinels(Arc<Sentinels>),
    Cluster(Arc<Cluster>),
}

/// The server of a node.
#[derive(Clone)]
pub(crate) enum Endpoint {
    Fixed(Server),
    /// A function returns the address for each connection.
    Resolved {
        resolve: Resolve,
        kind: Kind,
        key: String,
        certificates: Certificates,
    },
}

impl Endpoint {
    /// Opens one connection. A reply after the timeout fails its command. The caller must then close the connection, because
    /// the command still occupies it. `CLIENT LIST` of the server shows the name.
    pub(crate) async fn connect(
        &self,
        name: &str,
        response_timeout: Duration,
        in_flight: usize,
    ) -> Result<MultiplexedConnection, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(response_timeout))
            .set_pipeline_buffer_size(in_flight.max(1));
        let resolved;
        let server = match self {
            Self::Fixed(server) => server,
            Self::Resolved { resolve, kind, key, certificates } => {
                let found = timeout(RESOLVE_TIMEOUT, resolve()).await;
                let found = found.map_err(|_| Failure::Unresolved(format!("no answer within {RESOLVE_TIMEOUT:?}")))?;
                let address = found.map_err(|error| Failure::Unresolved(error.to_string()))?;
                if (address.kind() == Kind::Cluster) != (*kind == Kind::Cluster) {
                    return Err(Failure::Unresolved("a Cluster in place of a server, or the reverse".to_owned()));
                }
                resolved = address.server(key, certificates)?;
                &resolved
            }
        };
        let connecting = timeout(FIND_TIMEOUT, server.connect(&config)).await;
        let mut connection = connecting.map_err(|_| Failure::Unfound)??;
        // A server without this command, or a user without this right, is no reason to fail.
        let _ = cmd("CLIENT").arg("SETNAME").arg(name).query_async::<Value>(&mut connection).await;
        Ok(connection)
    }
}

impl Server {
    async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        match self {
            Self::One(client) => client.get_multiplexed_async_connection_with_config(config).await,
            Self::Sentinels(sentinels) => sentinels.connect(config).await,
            Self::Cluster(cluster) => cluster.connect(config).await,
        }
    }
}
