//! Server-Sent Events for [actix-web](actix_web) 4.
//!
//! A handler takes [`Sse`] as an argument and returns a response of `Sse`. This crate answers a request that opens no stream
//! before the handler runs: 405, 406, the head alone for HEAD, or 204 for a [finished](Sender::finish) stream.
//!
//! # A live feed that resumes by itself
//!
//! ```
//! use actix_web::{App, Responder, web};
//! use sse_actix::{Event, Hub, Sse};
//!
//! async fn news(sse: Sse, hub: web::Data<Hub>) -> impl Responder {
//!     sse.subscribe(&hub, ["news"])
//! }
//!
//! let hub = web::Data::new(Hub::new()); // once, outside the closure that makes the workers
//! let app = App::new().app_data(hub.clone()).route("/news", web::to(news));
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
//! use actix_web::{Responder, rt};
//! use sse_actix::Sse;
//! use std::time::Duration;
//!
//! async fn countdown(sse: Sse) -> impl Responder {
//!     sse.run(async move |events| {
//!         for n in (0..=10).rev() {
//!             events.send(n.to_string()).await?;
//!             rt::time::sleep(Duration::from_secs(1)).await;
//!         }
//!         Ok(())
//!     })
//! }
//! # let _ = actix_web::web::to(countdown);
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
//! The stream yields events or `Result`s of events. The first error ends the stream. The stream need not be `Send`. The server
//! drops the stream when the client leaves. This example answers a POST, with any `Accept` header:
//!
//! ```
//! use actix_web::{App, Responder, web};
//! use futures_util::{Stream, StreamExt, stream};
//! use sse_actix::{Event, Policy, Sse};
//!
//! # #[derive(serde::Deserialize)] struct Prompt { text: String }
//! fn model(prompt: &str) -> impl Stream<Item = String> + use<> {
//!     stream::iter(prompt.split(' ').map(str::to_owned).collect::<Vec<_>>())
//! }
//!
//! async fn tokens(sse: Sse, prompt: web::Json<Prompt>) -> impl Responder {
//!     sse.stream(model(&prompt.text).map(|token| Event::json(&token)))
//! }
//!
//! let posted = Policy::fetch();
//! let app = App::new().service(web::resource("/tokens").app_data(posted).to(tokens));
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
//! [`OptionalSse`] contains `Some` if and only if the request's `Accept` names `text/event-stream`. A page navigation accepts
//! every type and names another one, so the navigation receives the page. Do not take `Option<Sse>`: actix-web turns every
//! rejection into `None`, so 403, 405, 204 and the answer to HEAD are lost.
//!
//! ```
//! use actix_web::{App, Either, Responder, web};
//! use sse_actix::{OptionalSse, Sse};
//!
//! async fn page(OptionalSse(sse): OptionalSse) -> impl Responder {
//!     match sse {
//!         Some(sse) => Either::Left(sse.prelude(["hello"]).channel().1),
//!         None => Either::Right(web::Html::new("<script>new EventSource(location)</script>")),
//!     }
//! }
//!
//! let app = App::new().route("/", web::to(page));
//! # let _ = app;
//! ```
//!
//! # Stored events for new clients
//!
//! A client without a last event ID receives new events only. [`Subscription::replay`] first sends stored events, and
//! [`Subscription::replay_topic`] those of one topic:
//!
//! ```
//! use actix_web::{Responder, web};
//! use sse_actix::{Hub, Replay, Sse};
//!
//! async fn news(sse: Sse, hub: web::Data<Hub>) -> impl Responder {
//!     sse.subscribe(&hub, ["news", "readers"]).replay_topic("news", Replay::Last(50))
//! }
//! # let _ = web::to(news);
//! ```
//!
//! # A snapshot for new clients, and after a gap
//!
//! ```
//! use actix_web::{Responder, web};
//! use sse_actix::{Event, Hub, Resumption, Sse};
//!
//! # fn snapshot() -> Event<'static> { Event::data("{}").event("board") }
//! async fn board(sse: Sse, hub: web::Data<Hub>) -> impl Responder {
//!     let feed = sse.subscribe(&hub, ["board"]);
//!     match feed.resumption() {
//!         Resumption::Resumed => feed, // the missed changes follow
//!         _ => feed.prelude([snapshot()]), // a new client, or a gap
//!     }
//! }
//! # let _ = web::to(board);
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
//! With `web::to(news)` this crate checks the method: it answers HEAD, and answers other methods with 405 and the call that
//! allows the method. With `#[get]` and `App::route(path, web::get())` actix-web answers HEAD and POST with 404, and with
//! `web::resource(path).get(news)` with 405. The [`Policy`] of a route decides which requests open a stream. Add the policy as
//! `app_data`, as a `JsonConfig`. A [`Hub`] in `app_data`, with or without `web::Data`, owns every channel and every stream of
//! events of these routes, as if each called [`Sse::attach`].
//!
//! # The server
//!
//! Turn half-closed connections off. By default actix-web continues to write to a client that has left, and notices the end
//! only when a write fails.
//!
//! Event streams never end by themselves, and a worker waits up to 30 s for all streams. Drain the hub before you stop the
//! server.
//!
//! ```no_run
//! # use actix_web::{App, HttpServer, rt};
//! # use std::time::Duration;
//! # async fn serve(hub: sse_actix::Hub) -> std::io::Result<()> {
//! let owner = hub.clone(); // in `app_data` the hub owns channels and streams of events too
//! let server = HttpServer::new(move || App::new().app_data(owner.clone()));
//! let server = server.h1_allow_half_closed(false).disable_signals().bind("127.0.0.1:8080")?.run();
//! let handle = server.handle();
//! rt::spawn(async move {
//!     let _ = rt::signal::ctrl_c().await;
//!     hub.drain(Duration::from_secs(5)).await;
//!     handle.stop(true).await;
//! });
//! server.await
//! # }
//! ```
//!
//! The drain ends all subscriptions, and the channels and streams of events because of `app_data`.
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
mod framing;
mod respond;
#[cfg(feature = "testing")]
pub mod testing;
mod types;

pub use extract::OptionalSse;
pub use feed::{Feed, feed};
pub use types::*;

#[cfg(feature = "derive")]
#[doc(inline)]
pub use sse_derive::{ActixDecodeEvents as DecodeEvents, ActixEvents as Events, EventsTypeScript};

#[cfg(test)]
mod tests;
