//! `/publish`: one event or an array of them, all or none.

use super::app::App;
use super::plain::Plain;
use super::{faults, log, steps};
use serde::Deserialize;
use sse_core::Event;
use sse_core::hub::PublishError;
use sse_redis::RedisPublishError;
use std::time::Duration;

/// One event for one topic.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Publication {
    topic: String,
    data: Option<String>,
    event: Option<String>,
    #[serde(default, deserialize_with = "steps::milliseconds")]
    retry: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Publications {
    One(Publication),
    Many(Vec<Publication>),
}

impl Publication {
    fn into_event(self) -> (String, Event<'static>) {
        let mut event = self.data.map_or_else(Event::without_data, Event::data);
        if let Some(event_type) = self.event {
            event = event.event(event_type);
        }
        if let Some(retry) = self.retry {
            event = event.retry(retry);
        }
        (self.topic, event)
    }
}

/// Publishes the events of the body to the hub or to the log.
pub(crate) async fn publish(app: &App, body: &[u8]) -> Plain {
    let publications = match serde_json::from_slice(body) {
        Ok(Publications::One(one)) => vec![one],
        Ok(Publications::Many(many)) => many,
        Err(error) => return Plain::bad_request(error),
    };
    let events = publications.into_iter().map(Publication::into_event);
    if let Some(redis) = &app.redis {
        // All events are checked before any is published, because a log stores one at a time.
        let checked = events.map(|(topic, event)| app.hub.check(&topic, event).map(|frame| (topic, frame)));
        let (mut valid, mut wrong) = (Vec::new(), None);
        for event in checked {
            match event {
                Ok(event) => valid.push(event),
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            }
        }
        let Some(error) = wrong else {
            // All or none: the topics are checked before the first event is stored.
            let has_ended = |(topic, _): &(String, _)| app.hub.ended(topic).is_some();
            let is_state = |(topic, _): &(String, _)| app.hub.topic_stats(topic).is_some_and(|stats| stats.is_state);
            let error = match () {
                () if valid.iter().any(has_ended) => RedisPublishError::Ended,
                () if valid.iter().any(is_state) => RedisPublishError::State,
                () => return log::publish(redis, valid).await,
            };
            return Plain::json(409, &serde_json::json!({ "error": error.to_string() }));
        };
        if faults::fault("nodes-half-an-array") {
            log::publish(redis, valid).await;
        }
        return Plain::bad_request(error);
    }
    match app.hub.publish_all(events) {
        Err(PublishError::Ended) if faults::fault("ended-open") => {
            Plain::json(200, &serde_json::json!({ "ids": [""] }))
        }
        Err(error @ (PublishError::Ended | PublishError::State)) => {
            Plain::json(409, &serde_json::json!({ "error": error.to_string() }))
        }
        Ok(ids) => {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            Plain::json(200, &serde_json::json!({ "ids": ids }))
        }
        Err(error) => Plain::bad_request(error),
    }
}
