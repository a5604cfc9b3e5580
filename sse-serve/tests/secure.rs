//! TLS inside the process, over HTTP/1.1 and HTTP/2.

use axum::Router;
use axum::routing::get;
use sse_axum::{Hub, feed};
use sse_serve::{SocketListener, serve};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

const BOUND: Duration = Duration::from_secs(30);

/// Each connection waits for its handshake before the next accept, which is enough for a test.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl SocketListener for Tls {
    type Io = server::TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(Self::Io, SocketAddr)> {
        let (socket, address) = self.listener.accept().await?;
        Ok((self.acceptor.accept(socket).await?, address))
    }
}

struct Running {
    at: SocketAddr,
    hub: Hub,
    connector: TlsConnector,
}

impl Running {
    async fn start(protocols: &[&[u8]]) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let certificate = certified.cert.der().clone();
        let mut config =
            ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        client.alpn_protocols = config.alpn_protocols.clone();

        let hub = Hub::new();
        let app = Router::new()
            .route("/news", feed(&hub, ["news"]))
            .route("/big", get(async || vec![b'b'; 3 << 20]))
            .route("/plain", get(async || "plain"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let listener = Tls { listener, acceptor: TlsAcceptor::from(Arc::new(config)) };
        tokio::spawn(serve(listener, app).into_future());
        Self { at, hub, connector: TlsConnector::from(Arc::new(client)) }
    }

    async fn connect(&self) -> client::TlsStream<TcpStream> {
        let socket = TcpStream::connect(self.at).await.unwrap();
        self.connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap()
    }
}

#[tokio::test]
async fn stream_over_tls_gets_each_event_and_then_serves_the_next_request() {
    let running = Running::start(&[]).await;
    let mut client = running.connect().await;
    // The answer before the stream is larger than the buffers of TLS.
    client.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\nGET /news HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut text = String::new();
    let reading = async {
        let mut buffer = [0; 8192];
        while !text.contains("id: ") {
            let read = client.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0);
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        // Each event arrives before the next is published, so none stays in the buffer of TLS.
        for n in 0..50 {
            let long = "y".repeat(n * 997);
            running.hub.publish("news", format!("event {n} {long}")).unwrap();
            while !text.contains(&format!("data: event {n} {long}\n")) {
                let read = client.read(&mut buffer).await.unwrap();
                assert_ne!(read, 0);
                text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
        }
        running.hub.drain(Duration::ZERO).await;
        client.write_all(b"GET /plain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        // An end without `close_notify` would be an error.
        client.read_to_string(&mut text).await.unwrap();
    };
    timeout(BOUND, reading).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
    assert!(text.ends_with("\r\n\r\nplain"));
}

mod http2 {
    use super::*;
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    async fn reads_a_stream<T>(socket: T, hub: &Hub)
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = http::Request::get("http://localhost/news").body(Empty::<Bytes>::new()).unwrap();
        let mut response = timeout(BOUND, sender.send_request(request)).await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        hub.publish("news", "rain").unwrap();
        let mut text = String::new();
        while !text.contains("data: rain\n") {
            let frame = timeout(BOUND, response.body_mut().frame()).await.unwrap().unwrap().unwrap();
            text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        connection.abort();
    }

    #[tokio::test]
    async fn alpn_selects_http2() {
        let running = Running::start(&[b"h2"]).await;
        reads_a_stream(running.connect().await, &running.hub).await;
    }

    /// The server reads until it knows the protocol.
    #[tokio::test]
    async fn prior_knowledge_in_pieces_selects_http2() {
        let hub = Hub::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Router::new().route("/news", feed(&hub, ["news"]))).into_future());
        let (near, far) = tokio::io::duplex(5);
        tokio::spawn(async move {
            let mut far = far;
            let mut socket = TcpStream::connect(at).await.unwrap();
            socket.set_nodelay(true).unwrap();
            let _ = tokio::io::copy_bidirectional_with_sizes(&mut far, &mut socket, 5, 5).await;
        });
        reads_a_stream(near, &hub).await;
    }
}
