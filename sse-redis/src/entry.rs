//! One entry of the log: plain fields, so that programs in other languages can write and read them.
//!
//! | field | holds |
//! |---|---|
//! | `t` | the topic |
//! | `n` | the publish id, 24 hexadecimal digits; whoever leaves it out gets a tag made of the other fields |
//! | `d` | the data, if the event has any |
//! | `e` | the event type, if it has one |
//! | `w` | the reconnection time in milliseconds, if it sets one |
//! | `r` | `1`: published again under a publish id that may be in the log already |
//! | `g` | instead of all these: the log began here, or was found empty |
//! | `c` | instead of all these: a sign of life, which nobody is sent |
//!
//! An entry that is none of these, or whose event cannot be sent, is passed over, on every node alike.

use crate::publish_id::PublishId;
use sse_core::hub::EventId;
use sse_core::{Event, Frame};
use std::time::Duration;

/// What readers need of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: EventId,
    pub(crate) content: Content,
    /// What its fields have in bytes.
    pub(crate) bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// An event for a topic.
    Event(Box<Record>),
    /// A sign of life, with what tells it from others.
    Canary(PublishId),
    /// The beginning of the log, or something that says nothing to us.
    Other,
}

/// An event as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) publish: Option<PublishId>,
    pub(crate) data: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) retry: Option<Duration>,
    pub(crate) again: bool,
}

/// The fields of a canary and of the log's first entry.
pub(crate) const CANARY: &str = "c";
pub(crate) const GENESIS: &str = "g";

impl Entry {
    /// Reads an entry from what a server sent. Nothing that it may hold is an error.
    pub(crate) fn read<'f>(position: (u64, u64), fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone) -> Self {
        let field = |name: &str| fields.clone().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value);
        let text = |name: &str| field(name).map(|value| String::from_utf8(value.to_vec()));
        let bytes = fields.clone().map(|(key, value)| key.len() + value.len()).sum();
        let publish = field("n").and_then(PublishId::from_bytes);
        let tag = publish.map_or_else(|| hash(fields.clone()), PublishId::tag);
        let id = EventId::new(position, tag);
        if let Some(canary) = field(CANARY).and_then(PublishId::from_bytes) {
            return Self { id, content: Content::Canary(canary), bytes };
        }
        let retry = field("w").map(|value| str::from_utf8(value).ok()?.parse().ok());
        let content = match (text("t"), text("d"), text("e"), retry) {
            // What is not UTF-8 or not a number cannot be sent.
            (Some(Ok(topic)), None | Some(Ok(_)), None | Some(Ok(_)), None | Some(Some(_))) => {
                Content::Event(Box::new(Record {
                    topic,
                    publish,
                    data: text("d").and_then(Result::ok),
                    event: text("e").and_then(Result::ok),
                    retry: retry.flatten().map(Duration::from_millis),
                    again: field("r") == Some(b"1"),
                }))
            }
            _ => Content::Other,
        };
        Self { id, content, bytes }
    }

    pub(crate) const fn position(&self) -> (u64, u64) {
        self.id.position()
    }
}

impl Record {
    /// What a checked event says. Comments are for one connection and are left out.
    pub(crate) fn of_frame(topic: &str, frame: &Frame) -> Self {
        let mut record = Self { topic: topic.to_owned(), ..Self::default() };
        // One encoder writes every frame: one line feed ends a line, `name: value` or, with empty data, `data:`.
        let text = String::from_utf8_lossy(frame.as_bytes());
        for line in text.split('\n') {
            match line.split_once(':') {
                Some(("data", value)) => {
                    let value = value.strip_prefix(' ').unwrap_or(value);
                    match &mut record.data {
                        Some(data) => {
                            data.push('\n');
                            data.push_str(value);
                        }
                        data => *data = Some(value.to_owned()),
                    }
                }
                Some(("event", value)) => record.event = Some(value.strip_prefix(' ').unwrap_or(value).to_owned()),
                Some(("retry", value)) => record.retry = value.trim().parse().ok().map(Duration::from_millis),
                _ => {}
            }
        }
        record
    }

    /// The event as the hub takes it.
    pub(crate) fn event(&self) -> Event<'_> {
        let mut event = Event::without_data();
        if let Some(data) = &self.data {
            event = Event::data(data.as_str());
        }
        if let Some(event_type) = &self.event {
            event = event.event(event_type.as_str());
        }
        match self.retry {
            Some(time) => event.retry(time),
            None => event,
        }
    }

    /// The fields to write, in order.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut fields = vec![("t", self.topic.clone().into_bytes())];
        fields.extend(self.publish.map(|id| ("n", id.to_string().into_bytes())));
        fields.extend(self.data.as_ref().map(|data| ("d", data.clone().into_bytes())));
        fields.extend(self.event.as_ref().map(|event| ("e", event.clone().into_bytes())));
        fields.extend(self.retry.map(|time| ("w", time.as_millis().to_string().into_bytes())));
        fields.extend(self.again.then(|| ("r", b"1".to_vec())));
        fields
    }
}

/// The tag of an entry without a publish id: FNV-1a over its fields, each with its length, so that every node makes
/// the same of them.
fn hash<'f>(fields: impl Iterator<Item = (&'f [u8], &'f [u8])>) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    for (key, value) in fields {
        eat(&(key.len() as u64).to_be_bytes());
        eat(key);
        eat(&(value.len() as u64).to_be_bytes());
        eat(value);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &[u8])]) -> Entry {
        Entry::read((7, 1), fields.iter().map(|(key, value)| (key.as_bytes(), *value)))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let frame = Event::data("two\nlines").event("note").retry(Duration::from_millis(5)).frame().unwrap();
        let mut record = Record::of_frame("news", &frame);
        record.publish = PublishId::parse("00112233445566778899aabb");
        let fields = record.fields();
        let entry = Entry::read((7, 1), fields.iter().map(|(key, value)| (key.as_bytes(), value.as_slice())));
        assert_eq!(entry.id, EventId::new((7, 1), 0x0011_2233));
        assert_eq!(entry.content, Content::Event(Box::new(record.clone())));
        assert_eq!(record.event().frame().unwrap(), frame);
    }

    #[test]
    fn empty_data_and_no_data_are_two_things() {
        for event in [Event::data(""), Event::without_data().event("ping"), Event::data("\n"), Event::data(" x")] {
            let frame = event.frame().unwrap();
            assert_eq!(Record::of_frame("t", &frame).event().frame().unwrap(), frame);
        }
    }

    #[test]
    fn what_cannot_be_sent_is_other() {
        assert_eq!(read(&[("t", b"\xff"), ("d", b"x")]).content, Content::Other);
        assert_eq!(read(&[("t", b"x"), ("d", b"\xff")]).content, Content::Other);
        assert_eq!(read(&[("t", b"x"), ("w", b"-1")]).content, Content::Other);
        assert_eq!(read(&[]).content, Content::Other);
        assert_eq!(read(&[("g", b"uid")]).content, Content::Other);
    }

    #[test]
    fn without_a_publish_id_the_tag_is_of_the_fields() {
        let one = read(&[("t", b"x"), ("d", b"1")]);
        assert_eq!(one.id, read(&[("t", b"x"), ("d", b"1")]).id);
        assert_ne!(one.id, read(&[("t", b"x"), ("d", b"2")]).id);
        assert_ne!(read(&[("t", b"xd")]).id, read(&[("tx", b"d")]).id);
    }
}
