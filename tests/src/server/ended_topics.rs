//! `/topics/NAME` and `/topics/NAME/end`: the end of a topic, its removal, and its contents.

use super::app::App;
use super::log;
use super::plain::Plain;
use serde::Deserialize;
use serde_json::json;
use sse_core::Event;
use sse_core::hub::{EventId, PublishError};
use sse_redis::RedisPublishError;

/// The last event of a topic.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    data: Option<String>,
    event: Option<String>,
}

impl Last {
    fn into_event(self) -> Event<'static> {
        let event = self.data.map_or_else(Event::without_data, Event::data);
        match self.event {
            Some(event_type) => event.event(event_type),
            None => event,
        }
    }
}

/// Answers a request for a path below `/topics/`.
pub(super) async fn answer(app: &App, method: &str, path: &str, body: &[u8]) -> Plain {
    let name = path.strip_prefix("/topics/").unwrap_or_default();
    let (name, ends) = match name.strip_suffix("/end") {
        Some(name) => (name, true),
        None => (name, false),
    };
    if name.is_empty() || name.contains('/') {
        return Plain::status(404);
    }
    let Some(name) = decoded(name) else { return Plain::bad_request("the name is not UTF-8") };
    match (method, ends) {
        ("POST", true) => end(app, &name, body).await,
        (_, true) => Plain::method_not_allowed("POST"),
        ("GET", false) => topic(app, &name),
        ("HEAD", false) => topic(app, &name).without_body(),
        ("DELETE", false) => remove(app, &name).await,
        (_, false) => Plain::method_not_allowed("GET, HEAD, DELETE"),
    }
}

async fn end(app: &App, name: &str, body: &[u8]) -> Plain {
    let last = if body.is_empty() { Ok(Last::default()) } else { serde_json::from_slice::<Last>(body) };
    let last = match last {
        Ok(last) => last.into_event(),
        Err(error) => return Plain::bad_request(error),
    };
    let ended = match &app.redis {
        None => app.hub.end(name, last).map_err(|error| {
            let status = if matches!(error, PublishError::Ended | PublishError::State) { 409 } else { 400 };
            (status, error.to_string())
        }),
        Some(redis) => redis.end(name, last).await.map_err(|error| {
            let status = match error {
                RedisPublishError::Ended => 409,
                RedisPublishError::Invalid(_)
                | RedisPublishError::TooLarge { .. }
                | RedisPublishError::TopicName(_) => 400,
                RedisPublishError::MaybeStored(_) => 504,
                _ => 503,
            };
            (status, error.to_string())
        }),
    };
    answered(ended)
}

fn answered(ended: Result<EventId, (u16, String)>) -> Plain {
    match ended {
        Ok(id) => Plain::json(200, &json!({ "id": id.to_string() })),
        Err((status, error)) => Plain::json(status, &json!({ "error": error })),
    }
}

fn topic(app: &App, name: &str) -> Plain {
    let Some(stats) = app.hub.topic_stats(name) else { return Plain::status(404) };
    Plain::json(
        200,
        &json!({ "subscribers": stats.subscribers, "ended": stats.is_ended, "held_events": stats.held_events }),
    )
}

async fn remove(app: &App, name: &str) -> Plain {
    if app.hub.topic_stats(name).is_none() && app.hub.ended(name).is_none() {
        return Plain::status(404);
    }
    let removed = match &app.redis {
        None => app.hub.remove(name).map(drop).map_err(|error| error.to_string()),
        Some(redis) => match redis.remove(name).await {
            Ok(id) => {
                log::reached(redis, id).await;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        },
    };
    match removed {
        Ok(()) => Plain::status(204),
        Err(error) => Plain::json(503, &json!({ "error": error })),
    }
}

/// The text of a percent-encoded segment.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}
