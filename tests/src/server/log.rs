//! A log outside of this process. The hub follows the log, and events are published to the log first.

use super::faults::{self, fault};
use super::options::Options;
use super::plain::Plain;
use sse_core::hub::EventId;
use sse_core::{Frame, Hub};
use sse_redis::{Redis, RedisPublishError};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// How long the server waits for the log's engine at the start.
const START: Duration = Duration::from_secs(5);

/// How long a request waits for an ID that this node has not received. This is long enough to find out that the ID will
/// never arrive.
const WAIT: Duration = Duration::from_secs(5);

/// Follows the log. Returns when the hub has every entry of the log.
pub(super) async fn follow(url: &str, options: &Options) -> io::Result<(Hub, Redis)> {
    let own = if fault("nodes-own-log") { std::process::id().to_string() } else { String::new() };
    let started = Redis::builder(url).log(&format!("{}{own}", options.log)).hub(options.hub()).start();
    let (redis, hub) = started.map_err(io::Error::other)?;
    let loaded = timeout(START, redis.loaded()).await;
    let error = match loaded {
        Ok(Ok(())) => return Ok((hub, redis)),
        Ok(Err(problem)) => problem.to_string(),
        Err(_) => redis.last_error().unwrap_or_else(|| "it does not answer".to_owned()),
    };
    Err(io::Error::other(format!("the log is not available: {error}")))
}

/// Publishes these events in order. They are valid, so only the engine can reject them; the answer then lists the IDs
/// of the stored events.
pub(super) async fn publish(redis: &Redis, events: Vec<(String, Frame)>) -> Plain {
    let mut ids = Vec::with_capacity(events.len());
    let topics: Vec<String> = events.iter().map(|(topic, _)| topic.clone()).collect();
    for (topic, event) in events {
        match redis.publish(topic, event).await {
            Ok(id) => ids.push(id),
            Err(error) => {
                let status = match error {
                    RedisPublishError::MaybeStored(_) => 504,
                    RedisPublishError::Ended | RedisPublishError::State => 409,
                    _ => 503,
                };
                return Plain::json(status, &serde_json::json!({ "error": error.to_string(), "ids": texts(&ids) }));
            }
        }
    }
    // A client that publishes here and then asks here must find the published events.
    if let Some(last) = ids.last() {
        reached(redis, *last).await;
    }
    // Another server may have ended a topic meanwhile. Then no server sends the event.
    let is_late = |(topic, id): (&String, &EventId)| redis.hub().ended(topic).is_some_and(|end| end < *id);
    if topics.iter().zip(&ids).any(is_late) {
        let error = RedisPublishError::Ended.to_string();
        return Plain::json(409, &serde_json::json!({ "error": error, "ids": texts(&ids) }));
    }
    let ids = texts(&ids);
    faults::published(&ids);
    Plain::json(200, &serde_json::json!({ "ids": ids }))
}

/// Waits for the ID of a client that comes from a node which is ahead.
pub(super) async fn reached(redis: &Redis, id: EventId) {
    let _ = timeout(WAIT, redis.wait_for(id)).await;
}

fn texts(ids: &[EventId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
