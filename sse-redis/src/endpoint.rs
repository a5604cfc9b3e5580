//! Where the Redis server is, and how to connect to it.

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, RedisResult, Value, cmd};
use std::time::Duration;

/// The time limit for a connection, including TLS and authentication.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The address of the server.
#[derive(Clone)]
pub(crate) enum Endpoint {
    Server(Client),
}

/// Parses a URL, and turns Nagle's algorithm off, because commands are small and their replies are awaited.
pub(crate) fn info(url: &str) -> RedisResult<ConnectionInfo> {
    Ok(url.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

impl Endpoint {
    /// Opens one connection. A reply after the timeout fails its command. The caller must then close the connection, because
    /// the command still occupies it. `CLIENT LIST` of the server shows the name.
    pub(crate) async fn connect(
        &self,
        name: &str,
        response_timeout: Duration,
        in_flight: usize,
    ) -> RedisResult<MultiplexedConnection> {
        let Self::Server(client) = self;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(response_timeout))
            .set_pipeline_buffer_size(in_flight.max(1));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        // A server without this command, or a user without this right, is no reason to fail.
        let _ = cmd("CLIENT").arg("SETNAME").arg(name).query_async::<Value>(&mut connection).await;
        Ok(connection)
    }
}
