//! A Server-Sent Events client that reconnects and resumes, on [reqwest].
//!
//! [`EventReader`] requests a stream, yields the events, reconnects after the server's `retry`, and resumes after the last
//! event ID. When the server finishes the stream or answers 204, the reader ends. The rules are those of
//! [`EventSource`], the machine in sse-core; this crate gives it a connection and a clock.
//!
//! ```no_run
//! # async fn read() -> Result<(), sse_client::Stopped> {
//! let mut events = sse_client::get("http://127.0.0.1:3000/events");
//! while let Some(event) = events.next_event().await? {
//!     println!("{}: {}", event.event_type, event.data);
//! }
//! // The server has finished the stream.
//! # Ok(()) }
//! ```
//!
//! Requests with headers, a login, another method or a proxy are built with reqwest: [`EventReader::new`]. Bounds and
//! delays are options of the [`EventSource`]: [`EventReader::configure`].
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `derive` | `#[derive(DecodeEvents)]`: an event becomes a variant of an enum | |
//! | `tls` | HTTPS, by rustls with the system's roots | |

#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

mod reader;
mod signal;

pub use reader::{EventReader, get};
pub use signal::{Lost, Signal, Stopped};
#[doc(inline)]
pub use sse_core::__typed::DecodeEvents;
#[doc(no_inline)]
pub use sse_core::{DecodeError, EventSource, MessageEvent, PayloadError, StopReason};
#[cfg(feature = "derive")]
#[doc(inline)]
pub use sse_derive::ClientDecodeEvents as DecodeEvents;
