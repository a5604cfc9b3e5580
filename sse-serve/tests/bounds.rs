//! A client cannot hold more than the documented limits allow, and cannot keep a connection open beyond them.

mod given;

use axum::body::Body;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use axum::{Extension, Router};
use futures_util::{StreamExt, stream};
use given::given;
use http::StatusCode;
use sse_serve::{Detach, serve};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

const BOUND: Duration = Duration::from_secs(30);

/// A stream of one frame that stays open.
fn open_stream() -> impl IntoResponse {
    let frames = stream::iter([Ok::<_, io::Error>("data: x\n\n")]).chain(stream::pending());
    (Extension(Detach), Body::from_stream(frames))
}

/// A stream of one frame that ends.
fn short_stream() -> impl IntoResponse {
    (Extension(Detach), Body::from_stream(stream::iter([Ok::<_, io::Error>("data: x\n\n")])))
}

async fn upgrade(mut request: Request) -> impl IntoResponse {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut socket = hyper_util::rt::TokioIo::new(upgraded.await.unwrap());
        let _ = socket.read_u8().await;
    });
    (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
}

fn routes() -> Router {
    Router::new()
        .route("/open", any(async |_body: axum::body::Bytes| open_stream()))
        .route("/short", any(async |_body: axum::body::Bytes| short_stream()))
        .route("/upgrade", any(upgrade))
        .route("/plain", get(async || "plain"))
}

fn request(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n")
}

async fn read_until(socket: &mut (impl AsyncRead + Unpin), end: &str) {
    let mut text = Vec::new();
    let reading = async {
        while !text.ends_with(end.as_bytes()) {
            text.push(socket.read_u8().await.expect("more bytes"));
        }
    };
    timeout(BOUND, reading).await.unwrap_or_else(|_| panic!("no {end:?}"));
}

async fn read_to_end(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    timeout(BOUND, socket.read_to_string(&mut text)).await.expect("the server closes").unwrap();
    text
}

/// Writes until the server takes no more bytes, and returns their number without those in the pipe.
async fn taken(socket: &mut (impl AsyncWrite + Unpin), pipe: usize) -> usize {
    let mut written = 0;
    // The clock is virtual.
    while let Ok(Ok(more)) = timeout(Duration::from_secs(1), socket.write(&[b'x'; 256])).await {
        written += more;
    }
    written - pipe
}

#[tokio::test(start_paused = true)]
async fn stream_takes_8_kib_of_further_requests() {
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes()).into_future());
    let mut client = giver.connect_through(64);
    client.write_all(request("/open", "").as_bytes()).await.unwrap();
    read_until(&mut client, "data: x\n\n\r\n").await;
    assert_eq!(taken(&mut client, 64).await, 8 * 1024);
}

/// hyper reads larger and larger pieces of a body, and the last piece can contain further requests.
#[tokio::test(start_paused = true)]
async fn stream_after_an_upload_takes_no_more_of_further_requests() {
    let pipe = 1 << 20;
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes()).into_future());
    let mut client = giver.connect_through(pipe);
    let body = 1_500_000;
    let head = request("/open", &format!("content-length: {body}\r\n"));
    client.write_all((head + &"b".repeat(body)).as_bytes()).await.unwrap();
    assert_eq!(taken(&mut client, pipe).await, 8 * 1024);
}

#[tokio::test(start_paused = true)]
async fn upgraded_connection_counts_until_it_ends() {
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes()).max_connections(1).into_future());
    let mut upgraded = giver.connect();
    upgraded.write_all(request("/upgrade", "connection: upgrade\r\nupgrade: echo\r\n").as_bytes()).await.unwrap();
    read_until(&mut upgraded, "\r\n\r\n").await;
    let mut next = giver.connect();
    next.write_all(request("/plain", "connection: close\r\n").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(giver.accepted(), 1);
    drop(upgraded);
    assert!(read_to_end(&mut next).await.ends_with("plain"));
}

#[tokio::test(start_paused = true)]
async fn limit_of_0_connections_counts_as_1() {
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes()).max_connections(0).into_future());
    let mut client = giver.connect();
    client.write_all(request("/plain", "connection: close\r\n").as_bytes()).await.unwrap();
    assert!(read_to_end(&mut client).await.ends_with("plain"));
}

#[tokio::test(start_paused = true)]
async fn first_byte_is_awaited_for_75_seconds_by_default() {
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes()).into_future());
    for start in ["", "G"] {
        let mut client = giver.connect();
        client.write_all(start.as_bytes()).await.unwrap();
        let start = Instant::now();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!((text.as_str(), start.elapsed().as_secs()), ("", 75));
    }
}

#[tokio::test(start_paused = true)]
async fn longest_header_timeout_is_no_limit() {
    for limit in [None, Some(Duration::MAX)] {
        let (giver, listener) = given();
        tokio::spawn(serve(listener, routes()).header_read_timeout(limit).into_future());
        let mut client = giver.connect();
        tokio::time::sleep(Duration::from_secs(100_000)).await;
        let request = request("/plain", "connection: close\r\n");
        let (first, rest) = request.split_at(9);
        client.write_all(first.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(100_000)).await;
        client.write_all(rest.as_bytes()).await.unwrap();
        assert!(read_to_end(&mut client).await.ends_with("plain"), "{limit:?}");
    }
}

/// The client keeps its socket open after a response with `connection: close`.
#[tokio::test(start_paused = true)]
async fn closed_connection_reads_for_5_seconds_and_256_kib_at_most() {
    let (giver, listener) = given();
    tokio::spawn(serve(listener, routes()).into_future());
    let last = request("/short", "connection: close\r\n");

    let mut client = giver.connect_through(512);
    client.write_all((last.clone() + "more").as_bytes()).await.unwrap();
    assert!(read_to_end(&mut client).await.ends_with("0\r\n\r\n"));
    let start = Instant::now();
    let mut bytes = 0;
    while client.write_all(&[b'x'; 100]).await.is_ok() {
        bytes += 100;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(start.elapsed().as_secs(), 5);
    assert!(bytes < 6000, "{bytes}");

    let mut client = giver.connect_through(512);
    client.write_all((last + "more").as_bytes()).await.unwrap();
    assert!(read_to_end(&mut client).await.ends_with("0\r\n\r\n"));
    let start = Instant::now();
    let mut bytes = 0;
    while let Ok(more) = client.write(&[b'x'; 256]).await {
        bytes += more;
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!((256 * 1024..260 * 1024).contains(&bytes), "{bytes}");
}

/// Clients that sent nothing, one byte, more bytes than the last request, and a part of the beginning of HTTP/2.
#[tokio::test(start_paused = true)]
async fn graceful_shutdown_waits_for_half_a_head_until_its_timeout() {
    let (giver, listener) = given();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = serve(listener, routes()).with_graceful_shutdown(async move { drop(stopped.await) });
    let server = tokio::spawn(server.into_future());
    let mut clients = Vec::new();
    let closing = request("/short", "connection: close\r\n") + "more";
    for start in ["", "G", &closing, "PRI * HT"] {
        let mut client = giver.connect();
        client.write_all(start.as_bytes()).await.unwrap();
        clients.push(client);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.send(()).unwrap();
    let start = Instant::now();
    timeout(Duration::from_secs(600), server).await.expect("the server ends").unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 74);
}

/// The client sent the beginning of HTTP/2 and answers no PING.
#[cfg(feature = "http2")]
#[tokio::test(start_paused = true)]
async fn silent_http2_client_is_disconnected_20_seconds_after_a_ping() {
    for stops in [false, true] {
        let (giver, listener) = given();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = serve(listener, routes()).with_graceful_shutdown(async move { drop(stopped.await) });
        let server = tokio::spawn(server.into_future());
        let mut client = giver.connect();
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let start = Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stop = stops.then(|| stop.send(()).unwrap());
        let ending = async {
            client.read_to_end(&mut Vec::new()).await.unwrap();
            if stops {
                server.await.unwrap().unwrap();
            }
        };
        timeout(Duration::from_secs(600), ending).await.expect("an end");
        assert_eq!(start.elapsed().as_secs(), 75 + 20, "{stop:?}");
    }
}
