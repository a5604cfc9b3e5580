//! An auction in fragments of HTML: the server renders, and htmx puts the fragments into the page by `sse-swap`.
//!
//! ```sh
//! cargo run -p fragments
//! ```
//!
//! htmx inserts events as HTML, so the server must escape the text of users; see [`html`].

mod auction;
mod html;

use auction::{Auction, Bid};
use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use clap::Parser;
use example_common::{Listen, page, stop_signal};
use futures_util::{StreamExt, stream};
use sse_axum::{Hub, Replay, Sse};
use std::io;
use std::time::Duration;

const STORY: &str = "It struck the tower of Saint Elmo in March, and the sexton had a bottle at hand. \
    The cork is original. Keep it away from metal, and from children.";

/// An auction whose page is swapped piece by piece.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// How long the auction goes on. A line on standard input ends it at once
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let listener = args.listen.bind()?;
    let hub = Hub::builder().drain_grace(Duration::from_millis(500)).build();
    let auction = Auction::new(hub.clone(), Duration::from_secs(args.seconds));
    tokio::spawn(auction.clone().run());
    let hammer = auction.clone();
    std::thread::spawn(move || {
        if std::io::stdin().read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0) {
            hammer.end();
        }
    });

    let script = |text: &'static str| get(async move || ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], text));
    let page = page(include_str!("../page.html"));
    let app = Router::new()
        .route("/", get(async move || Html(page)))
        .route("/htmx.min.js", script(include_str!("../vendor/htmx.min.js")))
        .route("/sse.min.js", script(include_str!("../vendor/sse.min.js")))
        .route("/events", any(events))
        .route("/story", any(story))
        .route("/bids", post(bid))
        .with_state(auction);
    let signal = stop_signal()?;
    let stop = async move {
        signal.await;
        hub.drain(Duration::ZERO).await;
    };
    axum::serve(tokio::net::TcpListener::from_std(listener)?, app).with_graceful_shutdown(stop).await
}

async fn events(sse: Sse, State(auction): State<Auction>) -> Response {
    let feed = sse.subscribe(&auction.hub, ["bids", "clock"]);
    // A new page receives all bids. A reconnecting page resumes, and receives only the bids that it missed.
    feed.replay(Replay::All).into_response()
}

/// A stream with an end: after the last word the client receives the event `sse-end`.
async fn story(sse: Sse, State(auction): State<Auction>) -> impl IntoResponse {
    let words = stream::iter(STORY.split_inclusive(' ')).then(async |word| {
        tokio::time::sleep(Duration::from_millis(120)).await;
        word
    });
    sse.attach(&auction.hub).stream(words)
}

/// htmx shows the answer below the form: an empty text, or the problem.
async fn bid(State(auction): State<Auction>, Form(bid): Form<Bid>) -> (StatusCode, Html<String>) {
    match auction.bid(bid) {
        Ok(()) => (StatusCode::OK, Html(String::new())),
        Err(problem) => (StatusCode::UNPROCESSABLE_ENTITY, Html(html::text(&problem))),
    }
}
