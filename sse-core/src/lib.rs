//! Server-Sent Events without a framework: framing, decoding, stream state, topics and resumption.
//!
//! This crate has every rule of the protocol. The crate opens no socket, spawns no task and names no framework. A
//! [`Runtime`] lends the clock, the timer and the randomness. A server passes the parts of a request and receives a
//! status, headers, and a `Stream<Item = Bytes>`. For axum, actix-web and warp use `sse-axum`, `sse-actix` and `sse-warp`,
//! which wrap this crate in the types of the framework.
//!
//! # From a request to bytes
//!
//! ```
//! use sse_core::testing::Clock; // in a server: `Tokio`
//! use sse_core::{Event, Hub, Policy, Request, Sse};
//!
//! let clock = Clock::new();
//! let hub = Hub::builder().build_on(clock.clone()); // in a server: `Hub::new()`
//!
//! // The method, the query and the headers of a request. A rejection is the whole answer: status, headers and body.
//! let request = Request::new("GET", None, [("accept", b"text/event-stream".as_slice())]);
//! let accepted = Policy::default().check(&request)?;
//!
//! // A stream that follows a topic. A client that brings a last event ID resumes after this event.
//! let response = Sse::new(clock.clone(), accepted).subscribe(&hub, ["news"]).into_response();
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.headers().next(), Some(("content-type", "text/event-stream")));
//! let mut body = clock.read(response); // a server sends `response.into_body()`, a `Stream<Item = Bytes>`
//! assert!(body.text().starts_with(":\nevent: sse-position\nretry: "));
//!
//! // Anywhere in the application, for all clients:
//! let id = hub.publish("news", Event::data("rain").event("weather"))?;
//! assert_eq!(body.text(), format!("event: weather\ndata: rain\nid: {id}\n\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The parts, from a request to its bytes
//!
//! | part | purpose |
//! |---|---|
//! | [`Request`], [`Policy`], [`Rejection`] | decide whether a request opens a stream, and find its [`LastEventId`] |
//! | [`Sse`], [`Response`] | the options of a stream, and the answer that opens the stream |
//! | [`Event`], [`Frame`], [`IntoFrame`] | an event, its validated bytes, and all types that become a frame |
//! | [`Sender`], [`EventStream`] | the sender and the body of one stream |
//! | [`Hub`], [`Subscription`] | one ordered history with topics, and a subscriber |
//! | [`Events`], [`DecodeEvents`] | an enum of event types and payloads, encoded and decoded |
//! | [`Decoder`] | decodes the stream of any server, exactly as a browser does |
//! | [`EventSource`] | a client that reconnects and resumes, without a socket |
//! | [`Runtime`], [`Timer`], [`Random`] | the clock, the timer and the randomness; [`Tokio`] is the runtime for tokio |
//! | [`testing`] | reads a stream event by event, with a clock that only the test moves |
//!
//! # A server of your own
//!
//! A server polls an [`EventStream`] as any other stream. A server without async tasks calls [`EventStream::poll_chunk`] with
//! its own time, and again at [`EventStream::deadline`]:
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
//! assert!(body.deadline() <= Some(now + Duration::from_secs(15))); // the moment of the next keep-alive
//! # Ok::<(), sse_core::SendError>(())
//! ```
//!
//! # Guarantees
//!
//! No text of a caller or a peer can cause a panic or an extra field. Every buffer and table has a limit in bytes or by
//! count, and a documented behaviour at the limit. No waker and no value of the application runs under a lock.
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
//! | `gzip` | [`HubBuilder::gzip`](hub::HubBuilder::gzip): topics that are compressed once for all clients | |
//! | `socket` | `apply_socket_limits`: bounds for the socket under a body | |
//! | `tracing` | events and spans about streams for `tracing` | |
//! | `testing` | [`testing`] | |
//! | `adapter` | the parts for an adapter: `json`, `socket`, `tokio` and the macro `adapter!` | |
//!
//! Without features the crate builds for `wasm32-unknown-unknown`.

// No text of a caller or a peer can cause a panic.
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
#![cfg_attr(not(all(feature = "gzip", feature = "testing", feature = "tokio")), allow(rustdoc::broken_intra_doc_links))]

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
pub use http::{Detach, HttpBody};
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
pub use runtime::wake_task::WakeTask;
pub use stream::{CloseReason, Sender};
pub use uuid::Uuid;

#[cfg(feature = "derive")]
pub use sse_derive::{DecodeEvents, Events, EventsTypeScript};

/// The traits without the derive macros of the same names. Each adapter has its own derive macros.
#[cfg(feature = "json")]
#[doc(hidden)]
pub mod __typed {
    pub use crate::decoder::typed::DecodeEvents;
    pub use crate::event::typed::Events;
}

/// The body of a channel or a subscription. With another source `S`, the body of a stream of events. See
/// [`stream::EventStream`].
pub type EventStream<R, S = hub::TopicSource> = stream::EventStream<R, S>;

#[doc(hidden)]
pub use futures_core::Stream as __Stream;
#[cfg(feature = "adapter")]
#[doc(hidden)]
pub use runtime::trace::handler_failed as __handler_failed;
