//! A model's answer, token by token: as a run, which goes on when the client leaves (`dialects.rs`), and as a stream by POST for
//! `fetch` and by GET for `EventSource`, whose work stops when the client leaves.
//!
//! ```sh
//! cargo run -p completions
//! curl -N localhost:3000/completions -H 'content-type: application/json' -d '{"prompt": "Why?"}'
//! ```

mod dialects;
mod model;
mod work;

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use axum::{Extension, Json, Router};
use clap::Parser;
use example_common::{Listen, page, stop_signal};
use futures_util::StreamExt;
use serde::Deserialize;
use sse_axum::{Event, Hub, Policy, Replay, Sse};
use std::io;
use std::time::Duration;
use work::Work;

/// A model's answer, streamed token by token.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = Args::parse().listen.bind()?;
    let work = Work::new(Hub::builder().topic_events(64).drain_grace(Duration::from_millis(500)).build());
    tokio::spawn(work.clone().publish_progress());

    // Clients of models send POST and accept JSON, so this route has a policy of its own.
    let policy = Policy::fetch();
    let page = page(include_str!("../page.html"));
    let app = Router::new()
        .route("/", get(async move || Html(page)))
        .route("/completions", get(by_query).post(by_json).layer(Extension(policy)))
        .route("/work", get(progress))
        .with_state(work.clone())
        .merge(dialects::routes(&work.hub));

    let signal = stop_signal()?;
    let stop = async move {
        signal.await;
        work.hub.drain(Duration::ZERO).await;
    };
    axum::serve(tokio::net::TcpListener::from_std(listener)?, app).with_graceful_shutdown(stop).await
}

#[derive(Debug, Deserialize)]
struct Prompt {
    prompt: String,
    /// An answer without pauses and without end, to show the cost of a client that reads nothing.
    #[serde(default)]
    endless: bool,
}

async fn by_query(sse: Sse, State(work): State<Work>, Query(prompt): Query<Prompt>) -> impl IntoResponse {
    answer(sse, &work, "GET", &prompt)
}

async fn by_json(sse: Sse, State(work): State<Work>, Json(prompt): Json<Prompt>) -> impl IntoResponse {
    answer(sse, &work, "POST", &prompt)
}

/// The client's reading drives the stream of tokens. The server drops the stream when the client leaves.
fn answer(sse: Sse, work: &Work, method: &'static str, prompt: &Prompt) -> impl IntoResponse + use<> {
    let mut job = work.start(method);
    let tokens = model::answer(&prompt.prompt, prompt.endless).map(move |token| {
        job.count(token.as_ref());
        match token {
            Some(chunk) => Event::json(&chunk),
            None => Event::data("[DONE]"),
        }
    });
    // The end of the tokens finishes the stream, so an `EventSource` does not ask again.
    sse.attach(&work.hub).stream(tokens)
}

async fn progress(sse: Sse, State(work): State<Work>) -> impl IntoResponse {
    sse.subscribe(&work.hub, ["work"]).replay(Replay::Last(6))
}
