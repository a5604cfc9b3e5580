//! The events for `tracing`: exactly the names, levels and fields of `docs/observing.md`.

#![cfg(feature = "tracing")]

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{StreamExt, stream};
use sse_serve::{Detach, SocketListener, serve};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Name, level and fields of an event.
type Row = (String, String, Vec<String>);

/// Collects the events of this crate.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<BTreeSet<Row>>>);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sse_serve"
    }

    fn event(&self, event: &Event<'_>) {
        let is = event.metadata();
        let fields = is.fields().iter().map(|field| field.name().to_owned()).filter(|name| name != "message").collect();
        self.0.lock().unwrap().insert((is.name().to_owned(), is.level().as_str().to_lowercase(), fields));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Accepts the connections and errors that a test makes.
struct Given(mpsc::UnboundedReceiver<io::Result<DuplexStream>>);

impl SocketListener for Given {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, ())> {
        match self.0.recv().await {
            Some(accepted) => accepted.map(|socket| (socket, ())),
            None => std::future::pending().await,
        }
    }
}

/// The rows of the document's table.
fn documented() -> BTreeSet<Row> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/observing.md")).unwrap();
    let (_, section) = text.split_once("### `sse_serve`").expect("a section for the target");
    let section = section.split("\n#").next().unwrap_or_default();
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`').to_owned();
        Some((name, cells.next()?.trim().to_owned(), words(cells.next()?)))
    };
    section.lines().filter_map(row).collect()
}

/// Causes every event.
async fn everything() {
    let fails = async || {
        let frames = stream::iter([Ok("data: x\n\n"), Err(io::Error::other("no database"))]);
        (Extension(Detach), Body::from_stream(frames.then(async |frame| frame)))
    };
    let (accepts, listener) = mpsc::unbounded_channel();
    let app = Router::new().route("/fails", get(fails));
    tokio::spawn(serve(Given(listener), app).max_connections(1).into_future());
    accepts.send(Err(io::Error::other("no file descriptor"))).unwrap();
    // A stream that leaves hyper and fails, and a request that hyper rejects. The second waits for the end of the first.
    let requests = ["GET /fails HTTP/1.1\r\nhost: x\r\n\r\n", "this is no request\r\n\r\n"];
    let mut clients = Vec::new();
    for request in requests {
        let (mut client, server) = duplex(1 << 16);
        client.write_all(request.as_bytes()).await.unwrap();
        accepts.send(Ok(server)).unwrap();
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
    assert_eq!(recorded, documented());
}
