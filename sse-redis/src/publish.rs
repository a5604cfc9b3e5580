//! The errors of a publish.

use crate::PublishId;
use sse_core::hub::EventId;
use sse_core::{FrameError, hub};

/// The error of [`Redis::publish`](crate::Redis::publish).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisPublishError {
    /// The event is invalid and cannot be sent. Nothing was stored.
    #[error(transparent)]
    Invalid(FrameError),
    /// The event is larger than [`HubBuilder::max_event_bytes`](hub::HubBuilder::max_event_bytes). Nothing was stored.
    #[error(
        "the event has {bytes} bytes, and the limit is {limit}: raise the limit with `max_event_bytes` of the hub's builder"
    )]
    TooLarge {
        /// The size of the values of the event, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The topic name is longer than [`MAX_TOPIC_BYTES`](hub::MAX_TOPIC_BYTES). Nothing was stored.
    #[error("the topic name has {0} bytes, and the limit is {limit}", limit = hub::MAX_TOPIC_BYTES)]
    TopicName(usize),
    /// One `publish_all` has more than 1,024 events. Nothing was stored.
    #[error("one batch has more than {limit} events", limit = crate::batch::MAX_BATCH)]
    TooMany,
    /// The limit [`in_flight`](crate::RedisBuilder::in_flight) was reached for half of the deadline. Nothing was stored.
    /// Answer 503 or 429.
    #[error("too many publishes are in flight: raise the limit with `in_flight`, or answer 503")]
    Overloaded,
    /// The topic has ended, so no client receives the event. [`Redis::publish`](crate::Redis::publish) stores nothing if this
    /// node has read the end before, and an entry that every node skips if it reads the end meanwhile.
    #[error("the topic has ended")]
    Ended,
    /// The topic is a state topic, whose events have keys: use [`Redis::state_topic`](crate::Redis::state_topic). Nothing was
    /// stored.
    #[error("the topic is a state topic: `Redis::state_topic` returns a handle with `set` and `remove`")]
    State,
    /// The topic has events that were published, so it cannot be a state topic. [`Redis::remove`](crate::Redis::remove) makes the
    /// name free again. Nothing was stored.
    #[error("the topic has events that were published, so it cannot be a state topic")]
    NotState,
    /// The state topic has this number of keys. Nothing was stored.
    #[error(
        "the state topic has {0} keys, which is its limit: `TopicBounds::events` in `Redis::state_topic_with` changes it"
    )]
    StateKeys(usize),
    /// The state would have more bytes than this limit. Nothing was stored.
    #[error(
        "the limit of the state is {0} bytes: `TopicBounds::bytes` in `Redis::state_topic_with`, and `HubBuilder::hub_bytes`, \
         change it"
    )]
    StateBytes(usize),
    /// The key has this many bytes, more than [`MAX_STATE_KEY_BYTES`](hub::MAX_STATE_KEY_BYTES). Nothing was stored.
    #[error("the key has {0} bytes, and the limit is {limit}", limit = hub::MAX_STATE_KEY_BYTES)]
    StateKey(usize),
    /// Nothing was stored, for this reason.
    #[error("not stored: {0}")]
    NotStored(#[from] NotStored),
    /// The leader stored the event, and clients receive it, but not enough [`replicas`](crate::RedisBuilder::replicas)
    /// acknowledged the event before the deadline. A failover can lose the event. Do not publish the event again: it is
    /// in the log.
    #[error("the event {id} is stored, but only {replicas} replicas acknowledged it")]
    NotReplicated {
        /// The ID of the event, or of the last event of a batch.
        id: EventId,
        /// The number of replicas that have the event.
        replicas: u64,
    },
    /// No answer came before the deadline, or the connection broke. The log may have stored the event, or may still store
    /// the event.
    ///
    /// To publish again, use [`Redis::publish_again`](crate::Redis::publish_again) with this ID: clients receive the event
    /// at most once. To find out, search the log for an entry with this ID in the field `n`. While the server may still
    /// have the command in a buffer, a missing entry proves nothing.
    #[error("no answer, so the event may be stored, with the publish ID {0}")]
    MaybeStored(PublishId),
}

/// The reason why the log did not store an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotStored {
    /// No connection to the Redis server was open within half of the [`deadline`](crate::RedisBuilder::deadline).
    #[error("the Redis server is unreachable")]
    Away,
    /// [`Redis::stop`](crate::Redis::stop) was called.
    #[error("the node is stopped")]
    Stopped,
    /// The log does not exist: it was deleted, or no node has created it yet. A node that gets this error creates the log at
    /// once, and any other node of the log within about ten seconds.
    #[error("the log does not exist")]
    NoLog,
    /// The server returned this error: the server is a replica, loads its data, is out of memory, has too few replicas, or
    /// denies the command.
    #[error("the Redis server returned an error: {0}")]
    Refused(Box<str>),
}

impl From<hub::PublishError> for RedisPublishError {
    fn from(error: hub::PublishError) -> Self {
        match error {
            hub::PublishError::Invalid(FrameError::TooLarge { bytes, limit }) => Self::TooLarge { bytes, limit },
            hub::PublishError::Invalid(error) => Self::Invalid(error),
            hub::PublishError::TopicName(bytes) => Self::TopicName(bytes),
            hub::PublishError::StateKey(bytes) => Self::StateKey(bytes),
            // `check` returns no other error. An error of a later version of the core is passed on as text.
            other => Self::Invalid(FrameError::Source(other.to_string().into())),
        }
    }
}
