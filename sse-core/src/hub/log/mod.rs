//! A hub that follows a log which other programs write, as a Redis stream.
//!
//! [`follow`] builds such a hub and a [`LogFeed`]. The feed is the only writer of the hub: it appends each entry of the
//! log under the entry's own ID. Several nodes that follow one log have the same history, so a client can reconnect to
//! any of them and resume there. `sse-redis` is built on this module.
//!
//! ```
//! use sse_core::{Event, Hub};
//! use sse_core::hub::{EventId, PublishError, log};
//!
//! let (hub, mut feed) = log::follow(Hub::builder());
//! feed.append(EventId::new((1692632086370, 0), 7), "news", Event::data("rain"))?;
//! assert_eq!(hub.stats().held_events, 1);
//! assert_eq!(hub.publish("news", Event::data("sun")), Err(PublishError::Followed));
//! # Ok::<(), log::LogFeedError>(())
//! ```

mod batch;
mod change;
mod feed;
mod handle;
mod history;
pub(super) mod id_source;
mod state;
mod truncation;
pub(super) mod unknown_ids;

pub use change::LogChange;
#[cfg(feature = "tokio")]
pub use feed::follow;
pub use feed::{LogFeed, LogFeedError, follow_on};
pub use handle::LogHandle;
pub use state::{CheckedChange, StateBounds};
