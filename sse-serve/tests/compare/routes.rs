//! The router of the comparison.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use http_body_util::BodyExt;
use sse_axum::{Event, Hub, Policy, Sse};
use sse_serve::Detach;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_http::compression::CompressionLayer;
use tower_http::timeout::{ResponseBodyTimeoutLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;

pub(crate) fn routes(hub: Hub) -> Router {
    let layered =
        Router::new().route("/text/{n}", any(text)).route("/counted/{n}", any(counted)).layer(CompressionLayer::new());
    let traced = Router::new().route("/frames/{n}", any(frames)).layer(TraceLayer::new_for_http());
    let timed = Router::new()
        .route("/frames/{n}", any(frames))
        .route("/hangs", any(hangs))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(60)))
        .layer(ResponseBodyTimeoutLayer::new(Duration::from_millis(300)));
    let mapped = Router::new().route("/frames/{n}", any(frames)).layer(axum::middleware::map_response(upper));
    let closing = Router::new().route("/frames/{n}", any(frames)).layer(axum::middleware::map_response(close));
    Router::new()
        .route("/", any(feed))
        .route("/counted/{n}", any(counted))
        .route("/frames/{n}", any(frames))
        .route("/posted", any(posted).layer(Extension(Policy::fetch())))
        .route("/unread", any(unread).layer(Extension(Policy::fetch())))
        .route("/half-read", any(half_read).layer(Extension(Policy::fetch())))
        .route("/fails", any(fails))
        .route("/breaks-first", any(breaks_first))
        .route("/breaks-later", any(breaks_later))
        .route("/empty-frames", any(empty_frames))
        .route("/trailers", any(trailers))
        .route("/named-trailers", any(named_trailers))
        .route("/status/{status}", any(status))
        .route("/sized", any(async || (Extension(Detach), "sized")))
        .route("/http10", any(http10))
        .route("/upgrade", any(upgrade))
        .route("/plain", get(async || "plain"))
        .route("/big/{bytes}", get(async |Path(bytes): Path<usize>| vec![b'b'; bytes]))
        .nest("/compressed", layered)
        .nest("/traced", traced)
        .nest("/timed", timed)
        .nest("/mapped", mapped)
        .nest("/closing", closing)
        .with_state(hub)
}

async fn feed(sse: Sse, State(hub): State<Hub>) -> impl IntoResponse {
    sse.prelude([Event::data("first")]).subscribe(&hub, ["news"])
}

/// A stream that a task writes, with events of different lengths.
async fn counted(Path(n): Path<usize>, sse: Sse) -> impl IntoResponse {
    let (sender, response) = sse.channel();
    tokio::spawn(async move {
        for i in 0..n {
            if sender.send(format!("{i} {}", "y".repeat(i % 300))).await.is_err() {
                return;
            }
        }
        sender.finish();
    });
    response
}

/// Frames whose sizes are on both sides of the largest copied chunk.
async fn frames(Path(n): Path<usize>) -> impl IntoResponse {
    let frames = (0..n).map(|i| Ok::<_, io::Error>(format!("{i}:{}\n", "z".repeat(i * 397 % 2000))));
    (Extension(Detach), Body::from_stream(stream::iter(frames)))
}

async fn text(Path(n): Path<usize>) -> impl IntoResponse {
    let frames = (0..n).map(|i| Ok::<_, io::Error>(format!("line {i} {}\n", "t".repeat(i % 90))));
    (Extension(Detach), [("content-type", "text/plain")], Body::from_stream(stream::iter(frames)))
}

async fn posted(sse: Sse, body: String) -> impl IntoResponse {
    sse.stream(stream::iter([body]))
}

async fn unread(sse: Sse) -> impl IntoResponse {
    sse.stream(stream::iter(["unread"]))
}

/// Reads the first frame of the request and keeps the rest.
async fn half_read(sse: Sse, request: Request) -> impl IntoResponse {
    let mut body = request.into_body();
    let first = body.frame().await;
    let is_data = first.is_some_and(|frame| frame.is_ok_and(|frame| frame.is_data()));
    sse.stream(stream::once(async move {
        let rest = body.collect().await.map(|rest| rest.to_bytes().len()).unwrap_or_default();
        format!("{is_data} {rest}")
    }))
}

async fn fails(sse: Sse) -> impl IntoResponse {
    sse.stream(stream::iter([Ok("good"), Err("bad")]).chain(stream::pending()))
}

fn breaking() -> impl Iterator<Item = io::Result<Bytes>> {
    [Ok(Bytes::from_static(b"data: x\n\n")), Err(io::Error::other("bad"))].into_iter()
}

async fn breaks_first() -> impl IntoResponse {
    (Extension(Detach), Body::from_stream(stream::iter(breaking())))
}

/// hyper has sent the head when this body breaks.
async fn breaks_later() -> impl IntoResponse {
    let frames = stream::iter(breaking()).then(async |frame| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        frame
    });
    (Extension(Detach), Body::from_stream(frames))
}

async fn empty_frames() -> impl IntoResponse {
    let frames = ["", "a", "", "", "b", ""].map(|frame| Ok::<_, io::Error>(Bytes::from_static(frame.as_bytes())));
    (Extension(Detach), Body::from_stream(stream::iter(frames)))
}

fn with_trailers() -> Body {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    let frames = [http_body::Frame::data(Bytes::from_static(b"data")), http_body::Frame::trailers(trailers)];
    Body::new(http_body_util::StreamBody::new(stream::iter(frames.map(Ok::<_, io::Error>))))
}

async fn trailers() -> impl IntoResponse {
    (Extension(Detach), with_trailers())
}

async fn named_trailers() -> impl IntoResponse {
    (Extension(Detach), [("trailer", "x-sum")], with_trailers())
}

async fn status(Path(status): Path<u16>) -> impl IntoResponse {
    let body = Body::from_stream(stream::iter([Ok::<_, io::Error>("body")]));
    (StatusCode::from_u16(status).unwrap(), Extension(Detach), body)
}

/// A response of another version, which hyper frames without chunks.
async fn http10() -> Response {
    let body = Body::from_stream(stream::iter([Ok::<_, io::Error>("body")]));
    let mut response = (Extension(Detach), body).into_response();
    *response.version_mut() = http::Version::HTTP_10;
    response
}

/// Sends a frame, then nothing more.
async fn hangs() -> impl IntoResponse {
    let frames = stream::iter([Ok::<_, io::Error>("one")]).chain(stream::pending());
    (Extension(Detach), Body::from_stream(frames))
}

async fn upper(response: Response) -> Response {
    response.map(|body| {
        Body::new(body.map_frame(|frame| frame.map_data(|data: Bytes| Bytes::from(data.to_ascii_uppercase()))))
    })
}

async fn close(mut response: Response) -> Response {
    response.headers_mut().insert("connection", "x-other, Close".parse().unwrap());
    response
}

/// Answers five bytes in reverse order.
async fn upgrade(mut request: Request) -> impl IntoResponse {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let mut socket = hyper_util::rt::TokioIo::new(upgraded);
        let mut bytes = [0; 5];
        if socket.read_exact(&mut bytes).await.is_ok() {
            bytes.reverse();
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        }
    });
    (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
}
