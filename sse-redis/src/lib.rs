//! x
mod entry;
mod follower;
mod publish_id;
pub use publish_id::PublishId;

use follower::Effect;
use sse_core::hub::{Feed, FeedError};

pub(crate) fn apply(feed: &mut Feed, effect: Effect) {
    let wrong = match effect {
        Effect::Append(id, record) => match feed.append(id, &record.topic, record.event()) {
            Ok(()) => None,
            Err(FeedError::OutOfOrder(..)) => Some(id),
            Err(_) => feed.advance(id).is_err().then_some(id),
        },
        Effect::Advance(id) => feed.advance(id).is_err().then_some(id),
        Effect::Truncate(id) => feed.truncate(id).is_err().then_some(id),
        Effect::Reset(id, _) => Some(id),
        Effect::Loaded => { feed.admit(true); None }
        Effect::CaughtUp => { feed.caught_up(); None }
        Effect::Following(_) | Effect::Canary(_) => None,
    };
    if let Some(id) = wrong { feed.reset(id); }
}
