//! Connecting to the engine.

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, RedisResult};
use std::time::Duration;

/// How long connecting may take, with everything that is said before the first command.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where this URL leads, with delays off: commands are small and waited for.
pub(crate) fn info(url: &str) -> RedisResult<ConnectionInfo> {
    Ok(url.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// One connection. A reply that does not come within the timeout fails its command; whoever gets that gives the
/// connection up, because the command still occupies it.
pub(crate) async fn connect(
    client: &Client,
    response_timeout: Duration,
    in_flight: usize,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(response_timeout))
        .set_pipeline_buffer_size(in_flight.max(1));
    client.get_multiplexed_async_connection_with_config(&config).await
}
