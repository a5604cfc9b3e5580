//! One table of hosts and origins, for three adapters over HTTP/1 and HTTP/2.

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_conformance::Target;
use sse_core::Policy;
use std::net::TcpListener;
use std::time::Duration;

fn policy() -> Policy {
    let hosts = ["localhost", "127.0.0.1", "[::1]", "app.example:8443", "tls.example:443", "Plain.Example.:80"];
    let pages = [
        "https://page.example/",
        "https://port.example:443",
        "http://dev.example:5173",
        "app://shell",
        "HTTPS://Loud.Example",
    ];
    Policy::default().hosts(hosts).unwrap().origins(pages).unwrap()
}

/// A request: the host in the target, `Host`, `Origin`, `Sec-Fetch-Site`, and whether the request opens a stream. Over
/// HTTP/2 the target is `:authority`, and a `Host` alone is sent as `:authority`.
type HostCase = (Option<&'static str>, Option<&'static str>, Option<&'static str>, Option<&'static str>, bool);

const CASES: &[HostCase] = &[
    // Hosts: names in any case, any port where the policy names none.
    (None, Some("localhost"), None, None, true),
    (None, Some("localhost:3000"), None, None, true),
    (None, Some("LocalHost:65535"), None, None, true),
    (None, Some("127.0.0.1"), None, None, true),
    (None, Some("127.0.0.1:80"), None, None, true),
    (None, Some("localhost:080"), None, None, true),
    (None, Some("localhost."), None, None, false),
    (None, Some("127.0.0.2"), None, None, false),
    (None, Some("localhost.evil.example"), None, None, false),
    (None, Some("evil.example"), None, None, false),
    (None, Some("evil.example:80"), None, None, false),
    (None, None, None, None, false),
    // A port that the policy names. The default port of a scheme may be left out.
    (None, Some("app.example:8443"), None, None, true),
    (None, Some("app.example"), None, None, false),
    (None, Some("app.example:443"), None, None, false),
    (None, Some("tls.example"), None, None, true),
    (None, Some("tls.example:443"), None, None, true),
    (None, Some("tls.example:80"), None, None, false),
    (None, Some("plain.example."), None, None, true),
    (None, Some("plain.example"), None, None, false),
    // IPv6.
    (None, Some("[::1]"), None, None, true),
    (None, Some("[::1]:8080"), None, None, true),
    (None, Some("[0:0:0:0:0:0:0:1]:8080"), None, None, true),
    (None, Some("[::2]"), None, None, false),
    (None, Some("::1"), None, None, false),
    (None, Some("[::1"), None, None, false),
    (None, Some("[::1].evil.example"), None, None, false),
    (None, Some("[::1]@evil.example"), None, None, false),
    // No valid host: userinfo, a path, an invalid port, and more.
    (None, Some("localhost:x@evil.example"), None, None, false),
    (None, Some("localhost@evil.example"), None, None, false),
    (None, Some("x@localhost"), None, None, false),
    (None, Some("localhost:evil.example"), None, None, false),
    (None, Some("localhost:3000/evil"), None, None, false),
    (None, Some("localhost/evil"), None, None, false),
    (None, Some("http://localhost"), None, None, false),
    (None, Some("localhost:65536"), None, None, false),
    (None, Some("localhost:+80"), None, None, false),
    (None, Some("localhost:80:80"), None, None, false),
    (None, Some("localhost, evil.example"), None, None, false),
    (None, Some("localhost evil.example"), None, None, false),
    (None, Some("loc%61lhost"), None, None, false),
    (None, Some("*"), None, None, false),
    (None, Some(""), None, None, false),
    // The target names a host as well.
    (Some("localhost:3000"), None, None, None, true),
    (Some("localhost:3000"), Some("localhost:3000"), None, None, true),
    (Some("localhost:3000"), Some("LOCALHOST:3000"), None, None, true),
    (Some("localhost:3000"), Some("localhost:4000"), None, None, false),
    (Some("localhost"), Some("evil.example"), None, None, false),
    (Some("evil.example"), Some("localhost"), None, None, false),
    (Some("evil.example"), Some("evil.example"), None, None, false),
    (Some("x@localhost"), Some("localhost"), None, None, false),
    (Some("localhost"), Some("localhost:x@evil.example"), None, None, false),
    // The server's own origin, with any scheme. The default port of a scheme may be left out on either side.
    (None, Some("localhost:3000"), Some("http://localhost:3000"), Some("same-origin"), true),
    (None, Some("localhost:3000"), Some("https://localhost:3000"), None, true),
    (None, Some("tls.example:443"), Some("https://tls.example"), None, true),
    (None, Some("tls.example"), Some("https://tls.example"), None, true),
    (None, Some("tls.example"), Some("https://tls.example:443"), None, true),
    (None, Some("plain.example.:80"), Some("http://plain.example."), None, true),
    (None, Some("[::1]:80"), Some("http://[::1]"), None, true),
    (None, Some("[::1]:3000"), Some("http://[0::1]:3000"), None, true),
    (None, Some("localhost"), Some("https://localhost:8443"), None, false),
    (None, Some("localhost:80"), Some("https://localhost"), None, false),
    (None, Some("localhost:3000"), Some("http://localhost:4000"), Some("same-site"), false),
    (None, Some("localhost"), Some("ftp://localhost"), None, false),
    (Some("localhost:3000"), None, Some("http://localhost:3000"), None, true),
    (Some("localhost:3000"), Some("localhost:3000"), Some("http://localhost:4000"), None, false),
    // Pages that the policy names.
    (None, Some("localhost"), Some("https://page.example"), Some("cross-site"), true),
    (None, Some("localhost"), Some("https://page.example:443"), None, true),
    (None, Some("localhost"), Some("HTTPS://PAGE.example"), None, true),
    (None, Some("localhost"), Some("https://port.example"), None, true),
    (None, Some("localhost"), Some("https://loud.example"), None, true),
    (None, Some("localhost"), Some("http://dev.example:5173"), None, true),
    (None, Some("localhost"), Some("app://shell"), None, true),
    (None, Some("localhost"), Some("http://page.example"), None, false),
    (None, Some("localhost"), Some("https://page.example:8443"), None, false),
    (None, Some("localhost"), Some("http://dev.example"), None, false),
    (None, Some("localhost"), Some("https://page.example/"), None, false),
    (None, Some("localhost"), Some("https://page.example.evil"), None, false),
    (None, Some("localhost"), Some("https://x@page.example"), None, false),
    (None, Some("localhost"), Some("https://page.example https://evil.example"), None, false),
    (None, Some("localhost"), Some("page.example"), None, false),
    (None, Some("localhost"), Some("null"), None, false),
    (None, Some("localhost"), Some(""), None, false),
    (None, Some("evil.example"), Some("https://page.example"), None, false),
    // No `Origin`: a browser sends `Sec-Fetch-Site`, and other programs send neither.
    (None, Some("localhost"), None, Some("same-origin"), true),
    (None, Some("localhost"), None, Some("none"), true),
    (None, Some("localhost"), None, Some("same-site"), false),
    (None, Some("localhost"), None, Some("cross-site"), false),
];

/// Runs a server on a thread of its own, until the process ends.
fn serve<F: Future>(server: impl FnOnce(TcpListener) -> F + Send + 'static) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = Target::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            server(listener).await;
        });
    });
    target
}

type Events = futures_util::stream::Iter<std::array::IntoIter<&'static str, 1>>;

fn events() -> Events {
    futures_util::stream::iter(["hello"])
}

fn on_axum() -> Target {
    serve(async |listener| {
        let handler = async |sse: sse_axum::Sse| sse.stream(events());
        let routes = axum::Router::new().route("/", axum::routing::any(handler).layer(axum::Extension(policy())));
        axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), routes).await
    })
}

fn on_actix() -> Target {
    use actix_web::{App, HttpServer, web};
    serve(async |listener| {
        let app =
            || App::new().app_data(policy()).route("/", web::to(async |sse: sse_actix::Sse| sse.stream(events())));
        HttpServer::new(app).workers(1).disable_signals().listen_auto_h2c(listener).unwrap().run().await
    })
}

fn on_warp() -> Target {
    use warp::Filter;
    serve(async |listener| {
        let routes = warp::path::end().and(sse_warp::sse(policy()));
        let routes = routes.map(|sse: sse_warp::Sse| sse.stream(events()));
        warp::serve(routes).incoming(tokio::net::TcpListener::from_std(listener).unwrap()).run().await;
    })
}

fn over_http_1(server: &Target, (target, host, origin, site, _): HostCase) -> u16 {
    // HTTP/1.1 has no request without `Host` (RFC 9112 3.2).
    let host = host.or(target);
    let target = target.map(|authority| format!("http://{authority}")).unwrap_or_default();
    let mut request = format!("GET {target}/ HTTP/1.1\r\naccept: text/event-stream\r\nconnection: close\r\n");
    for (name, value) in [("host", host), ("origin", origin), ("sec-fetch-site", site)] {
        if let Some(value) = value {
            request += &format!("{name}: {value}\r\n");
        }
    }
    let mut connection = server.connect().unwrap();
    connection.send(format!("{request}\r\n").as_bytes()).unwrap();
    connection.answer(false).unwrap().head.status
}

/// `None` if no program can write such a request.
async fn over_http_2(server: &Target, (target, host, origin, site, _): HostCase) -> Option<u16> {
    let authority = target.or(host)?;
    let mut request = http::Request::get(format!("http://{authority}/")).header("accept", "text/event-stream");
    for (name, value) in [("host", target.and(host)), ("origin", origin), ("sec-fetch-site", site)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let request = request.body(Empty::<Bytes>::new()).ok()?;
    if request.uri().authority()?.as_str() != authority {
        return None;
    }
    let socket = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let handshake = http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(socket));
    let (mut send, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    let answer = tokio::time::timeout(Duration::from_secs(10), send.send_request(request)).await.unwrap();
    connection.abort();
    // h2 resets a stream with an unreadable `:authority`.
    Some(answer.map_or(400, |answer| answer.status().as_u16()))
}

/// Hazard E11.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn hosts_and_origins_are_compared_by_their_parts_on_every_adapter() {
    assert!(CASES.len() >= 60, "{}", CASES.len());
    let (mut wrong, mut over_2) = (Vec::new(), 0);
    for (name, server) in [("axum", on_axum()), ("actix", on_actix()), ("warp", on_warp())] {
        for &case in CASES {
            // A framework may reject a malformed request itself.
            let is_right = |status| if case.4 { status == 200 } else { matches!(status, 403 | 400) };
            let status = over_http_1(&server, case);
            if !is_right(status) {
                wrong.push(format!("{name} over HTTP/1: {case:?}: {status}"));
            }
            let Some(status) = over_http_2(&server, case).await else { continue };
            over_2 += 1;
            if !is_right(status) {
                wrong.push(format!("{name} over HTTP/2: {case:?}: {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(over_2 > 3 * 60, "{over_2} cases over HTTP/2");
}
