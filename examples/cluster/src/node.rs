//! A node: a hub that follows the log, and an HTTP server that can be killed and started.

use crate::cluster::Cluster;
use axum::extract::{Path, State};
use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use example_common::page;
use sse_axum::Sse;
use sse_core::hub::EventId;
use sse_core::{Event, Hub, Replay, SocketLimits, apply_socket_limits};
use sse_redis::{Redis, RedisBuilder};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{self, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    running: Mutex<Option<Running>>,
}

struct Running {
    redis: Redis,
    server: Option<JoinHandle<()>>,
    _process: Process,
}

/// The runtime of one node. Dropping it ends all tasks and sockets of the node at once, as the end of a process does.
struct Process(Option<Runtime>);

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Node {
    pub(crate) const fn at(address: SocketAddr) -> Self {
        Self { address, running: Mutex::new(None) }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn runs(&self) -> bool {
        self.running().is_some()
    }

    pub(crate) fn redis(&self) -> Option<Redis> {
        self.running().as_ref().map(|running| running.redis.clone())
    }

    /// Returns the task of the server, to wait for the end.
    pub(crate) fn server(&self) -> Option<JoinHandle<()>> {
        self.running().as_mut().and_then(|running| running.server.take())
    }

    /// Kills the node without a drain. The clients notice the closed connections.
    pub(crate) fn kill(&self) {
        drop(self.running().take());
    }

    /// Starts the node, also without a Redis server. Until the node has loaded the log, the hub asks clients to retry later.
    pub(crate) fn start(
        &self,
        listener: TcpListener,
        builder: RedisBuilder,
        stop: impl Future<Output = ()> + Send + 'static,
        routes: impl FnOnce(Redis, Hub) -> Router,
    ) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        apply_socket_limits(&listener, &SocketLimits::default())?;
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let handle = runtime.handle().clone();
        let process = Process(Some(runtime));
        let _entered = handle.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (redis, hub) = builder.start().map_err(io::Error::other)?;
        let app = routes(redis.clone(), hub.clone());
        let server = handle.spawn(async move {
            let stop = async move {
                stop.await;
                hub.drain(Duration::ZERO).await;
            };
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stop).await {
                eprintln!("cluster: {error}");
            }
        });
        *self.running() = Some(Running { redis, server: Some(server), _process: process });
        Ok(())
    }
}

/// The state of a node's handlers.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) redis: Redis,
    pub(crate) hub: Hub,
}

static PAGE: LazyLock<&str> = LazyLock::new(|| page(include_str!("../page.html")));

pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route("/", get(|| async { Html(*PAGE) }))
        .route("/events", get(events))
        .route("/readyz", get(readyz))
        .route("/state", get(state))
        .route("/messages", post(publish))
        .route("/do/{action}/{index}", post(act))
        .with_state(app)
}

/// Each page of the cluster may send requests to each node.
const ANY_ORIGIN: [(axum::http::HeaderName, &str); 1] = [(ACCESS_CONTROL_ALLOW_ORIGIN, "*")];

/// A new client receives the last 60 events. A client resumes after an ID of any node.
async fn events(sse: Sse, State(app): State<App>) -> impl IntoResponse {
    // The other node can be a moment ahead. Without this wait the hub asks the client to retry in some seconds.
    if let Some(id) = sse.last_event_id().as_str().and_then(EventId::parse) {
        let _ = timeout(Duration::from_secs(2), app.redis.wait_for(id)).await;
    }
    (ANY_ORIGIN, sse.subscribe(&app.hub, ["cluster"]).replay(Replay::Last(60)))
}

/// Publishes through this node, or answers 503 with the reason at once.
async fn publish(State(app): State<App>, headers: HeaderMap, text: String) -> impl IntoResponse {
    if is_foreign(&headers) {
        return (ANY_ORIGIN, (StatusCode::FORBIDDEN, String::new()));
    }
    let answer = match app.redis.publish("cluster", Event::data(text).event("message")).await {
        Ok(_) => (StatusCode::NO_CONTENT, String::new()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    (ANY_ORIGIN, answer)
}

/// The readiness check for a load balancer.
async fn readyz(State(app): State<App>) -> StatusCode {
    if app.redis.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// The state of all nodes and of the Redis server, for the page.
async fn state(State(app): State<App>) -> impl IntoResponse {
    let node = |node: &Node| {
        let redis = node.redis();
        serde_json::json!({
            "port": node.address.port(),
            "state": redis.as_ref().map_or_else(|| "Killed".to_owned(), |redis| format!("{:?}", redis.state())),
            "readers": redis.map_or(0, |redis| redis.hub().stats().streams),
        })
    };
    let cluster = &app.cluster;
    let nodes: Vec<_> = cluster.nodes.iter().map(node).collect();
    let state =
        serde_json::json!({ "nodes": nodes, "redis": cluster.redis_server.runs(), "published": cluster.published() });
    (ANY_ORIGIN, Json(state))
}

/// The actions of the buttons.
async fn act(State(app): State<App>, headers: HeaderMap, Path((action, index)): Path<(String, usize)>) -> StatusCode {
    if is_foreign(&headers) {
        return StatusCode::FORBIDDEN;
    }
    let done = match action.as_str() {
        "kill-node" => {
            app.cluster.kill_node(index);
            Ok(())
        }
        "start-node" => app.cluster.start_node(index),
        "kill-redis" => {
            app.cluster.redis_server.kill();
            Ok(())
        }
        "start-redis" => app.cluster.redis_server.run(),
        _ => return StatusCode::NOT_FOUND,
    };
    match done {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(error) => {
            eprintln!("cluster: {error}");
            StatusCode::CONFLICT
        }
    }
}

/// Whether a page of another site sent the request. Another port of this host is the same site.
fn is_foreign(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}
