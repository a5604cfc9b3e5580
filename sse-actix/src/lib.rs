//! Server-Sent Events for [actix-web](actix_web) 4.
//!
//! Take [`Sse`] as an argument of a handler and return what it makes. A request that may not open a stream is answered
//! before the handler runs: 405, 406, the head alone for HEAD, or 204 where the stream was [finished](Sender::finish).
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
//! // and anywhere, at any time
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
//! Or of `Result`s of them; the first error ends it. It need not be `Send`. The stream is dropped when the reader
//! leaves, so work that nobody waits for stops. Here a model that is asked by POST, whatever the request's `Accept` says:
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
//! # Only if the request asked for one
//!
//! [`OptionalSse`] holds `Some` if the request's `Accept` names the type, and nothing else decides that: a page
//! navigation, which would take anything, gets the page. Do not take `Option<Sse>`: actix-web turns every rejection of
//! `Sse` into `None`, and 403, 405, 204 and the answer to HEAD with it.
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
//! # The history of a new client
//!
//! A client without a last event ID receives the events from now on. [`Subscription::replay`] sends stored events before
//! them, and [`Subscription::replay_topic`] those of one topic:
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
//! `web::to(news)` leaves the method to this crate, which answers HEAD, and other methods with 405 and a sentence that
//! names the call to change it. `#[get]` and `App::route(path, web::get())` answer HEAD and POST with 404 before this
//! crate is asked, and `web::resource(path).get(news)` with 405. Which requests a route takes is its [`Policy`], given as
//! `app_data`, as a `JsonConfig` is. A [`Hub`] in `app_data`, as it is or as `web::Data`, owns every channel and every stream
//! of events there, as if each called [`Sse::attach`].
//!
//! # The server
//!
//! Turn half-closed connections off: by default actix-web goes on writing to a reader that has left, and notices only
//! when a write fails.
//!
//! A stream has no end of its own, and a worker waits for it for 30 s: drain the hub before the server is told to stop.
//!
//! ```no_run
//! # use actix_web::{App, HttpServer, rt};
//! # use std::time::Duration;
//! # async fn serve(hub: sse_actix::Hub) -> std::io::Result<()> {
//! let owner = hub.clone(); // in `app_data`, it owns channels and streams of events, too
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
//! Subscriptions are part of it in any case, channels and streams of events because of `app_data`.
//!
//! # Features
//!
//! `tracing`, on by default: events about streams and failed handlers, under the names in `docs/observing.md`. An error
//! that no client may see is only there.
//!
//! `testing`: the module `testing`, which calls a handler in a test and reads its events.
//!
//! `derive`: the macros for an enum of events, [`Events`], [`DecodeEvents`] and `EventsTypeScript`; see
//! `docs/typed-events.md`.

// As in the core: no text of a caller or a peer reaches a panic.
#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

use actix_web::body::{self, BodyStream, BoxBody};
use actix_web::dev::Payload;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, ContentType, HeaderName, HeaderValue, UPGRADE};
use actix_web::http::{ConnectionType, StatusCode, Version};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder, ResponseError, web};
use sse_core::Request;
use std::future::{Ready, ready};

mod feed;
#[cfg(feature = "testing")]
pub mod testing;
mod types;

pub use feed::{Feed, feed};
pub use types::*;

#[cfg(feature = "derive")]
#[doc(inline)]
pub use sse_derive::{ActixDecodeEvents as DecodeEvents, ActixEvents as Events, EventsTypeScript};

/// How a route gets its policy, for the body of 403, 405 and 406.
const ATTACH: &str = "web::resource(path).app_data(policy).to(handler)";

impl FromRequest for Sse {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check(request, Self::check))
    }
}

/// A stream if the request's `Accept` names the type, as the argument of a handler that has another answer too. A request
/// that names the type and may not open a stream is answered in place of the handler, as by [`Sse`].
///
/// Take this in place of `Option<Sse>`, with which actix-web turns 403, 405, 204 and the answer to HEAD into `None`.
#[derive(Debug)]
#[must_use = "no stream opens until this becomes a response"]
pub struct OptionalSse(pub Option<Sse>);

impl FromRequest for OptionalSse {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check(request, Sse::check_optional).map(Self))
    }
}

/// One of the two checks of [`Sse`].
type CheckRequest<T> = fn(Option<&Policy>, Option<&Hub>, &Request<'_>) -> Result<T, Rejection>;

/// Checks a request under the policy and for the hub of its route.
fn check<T>(request: &HttpRequest, check: CheckRequest<T>) -> Result<T, Error> {
    check_under(app_data(request), app_data(request), request, check)
}

fn check_under<T>(
    policy: Option<&Policy>,
    hub: Option<&Hub>,
    request: &HttpRequest,
    check: CheckRequest<T>,
) -> Result<T, Error> {
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let query = Some(request.query_string());
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let asked = Request::new(request.method().as_str(), query, headers).authority(authority);
    check(policy, hub, &asked)
        .map_err(|rejection| Error { ends_connection: framing(request) != Framing::Kept, ..rejection.into() })
}

/// What the application gave to a route as it is, or as `web::Data`.
fn app_data<T: 'static>(request: &HttpRequest) -> Option<&T> {
    let shared = || request.app_data::<web::Data<T>>().map(|shared| shared.get_ref());
    request.app_data::<T>().or_else(shared)
}

/// What the answer to a request must do to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Kept,
    /// End it: the client asked for another protocol, to which actix-web would say yes.
    Ended,
    /// End it in place of the sizes of chunks: to a client of HTTP/1.0 they are part of the stream, and after
    /// `Upgrade: websocket` actix-web announces sizes that it does not write.
    Unsized,
}

fn framing(request: &HttpRequest) -> Framing {
    let websocket = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    if request.version() < Version::HTTP_11 || request.headers().get_all(UPGRADE).any(websocket) {
        Framing::Unsized
    } else if request.head().upgrade() {
        Framing::Ended
    } else {
        Framing::Kept
    }
}

impl Responder for SseResponse {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::from(self);
        let framing = framing(request);
        if framing == Framing::Unsized {
            response.head_mut().no_chunking(true);
        }
        if framing != Framing::Kept {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        response
    }
}

impl Responder for Subscription {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        SseResponse::from(self).respond_to(request)
    }
}

/// For a response that is built by hand. Only as a [`Responder`] it knows the request, which for HTTP/1.0 and with
/// `Upgrade` decides the framing: prefer `respond_to`.
impl From<SseResponse> for HttpResponse {
    fn from(response: SseResponse) -> Self {
        let head = head(response.0.status(), response.0.headers());
        head.set_body(BodyStream::new(response.0.into_body().into_results())).map_into_boxed_body()
    }
}

/// As `From<SseResponse>`.
impl From<Subscription> for HttpResponse {
    fn from(subscription: Subscription) -> Self {
        SseResponse::from(subscription).into()
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        let status = self.rejection().and_then(|rejection| StatusCode::from_u16(rejection.status()).ok());
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let Some(rejection) = self.rejection_or_log() else {
            // The request, which may have asked for an upgrade, is not known here.
            return HttpResponse::InternalServerError()
                .force_close()
                .insert_header((CACHE_CONTROL, "no-store"))
                .content_type(ContentType::plaintext())
                .body(Self::BODY);
        };
        let mut head = head(rejection.status(), rejection.headers());
        if self.ends_connection {
            head.head_mut().set_connection_type(ConnectionType::Close);
        }
        match rejection {
            // Of no size at all: an empty body would have a `content-length`, and a stream is polled for ever.
            Rejection::Head => head.set_body(body::None::new()).map_into_boxed_body(),
            _ => head.set_body(rejection.body_with(ATTACH)).map_into_boxed_body(),
        }
    }
}

/// The core has looked at every name and value.
fn head<'n, 'v>(status: u16, headers: impl Iterator<Item = (&'n str, &'v str)>) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::from_u16(status).unwrap_or_default());
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    if status == 200 {
        // It is the head of a stream, and `Compress` would hold 149 KiB for each of them.
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
    response
}

#[cfg(test)]
mod tests;
