//! Which responses leave hyper, by the event `stream.detached`, and the other events of this crate.

#![cfg(feature = "tracing")]

use axum::body::Body;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use sse_axum::{Policy, Sse};
use sse_serve::{Detach, serve};
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Records the names of this crate's events, and their fields.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Fields<'f>(&'f mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "message" {
            self.0.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sse_serve"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = event.metadata().name().to_owned();
        event.record(&mut Fields(&mut text));
        self.0.lock().unwrap().push(text);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn frames() -> Body {
    Body::from_stream(stream::iter([Ok::<_, io::Error>("data: x\n\n")]))
}

fn routes() -> Router {
    let fails = async || {
        let frames = stream::iter([Ok("data: x\n\n"), Err(io::Error::other("no database"))]);
        (Extension(Detach), Body::from_stream(frames.then(async |frame| frame)))
    };
    Router::new()
        .route("/sse", any(async |sse: Sse| sse.stream(stream::iter(["x"]))))
        .route("/read", any(async |sse: Sse, body: String| sse.stream(stream::iter([body]))))
        .route("/marked", any(async || (Extension(Detach), frames())))
        .route("/unmarked", any(async || frames()))
        .route("/length", any(async || (Extension(Detach), [("content-length", "9")], frames())))
        .route("/trailer", any(async || (Extension(Detach), [("trailer", "x-sum")], frames())))
        .route("/sized", any(async || (Extension(Detach), "data: x\n\n").into_response()))
        .route("/fails", any(fails))
        .route(
            "/status/{status}",
            any(async |Path(status): Path<u16>| (StatusCode::from_u16(status).unwrap(), Extension(Detach), frames())),
        )
        .layer(Extension(Policy::fetch()))
}

/// The events of one request on a new connection.
async fn events_of(events: &Events, listener: TcpListener, request: &str) -> Vec<String> {
    events.take();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = serve(listener, routes()).with_graceful_shutdown(async move { drop(stopped.await) });
    let server = tokio::spawn(server.into_future());
    let mut client = TcpStream::connect(at).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), client.read_to_end(&mut answer)).await.unwrap().unwrap();
    drop((client, stop));
    server.await.unwrap().unwrap();
    events.take()
}

/// One test, because the subscriber is that of the process.
#[tokio::test]
async fn only_marked_streams_of_http_1_1_leave_hyper() {
    let events = Events::default();
    tracing::subscriber::set_global_default(events.clone()).unwrap();
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n");
    let post = |path: &str, body: &str| {
        let length = format!("content-length: {}\r\n", body.len());
        get(path, &length).replace("GET", "POST") + body
    };
    let left = ["stream.detached"].as_slice();
    let stayed = [].as_slice();
    let cases = [
        (get("/sse", ""), left),
        (get("/marked", ""), left),
        (post("/read", "body"), left),
        (post("/sse", ""), left),
        (post("/sse", "unread"), stayed),
        (get("/unmarked", ""), stayed),
        (get("/sse", "").replace("HTTP/1.1", "HTTP/1.0"), stayed),
        (get("/sse", "").replace("GET", "HEAD"), stayed),
        (get("/marked", "").replace("GET", "HEAD"), stayed),
        (get("/sse", "upgrade: websocket\r\n"), stayed),
        (get("/length", ""), stayed),
        (get("/trailer", ""), stayed),
        (get("/sized", ""), stayed),
        (get("/status/200", ""), left),
        (get("/status/201", ""), stayed),
        (get("/status/404", ""), stayed),
        (get("/fails", ""), &["stream.detached", "stream.cut error=no database"]),
    ];
    for (request, expected) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(events_of(&events, listener, &request).await, expected, "{request}");
    }
}
