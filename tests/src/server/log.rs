//! A log elsewhere: the hub follows it, and what is published goes there first.

use super::options::Options;
use super::plain::Plain;
use sse_core::hub::EventId;
use sse_core::{Frame, Hub};
use sse_redis::{Redis, RedisPublishError};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// How long the engine may take before a server that needs it gives up.
const START: Duration = Duration::from_secs(5);

/// How long a request waits for an id that the log has and this node has not: long enough to tell that it never comes.
const WAIT: Duration = Duration::from_secs(5);

/// Follows the log, and is ready when the hub has what the log has.
pub(super) async fn follow(url: &str, options: &Options) -> io::Result<(Hub, Redis)> {
    let started = Redis::builder(url).log(&options.log).hub(options.hub()).start();
    let (redis, hub) = started.map_err(io::Error::other)?;
    timeout(START, redis.loaded()).await.map_err(|_| {
        let error = redis.last_error().unwrap_or_else(|| "it does not answer".to_owned());
        io::Error::other(format!("the log is not available: {error}"))
    })?;
    Ok((hub, redis))
}

/// Publishes these in their order. They were checked, so that what fails now is the engine's doing: the answer then tells
/// which of them are stored.
pub(super) async fn publish(redis: &Redis, events: Vec<(String, Frame)>) -> Plain {
    let mut ids = Vec::with_capacity(events.len());
    for (topic, event) in events {
        match redis.publish(topic, event).await {
            Ok(id) => ids.push(id),
            Err(error) => {
                let status = match error {
                    RedisPublishError::MaybeStored(_) => 504,
                    _ => 503,
                };
                return Plain::json(status, &serde_json::json!({ "error": error.to_string(), "ids": texts(&ids) }));
            }
        }
    }
    // Whoever published and asks here for what it published is to find it.
    if let Some(last) = ids.last() {
        reached(redis, *last).await;
    }
    Plain::json(200, &serde_json::json!({ "ids": texts(&ids) }))
}

/// Waits for an id that a client brings from a node which has come further.
pub(super) async fn reached(redis: &Redis, id: EventId) {
    let _ = timeout(WAIT, redis.wait_for(id)).await;
}

fn texts(ids: &[EventId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
