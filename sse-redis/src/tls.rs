//! Whom a node trusts over `rediss://`, and who it says it is.

use redis::{Client, ClientTlsConfig, ConnectionInfo, ErrorKind, RedisResult, TlsCertificates};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Certificates as PEM; none: the system's roots, and no certificate of our own.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    pub(crate) roots: Option<Vec<u8>>,
    /// A certificate and its key.
    pub(crate) own: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    pub(crate) fn client(self, info: ConnectionInfo) -> RedisResult<Client> {
        // The application's choice, if it made one. Without any, connecting would panic.
        if CryptoProvider::get_default().is_none() {
            // Whoever comes first is as good.
            let _ = ring::default_provider().install_default();
        }
        if self.roots.is_none() && self.own.is_none() {
            return Client::open(info);
        }
        // The client library takes a text without any for a node that trusts nobody, or that shows nothing.
        let mut given = self.roots.iter().chain(self.own.iter().map(|(certificate, _)| certificate));
        if given.any(|pem| CertificateDer::pem_slice_iter(pem).next().is_none()) {
            return Err((ErrorKind::InvalidClientConfig, "there is no certificate in what was given as PEM").into());
        }
        let client_tls = self.own.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        Client::build_with_tls(info, TlsCertificates { client_tls, root_cert: self.roots })
    }
}
