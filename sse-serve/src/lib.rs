//! An HTTP server whose event streams leave hyper.
//!
//! hyper keeps about 19 KiB for each connection of HTTP/1. An event stream waits for hours and needs none of that once its head
//! is sent. This server runs each request on [hyper], and takes the connection back when the head of an event stream is
//! flushed. A waiting stream then costs about 1.3 KiB.
//!
//! ```no_run
//! use axum::Router;
//! use sse_axum::{Hub, feed};
//! use std::time::Duration;
//!
//! # async fn run() -> std::io::Result<()> {
//! let hub = Hub::new();
//! let app = Router::new().route("/news", feed(&hub, ["news"]));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! let stop = async move {
//!     let _ = tokio::signal::ctrl_c().await;
//!     hub.drain(Duration::from_secs(5)).await;
//! };
//! sse_serve::serve(listener, app).with_graceful_shutdown(stop).await
//! # }
//! ```
//!
//! # Which responses leave
//!
//! A response leaves hyper if its extensions contain [`Detach`]. The responses of `sse-axum`, `sse-warp` and of
//! `Response::into_http` in `sse-core` do. Any other body can, too:
//!
//! ```
//! use axum::{Extension, body::Body, response::IntoResponse};
//! use sse_serve::Detach;
//!
//! async fn lines() -> impl IntoResponse {
//!     let lines = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("line\n")]);
//!     (Extension(Detach), Body::from_stream(lines))
//! }
//! # let _: axum::routing::MethodRouter = axum::routing::get(lines);
//! ```
//!
//! The whole body of the response leaves, with all layers around it: compression, tracing and timeouts see every frame. Marked
//! responses stay on hyper in these cases, and nothing else changes:
//!
//! - HTTP/1.0, and HTTP/2, whose streams share one connection
//! - HEAD and CONNECT, requests with `Upgrade`
//! - another status than 200; a `content-length`, `transfer-encoding` or `trailer`; a body of known size
//! - a request whose body the handler did not read to its end. hyper can then leave the connection open and read no further
//!   request, as below `axum::serve`
//!
//! On any other server, such as `axum::serve`, the mark means nothing.
//!
//! # What a client sees
//!
//! The same bytes as on `axum::serve`, with one exception. If a body fails in its first polls, hyper closes the connection
//! with the head unsent. This server has sent the head by then; it sends the frames before the failure, and closes the
//! connection without the last chunk. Both are errors for every client.
//!
//! While a stream runs, the server reads up to 8 KiB of further requests and answers them in their turn. The end of the
//! client's bytes means that the client left, if no request is waiting.
//!
//! # Limits
//!
//! | limit | default | |
//! |---|---|---|
//! | [`header_read_timeout`](Serve::header_read_timeout) | 75 s | `axum::serve` has none |
//! | an unanswered PING over HTTP/2 | 20 s | sent after `header_read_timeout` without a byte of the client |
//! | [`max_connections`](Serve::max_connections) | none | the process's limit of open files; the server pauses when it is reached |
//! | requests read ahead | 8 KiB | the rest waits in the kernel |
//! | bytes read after a `connection: close` | 256 KiB, 5 s | prevents that a reset destroys the last chunk |
//! | the wait of a graceful shutdown | none | an upload or a response can take any time |
//!
//! The sockets end clients that stall: call `sse_core::apply_socket_limits` on the listener.
//!
//! Memory: a request is on hyper until its head is sent. So handlers that wait, for example for a database, hold hyper's buffers
//! as on any other server, and the allocator may keep the memory of the largest number of them.
//!
//! # TLS and HTTP/2
//!
//! A [`SocketListener`] accepts connections of any type, so TLS inside the process works, and each connection keeps the buffers of its
//! TLS. HTTP/2 needs the feature `http2`. Its streams gain nothing: use this server behind a proxy that speaks HTTP/1.1 to it.
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `axum` | `AxumListener`, for listeners of axum | |
//! | `http2` | HTTP/2 with prior knowledge, or by ALPN | |
//! | `tracing` | events about connections, with the names in `docs/observing.md` | yes |

// No text of a caller or a peer can cause a panic.
#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

mod answer;
mod chunk;
mod closing;
mod connection;
mod eligible;
#[cfg(feature = "http2")]
mod http2;
mod io;
mod listener;
mod live;
mod on_hyper;
mod request;
mod serve;
mod service;
mod slot;
mod trace;
mod waiting;

#[cfg(feature = "axum")]
pub use listener::AxumListener;
pub use listener::SocketListener;
pub use request::RequestBody;
pub use serve::{Serve, serve};
pub use service::{FromHyper, HttpService};
#[doc(no_inline)]
pub use sse_core::Detach;
