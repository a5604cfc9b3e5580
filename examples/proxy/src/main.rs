//! Reads one event stream and serves it to many clients. The server upstream has this program as its only client.
//!
//! ```sh
//! cargo run -p news
//! cargo run -p proxy -- --listen 127.0.0.1:3001 --upstream http://127.0.0.1:3000/events
//! ```

mod upstream;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse};
use axum::routing::{any, get};
use clap::Parser;
use example_common::{Listen, page, stop_signal};
use sse_axum::{Hub, Replay, Sse};
use std::io;
use std::time::Duration;
use upstream::Upstream;

/// One event stream of another server, served to many clients.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// The event stream to read; `http` only, because this example has no TLS
    #[arg(long, value_name = "URL", value_parser = http_url)]
    upstream: url::Url,
}

fn http_url(text: &str) -> Result<url::Url, String> {
    let url: url::Url = text.parse().map_err(|error| format!("{error}"))?;
    match url.scheme() {
        "http" => Ok(url),
        "https" => Err("this example has no TLS; use an http URL, or give sse-client the feature `tls`".into()),
        scheme => Err(format!("`{scheme}` is not http")),
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let listener = args.listen.bind()?;
    let hub = Hub::builder().drain_grace(Duration::from_millis(500)).build();
    let upstream = Upstream::new(hub.clone(), args.upstream);
    tokio::spawn(upstream.clone().follow());

    let page = page(include_str!("../page.html"));
    let app = Router::new()
        .route("/", get(async move || Html(page)))
        .route("/events", any(events).post(add))
        .with_state(upstream);
    let signal = stop_signal()?;
    let stop = async move {
        signal.await;
        hub.drain(Duration::ZERO).await;
    };
    axum::serve(tokio::net::TcpListener::from_std(listener)?, app).with_graceful_shutdown(stop).await
}

async fn events(sse: Sse, State(upstream): State<Upstream>) -> impl IntoResponse {
    sse.subscribe(&upstream.hub, ["events", "proxy"]).replay(Replay::Last(50)).prelude([upstream.status()])
}

/// Accepts one block of an event stream in the body, and publishes the event.
async fn add(State(upstream): State<Upstream>, block: Bytes) -> Result<StatusCode, (StatusCode, String)> {
    match upstream.add(&block) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err((StatusCode::BAD_REQUEST, format!("{error}\n"))),
    }
}
