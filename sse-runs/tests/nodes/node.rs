//! A node: a process of this program, with the handlers of the README and a producer of numbered tokens.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Router, serve as serve_axum};
use sse_axum::{Replay, Sse};
use sse_redis::Redis;
use sse_runs::{OutputError, RunOutput, Runs, StartRunError};
use sse_test_support::child::Child;
use std::process::Command;
use std::time::Duration;

/// What a run does.
#[derive(serde::Deserialize, serde::Serialize, Clone, Copy)]
pub(crate) struct Work {
    /// The number in each token.
    pub(crate) attempt: u64,
    pub(crate) tokens: u64,
    /// The time between two tokens.
    pub(crate) millis: u64,
}

impl Work {
    pub(crate) async fn run(self, output: RunOutput) -> Result<(), OutputError> {
        let mut ticks = tokio::time::interval(Duration::from_millis(self.millis));
        for number in 0..self.tokens {
            ticks.tick().await;
            output.send(format!("{}:{number}", self.attempt))?;
        }
        Ok(())
    }
}

async fn start(State(runs): State<Runs>, Path(id): Path<String>, Query(work): Query<Work>) -> StatusCode {
    match runs.start(id, move |output| work.run(output)).await {
        Ok(_) => StatusCode::CREATED,
        Err(StartRunError::Exists) => StatusCode::CONFLICT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn attach(sse: Sse, State(runs): State<Runs>, Path(id): Path<String>) -> Response {
    match runs.get(&id).await {
        Ok(Some(run)) => sse.subscribe(run.hub(), run.topic()).replay(Replay::All).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn stop(State(runs): State<Runs>, Path(id): Path<String>) -> StatusCode {
    changed(runs.stop(&id).await.ok())
}

async fn remove(State(runs): State<Runs>, Path(id): Path<String>) -> StatusCode {
    changed(runs.remove(&id).await.ok())
}

fn changed(changed: Option<bool>) -> StatusCode {
    match changed {
        Some(true) => StatusCode::NO_CONTENT,
        Some(false) => StatusCode::NOT_FOUND,
        None => StatusCode::SERVICE_UNAVAILABLE,
    }
}

pub(crate) fn routes(runs: Runs) -> Router {
    Router::new()
        .route("/runs/{id}", any(attach).delete(stop).post(start))
        .route("/removed/{id}", post(remove))
        .with_state(runs)
}

/// Serves a node of the log at this server until the process is killed.
pub(crate) fn serve(url: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (redis, hub) = Redis::start(url).unwrap();
        let runs = Runs::builder(&hub).redis(&redis).build();
        redis.loaded().await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        serve_axum(listener, routes(runs)).await.unwrap();
    });
}

/// Starts a node as a process.
pub(crate) fn start_process(url: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    Child::start(Command::new(program).env("SSE_RUNS_NODE", url)).unwrap()
}
