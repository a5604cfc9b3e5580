//! `/decode`: runs the core's decoder on the body.

use super::plain::Plain;
use serde::Serialize;
use sse_core::Decoder;

#[derive(Debug, Default, Serialize)]
struct Decoded {
    events: Vec<Event>,
    retry: Option<u64>,
    last_event_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Event {
    r#type: String,
    data: String,
    id: String,
}

/// Decodes a body in chunks of this many bytes; 0 decodes the whole body at once.
pub(crate) fn decode(body: &[u8], chunk: usize, seed: Option<&str>) -> Plain {
    let mut decoder = seed.map_or_else(Decoder::new, Decoder::with_last_event_id);
    let mut decoded = Decoded::default();
    let size = if chunk == 0 { body.len().max(1) } else { chunk };
    for mut input in body.chunks(size) {
        while let Some(event) = decoder.decode(&mut input) {
            match event {
                Ok(event) => decoded.events.push(Event {
                    r#type: event.event_type.into_owned(),
                    data: event.data.into_owned(),
                    id: event.last_event_id.into_owned(),
                }),
                Err(error) => decoded.errors.push(error.to_string()),
            }
        }
    }
    decoded.retry = decoder.reconnection_time().map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    decoder.last_event_id().clone_into(&mut decoded.last_event_id);
    Plain::json(200, &decoded)
}
