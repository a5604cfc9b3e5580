//! What can become of a publish.

use crate::PublishId;
use sse_core::{FrameError, hub};

/// Why a publish did not succeed, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The event cannot be sent; mend it. Nothing was stored.
    #[error(transparent)]
    Invalid(FrameError),
    /// The event is larger than [`Builder::max_event_bytes`](hub::HubBuilder::max_event_bytes) of the hub. Nothing was stored.
    #[error(
        "the event has {bytes} bytes, and the limit is {limit}; raise it with `max_event_bytes` of the hub's builder"
    )]
    TooLarge {
        /// Bytes of the values of the event.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The topic's name is longer than [`MAX_TOPIC_BYTES`](hub::MAX_TOPIC_BYTES). Nothing was stored.
    #[error("the topic's name has {0} bytes")]
    TopicName(usize),
    /// As many publishes as may be were in flight until the deadline. Nothing was stored; answer 503 or 429.
    #[error("too many publishes are in flight")]
    Overloaded,
    /// Surely nothing was stored.
    #[error("not stored: {0}")]
    NotStored(#[from] NotStored),
    /// The log did not answer before the deadline, or the connection broke: it may have stored the event, or may yet.
    ///
    /// To publish it all the same, use [`Redis::publish_again`](crate::Redis::publish_again) with this id, which
    /// readers see at most once. To find out, look in the log for an entry with this id in its field `n`; that there
    /// is none yet is no proof while the server may still have the command before it.
    #[error("maybe stored, as {0}")]
    MaybeStored(PublishId),
}

/// Why the log surely has not stored an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotStored {
    /// There is no connection to the engine.
    #[error("the engine is away")]
    Away,
    /// The log does not exist: it was deleted, or no node has created it yet. A node that follows it creates it anew
    /// within about a second.
    #[error("there is no log")]
    NoLog,
    /// The engine refused, in its own words: it is a replica, loading, out of memory, short of replicas, or does not
    /// allow it.
    #[error("the engine refused: {0}")]
    Refused(Box<str>),
}

impl From<hub::PublishError> for PublishError {
    fn from(error: hub::PublishError) -> Self {
        match error {
            hub::PublishError::Invalid(FrameError::TooLarge { bytes, limit }) => Self::TooLarge { bytes, limit },
            hub::PublishError::Invalid(error) => Self::Invalid(error),
            hub::PublishError::TopicName(bytes) => Self::TopicName(bytes),
            // A check says neither of these; what a later core may add is told in its own words.
            other => Self::Invalid(FrameError::Source(other.to_string().into())),
        }
    }
}
