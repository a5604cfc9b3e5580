//! `rediss://` to an engine whose certificate comes from an authority of its own, as most do.

use crate::model::{Client, Node};
use crate::server::{Server, free_port};
use sse_redis::{Redis, StartError, State};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Runs `openssl`, which must be there: it makes the certificates.
fn openssl(dir: &Path, arguments: &str) {
    let run = Command::new("openssl").current_dir(dir).args(arguments.split(' ')).output().expect("openssl runs");
    assert!(run.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&run.stderr));
}

/// An authority, and a certificate that it gave to each of the two.
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

    // Whom the system trusts is not enough; who we are is asked; and the name in the URL is the certificate's.
    let by_number = format!("rediss://127.0.0.1:{port}");
    let own = (read("node.pem"), read("node.key"));
    let strangers = [
        ("UnknownIssuer", Redis::builder(&url)),
        ("CertificateRequired", trusting(&url)),
        ("not valid for name", trusting(&by_number).client_certificate(own.0, own.1)),
    ];
    let mut troubles = Vec::new();
    for (expected, builder) in strangers {
        let stranger = Node::build(builder);
        let begun = Instant::now();
        let trouble = loop {
            if let Some(trouble) = stranger.redis.trouble() {
                break trouble;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{expected:?} is no trouble");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(stranger.redis.state(), State::Loading, "{trouble}");
        assert!(trouble.contains(expected), "{trouble:?} and not {expected:?}");
        stranger.redis.stop();
        troubles.push(trouble);
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
    format!("10 events; strangers are told {troubles:?}")
}
