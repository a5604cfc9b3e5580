//! The events for `tracing`: exactly the names, levels and fields of `docs/observing.md`.

#![cfg(feature = "tracing")]

mod given;

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{StreamExt, stream};
use given::given;
use sse_serve::{Detach, serve};
use sse_test_support::observing::{Row, documented_events};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Collects the events of this crate.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Row>>>);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sse_serve"
    }

    fn event(&self, event: &Event<'_>) {
        let is = event.metadata();
        let fields = is.fields().iter().map(|field| field.name().to_owned()).filter(|name| name != "message").collect();
        self.0.lock().unwrap().push((is.name().to_owned(), is.level().as_str().to_lowercase(), fields));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Causes every event.
async fn everything() {
    let fails = async || {
        let frames = stream::iter([Ok("data: x\n\n"), Err(io::Error::other("no database"))]);
        (Extension(Detach), Body::from_stream(frames.then(async |frame| frame)))
    };
    let (giver, listener) = given();
    let app = Router::new().route("/fails", get(fails));
    tokio::spawn(serve(listener, app).max_connections(1).into_future());
    giver.fail(io::Error::other("no file descriptor"));
    // A stream that leaves hyper and fails, and requests that hyper rejects. Each waits for the end of the one before.
    let malformed = "this is no request\r\n\r\n";
    let requests = ["GET /fails HTTP/1.1\r\nhost: x\r\n\r\n", malformed, malformed, malformed];
    let mut clients = Vec::new();
    for request in requests {
        let mut client = giver.connect();
        client.write_all(request.as_bytes()).await.unwrap();
        clients.push(client);
    }
    for mut client in clients {
        timeout(Duration::from_secs(30), client.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    }
}

/// The runtime has one thread, so the subscriber of the thread is that of the server.
#[tokio::test(start_paused = true)]
async fn recorded_events_equal_the_table_of_the_document() {
    let collector = Collector::default();
    let _guard = tracing::subscriber::set_default(collector.clone());
    everything().await;
    let recorded = collector.0.lock().unwrap().clone();
    // Once, although clients took turns at the limit.
    assert_eq!(recorded.iter().filter(|(name, ..)| name == "connections.full").count(), 1);
    assert_eq!(recorded.into_iter().collect::<BTreeSet<_>>(), documented_events("sse_serve"));
}
