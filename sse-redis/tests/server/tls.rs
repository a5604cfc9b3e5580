//! `rediss://` to a server whose certificate comes from a private authority.

use crate::model::{Client, Node};
use crate::server::{Server, free_port};
use sse_redis::{NodeState, Redis, StartError};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Runs `openssl`, which creates the certificates.
fn openssl(dir: &Path, arguments: &str) {
    let run = Command::new("openssl").current_dir(dir).args(arguments.split(' ')).output().expect("openssl runs");
    assert!(run.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&run.stderr));
}

/// Creates an authority, and a certificate for the server and one for the node.
fn make_certificates(dir: &Path) {
    let fresh = "req -x509 -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(dir, &format!("{fresh} -keyout ca.key -out ca.pem -subj /CN=authority"));
    let leaf = "-CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE";
    for (name, names) in [("engine", "DNS:localhost"), ("node", "DNS:node")] {
        let files = format!("-keyout {name}.key -out {name}.pem -subj /CN={name} -addext subjectAltName={names}");
        openssl(dir, &format!("{fresh} {leaf} {files}"));
    }
}

pub(crate) async fn private_authority(_: bool) -> String {
    let port = free_port();
    let server = Server::with(|dir| {
        make_certificates(dir);
        let file = |name: &str| dir.join(name).display().to_string();
        [
            ["--tls-port", &port.to_string()],
            ["--tls-cert-file", &file("engine.pem")],
            ["--tls-key-file", &file("engine.key")],
            ["--tls-ca-cert-file", &file("ca.pem")],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
    });
    let read = |name: &str| std::fs::read(server.dir.join(name)).expect("it was made");
    let url = format!("rediss://localhost:{port}");
    let trusting = |url: &str| Redis::builder(url).root_certificates(read("ca.pem"));

    let node = Node::build(trusting(&url).client_certificate(read("node.pem"), read("node.key")));
    node.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None);
    tokio::time::sleep(Duration::from_millis(200)).await;
    for number in 1..=10 {
        node.publish_surely("news", &number.to_string()).await;
    }
    client.wait_for(10, Duration::from_secs(5)).await;
    assert_eq!(client.check().gaps(), 0);

    // The roots of the system do not contain the authority, a client certificate is required, and the name in the URL must
    // be in the certificate.
    let by_number = format!("rediss://127.0.0.1:{port}");
    let own = (read("node.pem"), read("node.key"));
    let strangers = [
        ("UnknownIssuer", Redis::builder(&url)),
        ("CertificateRequired", trusting(&url)),
        ("not valid for name", trusting(&by_number).client_certificate(own.0, own.1)),
    ];
    let mut errors = Vec::new();
    for (expected, builder) in strangers {
        let stranger = Node::build(builder);
        let begun = Instant::now();
        let last_error = loop {
            if let Some(last_error) = stranger.redis.last_error() {
                break last_error;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{expected:?} is not reported");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(stranger.redis.state(), NodeState::Loading, "{last_error}");
        assert!(last_error.contains(expected), "{last_error:?} and not {expected:?}");
        stranger.redis.stop();
        errors.push(last_error);
    }
    let garbled = [
        Redis::builder(&url).root_certificates("-----BEGIN CERTIFICATE-----"),
        Redis::builder(&url).root_certificates("authority.pem"),
        trusting(&url).client_certificate("", read("node.key")),
        trusting(&url).client_certificate(read("node.pem"), ""),
        trusting("redis://localhost").client_certificate(read("node.pem"), read("node.key")),
    ];
    for (at, builder) in garbled.into_iter().enumerate() {
        let begun = builder.start().map(drop);
        assert!(matches!(begun, Err(StartError::Url(_))), "{at}: {begun:?}");
    }
    format!("10 events; rejected nodes report {errors:?}")
}
