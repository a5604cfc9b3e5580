//! What an event source makes of a body: a second reading of the standard, as plain as can be, so that no server is
//! judged by the decoder it was built with.

use super::Response;
use crate::Failure;
use crate::failure::show;
use std::time::Duration;

/// The types of events that the server itself sends, and that no page listens to.
const RESERVED: [&str; 4] = ["sse-position", "sse-open", "sse-end", "sse-later"];

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Its type, `message` if it has none of its own.
    pub event_type: String,
    /// Its data.
    pub data: String,
    /// The last event ID when it was dispatched.
    pub id: String,
}

/// What was seen of a stream up to some byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The events that a page can hear, in their order: those of the server's own types are not among them.
    pub events: Vec<Event>,
    /// The last reconnection time.
    pub retry: Option<u64>,
    /// What a reconnect would bring; `None` if the client was never told an ID.
    pub last_event_id: Option<String>,
}

impl Seen {
    /// Reads a body, whole or cut anywhere, by a client that brought this ID (WHATWG HTML 9.2.6).
    #[must_use]
    pub fn of(body: &[u8], brought: Option<&str>) -> Self {
        let mut seen = Self { last_event_id: brought.map(str::to_owned), ..Self::default() };
        let (mut data, mut event_type, mut id) = (None::<String>, String::new(), seen.last_event_id.clone());
        let text = String::from_utf8_lossy(body).replace("\r\n", "\n").replace('\r', "\n");
        // What follows the last line break is no line yet.
        let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let lines = if text.contains('\n') { lines.split('\n').collect() } else { Vec::new() };
        for line in lines {
            if line.is_empty() {
                seen.last_event_id.clone_from(&id);
                let event_type = std::mem::take(&mut event_type);
                if let Some(data) = data.take().filter(|_| !RESERVED.contains(&&*event_type)) {
                    let event_type = if event_type.is_empty() { "message".to_owned() } else { event_type };
                    seen.events.push(Event { event_type, data, id: id.clone().unwrap_or_default() });
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "data" => {
                    let before = data.take().map(|before| before + "\n").unwrap_or_default();
                    data = Some(before + value);
                }
                "event" => value.clone_into(&mut event_type),
                "id" if !value.contains('\0') => id = Some(value.to_owned()),
                "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    seen.retry = value.parse().ok().or(seen.retry);
                }
                _ => {}
            }
        }
        seen
    }

    /// The data of the events.
    #[must_use]
    pub fn data(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.data.as_str()).collect()
    }
}

impl Response {
    /// What was seen so far, by a client that brought no ID.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen::of(self.body(), None)
    }

    /// Reads until so many events were dispatched.
    ///
    /// # Errors
    /// They were not, in time.
    pub fn read_events(&mut self, count: usize, within: Duration) -> Result<Seen, Failure> {
        self.read_while(within, |response| response.seen().events.len() < count)?;
        let seen = self.seen();
        if seen.events.len() >= count {
            return Ok(seen);
        }
        let saw = show(self.body());
        Err(Failure::new(format_args!("{} of {count} events within {within:?}\n    saw {saw}", seen.events.len())))
    }

    /// Reads until the body has so many bytes.
    ///
    /// # Errors
    /// It does not, in time.
    pub fn read_bytes(&mut self, count: usize, within: Duration) -> Result<(), Failure> {
        self.read_while(within, |response| response.body().len() < count)?;
        if self.body().len() >= count {
            return Ok(());
        }
        Err(Failure::new(format_args!("not {count} bytes within {within:?}\n    saw {}", show(self.body()))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Seen};
    use serde_json::Value;

    /// The same vectors as the decoder's, so that the judge is judged too.
    #[test]
    fn the_judge_reads_the_vectors() {
        let vectors: Vec<Value> = serde_json::from_str(include_str!("../../vectors/event-stream.json")).unwrap();
        for vector in vectors {
            let text: String =
                vector["chunks"].as_array().unwrap().iter().map(|chunk| chunk.as_str().unwrap()).collect();
            let mut bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
            // The one thing that no server under judgement is made to write.
            if bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            let brought = vector["initial_last_event_id"].as_str();
            let seen = Seen::of(&bytes, brought);
            let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
            let events = vector["events"].as_array().unwrap().iter().map(|event| Event {
                event_type: text(event, "type"),
                data: text(event, "data"),
                id: text(event, "id"),
            });
            let events: Vec<_> = events.collect();
            assert_eq!(seen.events, events, "{}", vector["name"]);
            assert_eq!(seen.retry, vector["retry"].as_u64(), "{}", vector["name"]);
            assert_eq!(seen.last_event_id.unwrap_or_default(), vector["last_event_id"], "{}", vector["name"]);
        }
    }
}
