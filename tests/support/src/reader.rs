//! A second, independent reading of WHATWG HTML 9.2.6. Tests judge servers by this reader and not by the decoder of
//! `sse-core`, so that an error of that decoder cannot hide an error of the encoder.

use std::mem;

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The type; `message` if the block has none.
    pub event_type: String,
    /// The data.
    pub data: String,
    /// The last event ID at the moment of the dispatch.
    pub id: String,
}

/// A change that a page can observe, in the order of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// An event was dispatched.
    Event(Event),
    /// A block that dispatched nothing to the application changed the last event ID.
    Id(String),
    /// The reconnection time, in milliseconds.
    Retry(u64),
}

/// How a client departs from the standard. The default departs nowhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Habits {
    /// The client keeps no ID of a block without data, as Firefox and WebKit do.
    pub id_needs_data: bool,
    /// The client puts an unfinished block before the first bytes of the next response, as WebKit does after a reset.
    pub carries_over: bool,
}

impl Habits {
    /// Every combination: a server must serve all of them.
    pub const ALL: [Self; 4] = [
        Self { id_needs_data: false, carries_over: false },
        Self { id_needs_data: true, carries_over: false },
        Self { id_needs_data: false, carries_over: true },
        Self { id_needs_data: true, carries_over: true },
    ];
}

/// The event types of the server itself. No application listens to them, so they are read as blocks without an event.
pub const RESERVED: [&str; 4] = ["sse-open", "sse-position", "sse-end", "sse-later"];

/// Reads the responses of one client, one after another, in pieces of any length.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    habits: Habits,
    changes: Vec<Change>,
    reserved: Vec<Event>,
    comments: Vec<String>,
    without_data: usize,
    retry: Option<u64>,
    last_event_id: Option<String>,
    block: Block,
}

/// The block and the line that are not finished.
#[derive(Debug, Clone, Default)]
struct Block {
    line: Vec<u8>,
    after_cr: bool,
    begun: bool,
    event_type: String,
    data: Option<String>,
    id: Option<String>,
    fields: bool,
}

impl Reader {
    /// A client without a last event ID.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A client that departs from the standard in this way.
    #[must_use]
    pub fn with(habits: Habits) -> Self {
        Self { habits, ..Self::default() }
    }

    /// Gives the client this last event ID, as from an earlier page.
    #[must_use]
    pub fn after(mut self, id: Option<&str>) -> Self {
        self.last_event_id = id.map(str::to_owned);
        self
    }

    /// Begins the next response. The unfinished block is dropped, unless the client carries it over.
    pub fn reconnect(&mut self) {
        let carried = mem::take(&mut self.block);
        if self.habits.carries_over {
            // Such a client looks for no byte order mark in the middle of its text.
            self.block = Block { begun: carried.begun || !carried.line.is_empty(), after_cr: false, ..carried };
        }
    }

    /// Reads the next bytes of the response.
    pub fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let follows_cr = mem::take(&mut self.block.after_cr);
            match byte {
                b'\n' if follows_cr => {}
                b'\n' | b'\r' => {
                    self.block.after_cr = byte == b'\r';
                    let mut line = mem::take(&mut self.block.line);
                    if !mem::replace(&mut self.block.begun, true) && line.starts_with(b"\xef\xbb\xbf") {
                        line.drain(..3);
                    }
                    self.line(&String::from_utf8_lossy(&line));
                }
                _ => self.block.line.push(byte),
            }
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            return self.dispatch();
        }
        if let Some(comment) = line.strip_prefix(':') {
            self.comments.push(comment.strip_prefix(' ').unwrap_or(comment).to_owned());
            return;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        let block = &mut self.block;
        block.fields = true;
        match name {
            "data" => {
                let before = block.data.take().map(|before| before + "\n").unwrap_or_default();
                block.data = Some(before + value);
            }
            "event" => value.clone_into(&mut block.event_type),
            "id" if !value.contains('\0') => block.id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                if let Ok(retry) = value.parse() {
                    self.retry = Some(retry);
                    self.changes.push(Change::Retry(retry));
                }
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let block = &mut self.block;
        let (event_type, data, id) = (mem::take(&mut block.event_type), block.data.take(), block.id.take());
        let fields = mem::take(&mut block.fields);
        let before = self.last_event_id.clone();
        if id.is_some() && (data.is_some() || !self.habits.id_needs_data) {
            self.last_event_id = id;
        }
        let id = self.last_event_id.clone().unwrap_or_default();
        if let Some(data) = data {
            let event_type = if event_type.is_empty() { "message".to_owned() } else { event_type };
            let is_reserved = RESERVED.contains(&event_type.as_str());
            let event = Event { event_type, data, id: id.clone() };
            if !is_reserved {
                self.changes.push(Change::Event(event));
                return;
            }
            self.reserved.push(event);
        } else {
            self.without_data += usize::from(fields);
        }
        if self.last_event_id != before {
            self.changes.push(Change::Id(id));
        }
    }

    /// Every change, in its order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The dispatched events of the application.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.changes.iter().filter_map(|change| match change {
            Change::Event(event) => Some(event),
            _ => None,
        })
    }

    /// The dispatched events of the server's own types.
    #[must_use]
    pub fn reserved(&self) -> &[Event] {
        &self.reserved
    }

    /// The text of each comment line, without the first space.
    #[must_use]
    pub fn comments(&self) -> &[String] {
        &self.comments
    }

    /// How many blocks with at least one field had no data, and so dispatched no event.
    #[must_use]
    pub const fn without_data(&self) -> usize {
        self.without_data
    }

    /// The last reconnection time, in milliseconds.
    #[must_use]
    pub const fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// The last event ID: `None` if the client never received one.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Event, Habits, Reader};
    use serde_json::Value;

    #[test]
    fn the_vectors_are_read_in_pieces_of_every_length() {
        let vectors: Vec<Value> = serde_json::from_str(include_str!("../../vectors/event-stream.json")).unwrap();
        assert!(vectors.len() > 100);
        for vector in vectors {
            let chunks = vector["chunks"].as_array().unwrap().iter().map(|chunk| chunk.as_str().unwrap());
            let bytes: Vec<u8> = chunks.flat_map(str::chars).map(|c| c as u8).collect();
            let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
            let events = vector["events"].as_array().unwrap().iter().map(|event| Event {
                event_type: text(event, "type"),
                data: text(event, "data"),
                id: text(event, "id"),
            });
            let events: Vec<_> = events.collect();
            for length in [1, 2, 3, 7, bytes.len().max(1)] {
                let mut reader = Reader::new().after(vector["initial_last_event_id"].as_str());
                bytes.chunks(length).for_each(|piece| reader.read(piece));
                assert!(reader.events().eq(&events), "{}: {:?}", vector["name"], reader.changes());
                assert_eq!(reader.retry(), vector["retry"].as_u64(), "{}", vector["name"]);
                assert_eq!(reader.last_event_id().unwrap_or_default(), vector["last_event_id"], "{}", vector["name"]);
            }
        }
    }

    #[test]
    fn changes_are_in_the_order_of_the_stream() {
        let mut reader = Reader::new();
        reader.read(b": hello\nid: 1\n\nretry: 5\ndata: x\n\nevent: sse-position\nid: 2\ndata: {}\n\nevent: y\n\n");
        let event = Event { event_type: "message".into(), data: "x".into(), id: "1".into() };
        assert_eq!(
            reader.changes(),
            [Change::Id("1".into()), Change::Retry(5), Change::Event(event), Change::Id("2".into())]
        );
        assert_eq!(
            (reader.comments(), reader.without_data(), reader.reserved().len()),
            (&["hello".to_owned()][..], 2, 1)
        );
    }

    #[test]
    fn a_client_whose_ids_need_data_keeps_no_id_of_a_block_without_data() {
        let mut reader = Reader::with(Habits { id_needs_data: true, ..Habits::default() });
        reader.read(b"id: 1\ndata: x\n\nid: 2\n\nevent: sse-position\nid: 3\n\n");
        assert_eq!(reader.last_event_id(), Some("1"));
        reader.read(b"event: sse-position\nid: 4\ndata: {}\n\n");
        assert_eq!(reader.last_event_id(), Some("4"));
    }

    #[test]
    fn a_client_that_carries_over_completes_the_block_with_the_next_response() {
        let read = |habits| {
            let mut reader = Reader::with(habits);
            reader.read(b"data: x\ndata: half");
            reader.reconnect();
            reader.read(b"data: y\n\n");
            reader.events().map(|event| event.data.clone()).collect::<Vec<_>>()
        };
        assert_eq!(read(Habits::default()), ["y"]);
        assert_eq!(read(Habits { carries_over: true, ..Habits::default() }), ["x\nhalfdata: y"]);
    }
}
