//! A script: the steps that run on a handle, in order.

use serde::{Deserialize, Deserializer, de};
use sse_core::{Event, Field, SendError, Sender};
use std::time::Duration;

/// One step of a script: an object with one key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Open(bool),
    Send(Fields),
    Json(Json),
    Comment(String),
    Checkpoint(String),
    Sleep(u64),
    Close(bool),
    Finish(bool),
    Fail(bool),
}

/// The fields of an event. An absent field writes no line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    id: Option<String>,
    event: Option<String>,
    data: Option<String>,
    #[serde(default, deserialize_with = "milliseconds")]
    retry: Option<Duration>,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Json {
    event: Option<String>,
    payload: serde_json::Value,
}

/// Accepts a number beyond `u64` too, which the encoder then rejects.
pub(crate) fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    let ms = match (number.as_u64(), number.as_f64()) {
        (Some(ms), _) => ms,
        (None, Some(ms)) if ms >= 0.0 && ms.fract() == 0.0 => u64::MAX,
        _ => return Err(de::Error::custom("no whole number of milliseconds")),
    };
    Ok(Some(Duration::from_millis(ms)))
}

impl From<Fields> for Event<'static> {
    fn from(fields: Fields) -> Self {
        let mut event = fields.data.map_or_else(Self::without_data, Self::data);
        if let Some(id) = fields.id {
            event = event.id(id);
        }
        if let Some(event_type) = fields.event {
            event = event.event(event_type);
        }
        if let Some(retry) = fields.retry {
            event = event.retry(retry);
        }
        if let Some(comment) = fields.comment {
            event = event.comment(comment);
        }
        event
    }
}

/// Parses a script.
pub(crate) fn parse(json: &[u8]) -> Result<Vec<Step>, serde_json::Error> {
    serde_json::from_slice(json)
}

/// Runs a script on a handle, until the last step or the end of the stream.
pub(crate) async fn run(events: Sender, steps: Vec<Step>) {
    for step in steps {
        if !step.run(&events).await {
            return;
        }
    }
}

impl Step {
    /// Runs this step. Returns `false` once the stream has ended.
    async fn run(self, events: &Sender) -> bool {
        match self {
            Self::Open(true) => {
                events.open();
                true
            }
            Self::Send(fields) => send(events, fields.into()).await,
            Self::Json(Json { event, payload }) => {
                let json = Event::json(&payload);
                send(events, event.into_iter().fold(json, |json, event_type| json.event(event_type))).await
            }
            Self::Comment(text) => send(events, Event::new().comment(text)).await,
            Self::Checkpoint(id) => send(events, Event::checkpoint(id)).await,
            Self::Sleep(ms) => tokio::time::timeout(Duration::from_millis(ms), events.closed()).await.is_err(),
            Self::Close(true) => !events.close(),
            Self::Finish(true) => !events.finish(),
            Self::Fail(true) => !events.fail("the script says so"),
            Self::Open(false) | Self::Close(false) | Self::Finish(false) | Self::Fail(false) => true,
        }
    }
}

/// Sends an event, or sends the name of the rejected field to the client.
async fn send(events: &Sender, event: Event<'_>) -> bool {
    match events.send(event).await {
        Err(SendError::Invalid(error)) => {
            let field = error.field().unwrap_or(Field::Data);
            events.send(("refused", field.name())).await.is_ok()
        }
        sent => sent.is_ok(),
    }
}
