//! The one encoder: every byte of every event is written here.
//!
//! `Measured::of` checks an event and knows its exact size; `write` then cannot fail and never grows the buffer.

use crate::{Event, Field, Frame, FrameError, MAX_EVENT_BYTES, MAX_ID_BYTES, MAX_RETRY};
use memchr::memchr2;
use std::ops::Range;

/// An event that was checked: the proof that it can be written, and how long it will be.
#[derive(Debug)]
pub(crate) struct Measured<'e> {
    event: &'e Event<'e>,
    /// Bytes of the fields' lines, without the blank line that ends the block.
    fields: usize,
    retry_ms: Option<u64>,
    /// Where the event type will stand; at its beginning there is nothing without one.
    event_type: Range<usize>,
}

const DATA: &str = "data:";
const COMMENT: &str = ":";

impl<'e> Measured<'e> {
    /// Judges the fields in the order `id`, `event`, `data`, `retry`.
    pub(crate) fn of(event: &'e Event<'e>) -> Result<Self, FrameError> {
        let mut fields = 0;
        // What counts towards MAX_EVENT_BYTES: the values, a line break in them as the line it opens.
        let mut payload = 0;
        let mut event_type_at = 0..0;
        if let Some(id) = &event.id {
            check_id(id)?;
            fields += line_len("id:", id);
            payload += id.len();
        }
        if let Some(event_type) = event.event.as_deref().filter(|text| !text.is_empty()) {
            if memchr2(b'\r', b'\n', event_type.as_bytes()).is_some() {
                return Err(FrameError::LineBreak(Field::Event));
            }
            let start = fields + "event: ".len();
            event_type_at = start..start + event_type.len();
            fields += line_len("event:", event_type);
            payload += event_type.len();
        }
        if let Some(words) = &event.json_error {
            return Err(FrameError::Json(words.clone()));
        }
        for (name, text) in [(DATA, &event.data), (COMMENT, &event.comment)] {
            let Some(text) = text else { continue };
            let len = lines_len(name, text);
            fields += len;
            // Of the first line only the value; each further line is what a line break costs.
            payload += len
                .saturating_sub(line_len(name, "") + usize::from(!text.is_empty() && !text.starts_with(['\r', '\n'])));
        }
        if payload > MAX_EVENT_BYTES {
            return Err(FrameError::TooLarge(payload));
        }
        let retry_ms = match event.retry {
            Some(time) if time > MAX_RETRY => return Err(FrameError::RetryTooLong),
            Some(time) => Some(time.as_millis() as u64),
            None => None,
        };
        fields += retry_ms.map_or(0, |ms| line_len("retry:", "") + 1 + decimal_len(ms));
        // The comment is written first.
        let shift = event.comment.as_deref().map_or(0, |text| lines_len(COMMENT, text));
        if !event_type_at.is_empty() {
            event_type_at = event_type_at.start + shift..event_type_at.end + shift;
        }
        Ok(Self { event, fields, retry_ms, event_type: event_type_at })
    }

    /// Whether a blank line ends the block: not after a comment alone, nor after nothing.
    fn is_block(&self) -> bool {
        let event = self.event;
        event.id.is_some()
            || event.data.is_some()
            || self.retry_ms.is_some()
            || event.event.as_deref().is_some_and(|text| !text.is_empty())
    }

    pub(crate) const fn has_id(&self) -> bool {
        self.event.id.is_some()
    }

    pub(crate) fn event_type(&self) -> &str {
        self.event.event.as_deref().unwrap_or_default()
    }

    /// Bytes of the whole block.
    pub(crate) fn len(&self) -> usize {
        self.fields + usize::from(self.is_block())
    }

    /// Appends the whole block.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.len());
        self.write_fields(out);
        if self.is_block() {
            out.push(b'\n');
        }
    }

    /// Appends the fields alone, for whoever adds one more before the blank line.
    pub(crate) fn write_fields(&self, out: &mut Vec<u8>) {
        let before = out.len();
        if let Some(text) = &self.event.comment {
            write_lines(out, COMMENT, text);
        }
        if let Some(id) = &self.event.id {
            write_line(out, "id:", id.as_bytes());
        }
        if let Some(event_type) = self.event.event.as_deref().filter(|text| !text.is_empty()) {
            write_line(out, "event:", event_type.as_bytes());
        }
        if let Some(ms) = self.retry_ms {
            write_retry(out, ms);
        }
        if let Some(text) = &self.event.data {
            write_lines(out, DATA, text);
        }
        debug_assert_eq!(out.len() - before, self.fields);
    }
}

/// Checks and encodes into a buffer of exactly the right size.
pub(crate) fn frame(event: &Event<'_>) -> Result<Frame, FrameError> {
    let measured = Measured::of(event)?;
    let mut bytes = Vec::with_capacity(measured.len());
    measured.write(&mut bytes);
    Ok(Frame::new(bytes, measured.has_id(), measured.event_type))
}

pub(crate) fn write_retry(out: &mut Vec<u8>, ms: u64) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = writeln!(out, "retry: {ms}");
}

fn check_id(id: &str) -> Result<(), FrameError> {
    if memchr2(b'\r', b'\n', id.as_bytes()).is_some() {
        return Err(FrameError::LineBreak(Field::Id));
    }
    if id.chars().any(char::is_control) {
        return Err(FrameError::ControlInId);
    }
    if id.starts_with(' ') || id.ends_with(' ') {
        return Err(FrameError::EdgeSpaceInId);
    }
    if id.len() > MAX_ID_BYTES {
        return Err(FrameError::IdTooLong(id.len()));
    }
    Ok(())
}

/// The lines of a text: CRLF, CR and LF are one break each, and `n` breaks make `n + 1` lines.
fn lines(text: &str) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text.as_bytes());
    std::iter::from_fn(move || {
        let bytes = rest?;
        let Some(at) = memchr2(b'\r', b'\n', bytes) else {
            rest = None;
            return Some(bytes);
        };
        let (line, tail) = bytes.split_at(at);
        rest = tail.strip_prefix(b"\r\n").or_else(|| tail.get(1..));
        Some(line)
    })
}

fn line_len(name: &str, value: &str) -> usize {
    name.len() + usize::from(!value.is_empty()) + value.len() + 1
}

fn lines_len(name: &str, text: &str) -> usize {
    lines(text).map(|line| name.len() + usize::from(!line.is_empty()) + line.len() + 1).sum()
}

/// A value has a space before it, so that its own first space is not taken for that one; no value has none.
fn write_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    if !value.is_empty() {
        out.push(b' ');
        out.extend_from_slice(value);
    }
    out.push(b'\n');
}

fn write_lines(out: &mut Vec<u8>, name: &str, text: &str) {
    lines(text).for_each(|line| write_line(out, name, line));
}

const fn decimal_len(n: u64) -> usize {
    match n.checked_ilog10() {
        Some(digits) => digits as usize + 1,
        None => 1,
    }
}
