//! Server-Sent Events for [warp] 0.4.
//!
//! The filter [`offered`] extracts `Result<Sse, Refused>`. Both sides are replies: what [`Sse`] makes opens a stream, and
//! [`Refused`] answers a request that may not: 405, 406, the head alone for HEAD, or 204 where the stream was
//! [finished](Sender::finish).
//!
//! # A live feed that resumes by itself
//!
//! ```
//! use sse_warp::{Event, Hub, Refused, Sse};
//! use warp::Filter;
//!
//! let hub = Hub::new();
//! let readers = hub.clone();
//! let news = warp::path("news")
//!     .and(sse_warp::offered())
//!     .map(move |sse: Result<Sse, Refused>| sse.map(|sse| sse.subscribe(&readers, ["news"])));
//!
//! # #[derive(serde::Serialize)] struct Article { title: &'static str }
//! // and anywhere, at any time
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
//! # A handle of your own
//!
//! Sends from any task. `finish` tells the browser not to come back; after `close`, or when the last handle is dropped,
//! it does.
//!
//! ```
//! use sse_warp::{Refused, Sse, SseResponse};
//! use std::time::Duration;
//! use warp::Filter;
//!
//! fn countdown(sse: Sse) -> SseResponse {
//!     let (events, response) = sse.channel();
//!     tokio::spawn(async move {
//!         for n in (0..=10).rev() {
//!             if events.send(n.to_string()).await.is_err() {
//!                 return; // the reader left
//!             }
//!             tokio::time::sleep(Duration::from_secs(1)).await;
//!         }
//!         events.finish();
//!     });
//!     response
//! }
//!
//! let route = warp::path("countdown").and(sse_warp::offered()).map(|sse: Result<Sse, Refused>| sse.map(countdown));
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
//! Or of `Result`s of them; the first error ends it. It need not be `Sync`. The stream is dropped when the reader leaves,
//! so work that nobody waits for stops. Here a model that is asked by POST, whatever the request's `Accept` says:
//!
//! ```
//! use futures_util::{Stream, StreamExt, stream};
//! use sse_warp::{AcceptMode, Event, Policy, Refused, Sse};
//! use warp::Filter;
//!
//! # #[derive(serde::Deserialize)] struct Prompt { text: String }
//! fn model(prompt: &str) -> impl Stream<Item = String> + use<> {
//!     stream::iter(prompt.split(' ').map(str::to_owned).collect::<Vec<_>>())
//! }
//!
//! let posted = Policy::default().methods(["POST"]).accept(AcceptMode::Any);
//! let tokens = warp::path("tokens").and(sse_warp::offered_with(posted)).and(warp::body::json()).map(
//!     |sse: Result<Sse, Refused>, prompt: Prompt| {
//!         sse.map(|sse| sse.stream(model(&prompt.text).map(|token| Event::json(&token))))
//!     },
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
//! # Only if the request asked for one
//!
//! [`optional`] extracts `Some` if the request's `Accept` names the type, and nothing else decides that: a page navigation,
//! which would take anything, gets the page. A request that names the type and may not open a stream is [`Refused`].
//!
//! ```
//! use sse_warp::{Refused, Sse};
//! use warp::{Filter, Reply, reply::Response};
//!
//! fn page(sse: Option<Sse>) -> Response {
//!     match sse {
//!         Some(sse) => sse.prelude(["hello"]).channel().1.into_response(),
//!         None => warp::reply::html("<script>new EventSource(location)</script>").into_response(),
//!     }
//! }
//!
//! let route = sse_warp::optional().map(|sse: Result<Option<Sse>, Refused>| sse.map(page));
//! # let _ = warp::serve(route);
//! ```
//!
//! # The history of a new client
//!
//! A client without a last event ID receives the events from now on. [`Subscription::replay`] sends stored events before
//! them, and [`Subscription::replay_topic`] those of one topic:
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
//! use sse_warp::{Event, Hub, Refused, Resumption, Sse, Subscription};
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
//!     .and(sse_warp::offered())
//!     .map(move |sse: Result<Sse, Refused>| sse.map(|sse| board(sse, &hub)));
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
//! The filters take any method, so that this crate answers HEAD, and other methods with 405 and a sentence that names the
//! call to change it; after `warp::get()` warp answers them. [`sse`] extracts `Sse` alone and rejects, for routes that end
//! in [`recover`]; a rejection that nobody recovers is a 500 in warp. Which requests a route takes is a [`Policy`], and
//! the hub that owns its channels and streams of events a [`Hub`]: arguments of [`offered_with`], [`sse_with`] and
//! [`optional_with`], see [`Route`].
//!
//! Keep event streams outside `warp::compression`, which cannot be told to spare them.
//!
//! # Graceful shutdown
//!
//! A stream has no end of its own, and warp waits for it: drain the hub inside the future that warp waits for.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use warp::Filter;
//! # use sse_warp::{Refused, Sse};
//! # async fn serve(listener: tokio::net::TcpListener, hub: sse_warp::Hub) {
//! // With the hub as argument, channels and streams of events belong to it, too.
//! let offered = sse_warp::offered_with(hub.clone());
//! let routes = offered.map(|sse: Result<Sse, Refused>| sse.map(|sse| sse.prelude(["hello"]).channel().1));
//! let stop = async move {
//!     let _ = tokio::signal::ctrl_c().await;
//!     hub.drain(Duration::from_secs(5)).await;
//! };
//! warp::serve(routes).incoming(listener).graceful(stop).run().await;
//! # }
//! ```
//!
//! Subscriptions are part of it in any case, channels and streams of events because of the argument.
//!
//! # Features
//!
//! `tracing`, on by default: events about streams and failed handlers, under the names in `docs/observing.md`. An error
//! that no client may see is only there.
//!
//! `derive`: the macros for an enum of events, [`Events`], [`DecodeEvents`] and `EventsTypeScript`; see
//! `docs/typed-events.md`.

// As in the core: no text of a caller or a peer reaches a panic.
#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use sse_core::Request;
use sse_core::stream::Source;
use std::convert::Infallible;
use sync_wrapper::SyncStream;
use warp::host::Authority;
use warp::reject::Reject;
use warp::reply::{Reply, Response};
use warp::{Filter, reply};

sse_core::adapter!(Send + 'static);

#[cfg(feature = "derive")]
#[doc(inline)]
pub use sse_derive::{EventsTypeScript, WarpDecodeEvents as DecodeEvents, WarpEvents as Events};

/// How a route gets its policy, for the body of 403, 405 and 406.
const ATTACH: &str = "warp::path(name).and(sse_warp::offered_with(policy)).map(handler)";

/// What a filter is given: a [`Policy`], a [`Hub`] that owns every channel and every stream of events as if each called
/// [`Sse::attach`], or both.
///
/// ```
/// use sse_warp::{Hub, Policy, offered_with};
///
/// let (policy, hub) = (Policy::local(), Hub::new());
/// let _ = (offered_with(policy.clone()), offered_with(hub.clone()), offered_with((policy, hub)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Route {
    policy: Policy,
    hub: Option<Hub>,
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

/// Takes any request and says whether it may open a stream; never rejects.
pub fn offered() -> impl Filter<Extract = (Result<Sse, Refused>,), Error = Infallible> + Clone {
    offered_with(Route::default())
}

/// As [`offered`], with a policy or a hub of the route's own.
pub fn offered_with(
    route: impl Into<Route>,
) -> impl Filter<Extract = (Result<Sse, Refused>,), Error = Infallible> + Clone {
    judge(route.into(), Sse::check)
}

/// Takes any request and says whether its `Accept` asks for a stream by name; never rejects. A refusal is the answer to a
/// request that does and may not open one: 405, 403, the answer to HEAD, or 204 for a stream that has finished.
pub fn optional() -> impl Filter<Extract = (Result<Option<Sse>, Refused>,), Error = Infallible> + Clone {
    optional_with(Route::default())
}

/// As [`optional`], with a policy or a hub of the route's own.
pub fn optional_with(
    route: impl Into<Route>,
) -> impl Filter<Extract = (Result<Option<Sse>, Refused>,), Error = Infallible> + Clone {
    judge(route.into(), Sse::check_optional)
}

/// Rejects a request that may not open a stream with [`Refused`]. The routes must end in [`recover`]; without it the
/// answer is 500.
///
/// ```
/// use warp::Filter;
///
/// let news = warp::path("news").and(sse_warp::sse()).map(|sse: sse_warp::Sse| sse.stream(futures_util::stream::empty::<&str>()));
/// let routes = news.recover(sse_warp::recover);
/// # let _ = warp::serve(routes);
/// ```
pub fn sse() -> impl Filter<Extract = (Sse,), Error = warp::Rejection> + Clone {
    sse_with(Route::default())
}

/// As [`sse`], with a policy or a hub of the route's own.
pub fn sse_with(route: impl Into<Route>) -> impl Filter<Extract = (Sse,), Error = warp::Rejection> + Clone {
    offered_with(route).and_then(async |sse: Result<Sse, Refused>| sse.map_err(warp::reject::custom))
}

/// Answers what [`sse`] has rejected, for [`Filter::recover`]; other rejections go on.
///
/// # Errors
/// The rejection, if it is another one.
pub async fn recover(rejection: warp::Rejection) -> Result<Refused, warp::Rejection> {
    rejection.find::<Refused>().cloned().ok_or(rejection)
}

/// How a request becomes a stream, given what its route has.
type Admit<T> = fn(Option<&Policy>, Option<&Hub>, &Request<'_>) -> Result<T, Refused>;

fn judge<T: Send + 'static>(
    route: Route,
    admit: Admit<T>,
) -> impl Filter<Extract = (Result<T, Refused>,), Error = Infallible> + Clone {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    // warp rejects a `Host` that it cannot read, or that differs from the target's: for the policy that is no host.
    let host = warp::host::optional().map(Ok).or(warp::any().map(|| Err(()))).unify();
    let judged = warp::method().and(warp::header::headers_cloned()).and(host).and(query).map(
        move |method: Method, headers: HeaderMap, host: Result<Option<Authority>, ()>, query: String| {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            let authority = host.as_ref().map_or(Some(""), |host| host.as_ref().map(Authority::as_str));
            let request = Request::new(method.as_str(), Some(&query), headers).authority(authority);
            admit(Some(&route.policy), route.hub.as_ref(), &request)
        },
    );
    // hyper keeps room for a route's filter and its future as long as the connection lives: here for two pointers. None
    // of the filters rejects, but the box forgets that: were there a rejection, it would be of a host that nobody can read.
    judged.boxed().or_else(async |_| Ok::<_, Infallible>((Err(Refused::new(Rejection::HostNotAllowed)),)))
}

impl Reject for Refused {}

impl Reply for Refused {
    fn into_response(self) -> Response {
        let head = head(self.reason.status(), self.reason.headers());
        match self.reason {
            // At its end from the beginning: a stream, even an empty one, would be sent over HTTP/2 as a frame of data.
            Rejection::Head => head.map(|()| Response::default().into_body()),
            _ => head.map(|()| self.reason.body_with(ATTACH)).into_response(),
        }
    }
}

impl Reply for Error {
    fn into_response(self) -> Response {
        match self.refused() {
            Some(refused) => refused.clone().into_response(),
            None => {
                let body = reply::with_header(Self::BODY, "cache-control", "no-store");
                reply::with_status(body, StatusCode::INTERNAL_SERVER_ERROR).into_response()
            }
        }
    }
}

impl<S: Source + Send + 'static> Reply for SseResponse<S> {
    fn into_response(self) -> Response {
        let head = head(self.0.status(), self.0.headers());
        // warp asks for `Sync`, although nobody ever looks at a body from two threads.
        let events = SyncStream::new(self.0.into_body().into_results());
        head.map(|()| reply::stream(events).into_response().into_body())
    }
}

impl Reply for Subscription {
    fn into_response(self) -> Response {
        SseResponse::from(self).into_response()
    }
}

/// The core has looked at every name and value.
fn head<'n, 'v>(status: u16, headers: impl Iterator<Item = (&'n str, &'v str)>) -> http::Response<()> {
    let mut head = http::Response::new(());
    *head.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            head.headers_mut().append(name, value);
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use std::cell::Cell;

    #[tokio::test]
    async fn what_sse_rejects_is_recovered() {
        let news = warp::path("news").and(sse()).map(|sse: Sse| sse.prelude(["hello"]).channel().1);
        let routes = news.recover(recover);
        let answer = async |method: &str, path: &str| {
            let response = warp::test::request().method(method).path(path).reply(&routes).await;
            (response.status().as_u16(), response.headers().contains_key("content-length"))
        };
        assert_eq!(answer("POST", "/news").await, (405, false));
        assert_eq!(answer("HEAD", "/news").await, (200, false));
        assert_eq!(answer("GET", "/news").await, (200, false));
        // What is none of its business goes on to warp's own answers.
        assert_eq!(answer("GET", "/nowhere").await.0, 404);
    }

    #[tokio::test]
    async fn the_policy_of_a_route_is_an_argument() {
        let request = || warp::test::request().method("POST").path("/?lastEventId=7");
        let posted = offered_with(Policy::default().methods(["POST"]).last_event_id_query("lastEventId"));
        let taken = request().filter(&posted).await.expect("never rejects").expect("is offered");
        assert_eq!(taken.last_event_id().as_str(), Some("7"));
        let refused = request().filter(&offered()).await.expect("never rejects").map(drop);
        assert_eq!(refused.map_err(|refused| refused.reason.status()), Err(405));
    }

    /// Hazard E9.
    #[tokio::test]
    async fn an_option_is_decided_by_accept_alone() {
        let status = async |method, accept: &str| {
            let request = warp::test::request().method(method).header("accept", accept);
            let taken = request.filter(&optional()).await.expect("never rejects");
            taken.map(|sse| sse.is_some()).map_err(|refused| refused.reason.status())
        };
        assert_eq!(status("GET", "text/html, */*;q=0.8").await, Ok(false));
        assert_eq!(status("POST", "application/json").await, Ok(false));
        assert_eq!(status("GET", "text/event-stream").await, Ok(true));
        assert_eq!(status("POST", "application/json, text/event-stream").await, Err(405));
        assert_eq!(status("HEAD", "text/event-stream").await, Err(200));
    }

    /// Hazard E18.
    #[tokio::test]
    async fn an_error_of_a_handler_is_a_500_that_repeats_nothing() {
        let header = |sse: Result<Sse, Refused>| Ok(sse?.header("content-type", "text/secret")?.channel().1);
        let routes = offered().map(move |sse| -> Result<SseResponse, Error> { header(sse) });
        let answer = warp::test::request().reply(&routes).await;
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (500, Error::BODY.as_bytes()));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(warp::test::request().method("POST").reply(&routes).await.status().as_u16(), 405);
        let publish = || Ok(Hub::new().publish("secret".repeat(100), Event::data("x")).map(drop)?);
        let send = |events: Sender| Ok(events.try_send(Event::data("x").event("\nsecret"))?);
        let frame = || Ok(Event::data("x").id("secret\0").frame().map(drop)?);
        let sse = warp::test::request().filter(&offered()).await.expect("never rejects").expect("is offered");
        let answers: [Result<(), Error>; 3] = [publish(), send(sse.channel().0), frame()];
        for answer in answers {
            assert_eq!(answer.map(|()| reply::reply()).into_response().status().as_u16(), 500);
        }
    }

    /// Hazard E11.
    #[tokio::test]
    async fn a_strict_policy_looks_at_host_authority_and_origin() {
        let local = offered_with(Policy::local());
        let status = async |uri: &str, headers: &[(&'static str, &str)]| {
            let mut request = warp::test::request().path(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let taken = request.filter(&local).await.expect("never rejects");
            taken.map(drop).map_err(|refused| refused.reason.status())
        };
        assert_eq!(status("/", &[("host", "localhost:3000")]).await, Ok(()));
        assert_eq!(status("http://127.0.0.1:3000/", &[]).await, Ok(()), "as HTTP/2 has it");
        assert_eq!(status("/", &[("host", "evil.example")]).await, Err(403));
        assert_eq!(status("/", &[("host", "localhost"), ("origin", "https://evil.example")]).await, Err(403));
    }

    #[test]
    fn a_stream_that_is_not_sync_is_a_reply() {
        fn _compiles(sse: Sse) -> Response {
            let count = Cell::new(0);
            sse.stream(futures_util::stream::repeat(()).map(move |()| count.replace(1).to_string())).into_response()
        }
    }
}
