//! Work that outlives the connection: a model's answer, an export, a deployment.
//!
//! A run is a [topic](sse_core::Hub::end) of a hub, and a future that writes to the topic. The future goes on when clients leave.
//! Clients attach at any time, from the beginning or after their last event ID, and see the same events. The last event is
//! always one of these, and no event follows it:
//!
//! | type | data | the work |
//! |---|---|---|
//! | `done` | `{}` | returned `Ok` |
//! | `stopped` | `{"reason":"requested"}` | was stopped by [`Runs::stop`] |
//! | `stopped` | `{"reason":"abandoned"}` | had no client for the time of [`RunsBuilder::stop_abandoned`] |
//! | `failed` | `{"reason":"error"}` | returned an error, whose text goes to [`RunsBuilder::on_end`] and to no client |
//! | `failed` | `{"reason":"panic"}` | panicked |
//! | `failed` | `{"reason":"dropped"}` | was dropped, because the runtime shut down |
//! | `failed` | `{"reason":"lost"}` | was at a node that died, or the server of the log lost the run; only on several nodes |
//!
//! ```
//! use sse_core::hub::Heard;
//! use sse_core::{Hub, Replay};
//! use sse_runs::{OutputError, Runs};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::new();
//! let runs = Runs::new(&hub);
//! let run = runs.start("answer", async |output| {
//!     output.send(("token", "Hello"))?;
//!     Ok::<_, OutputError>(())
//! }).await?;
//!
//! let mut types = Vec::new();
//! let mut heard = hub.listen(run.topic())?.replay(Replay::All);
//! while let Some(item) = heard.next().await {
//!     if let Heard::Event(_, event) = item {
//!         types.push(event.event_type.into_owned());
//!     }
//! }
//! assert_eq!(types, ["token", "done"]);
//! # Ok(())
//! # }
//! ```
//!
//! The README has the three handlers of a server: start, attach, stop.
//!
//! # Several nodes
//!
//! With the feature `redis` the runs are shared between the nodes of a log of sse-redis: `RunsBuilder::redis`. A client attaches
//! to any node, and a run is stopped from any node. When a node dies, the runs of the node end as `failed` within 5 s, at one entry
//! of the log. A node that was taken for dead and returns cannot write into its runs, nor into later runs of their IDs. `docs/runs.md`
//! lists the faults and their results.

#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

mod active;
mod builder;
mod error;
mod inner;
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "without a log only the types are used"))]
mod nodes;
mod output;
mod run;
mod runs;
mod start;
mod task;

pub use builder::{RunEnd, RunsBuilder};
pub use error::{RunLogError, StartRunError};
pub use output::{OutputError, RunOutput};
pub use run::RunHandle;
pub use runs::Runs;
