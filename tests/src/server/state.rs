//! `/state`: changes of state topics, all or none.

use super::app::App;
use super::plain::Plain;
use super::{faults, log};
use serde::Deserialize;
use serde_json::json;
use sse_core::Event;
use sse_core::hub::{PublishError, StateChange};
use sse_redis::RedisPublishError;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes the keys differ in the fault.
static SETS: AtomicU64 = AtomicU64::new(0);

/// One change of one key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyChange {
    topic: String,
    key: String,
    data: Option<String>,
    event: Option<String>,
    #[serde(default)]
    remove: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum KeyChanges {
    One(KeyChange),
    Many(Vec<KeyChange>),
}

impl KeyChange {
    fn into_change(self) -> Result<(String, StateChange), &'static str> {
        let key = if faults::fault("state-keeps-all") {
            format!("{} {}", self.key, SETS.fetch_add(1, Ordering::Relaxed))
        } else {
            self.key
        };
        if self.remove {
            let is_alone = self.data.is_none() && self.event.is_none();
            return is_alone
                .then(|| (self.topic, StateChange::remove(key)))
                .ok_or("a removal has no data and no event");
        }
        let mut event = self.data.map_or_else(Event::without_data, Event::data);
        if let Some(event_type) = self.event {
            event = event.event(event_type);
        }
        Ok((self.topic, StateChange::set(key, event)))
    }
}

/// Makes the changes of the body, in the hub or in the log.
pub(super) async fn change(app: &App, body: &[u8]) -> Plain {
    let changes = match serde_json::from_slice(body) {
        Ok(KeyChanges::One(one)) => vec![one],
        Ok(KeyChanges::Many(many)) => many,
        Err(error) => return Plain::bad_request(error),
    };
    let changes = match changes.into_iter().map(KeyChange::into_change).collect::<Result<Vec<_>, _>>() {
        Ok(changes) => changes,
        Err(error) => return Plain::bad_request(error),
    };
    let changed = match &app.redis {
        None => app.hub.change_all(changes).map_err(|error| (status(&error), error.to_string())),
        Some(redis) => match redis.change_all(changes).await {
            Ok(ids) => {
                // A client that makes a change here and then asks here must find the change.
                if let Some(last) = ids.iter().flatten().last() {
                    log::reached(redis, *last).await;
                }
                Ok(ids)
            }
            Err(error) => Err((log_status(&error), error.to_string())),
        },
    };
    match changed {
        Ok(ids) => {
            let ids: Vec<_> = ids.iter().map(|id| id.map(|id| id.to_string())).collect();
            Plain::json(200, &json!({ "ids": ids }))
        }
        Err((status, error)) => Plain::json(status, &json!({ "error": error })),
    }
}

const fn status(error: &PublishError) -> u16 {
    match error {
        PublishError::NotState | PublishError::Ended => 409,
        PublishError::StateKeys(_) | PublishError::StateBytes(_) => 507,
        _ => 400,
    }
}

const fn log_status(error: &RedisPublishError) -> u16 {
    match error {
        RedisPublishError::NotState | RedisPublishError::Ended => 409,
        RedisPublishError::StateKeys(_) | RedisPublishError::StateBytes(_) => 507,
        RedisPublishError::MaybeStored(_) => 504,
        RedisPublishError::NotStored(_) | RedisPublishError::Overloaded | RedisPublishError::NotReplicated { .. } => {
            503
        }
        _ => 400,
    }
}
