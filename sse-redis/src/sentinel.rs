//! Sentinels, which know the address of the leader.

use crate::tls::Certificates;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, RedisResult, TlsMode};

pub(crate) struct Sentinels {
    /// The address of each sentinel, with the login and the database of the Redis servers.
    sentinels: Vec<ConnectionInfo>,
    /// The name that the sentinels have for the leader and its replicas.
    name: String,
    user: Option<String>,
    password: Option<String>,
    certificates: Certificates,
}

impl Sentinels {
    /// `query` is `sentinel_user=..&sentinel_password=..`, if the sentinels require a login.
    pub(crate) fn new(
        sentinels: Vec<ConnectionInfo>,
        name: &str,
        query: &str,
        certificates: Certificates,
    ) -> RedisResult<Self> {
        let mut all = Self { sentinels, name: name.to_owned(), user: None, password: None, certificates };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "sentinel_user" => all.user = Some(value.into_owned()),
                "sentinel_password" => all.password = Some(value.into_owned()),
                _ => return Err((ErrorKind::InvalidClientConfig, "the URL has an unknown parameter").into()),
            }
        }
        Ok(all)
    }

    /// Asks the sentinels for the leader, and connects to it. The leader must confirm its role.
    pub(crate) async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let addresses = self.sentinels.iter().map(|sentinel| sentinel.addr().clone());
        let tcp = TcpSettings::default().set_nodelay(true);
        let mut client = SentinelClientBuilder::new(addresses, &self.name, SentinelServerType::Master)?
            .set_client_to_redis_tcp_settings(tcp.clone())
            .set_client_to_sentinel_tcp_settings(tcp);
        if let Some(info) = self.sentinels.first() {
            let settings = info.redis_settings();
            client = client.set_client_to_redis_db(settings.db());
            if let Some(user) = settings.username() {
                client = client.set_client_to_redis_username(user);
            }
            if let Some(password) = settings.password() {
                client = client.set_client_to_redis_password(password);
            }
            if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
                client = client
                    .set_client_to_redis_tls_mode(TlsMode::Secure)
                    .set_client_to_sentinel_tls_mode(TlsMode::Secure);
            }
        }
        if let Some(user) = &self.user {
            client = client.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &self.password {
            client = client.set_client_to_sentinel_password(password);
        }
        #[cfg(feature = "tls")]
        if let Some(certificates) = self.certificates.pem()? {
            client = client
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
        #[cfg(not(feature = "tls"))]
        let Certificates {} = self.certificates;
        client.build()?.get_async_connection_with_config(config).await
    }
}
