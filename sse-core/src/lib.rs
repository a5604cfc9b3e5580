//! Server-Sent Events without a framework: framing, decoding, stream state, topics and resumption.
//!
//! Every rule of the protocol is here, and nothing else: this crate opens no socket, spawns no task, names no framework,
//! and borrows clock, timer and randomness from its [`Runtime`]. A server gives it what it needs to know of a request
//! and gets a status, headers, and a pure `Stream<Item = Bytes>`. On axum, actix-web or warp use `sse-axum`,
//! `sse-actix` or `sse-warp`, which are this crate under the framework's own types.
//!
//! # From a request to bytes
//!
//! ```
//! use sse_core::{Event, Hub, Policy, Request, Sse, Tokio};
//!
//! # fn answer(hub: &Hub) -> Result<(), sse_core::Rejection> {
//! // What the server has read of the request: method, query, and the headers as bytes.
//! let request = Request::new("GET", None, [("accept", b"text/event-stream".as_slice())]);
//!
//! // May it open a stream? If not, the refusal is the whole answer: status, headers, body.
//! let admitted = Policy::default().check(&request)?;
//!
//! // A stream that follows a topic, and resumes where this client left off.
//! let response = Sse::new(Tokio, admitted).subscribe(hub, ["news"]).into_response();
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.headers().next(), Some(("content-type", "text/event-stream")));
//! let body = response.into_body(); // Stream<Item = Bytes>, and http_body::Body behind a feature
//! # Ok(()) }
//! # answer(&Hub::new()).unwrap();
//! ```
//!
//! Whoever publishes needs nothing but the hub: `hub.publish("news", Event::json(&article).event("article"))?`.
//!
//! # The parts, in the order in which bytes meet them
//!
//! | part | what it is |
//! |---|---|
//! | [`Request`], [`Policy`], [`Rejection`] | may this request open a stream, and which [`LastEventId`] did it bring |
//! | [`Sse`], [`Response`] | how the stream shall be, and the answer that opens it |
//! | [`Event`], [`Frame`], [`IntoFrame`] | an intention, the proof that it can be sent, and all that can become one |
//! | [`Sender`], [`EventStream`] | the handle and the body of one connection |
//! | [`Hub`], [`Subscription`] | one ordered history with topics, and a place in it |
//! | [`Events`], [`DecodeEvents`] | an enum of event types and payloads, both ways |
//! | [`Decoder`] | reads what any server wrote, exactly as a browser does |
//! | [`Runtime`], [`Timer`], [`Random`] | what is lent; [`Tokio`] lends tokio's |
//! | [`testing`] | reads a stream event by event, under a clock that a test moves |
//!
//! # A server of your own
//!
//! An [`EventStream`] is polled like any stream. A server without async tasks calls [`EventStream::poll_chunk`] with its
//! own time instead, and again at [`EventStream::deadline`]:
//!
//! ```
//! use sse_core::testing::Clock;
//! use std::pin::pin;
//! use std::task::{Context, Poll, Waker};
//! use std::time::{Duration, Instant};
//!
//! let (events, response) = Clock::new().sse().channel();
//! let mut body = pin!(response.into_body());
//! let mut cx = Context::from_waker(Waker::noop());
//! let now = Instant::now();
//!
//! events.try_send("hello")?;
//! assert_eq!(body.as_mut().poll_chunk(now, &mut cx), Poll::Ready(Some(":\nevent: sse-open\n\ndata: hello\n\n".into())));
//! assert_eq!(body.as_mut().poll_chunk(now, &mut cx), Poll::Pending);
//! assert!(body.deadline() <= Some(now + Duration::from_secs(15))); // when the next keep-alive is due
//! # Ok::<(), sse_core::SendError>(())
//! ```
//!
//! # What nobody can do to it
//!
//! No text of a caller or a peer reaches a panic, and none puts a byte on the wire that the caller did not mean. Every
//! buffer and table has a bound, in bytes or by count, and says what happens there. No waker and no user's value runs
//! under a lock.
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `json` | [`Event::json`], [`MessageEvent::json`], the traits [`Events`] and [`DecodeEvents`] | yes |
//! | `derive` | `#[derive(Events)]`, `#[derive(DecodeEvents)]`, `#[derive(EventsTypeScript)]`; implies `json` | |
//! | `tokio` | [`Tokio`]: clock, timer, and a generator seeded by the system; `Hub::new` | yes |
//! | `http-body` | `http_body::Body` for [`EventStream`], for hyper | |
//! | `http` | [`Request::from_http`], `into_http`, `HttpBody`: the types of the crate `http` | |
//! | `socket` | `apply_socket_limits`: bounds on what lies beneath a body | |
//! | `tracing` | what happens to streams, told to `tracing` | |
//! | `testing` | [`testing`] | |
//! | `adapter` | what an adapter needs: `json`, `socket`, `tokio` and the macro `adapter!` | |
//!
//! Without any of them it builds for `wasm32-unknown-unknown`.

// No text of a caller or a peer reaches a panic; what may not fail is written so that it cannot.
#![cfg_attr(
    not(test),
    deny(
        clippy::panic,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented
    )
)]
// The examples of the crate's page show the parts behind features too.
#![cfg_attr(not(all(feature = "testing", feature = "tokio")), allow(rustdoc::broken_intra_doc_links))]

mod client;
mod decoder;
mod event;
#[cfg(feature = "http")]
mod http;
pub mod hub;
mod request;
mod response;
mod runtime;
pub mod stream;
#[cfg(feature = "testing")]
pub mod testing;

pub use client::action::{Action, Received, ResponseHead, StopReason};
pub use client::event_source::EventSource;
pub use decoder::decoder::Decoder;
pub use decoder::limits::DecodeError;
pub use decoder::message_event::MessageEvent;
pub use decoder::stream::{DecodeStream, DecodeStreamError};
#[cfg(feature = "json")]
pub use decoder::typed::{DecodeEvents, PayloadError};
pub use event::block::BlockError;
pub use event::control::RESERVED_TYPES;
pub use event::error::{Field, FrameError, SendError};
pub use event::event::Event;
pub use event::frame::{Frame, IntoFrame};
pub use event::limits::{MAX_EVENT_BYTES, MAX_ID_BYTES, MAX_PRELUDE_BYTES, MAX_RETRY};
#[cfg(feature = "json")]
pub use event::typed::Events;
#[cfg(feature = "http")]
pub use http::HttpBody;
pub use hub::{Hub, Replay, Resumption, Stats, Subscription};
pub use request::accept::AcceptMode;
pub use request::last_event_id::LastEventId;
pub use request::origin::PolicyError;
pub use request::policy::{Accepted, Policy};
pub use request::rejection::Rejection;
pub use request::request::Request;
pub use response::moment::{IntoMoment, UnixSeconds};
pub use response::options::{KeyTooLong, MAX_KEY_BYTES, Sse};
pub use response::response::{HeaderError, Response};
pub use runtime::runtime::{Random, Runtime, Timer};
#[cfg(feature = "socket")]
pub use runtime::socket::{AppliedLimits, SocketLimits, apply_socket_limits};
#[cfg(feature = "tokio")]
pub use runtime::tokio::Tokio;
pub use stream::{CloseReason, Sender};
pub use uuid::Uuid;

#[cfg(feature = "derive")]
pub use sse_derive::{DecodeEvents, Events, EventsTypeScript};

/// The traits without the derive macros of the same names, which each adapter has of its own.
#[cfg(feature = "json")]
#[doc(hidden)]
pub mod __typed {
    pub use crate::decoder::typed::DecodeEvents;
    pub use crate::event::typed::Events;
}

/// The body of a channel or a subscription; of a stream of events with its source as `S`. See
/// [`stream::EventStream`].
pub type EventStream<R, S = hub::TopicSource> = stream::EventStream<R, S>;

#[doc(hidden)]
pub use futures_core::Stream as __Stream;
#[cfg(feature = "adapter")]
#[doc(hidden)]
pub use runtime::trace::handler_failed as __handler_failed;
