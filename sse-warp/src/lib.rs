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

use http::{HeaderMap, Method, StatusCode};
use sse_core::{HttpBody, Request, Tokio};
use std::convert::Infallible;
use std::future::ready;
use warp::host::Authority;
use warp::reply::{Reply, Response};
use warp::{Filter, reply};

mod feed;
#[cfg(feature = "testing")]
pub mod testing;
mod types;

pub use feed::{Feed, feed};
pub use types::*;

#[cfg(feature = "derive")]
#[doc(inline)]
pub use sse_derive::{EventsTypeScript, WarpDecodeEvents as DecodeEvents, WarpEvents as Events};

/// How a route gets its policy, for the body of 403, 405 and 406.
const ATTACH: &str = "warp::path(name).and(sse_warp::sse(policy)).map(handler)";

/// The options of a route, from `()`, a [`Policy`], a [`Hub`] that owns every channel and every stream of events, or both.
///
/// ```
/// use sse_warp::{Hub, Policy, sse};
///
/// let (policy, hub) = (Policy::local(), Hub::new());
/// let _ = (sse(()), sse(policy.clone()), sse(hub.clone()), sse((policy, hub)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Route {
    policy: Policy,
    hub: Option<Hub>,
}

impl From<()> for Route {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Policy> for Route {
    fn from(policy: Policy) -> Self {
        Self { policy, hub: None }
    }
}

impl From<Hub> for Route {
    fn from(hub: Hub) -> Self {
        (Policy::default(), hub).into()
    }
}

impl From<(Policy, Hub)> for Route {
    fn from((policy, hub): (Policy, Hub)) -> Self {
        Self { policy, hub: Some(hub) }
    }
}

/// Extracts an [`Sse`] from every request: `warp::path("news").and(sse_warp::sse(hub)).map(|sse: Sse| ...)`.
///
/// The argument has the options of the route: a [`Policy`], a [`Hub`], both, or `()`. The filter never rejects. A request
/// that opens no stream reaches the handler with an `Sse` whose every response is the answer of the rejection: 405, 406, 403,
/// the head alone for HEAD, or 204 for a stream that has finished. A handler can check [`Sse::rejection`]
/// before expensive work.
///
/// ```
/// use sse_warp::{Hub, Sse};
/// use warp::Filter;
///
/// let hub = Hub::new();
/// let news = warp::path!("news").and(sse_warp::sse(hub.clone())).map(move |sse: Sse| sse.subscribe(&hub, ["news"]));
/// # let _ = warp::serve(news);
/// ```
pub fn sse(route: impl Into<Route>) -> impl Filter<Extract = (Sse,), Error = Infallible> + Clone {
    check(route.into(), Sse::check, Sse::rejected)
}

/// Extracts `Some` [`Sse`] if the request's `Accept` names `text/event-stream`, and `None` from every other request, for a route
/// that has another answer too. The argument is that of [`sse`].
///
/// ```
/// use sse_warp::Sse;
/// use warp::{Filter, Reply, reply};
///
/// let page = warp::path::end().and(sse_warp::optional(())).map(|sse: Option<Sse>| match sse {
///     Some(sse) => sse.prelude(["hello"]).channel().1.into_response(),
///     None => reply::html("<script>new EventSource(location)</script>").into_response(),
/// });
/// # let _ = warp::serve(page);
/// ```
pub fn optional(route: impl Into<Route>) -> impl Filter<Extract = (Option<Sse>,), Error = Infallible> + Clone {
    check(route.into(), Sse::check_optional, |rejection| Some(Sse::rejected(rejection)))
}

impl Sse {
    fn rejected(rejection: Rejection) -> Self {
        Self(sse_core::Sse::rejected(sse_core::Tokio, rejection))
    }

    /// The rejection of a request that opens no stream.
    ///
    /// ```
    /// # fn is_rejected(sse: &sse_warp::Sse) -> bool {
    /// sse.rejection().is_some()
    /// # }
    /// ```
    #[must_use]
    pub const fn rejection(&self) -> Option<&Rejection> {
        self.0.rejection()
    }

    /// Returns the rejection as an error, so that a handler starts no work for a request that opens no stream.
    ///
    /// # Errors
    /// The rejection. A handler that returns the rejection answers with it.
    ///
    /// ```
    /// use sse_warp::{Error, Sse, SseResponse};
    ///
    /// fn tokens(sse: Sse) -> Result<SseResponse, Error> {
    ///     let sse = sse.into_result()?;
    ///     // Only now ask the model.
    ///     Ok(sse.channel().1)
    /// }
    /// ```
    pub fn into_result(self) -> Result<Self, Error> {
        self.rejection().cloned().map_or(Ok(self), |rejection| Err(rejection.into()))
    }
}

/// Checks a request under the options of its route.
type Check<T> = fn(Option<&Policy>, Option<&Hub>, &Request<'_>) -> Result<T, Rejection>;

fn check<T: Send + 'static>(
    route: Route,
    check: Check<T>,
    rejected: fn(Rejection) -> T,
) -> impl Filter<Extract = (T,), Error = Infallible> + Clone {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    // warp rejects a `Host` that it cannot read, or that differs from the target's: for the policy that is no host.
    let host = warp::host::optional().map(Ok).or(warp::any().map(|| Err(()))).unify();
    let checked = warp::method().and(warp::header::headers_cloned()).and(host).and(query).map(
        move |method: Method, headers: HeaderMap, host: Result<Option<Authority>, ()>, query: String| {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            let authority = host.as_ref().map_or(Some(""), |host| host.as_ref().map(Authority::as_str));
            let request = Request::new(method.as_str(), Some(&query), headers).authority(authority);
            check(Some(&route.policy), route.hub.as_ref(), &request).unwrap_or_else(rejected)
        },
    );
    // Boxed, because hyper reserves memory for a route's filter and its future for each connection. None of the filters
    // rejects, but the type of a boxed filter has an error.
    checked.boxed().or_else(move |_| ready(Ok::<_, Infallible>((rejected(Rejection::HostNotAllowed),))))
}

impl Reply for Error {
    fn into_response(self) -> Response {
        match self.rejection_or_log() {
            Some(rejection) => respond(rejection.clone().into_http_with(ATTACH)),
            None => {
                let body = reply::with_header(Self::BODY, "cache-control", "no-store");
                reply::with_status(body, StatusCode::INTERNAL_SERVER_ERROR).into_response()
            }
        }
    }
}

impl Reply for SseResponse {
    fn into_response(self) -> Response {
        respond(self.0.into_http_with(ATTACH))
    }
}

impl Reply for Subscription {
    fn into_response(self) -> Response {
        SseResponse::from(self).into_response()
    }
}

/// Makes a body of warp, which takes bytes and streams and no other body.
fn respond(response: http::Response<HttpBody<Tokio>>) -> Response {
    let (head, body) = response.into_parts();
    match body.into_bytes() {
        Ok(bytes) => http::Response::from_parts(head, bytes).into_response(),
        Err(events) => http::Response::from_parts(head, reply::stream(events).into_response().into_body()),
    }
}

#[cfg(test)]
mod tests;
