//! A page that uses the shared script, the feed that it follows, and a proxy between the two.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::{any, get};
use sse_axum::{Hub, Replay, Resumption, Sse};
use sse_test_support::Result;
use sse_test_support::browser::{Browser, Page};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// The page writes each state and each event to `log`. `feed` is the object that `follow` returns.
const PAGE: &str = r#"<!doctype html><title>client</title><body>
<script src="../common/client.js"></script>
<script>
var log = [];
var feed = follow(new URLSearchParams(location.search).get("feed") ?? "/feed", {
  item: (event) => log.push("item " + event.data),
  gap: (event) => log.push("gap " + event.data),
}, (state) => log.push(state));
var items = () => log.filter((line) => line.startsWith("item ")).join();
</script>"#;

/// The server, and the proxy in front of it. Dropping this closes both.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) proxy: Proxy,
    _server: Aborts,
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        let hub = Hub::builder().topic_events(2).retry(Duration::from_millis(300)).build();
        let page = example_common::page(PAGE);
        let app = Router::new()
            .route("/", get(async move || Html(page)))
            .route("/feed", any(feed))
            .route("/finished", any(finished))
            .route("/full", any(full))
            .route("/board", any(board))
            .with_state(hub.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = Proxy::to(listener.local_addr()?.to_string()).await?;
        let server = Aborts(tokio::spawn(async move { drop(axum::serve(listener, app).await) }));
        Ok(Self { hub, proxy, _server: server })
    }

    /// Opens the page behind the proxy. The page follows `/feed`, or another route.
    pub(crate) async fn open(&self, browser: &Browser, route: &str) -> Result<Page> {
        let query = if route.is_empty() { String::new() } else { format!("?feed={route}") };
        browser.open(&format!("http://{}/{query}", self.proxy.address)).await
    }

    pub(crate) fn publish(&self, text: &str) -> Result {
        self.hub.publish("items", ("item", text))?;
        Ok(())
    }
}

async fn feed(sse: Sse, State(hub): State<Hub>) -> impl IntoResponse {
    sse.subscribe(&hub, ["items"]).replay(Replay::None)
}

/// The handler of docs/snapshots.md.
async fn board(sse: Sse, State(hub): State<Hub>) -> impl IntoResponse {
    let feed = sse.subscribe(&hub, ["items"]);
    match feed.resumption() {
        Resumption::Resumed => feed,
        _ => feed.prelude([("item", "the whole board")]),
    }
}

async fn finished(sse: Sse) -> impl IntoResponse {
    sse.stream(futures_util::stream::iter([("item", "one"), ("item", "two")]))
}

/// The first two requests receive the answer of a full server.
async fn full(sse: Sse, State(hub): State<Hub>) -> axum::response::Response {
    if hub.publish("tries", "one more").is_ok() && hub.stats().published <= 2 {
        let later = "retry: 200\n\nevent: sse-later\ndata: {\"reason\":\"full\"}\n\n";
        return ([(CONTENT_TYPE, "text/event-stream")], later).into_response();
    }
    sse.subscribe(&hub, ["items"]).into_response()
}

/// Forwards connections to a server, or answers in place of the server.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: String,
    /// The answer to each request while the server is "down"; empty while it is "up".
    answer: watch::Sender<&'static str>,
    /// The moments of the proxy's own answers.
    answered: Arc<Mutex<Vec<Instant>>>,
    _accepts: Aborts,
}

impl Proxy {
    async fn to(server: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (answer, answers) = watch::channel("");
        let answered = Arc::<Mutex<Vec<Instant>>>::default();
        let moments = answered.clone();
        let accepts = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), answers.clone(), moments.clone()));
            }
        });
        Ok(Self { address, answer, answered, _accepts: Aborts(accepts) })
    }

    /// Closes every connection, and gives this answer to every later request.
    pub(crate) fn down(&self, answer: &'static str) {
        self.answer.send_replace(answer);
    }

    pub(crate) fn up(&self) {
        self.answer.send_replace("");
    }

    /// The times between the proxy's own answers.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        let moments = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        moments.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

async fn carry(
    mut client: TcpStream,
    server: String,
    mut answer: watch::Receiver<&'static str>,
    answered: Arc<Mutex<Vec<Instant>>>,
) {
    let down = *answer.borrow();
    if down.is_empty() {
        let Ok(mut server) = TcpStream::connect(server).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => {}
            _ = answer.wait_for(|answer| !answer.is_empty()) => {}
        }
        return;
    }
    let mut request = vec![0; 8 * 1024];
    // A browser may open a connection before it has a request for it.
    if let Ok(Ok(1..)) = timeout(Duration::from_secs(5), client.read(&mut request)).await {
        if request.starts_with(b"GET /feed") {
            answered.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        }
        let _ = client.write_all(down.as_bytes()).await;
    }
}

/// Aborts the task when this value is dropped.
#[derive(Debug)]
struct Aborts(tokio::task::JoinHandle<()>);

impl Drop for Aborts {
    fn drop(&mut self) {
        self.0.abort();
    }
}
