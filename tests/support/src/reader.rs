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

impl Event {
    /// Whether the type is one of the server's own.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&self.event_type.as_str())
    }
}

/// How a client departs from the standard. The default departs nowhere, as Chromium.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Habits {
    /// The client keeps no ID of a block without data, as Firefox and WebKit do.
    pub id_needs_data: bool,
    /// The client keeps the fields that no event used, as WebKit does. After a reset, the unfinished block stands before
    /// the first bytes of the next response. With `id_needs_data`, the ID of a block without data becomes the ID of the
    /// next block with data.
    pub carries_over: bool,
}

impl Habits {
    /// The habits of Firefox and of most libraries.
    pub const FIREFOX: Self = Self { id_needs_data: true, carries_over: false };
    /// The habits of WebKit.
    pub const WEBKIT: Self = Self { id_needs_data: true, carries_over: true };
    /// Those of the browsers: Chromium, Firefox and WebKit.
    pub const BROWSERS: [Self; 3] = [Self { id_needs_data: false, carries_over: false }, Self::FIREFOX, Self::WEBKIT];
    /// Every combination: a server must serve all of them.
    pub const ALL: [Self; 4] = [
        Self { id_needs_data: false, carries_over: false },
        Self::FIREFOX,
        Self { id_needs_data: false, carries_over: true },
        Self::WEBKIT,
    ];
}

/// The event types of the server itself. No application listens to these types, so the reader treats them as blocks
/// without an event.
pub const RESERVED: [&str; 4] = ["sse-open", "sse-position", "sse-end", "sse-later"];

/// Reads the responses of one client, one after another, in pieces of any length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

    /// The response ended as HTTP requires. Every client drops the unfinished block.
    pub fn end(&mut self) {
        self.block = Block::default();
    }

    /// Begins the next response. Unless the last one ended, a client that carries over keeps the unfinished block.
    pub fn reconnect(&mut self) {
        let carried = mem::take(&mut self.block);
        if self.habits.carries_over {
            // Such a client expects no byte order mark in the middle of the text.
            self.block = Block { begun: carried.begun || !carried.line.is_empty(), after_cr: false, ..carried };
        }
    }

    /// Reads the next bytes of the response and keeps every change.
    pub fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match self.push(byte) {
                Some(event) if event.is_reserved() => self.reserved.push(event),
                Some(event) => self.changes.push(Change::Event(event)),
                None => {}
            }
        }
    }

    /// Reads the next bytes of the response and returns the dispatched events, those of the server's own types included.
    /// The reader keeps neither changes nor comments, so that a client of many events does not grow.
    pub fn dispatched(&mut self, bytes: &[u8]) -> Vec<Event> {
        let events = bytes.iter().filter_map(|byte| self.push(*byte)).collect();
        self.changes.clear();
        self.comments.clear();
        events
    }

    fn push(&mut self, byte: u8) -> Option<Event> {
        let follows_cr = mem::take(&mut self.block.after_cr);
        match byte {
            b'\n' if follows_cr => None,
            b'\n' | b'\r' => {
                self.block.after_cr = byte == b'\r';
                let mut line = mem::take(&mut self.block.line);
                if !mem::replace(&mut self.block.begun, true) && line.starts_with(b"\xef\xbb\xbf") {
                    line.drain(..3);
                }
                if line.is_empty() {
                    return self.dispatch();
                }
                self.line(&String::from_utf8_lossy(&line));
                None
            }
            _ => {
                self.block.line.push(byte);
                None
            }
        }
    }

    fn line(&mut self, line: &str) {
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

    fn dispatch(&mut self) -> Option<Event> {
        let block = &mut self.block;
        let (event_type, data, id) = (mem::take(&mut block.event_type), block.data.take(), block.id.take());
        let fields = mem::take(&mut block.fields);
        let before = self.last_event_id.clone();
        if data.is_some() || !self.habits.id_needs_data {
            self.last_event_id = id.or_else(|| before.clone());
        } else if self.habits.carries_over {
            block.id = id;
        }
        self.without_data += usize::from(fields && data.is_none());
        let id = self.last_event_id.clone().unwrap_or_default();
        let event = data.map(|data| {
            let event_type = if event_type.is_empty() { "message".to_owned() } else { event_type };
            Event { event_type, data, id: id.clone() }
        });
        if self.last_event_id != before && event.as_ref().is_none_or(Event::is_reserved) {
            self.changes.push(Change::Id(id));
        }
        event
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
        let mut reader = Reader::with(Habits::FIREFOX);
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

    #[test]
    fn each_browser_keeps_what_it_is_known_to_keep() {
        let expected = [("1", ""), ("", ""), ("", "half:\nx")];
        for (habits, (after_block, after_break)) in Habits::BROWSERS.into_iter().zip(expected) {
            let mut reader = Reader::with(habits);
            assert_eq!(reader.dispatched(b"id: 1\n\n"), []);
            assert_eq!(reader.last_event_id().unwrap_or_default(), after_block);
            reader.dispatched(b"event: tick\ndata: half");
            reader.reconnect();
            let events = reader.dispatched(b":\nevent: sse-open\n\ndata: x\n\n");
            let data: Vec<_> = events.iter().map(|event| (&*event.event_type, &*event.data)).collect();
            if after_break.is_empty() {
                assert_eq!(data, [("message", "x")]);
            } else {
                assert_eq!(data, [("sse-open", "half:"), ("message", "x")]);
                assert_eq!(reader.last_event_id(), Some("1"), "the ID that it kept for a block with data");
            }
            reader.dispatched(b"id: 2\n\ndata: half");
            reader.end();
            reader.reconnect();
            assert_eq!(reader.dispatched(b"data: y\n\n")[0].data, "y", "a response that ended leaves nothing");
            assert_eq!(reader.last_event_id() == Some("2"), !habits.id_needs_data);
            assert!(reader.changes().is_empty());
        }
    }
}
