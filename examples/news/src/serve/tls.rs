//! TLS with a self-signed certificate for this run. Browsers use HTTP/2 only over TLS.

use rcgen::generate_simple_self_signed;
use std::io;
use std::sync::Arc;
use tls_listener::TlsListener;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// Returns a listener that prefers HTTP/2. Browsers show a warning, because no authority has signed the certificate.
pub(crate) fn listener(tcp: TcpListener) -> io::Result<TlsListener<TcpListener, TlsAcceptor>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = generate_simple_self_signed(names).map_err(io::Error::other)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(io::Error::other)?.with_no_client_auth();
    let mut config = config.with_single_cert(vec![made.cert.der().clone()], key.into()).map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsListener::new(TlsAcceptor::from(Arc::new(config)), tcp))
}
