//! TLS: which certificates a node trusts, and which certificate it presents.

use redis::{Client, ConnectionInfo, RedisResult};
#[cfg(feature = "tls")]
use redis::{ClientTlsConfig, ErrorKind, TlsCertificates};
#[cfg(feature = "tls")]
use rustls::crypto::{CryptoProvider, ring};
#[cfg(feature = "tls")]
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// Certificates as PEM. `None`: the roots of the operating system, and no client certificate. Empty without the feature `tls`.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    #[cfg(feature = "tls")]
    pub(crate) roots: Option<Vec<u8>>,
    /// The client certificate and its key.
    #[cfg(feature = "tls")]
    pub(crate) own: Option<(Vec<u8>, Vec<u8>)>,
}

#[cfg(not(feature = "tls"))]
impl Certificates {
    pub(crate) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        Client::open(info)
    }
}

#[cfg(feature = "tls")]
impl Certificates {
    pub(crate) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        // Without a provider, connecting would panic. A provider that the application installed stays.
        if CryptoProvider::get_default().is_none() {
            // Another thread may install a provider first, which is equally good.
            let _ = ring::default_provider().install_default();
        }
        match self.pem()? {
            None => Client::open(info),
            Some(certificates) => Client::build_with_tls(info, certificates),
        }
    }

    /// The certificates for the client library. `None`: the roots of the operating system, and no client certificate.
    pub(crate) fn pem(&self) -> RedisResult<Option<TlsCertificates>> {
        if self.roots.is_none() && self.own.is_none() {
            return Ok(None);
        }
        // The client library accepts PEM without a certificate, and would then trust no server or present nothing.
        let mut given = self.roots.iter().chain(self.own.iter().map(|(certificate, _)| certificate));
        if given.any(|pem| CertificateDer::pem_slice_iter(pem).next().is_none()) {
            return Err((ErrorKind::InvalidClientConfig, "the PEM contains no certificate").into());
        }
        let own = self.own.clone();
        let client_tls = own.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        Ok(Some(TlsCertificates { client_tls, root_cert: self.roots.clone() }))
    }
}
