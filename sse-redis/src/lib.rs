//! One history of Server-Sent Events on several nodes, over a stream of Redis or Valkey (server 7.0 or later).
//!
//! A node publishes with [`Redis::publish`], which appends an entry to the log, and serves its clients from a
//! [`Hub`](sse_core::Hub) that follows the log. Handlers subscribe as on a single node, and `hub.publish(..)?` becomes
//! `redis.publish(..).await?`. Clients receive events only from the log, so all nodes send one order with the same event
//! IDs, and a client resumes on any node.
//!
//! ```no_run
//! use sse_core::Event;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # async fn serve(hub: sse_core::Hub) -> Result<(), std::io::Error> { drop(hub); Ok(()) }
//! let (redis, hub) = sse_redis::Redis::builder("redis://127.0.0.1:6379").log("news").start()?;
//! // Handlers call `sse.subscribe(&hub, ["news"])`, as on a single node. Until the hub has loaded the log, and while the
//! // server is unreachable, their clients retry by themselves.
//! let server = tokio::spawn(serve(hub));
//! redis.loaded().await?; // an error if a person must act, for example after a wrong password
//! redis.publish("news", Event::data("rain").event("article")).await?;
//! server.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! A client receives each event of its topics once and in the order of the log, or a `gap` event where events are missing.
//! While the Redis server is unreachable, streams stay open, clients resume from the events that the node holds, and
//! publishes fail after half of their deadline. `docs/scaling.md` lists the events that Redis itself can lose, and settings
//! against it.
//!
//! # Requirements
//!
//! The log consists of two keys in one slot, `{NAME}:log` and `{NAME}:meta`, or `{TAG}:NAME:log` and `{TAG}:NAME:meta` with
//! [`RedisBuilder::hash_tag`]. State topics add `{NAME}:state` and a key `{NAME}:state:TOPIC` for each topic. `docs/scaling.md` has the `ACL SETUSER` line of a
//! user with the required rights. Other programs may append entries, in any language: `docs/publishing.md` is the contract.
//! They may trim the log to at least 1,024 entries, and must not delete single entries.
//!
//! | feature | adds |
//! |---|---|
//! | `tls` | `rediss://` with rustls, with the roots of the system or with `RedisBuilder::root_certificates` |
//! | `tracing` | `tracing` events about the log and the node |

// As in the core, no input of a caller or a peer may cause a panic.
#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

mod address;
mod backoff;
mod batch;
mod builder;
mod changing;
mod cluster;
mod commands;
mod connections;
mod ending;
mod endpoint;
mod entry;
mod extension;
mod failure;
mod follower;
mod handle;
mod limits;
mod log_queue;
mod node;
mod problem;
mod publish;
mod publish_connection;
mod publish_id;
mod publisher;
mod publishing;
mod reader;
mod refusal;
mod replicas;
mod replies;
mod retention;
mod round;
mod sentinel;
mod session;
mod start;
mod state;
mod state_topic;
mod stats;
mod tls;
mod trace;
mod waiting;
mod writer;

pub use address::Address;
pub use builder::{RedisBuilder, StartError};
#[doc(hidden)]
pub use extension::ScriptEntry;
pub use handle::Redis;
pub use problem::Problem;
pub use publish::{NotStored, RedisPublishError};
pub use publish_id::PublishId;
pub use publisher::Publisher;
pub use state::NodeState;
pub use state_topic::RedisStateTopic;
pub use stats::RedisStats;
