//! The limits of the server, its end, and the kinds of listeners and services.

mod given;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{any, get};
use given::given;
use sse_axum::{Hub, Sse, feed};
use sse_serve::{FromHyper, RequestBody, serve};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

const BOUND: Duration = Duration::from_secs(30);
const GET: &[u8] = b"GET /news HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
const CLOSE: &[u8] = b"GET /plain HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn routes(hub: &Hub) -> Router {
    Router::new().route("/news", feed(hub, ["news"])).route("/plain", get(async || "plain"))
}

/// Reads until the bytes end as given.
async fn read_until(socket: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !text.ends_with(end.as_bytes()) {
            text.push(socket.read_u8().await.expect("more bytes"));
        }
    };
    timeout(BOUND, reading).await.unwrap_or_else(|_| panic!("no {end:?}"));
    String::from_utf8(text).unwrap()
}

async fn read_to_end(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    timeout(BOUND, socket.read_to_string(&mut text)).await.expect("the server closes").unwrap();
    text
}

/// The end of the opening block of a subscription.
const OPENED: &str = "data: {}\n\n\r\n";

async fn open(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    socket.write_all(GET).await.unwrap();
    read_until(socket, OPENED).await;
}

/// Opens a stream and receives an event.
async fn serves_a_stream(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), hub: &Hub) {
    open(socket).await;
    hub.publish("news", "rain").unwrap();
    read_until(socket, "data: rain\n").await;
}

#[tokio::test(start_paused = true)]
async fn client_that_sends_nothing_is_disconnected_after_the_timeout() {
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes(&Hub::new())).header_read_timeout(Some(Duration::from_secs(9))).into_future());
    let start = Instant::now();
    assert_eq!(read_to_end(&mut giver.connect()).await, "");
    assert_eq!(start.elapsed().as_secs(), 9);

    // Half of a head, and half of the beginning of HTTP/2.
    for half in [&GET[..20], b"PRI * HT"] {
        let mut client = giver.connect();
        client.write_all(half).await.unwrap();
        let start = Instant::now();
        assert_eq!(read_to_end(&mut client).await, "");
        assert!(start.elapsed() >= Duration::from_secs(9) && start.elapsed() <= Duration::from_secs(18));
    }
}

#[tokio::test(start_paused = true)]
async fn stream_outlives_the_header_timeout_and_the_next_request_has_it_again() {
    let hub = Hub::new();
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes(&hub)).header_read_timeout(Some(Duration::from_secs(9))).into_future());
    let mut client = giver.connect();
    open(&mut client).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    hub.publish("news", "late").unwrap();
    read_until(&mut client, "data: late\n").await;
    hub.drain(Duration::ZERO).await;
    read_until(&mut client, "\r\n0\r\n\r\n").await;
    let start = Instant::now();
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(start.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_wait_until_one_ends() {
    let hub = Hub::new();
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes(&hub)).max_connections(2).into_future());
    let (mut first, mut second, mut third) = (giver.connect(), giver.connect(), giver.connect());
    open(&mut first).await;
    open(&mut second).await;
    third.write_all(CLOSE).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(giver.accepted(), 2);
    drop(first);
    assert!(read_to_end(&mut third).await.ends_with("plain"));
    assert_eq!(giver.accepted(), 3);
}

#[tokio::test(start_paused = true)]
async fn server_pauses_after_a_failed_accept() {
    let (giver, listener) = given();
    let errors = 20;
    for _ in 0..errors {
        giver.fail(io::Error::other("too many open files"));
    }
    let start = Instant::now();
    tokio::spawn(serve(listener, routes(&Hub::new())).into_future());
    let mut client = giver.connect();
    client.write_all(CLOSE).await.unwrap();
    assert!(read_to_end(&mut client).await.ends_with("plain"));
    assert_eq!(start.elapsed().as_millis(), 100 * errors);

    giver.fail(io::ErrorKind::ConnectionAborted.into());
    let start = Instant::now();
    let mut client = giver.connect();
    client.write_all(CLOSE).await.unwrap();
    assert!(read_to_end(&mut client).await.ends_with("plain"));
    assert_eq!(start.elapsed().as_millis(), 0, "an error of one client is no reason for a pause");
}

#[tokio::test(start_paused = true)]
async fn graceful_shutdown_ends_with_the_last_stream() {
    let hub = Hub::new();
    let (giver, listener) = given();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = serve(listener, routes(&hub)).with_graceful_shutdown(async move { drop(stopped.await) });
    let mut server = tokio::spawn(server.into_future());
    let (mut stream, mut idle, mut used) = (giver.connect(), giver.connect(), giver.connect());
    open(&mut stream).await;
    used.write_all(b"GET /plain HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    read_until(&mut used, "\r\nplain").await;
    stop.send(()).unwrap();
    // Connections without a request are closed at once, and the stream goes on.
    assert_eq!(read_to_end(&mut idle).await, "");
    assert_eq!(read_to_end(&mut used).await, "");
    assert!(timeout(Duration::from_secs(60), &mut server).await.is_err());
    hub.publish("news", "still").unwrap();
    read_until(&mut stream, "data: still\n").await;
    hub.drain(Duration::ZERO).await;
    assert!(read_to_end(&mut stream).await.ends_with("\r\n0\r\n\r\n"), "the connection closes after the last chunk");
    timeout(BOUND, server).await.unwrap().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropped_server_stops_like_a_graceful_shutdown() {
    let hub = Hub::new();
    let (giver, listener) = given();
    let server = tokio::spawn(serve(listener, routes(&hub)).into_future());
    let (mut stream, mut idle) = (giver.connect(), giver.connect());
    open(&mut stream).await;
    server.abort();
    assert_eq!(read_to_end(&mut idle).await, "");
    hub.drain(Duration::ZERO).await;
    assert!(read_to_end(&mut stream).await.ends_with("\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn requests_have_the_values_of_their_connection() {
    #[derive(Clone, Copy)]
    struct Second(&'static str);
    let hello = async |ConnectInfo(address): ConnectInfo<SocketAddr>, second: axum::Extension<Second>| {
        format!("{address} {}", second.0.0)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = serve(listener, Router::new().route("/plain", get(hello)))
        .connect_info(|_, address| ConnectInfo(*address))
        .connect_info(|_, _| Second("second"));
    tokio::spawn(server.into_future());
    let mut client = TcpStream::connect(at).await.unwrap();
    client.write_all(CLOSE).await.unwrap();
    let expected = format!("{} second", client.local_addr().unwrap());
    assert!(read_to_end(&mut client).await.ends_with(&expected));
}

#[tokio::test]
async fn values_of_a_connection_are_made_once() {
    let (giver, listener) = given();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let app = Router::new().route("/plain", get(async |made: axum::Extension<usize>| made.to_string()));
    tokio::spawn(serve(listener, app).connect_info(move |_, ()| counted.fetch_add(1, Ordering::SeqCst)).into_future());
    let mut client = giver.connect();
    client.write_all(b"GET /plain HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    client.write_all(CLOSE).await.unwrap();
    assert!(read_to_end(&mut client).await.ends_with("0"));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn error_of_the_service_closes_the_connection() {
    let fails = async |_: http::Request<RequestBody>| Err::<http::Response<String>, _>(io::Error::other("no database"));
    let (giver, listener) = given();
    tokio::spawn(serve(listener, tower::service_fn(fails)).into_future());
    let mut client = giver.connect();
    client.write_all(GET).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "");
}

#[cfg(unix)]
#[tokio::test]
async fn unix_socket_serves_streams() {
    let path = std::env::temp_dir().join(format!("sse-serve-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let hub = Hub::new();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(serve(listener, routes(&hub)).into_future());
    let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    serves_a_stream(&mut client, &hub).await;
}

#[tokio::test]
async fn warp_service_serves_streams() {
    use sse_warp::Sse;
    use warp::Filter;
    let hub = Hub::new();
    let shared = hub.clone();
    let news = warp::path!("news")
        .and(sse_warp::sse(()))
        .map(move |sse: Sse| sse.into_result().map(|sse| sse.subscribe(&shared, ["news"])));
    let (giver, listener) = given();
    tokio::spawn(serve(listener, warp::service(news)).into_future());
    serves_a_stream(&mut giver.connect(), &hub).await;
}

#[tokio::test]
async fn bare_hyper_service_serves_streams() {
    let hub = Hub::new();
    let shared = hub.clone();
    let service = hyper::service::service_fn(move |request: http::Request<RequestBody>| {
        let hub = shared.clone();
        async move {
            let admitted = sse_core::Policy::default().check(&sse_core::Request::from(&request));
            Ok::<_, std::convert::Infallible>(match admitted {
                Ok(admitted) => sse_core::Sse::new(sse_core::Tokio, admitted).subscribe(&hub, ["news"]).into_http(),
                Err(rejection) => rejection.into_http(),
            })
        }
    });
    let (giver, listener) = given();
    tokio::spawn(serve(listener, FromHyper::new(service)).into_future());
    serves_a_stream(&mut giver.connect(), &hub).await;
}

/// The stream always has a frame that it cannot write. A read finds that the client left.
#[tokio::test(start_paused = true)]
async fn stream_of_a_client_that_stopped_reading_ends_when_the_client_leaves() {
    let hub = Hub::new();
    let app = Router::new().route("/news", any(async |sse: Sse| sse.stream(futures_util::stream::repeat("x"))));
    let (giver, listener) = given();
    tokio::spawn(serve(listener, app.layer(axum::Extension(hub.clone()))).into_future());
    let mut client = giver.connect();
    client.write_all(GET).await.unwrap();
    read_until(&mut client, "data: x\n\n\r\n").await;
    assert_eq!(hub.stats().streams, 1);
    drop(client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(hub.stats().streams, 0);
}
