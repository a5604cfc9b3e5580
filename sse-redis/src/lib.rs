//! One history of Server-Sent Events on several nodes, over a stream of Redis or Valkey (server 7.0 or later).
//!
//! A node publishes with [`Redis::publish`], which writes to the log, and serves its readers from a
//! [`Hub`](sse_core::Hub) that follows the log. Subscribing handlers are those of one node; `hub.publish(..)?` becomes
//! `redis.publish(..).await?`. Because every event reaches readers only through the log read back, all nodes have one
//! order, and a client comes back to any of them.
//!
//! ```no_run
//! use sse_core::Event;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (redis, hub) = sse_redis::Redis::builder("redis://127.0.0.1:6379").log("news").start()?;
//! redis.loaded().await;
//! // Handlers do `sse.subscribe(&hub, ["news"])`, as ever.
//! redis.publish("news", Event::data("rain").event("article")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! A reader gets every event of its topics once and in the log's order, or a `gap` event where something is missing.
//! While the engine is away readers stay connected, clients resume from what the node holds, and publishes fail at
//! once. What Redis itself can lose, and how to make it lose less, is told in `docs/scaling.md`.
//!
//! # What the log needs
//!
//! Two keys of one slot, `{NAME}:log` and `{NAME}:meta`, and a user who may `xadd xread xrange xrevrange xinfo xlen
//! role hget hset exists eval multi exec client`. Other programs may write to the log, with `NOMKSTREAM` and at least
//! 1,024 entries left by any trimming; nobody may delete single entries from it.
//!
//! | feature | adds |
//! |---|---|
//! | `tls` | `rediss://`, by rustls: the system's roots, or yours, `RedisBuilder::root_certificates` |
//! | `tracing` | what the follower does and why, told to `tracing` |

// As in the core: no text of a caller or a peer reaches a panic.
#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

mod builder;
mod commands;
mod connection;
mod driver;
mod entry;
mod follower;
mod handle;
mod publish;
mod publish_id;
mod publisher;
mod state;
#[cfg(feature = "tls")]
mod tls;
mod trace;

pub use builder::{RedisBuilder, StartError};
pub use handle::Redis;
pub use publish::{NotStored, PublishError};
pub use publish_id::PublishId;
pub use state::State;
