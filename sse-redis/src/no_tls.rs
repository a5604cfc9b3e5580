//! Without the feature `tls`: no certificates.

use redis::{Client, ConnectionInfo, RedisResult};

#[derive(Clone, Default)]
pub(crate) struct Certificates {}

impl Certificates {
    pub(crate) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        Client::open(info)
    }
}
