//! A node: a hub that follows the log, behind a server that can be stopped and started.

use crate::engine::Engine;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use sse_axum::Sse;
use sse_core::{Event, Hub, Policy, SocketLimits, Start};
use sse_redis::Redis;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

pub(crate) struct Cluster {
    pub(crate) engine: Engine,
    pub(crate) nodes: Vec<Node>,
}

pub(crate) struct Node {
    pub(crate) port: u16,
    running: Mutex<Option<Running>>,
}

#[derive(Clone)]
struct Running {
    redis: Redis,
    server: AbortHandle,
}

/// What a node's handlers share.
#[derive(Clone)]
struct App {
    cluster: Arc<Cluster>,
    hub: Hub,
}

impl Node {
    pub(crate) const fn new(port: u16) -> Self {
        Self { port, running: Mutex::new(None) }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster {
    pub(crate) fn start(self: Arc<Self>, which: usize) -> io::Result<()> {
        let Some(node) = self.nodes.get(which) else { return Ok(()) };
        if node.running().is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(("127.0.0.1", node.port))?;
        listener.set_nonblocking(true)?;
        sse_core::bound_sockets(&listener, &SocketLimits::default())?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (redis, hub) = Redis::builder(&self.engine.url).log("cluster").start().map_err(io::Error::other)?;
        let app = Router::new()
            .route("/", get(|| async { Html(include_str!("page.html")) }))
            .route("/events", get(events))
            .route("/state", get(state))
            .route("/do/{what}/{which}", post(act))
            // A browser that goes to another node cannot set the header, and brings its id in the query.
            .layer(Extension(Policy::default().last_event_id_query("last-event-id")))
            .with_state(App { cluster: self.clone(), hub });
        // Killed and not drained: its clients notice when their connections end.
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("cluster: {error}");
            }
        });
        *node.running() = Some(Running { redis, server: server.abort_handle() });
        Ok(())
    }

    /// Kills a node: its clients have to go elsewhere.
    fn stop(&self, which: usize) {
        let Some(running) = self.nodes.get(which).and_then(|node| node.running().take()) else { return };
        running.redis.stop();
        running.server.abort();
        // Streams that are open end at once, as they would with the process.
        drop(running.redis.hub().drain(std::time::Duration::ZERO));
    }

    /// Publishes through the first node that runs and can.
    pub(crate) async fn publish(&self, text: &str) -> bool {
        let running: Vec<Running> = self.nodes.iter().filter_map(|node| node.running().clone()).collect();
        for node in running {
            if node.redis.publish("news", Event::data(text)).await.is_ok() {
                return true;
            }
        }
        false
    }
}

/// The whole history of the node, and then whatever comes.
async fn events(sse: Sse, State(app): State<App>) -> impl IntoResponse {
    ([(ACCESS_CONTROL_ALLOW_ORIGIN, "*")], sse.subscribe(&app.hub, ["news"]).from(Start::Last(10)))
}

/// How every node stands, for the page.
async fn state(State(app): State<App>) -> impl IntoResponse {
    let node = |node: &Node| {
        let running = node.running().clone();
        let state = running.map_or_else(|| "Stopped".to_owned(), |running| format!("{:?}", running.redis.state()));
        serde_json::json!({ "port": node.port, "state": state })
    };
    let nodes: Vec<_> = app.cluster.nodes.iter().map(node).collect();
    let state = serde_json::json!({ "nodes": nodes, "engine": app.cluster.engine.runs() });
    ([(ACCESS_CONTROL_ALLOW_ORIGIN, "*")], Json(state))
}

async fn act(State(app): State<App>, Path((what, which)): Path<(String, usize)>) -> StatusCode {
    match what.as_str() {
        "stop-node" => app.cluster.stop(which),
        "start-node" => {
            if let Err(error) = app.cluster.clone().start(which) {
                eprintln!("cluster: {error}");
                return StatusCode::CONFLICT;
            }
        }
        "stop-engine" => app.cluster.engine.stop(),
        "start-engine" => app.cluster.engine.run(),
        "publish" => {
            if !app.cluster.publish("from a button").await {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
        }
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::NO_CONTENT
}
