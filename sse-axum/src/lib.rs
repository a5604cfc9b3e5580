//! Server-Sent Events for [axum] 0.8.
//!
//! A handler takes [`Sse`] as an argument and returns a response of `Sse`. This crate answers a request that opens no stream
//! before the handler runs: 405, 406, the head alone for HEAD, or 204 for a [finished](Sender::finish) stream.
//!
//! # A live feed that resumes by itself
//!
//! ```
//! use axum::{Router, extract::State, response::IntoResponse, routing::any};
//! use sse_axum::{Event, Hub, Sse};
//!
//! async fn news(sse: Sse, State(hub): State<Hub>) -> impl IntoResponse {
//!     sse.subscribe(&hub, ["news"])
//! }
//!
//! let hub = Hub::new();
//! let app: Router = Router::new().route("/news", any(news)).with_state(hub.clone());
//!
//! # #[derive(serde::Serialize)] struct Article { title: &'static str }
//! // Anywhere in the application, for all clients:
//! let article = Article { title: "It works" };
//! hub.publish("news", Event::json(&article).event("article"))?;
//! # let _ = app;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```html
//! <ul id="news"></ul>
//! <script>
//!   const feed = new EventSource("/news");
//!   feed.addEventListener("article", (event) => {
//!     const item = document.createElement("li");
//!     item.textContent = JSON.parse(event.data).title;
//!     document.querySelector("#news").prepend(item);
//!   });
//! </script>
//! ```
//!
//! # Events from a future
//!
//! The server polls the future as part of the response and drops the future when the client leaves. `Ok(())` finishes the
//! stream, and the browser stops. For a task that outlives its client, [`Sse::channel`] returns a [`Sender`].
//!
//! ```
//! use axum::response::IntoResponse;
//! use sse_axum::Sse;
//! use std::time::Duration;
//!
//! async fn countdown(sse: Sse) -> impl IntoResponse {
//!     sse.run(async move |events| {
//!         for n in (0..=10).rev() {
//!             events.send(n.to_string()).await?;
//!             tokio::time::sleep(Duration::from_secs(1)).await;
//!         }
//!         Ok(())
//!     })
//! }
//! # let _: axum::routing::MethodRouter = axum::routing::any(countdown);
//! ```
//!
//! ```html
//! <output id="left"></output>
//! <script>
//!   new EventSource("/countdown").onmessage = (event) => {
//!     document.querySelector("#left").value = event.data;
//!   };
//! </script>
//! ```
//!
//! # A stream of events
//!
//! The stream yields events or `Result`s of events. The first error ends the stream. The server drops the stream when the
//! client leaves. This example answers a POST, with any `Accept` header:
//!
//! ```
//! use axum::{Extension, Json, Router, response::IntoResponse, routing::any};
//! use futures_util::{Stream, StreamExt, stream};
//! use sse_axum::{Event, Policy, Sse};
//!
//! # #[derive(serde::Deserialize)] struct Prompt { text: String }
//! fn model(prompt: &str) -> impl Stream<Item = String> + use<> {
//!     stream::iter(prompt.split(' ').map(str::to_owned).collect::<Vec<_>>())
//! }
//!
//! async fn tokens(sse: Sse, Json(prompt): Json<Prompt>) -> impl IntoResponse {
//!     sse.stream(model(&prompt.text).map(|token| Event::json(&token)))
//! }
//!
//! let posted = Policy::fetch();
//! let app: Router = Router::new().route("/tokens", any(tokens).layer(Extension(posted)));
//! # let _ = app;
//! ```
//!
//! ```js
//! const response = await fetch("/tokens", {
//!   method: "POST",
//!   headers: { "content-type": "application/json" },
//!   body: JSON.stringify({ text: "Tell me a story" }),
//! });
//! let rest = "";
//! for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
//!   const blocks = (rest + text).split("\n\n");
//!   rest = blocks.pop();
//!   for (const block of blocks) {
//!     const data = block.split("\n").find((line) => line.startsWith("data: "));
//!     if (data) document.body.append(JSON.parse(data.slice(6)));
//!   }
//! }
//! ```
//!
//! # One route for the page and the stream
//!
//! `Option<Sse>` is `Some` if and only if the request's `Accept` names `text/event-stream`. A page navigation accepts every
//! type and names another one, so the navigation receives the page. A request that names the type and opens no stream (405,
//! 403, HEAD, 204) is answered in place of the handler.
//!
//! ```
//! use axum::response::{Html, IntoResponse, Response};
//! use sse_axum::Sse;
//!
//! async fn page(sse: Option<Sse>) -> Response {
//!     match sse {
//!         Some(sse) => sse.prelude(["hello"]).channel().1.into_response(),
//!         None => Html("<script>new EventSource(location)</script>").into_response(),
//!     }
//! }
//! # let _: axum::routing::MethodRouter = axum::routing::any(page);
//! ```
//!
//! # Stored events for new clients
//!
//! A client without a last event ID receives new events only. [`Subscription::replay`] first sends stored events, and
//! [`Subscription::replay_topic`] those of one topic:
//!
//! ```
//! use axum::{extract::State, response::IntoResponse};
//! use sse_axum::{Hub, Replay, Sse};
//!
//! async fn news(sse: Sse, State(hub): State<Hub>) -> impl IntoResponse {
//!     sse.subscribe(&hub, ["news", "readers"]).replay_topic("news", Replay::Last(50))
//! }
//! # let _: axum::routing::MethodRouter<Hub> = axum::routing::any(news);
//! ```
//!
//! # A snapshot for new clients, and after a gap
//!
//! ```
//! use axum::{extract::State, response::IntoResponse};
//! use sse_axum::{Event, Hub, Resumption, Sse};
//!
//! # fn snapshot() -> Event<'static> { Event::data("{}").event("board") }
//! async fn board(sse: Sse, State(hub): State<Hub>) -> impl IntoResponse {
//!     let feed = sse.subscribe(&hub, ["board"]);
//!     match feed.resumption() {
//!         Resumption::Resumed => feed, // the missed changes follow
//!         _ => feed.prelude([snapshot()]), // a new client, or a gap
//!     }
//! }
//! # let _: axum::routing::MethodRouter<Hub> = axum::routing::any(board);
//! ```
//!
//! ```js
//! const board = new EventSource("/board");
//! board.addEventListener("board", (event) => draw(JSON.parse(event.data)));
//! board.addEventListener("move", (event) => move(JSON.parse(event.data)));
//! ```
//!
//! # Routing
//!
//! With `any(news)` this crate checks the method, and answers 405 with the call that allows the method. With `get(news)` axum
//! answers the other methods, with an empty body. The [`Policy`] of a route decides which requests open a stream. Add the
//! policy as an `Extension` to the route or to the whole router. A [`Hub`] in an `Extension` owns every channel and every stream
//! of events of these routes, as if each called [`Sse::attach`].
//!
//! # Graceful shutdown
//!
//! Event streams never end by themselves, and axum waits for all streams. Drain the hub inside the future that axum waits for.
//!
//! ```no_run
//! # use std::time::Duration;
//! # async fn serve(listener: tokio::net::TcpListener, app: axum::Router, hub: sse_axum::Hub) -> std::io::Result<()> {
//! let app = app.layer(axum::Extension(hub.clone())); // channels and streams of events belong to the hub too
//! let stop = async move {
//!     let _ = tokio::signal::ctrl_c().await;
//!     hub.drain(Duration::from_secs(5)).await;
//! };
//! axum::serve(listener, app).with_graceful_shutdown(stop).await
//! # }
//! ```
//!
//! The drain ends all subscriptions, and the channels and streams of events because of the `Extension`.
//!
//! # Features
//!
//! `tracing`, on by default: events about streams and failed handlers, with the names in `docs/observing.md`. Errors that
//! the client does not receive are only in `tracing`.
//!
//! `testing`: the module `testing`, which calls a handler in a test and reads its events.
//!
//! `derive`: the macros for an enum of events, [`Events`], [`DecodeEvents`] and `EventsTypeScript`; see
//! `docs/typed-events.md`.

// As in the core: no text of a caller or a peer can cause a panic.
#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

mod extract;
mod feed;
mod respond;
#[cfg(feature = "testing")]
pub mod testing;
mod types;

pub use feed::{Feed, feed};
pub use types::*;

#[cfg(feature = "derive")]
#[doc(inline)]
pub use sse_derive::{AxumDecodeEvents as DecodeEvents, AxumEvents as Events, EventsTypeScript};

#[cfg(test)]
mod tests;
