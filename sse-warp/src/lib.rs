//! Server-Sent Events for [warp] 0.4.
//!
//! The filter [`sse`] extracts an [`Sse`], and a response of `Sse` opens a stream. For a request that opens no stream every
//! response is the answer of the [`Rejection`]: 405, 406, the head alone for HEAD, or 204 for a [finished](Sender::finish)
//! stream.
//!
//! # A live feed that resumes by itself
//!
//! ```
//! use sse_warp::{Event, Hub, Sse};
//! use warp::Filter;
//!
//! let hub = Hub::new();
//! let readers = hub.clone();
//! let news = warp::path("news")
//!     .and(sse_warp::sse(()))
//!     .map(move |sse: Sse| sse.subscribe(&readers, ["news"]));
//!
//! # #[derive(serde::Serialize)] struct Article { title: &'static str }
//! // Anywhere in the application, for all clients:
//! let article = Article { title: "It works" };
//! hub.publish("news", Event::json(&article).event("article"))?;
//! # let _ = warp::serve(news);
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
//! use sse_warp::{Sse, SseResponse};
//! use std::time::Duration;
//! use warp::Filter;
//!
//! fn countdown(sse: Sse) -> SseResponse {
//!     sse.run(async move |events| {
//!         for n in (0..=10).rev() {
//!             events.send(n.to_string()).await?;
//!             tokio::time::sleep(Duration::from_secs(1)).await;
//!         }
//!         Ok(())
//!     })
//! }
//!
//! let route = warp::path("countdown").and(sse_warp::sse(())).map(countdown);
//! # let _ = warp::serve(route);
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
//! The stream yields events or `Result`s of events. The first error ends the stream. The stream need not be `Sync`. The server
//! drops the stream when the client leaves. This example answers a POST, with any `Accept` header:
//!
//! ```
//! use futures_util::{Stream, StreamExt, stream};
//! use sse_warp::{Event, Policy, Sse};
//! use warp::Filter;
//!
//! # #[derive(serde::Deserialize)] struct Prompt { text: String }
//! fn model(prompt: &str) -> impl Stream<Item = String> + use<> {
//!     stream::iter(prompt.split(' ').map(str::to_owned).collect::<Vec<_>>())
//! }
//!
//! let posted = Policy::fetch();
//! let tokens = warp::path("tokens").and(sse_warp::sse(posted)).and(warp::body::json()).map(
//!     |sse: Sse, prompt: Prompt| sse.stream(model(&prompt.text).map(|token| Event::json(&token))),
//! );
//! # let _ = warp::serve(tokens);
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
//! [`optional`] extracts `Some` if and only if the request's `Accept` names `text/event-stream`. A page navigation accepts
//! every type and names another one, so the navigation receives the page. A request that names the type and opens no stream
//! is answered by its rejection.
//!
//! ```
//! use sse_warp::Sse;
//! use warp::{Filter, Reply, reply::Response};
//!
//! fn page(sse: Option<Sse>) -> Response {
//!     match sse {
//!         Some(sse) => sse.prelude(["hello"]).channel().1.into_response(),
//!         None => warp::reply::html("<script>new EventSource(location)</script>").into_response(),
//!     }
//! }
//!
//! let route = sse_warp::optional(()).map(page);
//! # let _ = warp::serve(route);
//! ```
//!
//! # Stored events for new clients
//!
//! A client without a last event ID receives new events only. [`Subscription::replay`] first sends stored events, and
//! [`Subscription::replay_topic`] those of one topic:
//!
//! ```
//! use sse_warp::{Hub, Replay, Sse, Subscription};
//!
//! fn news(sse: Sse, hub: &Hub) -> Subscription {
//!     sse.subscribe(hub, ["news", "readers"]).replay_topic("news", Replay::Last(50))
//! }
//! ```
//!
//! # A snapshot for new clients, and after a gap
//!
//! ```
//! use sse_warp::{Event, Hub, Resumption, Sse, Subscription};
//! use warp::Filter;
//!
//! # fn snapshot() -> Event<'static> { Event::data("{}").event("board") }
//! fn board(sse: Sse, hub: &Hub) -> Subscription {
//!     let feed = sse.subscribe(hub, ["board"]);
//!     match feed.resumption() {
//!         Resumption::Resumed => feed, // the missed changes follow
//!         _ => feed.prelude([snapshot()]), // a new client, or a gap
//!     }
//! }
//!
//! let hub = Hub::new();
//! let route = warp::path("board")
//!     .and(sse_warp::sse(()))
//!     .map(move |sse: Sse| board(sse, &hub));
//! # let _ = warp::serve(route);
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
//! The filters take any method. This crate answers HEAD, and answers other methods with 405 and the call that allows the
//! method. After `warp::get()` warp answers these methods. The argument of the filters, a [`Route`], has the [`Policy`] of the
//! route and the [`Hub`] that owns its channels and streams of events.
//!
//! Keep event streams outside `warp::compression`, which has no exception for event streams.
//!
//! # Graceful shutdown
//!
//! Event streams never end by themselves, and warp waits for all streams. Drain the hub inside the future that warp waits for.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use warp::Filter;
//! # use sse_warp::Sse;
//! # async fn serve(listener: tokio::net::TcpListener, hub: sse_warp::Hub) {
//! // With the hub as argument, channels and streams of events belong to the hub too.
//! let routes = sse_warp::sse(hub.clone()).map(|sse: Sse| sse.prelude(["hello"]).channel().1);
//! let stop = async move {
//!     let _ = tokio::signal::ctrl_c().await;
//!     hub.drain(Duration::from_secs(5)).await;
//! };
//! warp::serve(routes).incoming(listener).graceful(stop).run().await;
//! # }
//! ```
//!
//! The drain ends all subscriptions, and the channels and streams of events because of the argument.
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

mod feed;
mod filter;
mod respond;
#[cfg(feature = "testing")]
pub mod testing;
mod types;

pub use feed::{Feed, feed};
pub use filter::{Route, optional, sse};
pub use types::*;

#[cfg(feature = "derive")]
#[doc(inline)]
pub use sse_derive::{EventsTypeScript, WarpDecodeEvents as DecodeEvents, WarpEvents as Events};

#[cfg(test)]
mod tests;
