//! One entry of the log. All fields are plain text, so that programs in other languages can write and read entries.
//! `docs/publishing.md` is the contract for these programs.
//!
//! | field | content |
//! |---|---|
//! | `t` | the topic |
//! | `n` | the publish ID, 24 hexadecimal digits. Without this field the tag of the event ID is a hash of the other fields |
//! | `d` | the data, if the event has data |
//! | `e` | the event type, if the event has one |
//! | `w` | the reconnection time in milliseconds, if the event sets one |
//! | `x` | `end`: this is the last event of the topic. `remove`: the topic is removed, and the entry has no event. `set`: the event replaces that of the key in a state topic. `unset`: the key is removed |
//! | `k` | the key, with `set` and `unset` |
//! | `r` | `1`: a repetition, whose publish ID may already be in the log |
//! | `v` | the version of the format, 1 without this field. A node does not pass an entry with a later version |
//! | `g` | instead of all other fields: the log was created here, or was found empty |
//! | `c` | instead of all other fields: a probe, which no client receives |
//!
//! Every node skips an entry without a topic, and an entry whose event cannot be sent. Additional fields have no meaning.

use crate::publish_id::PublishId;
use sse_core::hub::EventId;
use sse_core::hub::log::LogChange;
use sse_core::{Event, Frame};
use std::time::Duration;

/// An entry as the follower needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    pub(crate) id: EventId,
    pub(crate) content: EntryContent,
    /// The size of all field names and values.
    pub(crate) bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryContent {
    /// An event of a topic.
    Event(Box<Record>),
    /// A probe and its ID.
    Probe(PublishId),
    /// The first entry of the log.
    Start,
    /// An entry without a topic, or with an invalid field. Every node skips the entry.
    Unknown,
    /// An entry with this later version of the format.
    Newer(u64),
}

/// An event as the log stores it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) publish: Option<PublishId>,
    pub(crate) data: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) retry: Option<Duration>,
    pub(crate) republished: bool,
    pub(crate) kind: RecordKind,
    /// The key of a state topic, with [`RecordKind::Set`] and [`RecordKind::Unset`].
    pub(crate) key: Option<String>,
}

/// What an entry does to its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RecordKind {
    /// Adds an event.
    #[default]
    Event,
    /// Adds the last event.
    End,
    /// Removes the topic.
    Remove,
    /// Replaces the event of a key.
    Set,
    /// Removes a key.
    Unset,
}

impl RecordKind {
    pub(crate) const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Event => None,
            Self::End => Some("end"),
            Self::Remove => Some("remove"),
            Self::Set => Some("set"),
            Self::Unset => Some("unset"),
        }
    }

    /// Whether the entry changes a key.
    pub(crate) const fn has_key(self) -> bool {
        matches!(self, Self::Set | Self::Unset)
    }

    /// Reads the field `x`. Another value is no kind of version 1.
    fn read(field: Option<&[u8]>) -> Option<Self> {
        match field {
            None => Some(Self::Event),
            Some(b"end") => Some(Self::End),
            Some(b"remove") => Some(Self::Remove),
            Some(b"set") => Some(Self::Set),
            Some(b"unset") => Some(Self::Unset),
            Some(_) => None,
        }
    }
}

/// The field of the topic.
pub(crate) const TOPIC_FIELD: &str = "t";

/// The field of a probe, and the field of the first entry.
pub(crate) const PROBE_FIELD: &str = "c";
pub(crate) const START_FIELD: &str = "g";

/// The version of the format that this crate writes and reads.
const FORMAT: u64 = 1;

impl LogEntry {
    /// Reads an entry. No content is an error.
    pub(crate) fn read<'f>(position: (u64, u64), fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone) -> Self {
        let field = |name: &str| fields.clone().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value);
        let text = |name: &str| field(name).map(|value| String::from_utf8(value.to_vec()));
        let bytes = fields.clone().map(|(key, value)| key.len() + value.len()).sum();
        let publish = field("n").and_then(PublishId::from_bytes);
        let tag = publish.map_or_else(|| hash(fields.clone()), PublishId::tag);
        let id = EventId::new(position, tag);
        // In every version the field `n` has this meaning, so that the event ID does not depend on the version.
        let version = field("v").and_then(|value| str::from_utf8(value).ok()?.parse().ok());
        if let Some(version) = version
            && version > FORMAT
        {
            return Self { id, content: EntryContent::Newer(version), bytes };
        }
        if let Some(probe) = field(PROBE_FIELD).and_then(PublishId::from_bytes) {
            return Self { id, content: EntryContent::Probe(probe), bytes };
        }
        let retry = field("w").map(|value| str::from_utf8(value).ok()?.parse().ok());
        let kind = RecordKind::read(field("x"));
        // In other entries the field has no meaning.
        let key = if kind.is_some_and(RecordKind::has_key) { text("k") } else { Some(Ok(String::new())) };
        let kind = kind.filter(|_| matches!(key, Some(Ok(_))));
        let content = match (text("t"), text("d"), text("e"), retry, kind) {
            // Text that is not UTF-8 and times that are not numbers cannot be sent.
            (Some(Ok(topic)), None | Some(Ok(_)), None | Some(Ok(_)), None | Some(Some(_)), Some(kind)) => {
                EntryContent::Event(Box::new(Record {
                    topic,
                    publish,
                    data: text("d").and_then(Result::ok),
                    event: text("e").and_then(Result::ok),
                    retry: retry.flatten().map(Duration::from_millis),
                    republished: field("r") == Some(b"1"),
                    kind,
                    key: key.and_then(Result::ok).filter(|_| kind.has_key()),
                }))
            }
            (None, ..) if field(START_FIELD).is_some() => EntryContent::Start,
            _ => EntryContent::Unknown,
        };
        Self { id, content, bytes }
    }

    pub(crate) const fn position(&self) -> (u64, u64) {
        self.id.position()
    }
}

impl Record {
    /// Reads the fields of a checked event. Comments are left out, because they belong to one stream.
    pub(crate) fn of_frame(topic: &str, frame: &Frame) -> Self {
        let mut record = Self { topic: topic.to_owned(), ..Self::default() };
        // The encoder writes every frame in one form: a line feed ends each line, and a line is `name: value`, or `data:`
        // if the data is empty.
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

    /// Removes a topic.
    pub(crate) fn removal(topic: &str) -> Self {
        Self { topic: topic.to_owned(), kind: RecordKind::Remove, ..Self::default() }
    }

    /// Converts the entry to a change of the hub.
    pub(crate) fn change(&self) -> LogChange<'_, Event<'_>> {
        match self.kind {
            RecordKind::Event => LogChange::Event(&self.topic, self.event()),
            RecordKind::End => LogChange::End(&self.topic, self.event()),
            RecordKind::Remove => LogChange::Remove(&self.topic),
            RecordKind::Set => LogChange::Set(&self.topic, self.key(), self.event()),
            RecordKind::Unset => LogChange::Unset(&self.topic, self.key(), self.event()),
        }
    }

    /// The key of an entry that changes a key.
    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// Converts the entry to an event for the hub.
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
        let mut fields = vec![(TOPIC_FIELD, self.topic.clone().into_bytes())];
        fields.extend(self.publish.map(|id| ("n", id.to_string().into_bytes())));
        fields.extend(self.data.as_ref().map(|data| ("d", data.clone().into_bytes())));
        fields.extend(self.event.as_ref().map(|event| ("e", event.clone().into_bytes())));
        fields.extend(self.retry.map(|time| ("w", time.as_millis().to_string().into_bytes())));
        fields.extend(self.kind.as_str().map(|kind| ("x", kind.into())));
        fields.extend(self.key.as_ref().map(|key| ("k", key.clone().into_bytes())));
        fields.extend(self.republished.then(|| ("r", b"1".to_vec())));
        fields
    }
}

/// The tag of an entry without a publish ID: FNV-1a over all fields, each with its length. Every node computes the same
/// tag.
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

    fn read(fields: &[(&str, &[u8])]) -> LogEntry {
        LogEntry::read((7, 1), fields.iter().map(|(key, value)| (key.as_bytes(), *value)))
    }

    #[test]
    fn an_entry_reads_back_as_written() {
        let frame = Event::data("two\nlines").event("note").retry(Duration::from_millis(5)).frame().unwrap();
        let mut record = Record::of_frame("news", &frame);
        record.publish = PublishId::parse("00112233445566778899aabb");
        let fields = record.fields();
        let entry = LogEntry::read((7, 1), fields.iter().map(|(key, value)| (key.as_bytes(), value.as_slice())));
        assert_eq!(entry.id, EventId::new((7, 1), 0x0011_2233));
        assert_eq!(entry.content, EntryContent::Event(Box::new(record.clone())));
        assert_eq!(record.event().frame().unwrap(), frame);
    }

    #[test]
    fn empty_data_and_no_data_differ() {
        for event in [Event::data(""), Event::without_data().event("ping"), Event::data("\n"), Event::data(" x")] {
            let frame = event.frame().unwrap();
            assert_eq!(Record::of_frame("t", &frame).event().frame().unwrap(), frame);
        }
    }

    #[test]
    fn an_entry_that_cannot_be_sent_has_no_event() {
        assert_eq!(read(&[("t", b"\xff"), ("d", b"x")]).content, EntryContent::Unknown);
        assert_eq!(read(&[("t", b"x"), ("d", b"\xff")]).content, EntryContent::Unknown);
        assert_eq!(read(&[("t", b"x"), ("w", b"-1")]).content, EntryContent::Unknown);
        assert_eq!(read(&[]).content, EntryContent::Unknown);
        assert_eq!(read(&[("g", b"uid")]).content, EntryContent::Start);
    }

    #[test]
    fn a_later_format_version_is_no_event_and_keeps_its_id() {
        let entry = read(&[("v", b"2"), ("t", b"x"), ("n", b"00112233445566778899aabb")]);
        assert_eq!(entry.content, EntryContent::Newer(2));
        assert_eq!(entry.id, EventId::new((7, 1), 0x0011_2233));
        assert_eq!(read(&[("v", b"1"), ("d", b"x")]).content, EntryContent::Unknown);
        assert!(matches!(read(&[("v", b"1"), ("t", b"x")]).content, EntryContent::Event(_)));
    }

    #[test]
    fn an_end_a_removal_and_a_change_of_a_key_read_back_as_written() {
        let frame = Event::data("ok").event("done").frame().unwrap();
        let end = Record { kind: RecordKind::End, ..Record::of_frame("run", &frame) };
        let set = Record { kind: RecordKind::Set, key: Some(String::new()), ..Record::of_frame("run", &frame) };
        let unset = Record { kind: RecordKind::Unset, key: Some("ann".into()), ..set.clone() };
        for record in [end, Record::removal("run"), set, unset] {
            let fields = record.fields();
            let entry = LogEntry::read((7, 1), fields.iter().map(|(key, value)| (key.as_bytes(), value.as_slice())));
            assert_eq!(entry.content, EntryContent::Event(Box::new(record)));
        }
        assert_eq!(read(&[("t", b"x"), ("x", b"other")]).content, EntryContent::Unknown);
        assert_eq!(read(&[("t", b"x"), ("x", b"set")]).content, EntryContent::Unknown);
        assert_eq!(read(&[("t", b"x"), ("x", b"set"), ("k", b"\xff")]).content, EntryContent::Unknown);
        // Without `x` the field `k` has no meaning.
        assert!(matches!(read(&[("t", b"x"), ("k", b"\xff")]).content, EntryContent::Event(_)));
    }

    #[test]
    fn additional_fields_have_no_meaning() {
        let entry = read(&[("t", b"x"), ("trace", b"y")]);
        assert!(matches!(entry.content, EntryContent::Event(record) if record.topic == "x"));
    }

    #[test]
    fn without_a_publish_id_the_tag_is_a_hash_of_the_fields() {
        let one = read(&[("t", b"x"), ("d", b"1")]);
        assert_eq!(one.id, read(&[("t", b"x"), ("d", b"1")]).id);
        assert_ne!(one.id, read(&[("t", b"x"), ("d", b"2")]).id);
        assert_ne!(read(&[("t", b"xd")]).id, read(&[("tx", b"d")]).id);
    }
}
