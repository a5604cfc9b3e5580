//! Hubs: one ordered history of events, with topics, subscribers and resumption.
//!
//! A topic is a label of an event in the history. A subscriber is a position in the history and a set of topics. The
//! client's last event ID names that position, so a client that reconnects resumes strictly after it.
//!
//! The history has bounds, which [`HubBuilder`] sets. A client receives a `gap` event where events that it has not received
//! were trimmed. [`log`] builds hubs that follow a log, so that several servers have the same history.
//!
//! ```
//! use sse_core::hub::{Hub, PublishError};
//!
//! let hub = Hub::new();
//! let rain = hub.publish("news", "rain")?;
//! let sun = hub.publish("weather", "sun")?;
//! assert!(rain < sun);
//! assert_eq!(hub.stats().topics, 2);
//! # Ok::<(), PublishError>(())
//! ```

mod abandoned;
mod ages;
mod any_source;
mod attach;
mod builder;
#[cfg(feature = "gzip")]
mod compressed;
mod cursor;
mod deferred;
mod drain;
mod ending;
mod feed;
#[cfg(feature = "gzip")]
mod gzip;
pub(crate) mod history;
#[expect(clippy::module_inception, reason = "a reader looks for `Hub` in hub.rs")]
mod hub;
mod id;
mod idle;
mod inner;
mod limits;
mod listen;
pub mod log;
mod merge;
mod opening;
mod publish;
mod registry;
mod resume;
mod retry_later;
mod ring;
mod shards;
mod shrink;
mod state;
mod stats;
mod subscribe;
mod subscription;
mod topic;
mod topic_bounds;
mod topic_cursors;
mod topic_extra;
mod topic_names;
mod topic_source;
mod topic_stats;
mod topics;
mod trim_point;

#[doc(hidden)]
pub use any_source::AnySource;
pub use builder::HubBuilder;
pub use drain::Draining;
pub use feed::Feed;
pub use history::MAX_TOPIC_BYTES;
pub use hub::Hub;
pub use id::{EventId, InvalidEventId};
pub use listen::{Heard, ListenError, Listener, TopicName};
pub use publish::{PublishError, Topic};
pub use resume::{Replay, Resumption};
pub use state::{MAX_STATE_KEY_BYTES, StateChange, StateTopic};
pub use stats::Stats;
pub use subscribe::SubscribeError;
pub use subscription::Subscription;
pub use topic_bounds::TopicBounds;
pub use topic_names::{IntoTopics, Many, One};
#[doc(hidden)]
pub use topic_source::TopicSource;
pub use topic_stats::TopicStats;

pub(crate) use inner::Inner;
