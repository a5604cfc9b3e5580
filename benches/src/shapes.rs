//! The events that are encoded and decoded.

use bytes::Bytes;
use std::fmt::Write;
use std::path::Path;

/// The bytes of a stream in one TCP segment over Ethernet.
pub const SEGMENT: usize = 1460;

/// The fields of one event, in hand.
pub struct Shape {
    pub name: &'static str,
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: String,
}

pub fn all() -> Vec<Shape> {
    let text = "The quick brown fox jumps over the lazy dog, and then over the next one. ".repeat(2);
    let json = format!(r#"{{"id":48213,"text":"{}"}}"#, &text[..160 - 22]);
    assert_eq!(json.len(), 160);
    let row = r#"<li class="item"><a href="/articles/48213">A headline</a></li>"#;
    let html = vec![format!("{row:<63}"); 64].join("\n");
    let line = "0123456789abcdef".repeat(4096);
    let named = |name, data| Shape { name, id: Some("48213".into()), event: Some("article".into()), data };
    let bare = |name, data| Shape { name, id: None, event: None, data };
    vec![
        named("JSON, 160 B, id and type", json),
        bare("HTML, 4 KiB in 64 lines", html),
        bare("one line of 64 KiB", line),
    ]
}

/// A stream on the wire, cut into segments.
pub struct Wire {
    pub name: String,
    pub chunks: Vec<Bytes>,
    pub events: usize,
}

impl Wire {
    fn new(name: &str, block: &str, bytes: usize) -> Self {
        let events = bytes.div_ceil(block.len());
        Self::of(name.to_owned(), block.repeat(events), events)
    }

    fn of(name: String, text: String, events: usize) -> Self {
        let whole = Bytes::from(text);
        let cut = |at: usize| whole.slice(at..whole.len().min(at + SEGMENT));
        let chunks = (0..whole.len()).step_by(SEGMENT).map(cut).collect();
        Self { name, chunks, events }
    }

    /// Every shape, written as a server would, and the same JSON without ID and type.
    pub fn all(recording: Option<&Path>) -> std::io::Result<Vec<Self>> {
        let mut wires = Vec::new();
        for shape in all() {
            let event = event(&shape);
            let block = event.frame().expect("a shape that can be sent");
            let block = std::str::from_utf8(block.as_bytes()).expect("text");
            wires.push(Self::new(shape.name, block, 512 * 1024));
        }
        wires.insert(1, Self::new("JSON, 160 B, data alone", &format!("data: {}\n\n", all()[0].data), 512 * 1024));
        wires.push(Self::tokens());
        if let Some(path) = recording {
            wires.push(Self::recorded(path)?);
        }
        Ok(wires)
    }

    /// A model's answer, token by token, as providers stream such answers.
    fn tokens() -> Self {
        let mut text = String::new();
        let words = "Rain is expected in the north, with \\\"strong\\\" winds – later sun.";
        let mut events = 0;
        for round in 0..120 {
            for word in words.split_inclusive(' ') {
                let _ = write!(
                    text,
                    "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{round},\
                     \"delta\":{{\"type\":\"text_delta\",\"text\":\"{word}\"}}}}\n\n"
                );
                events += 1;
            }
        }
        Self::of("tokens of a model, 130 B, type".into(), text, events)
    }

    /// A recording: the data of one event per line. The value of the field `type` becomes the event type.
    fn recorded(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::read_to_string(path)?;
        let (mut text, mut events) = (String::new(), 0);
        for data in file.lines() {
            let event_type = data.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split('"').next());
            if let Some(event_type) = event_type {
                let _ = writeln!(text, "event: {event_type}");
            }
            let _ = write!(text, "data: {data}\n\n");
            events += 1;
        }
        // Long enough that a decoder's own allocations do not count.
        let times = (256 * 1024 / text.len()).max(1);
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self::of(format!("recorded: {name}"), text.repeat(times), events * times))
    }
}

/// Our event with these fields.
pub fn event(shape: &Shape) -> sse_core::Event<'_> {
    let mut event = sse_core::Event::data(shape.data.as_str());
    if let Some(id) = &shape.id {
        event = event.id(id.as_str());
    }
    if let Some(event_type) = &shape.event {
        event = event.event(event_type.as_str());
    }
    event
}
