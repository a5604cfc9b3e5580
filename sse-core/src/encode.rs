//! The one encoder: every byte of every event is written here.
//!
//! `Checked::of` looks at everything that can be wrong; `write` then cannot fail, and meets the text for the first time:
//! how long a text becomes is not known before its line breaks are, and looking for them twice is what encoding costs.

use crate::{Event, Field, Frame, FrameError, MAX_EVENT_BYTES, MAX_ID_BYTES, MAX_RETRY};
use bytes::Bytes;
use memchr::memchr2;
use std::ops::Range;

/// An event that was checked: the proof that it can be written.
#[derive(Debug)]
pub(crate) struct Checked<'e> {
    event: &'e Event<'e>,
    /// Bytes of the lines that are always one: id, event type and retry, and the blank line.
    single: usize,
    retry_ms: Option<u64>,
    /// Where the event type will stand; at its beginning there is nothing without one.
    event_type: Range<usize>,
}

/// How a line begins: a value has a space before it, so that its own first space is not taken for that one; no value has
/// none.
#[derive(Debug, Clone, Copy)]
struct Name {
    bare: &'static str,
    spaced: &'static str,
}

const ID: Name = Name { bare: "id:", spaced: "id: " };
const EVENT: Name = Name { bare: "event:", spaced: "event: " };
const DATA: Name = Name { bare: "data:", spaced: "data: " };
const COMMENT: Name = Name { bare: ":", spaced: ": " };

impl<'e> Checked<'e> {
    /// Judges the fields in the order `id`, `event`, `data`, `retry`.
    pub(crate) fn of(event: &'e Event<'e>) -> Result<Self, FrameError> {
        let mut single = 0;
        let mut event_type_at = 0..0;
        // What counts towards MAX_EVENT_BYTES: the values, a line break in them as the line it opens.
        let mut payload = 0;
        if let Some(id) = &event.id {
            check_id(id)?;
            single += line_len(ID, id.as_bytes());
            payload += id.len();
        }
        if let Some(event_type) = event.event.as_deref().filter(|text| !text.is_empty()) {
            if event_type.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
                return Err(FrameError::LineBreak(Field::Event));
            }
            // The comment is written first.
            let start =
                event.comment.as_deref().map_or(0, |text| lines_len(COMMENT, text)) + single + EVENT.spaced.len();
            event_type_at = start..start + event_type.len();
            single += line_len(EVENT, event_type.as_bytes());
            payload += event_type.len();
        }
        if let Some(words) = &event.json_error {
            return Err(FrameError::Json(words.clone()));
        }
        let texts = || texts(event).map(|(name, text)| lines_payload(name, text));
        // Only what could be too much is measured.
        if payload + texts().map(|(at_most, _)| at_most).sum::<usize>() > MAX_EVENT_BYTES {
            payload += texts().map(|(_, exact)| exact()).sum::<usize>();
            if payload > MAX_EVENT_BYTES {
                return Err(FrameError::TooLarge(payload));
            }
        }
        let retry_ms = match event.retry {
            Some(time) if time > MAX_RETRY => return Err(FrameError::RetryTooLong),
            Some(time) => Some(time.as_millis() as u64),
            None => None,
        };
        single += retry_ms.map_or(0, |ms| "retry: \n".len() + decimal_len(ms));
        let checked = Self { event, single, retry_ms, event_type: event_type_at };
        Ok(Self { single: single + usize::from(checked.is_block()), ..checked })
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

    /// Bytes of the whole block if its texts are one line each, as they mostly are; never less than that.
    pub(crate) fn len_at_least(&self) -> usize {
        self.single + texts(self.event).map(|(name, text)| line_len(name, text.as_bytes())).sum::<usize>()
    }

    /// Whether the whole block has at most so many bytes. It is measured only where that is not plain.
    pub(crate) fn fits(&self, room: usize) -> bool {
        let at_most = |(name, text): (Name, &str)| lines_len_at_most(name, text);
        let exact = |(name, text): (Name, &str)| lines_len(name, text);
        self.single + texts(self.event).map(at_most).sum::<usize>() <= room
            || self.single + texts(self.event).map(exact).sum::<usize>() <= room
    }

    /// Appends the whole block.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_fields(out);
        if self.is_block() {
            out.push(b'\n');
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut block = Vec::with_capacity(self.len_at_least());
        self.write(&mut block);
        keep(block)
    }

    /// Appends the fields alone, for whoever adds one more before the blank line.
    pub(crate) fn write_fields(&self, out: &mut Vec<u8>) {
        out.reserve(self.len_at_least());
        if let Some(text) = &self.event.comment {
            write_lines(out, COMMENT, text);
        }
        if let Some(id) = &self.event.id {
            write_line(out, ID, id.as_bytes());
        }
        if let Some(event_type) = self.event.event.as_deref().filter(|text| !text.is_empty()) {
            write_line(out, EVENT, event_type.as_bytes());
        }
        if let Some(ms) = self.retry_ms {
            write_retry(out, ms);
        }
        if let Some(text) = &self.event.data {
            write_lines(out, DATA, text);
        }
    }
}

/// Checks and encodes into a buffer of its own.
pub(crate) fn frame(event: &Event<'_>) -> Result<Frame, FrameError> {
    let checked = Checked::of(event)?;
    Ok(Frame::new(checked.to_bytes(), checked.has_id(), checked.event_type))
}

/// Turns a buffer that is full into bytes that are kept, and lets go of what it was too large by.
pub(crate) fn keep(mut block: Vec<u8>) -> Bytes {
    block.shrink_to_fit();
    block.into()
}

pub(crate) fn write_retry(out: &mut Vec<u8>, ms: u64) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = writeln!(out, "retry: {ms}");
}

fn check_id(id: &str) -> Result<(), FrameError> {
    if id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    if id.contains(['\r', '\n']) {
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

/// Data and comment, in any order.
fn texts<'e>(event: &'e Event<'e>) -> impl Iterator<Item = (Name, &'e str)> {
    let data = event.data.as_deref().map(|text| (DATA, text));
    data.into_iter().chain(event.comment.as_deref().map(|text| (COMMENT, text)))
}

/// The lines of a text: CRLF, CR and LF are one break each, and `n` breaks make `n + 1` lines.
#[inline]
fn lines(text: &str) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text.as_bytes());
    std::iter::from_fn(move || {
        let bytes = rest?;
        let Some(at) = memchr2(b'\r', b'\n', bytes) else {
            rest = None;
            return Some(bytes);
        };
        let (line, tail) = bytes.split_at_checked(at)?;
        rest = match tail {
            [b'\r', b'\n', tail @ ..] | [_, tail @ ..] => Some(tail),
            [] => None,
        };
        Some(line)
    })
}

const fn line_len(name: Name, value: &[u8]) -> usize {
    let name = if value.is_empty() { name.bare } else { name.spaced };
    name.len() + value.len() + 1
}

fn lines_len(name: Name, text: &str) -> usize {
    lines(text).map(|line| line_len(name, line)).sum()
}

/// As if each byte were a line.
const fn lines_len_at_most(name: Name, text: &str) -> usize {
    text.len() + (text.len() + 1) * (name.spaced.len() + 1)
}

/// What a text counts for: at most, and when measured. Of the first line only the value; each further line is what a
/// line break costs.
fn lines_payload(name: Name, text: &str) -> (usize, impl FnOnce() -> usize) {
    let first = if text.is_empty() || text.starts_with(['\r', '\n']) { name.bare } else { name.spaced };
    (lines_len_at_most(name, text), move || lines_len(name, text) - first.len() - 1)
}

#[inline]
fn write_line(out: &mut Vec<u8>, name: Name, value: &[u8]) {
    if value.is_empty() {
        out.extend_from_slice(name.bare.as_bytes());
    } else {
        out.extend_from_slice(name.spaced.as_bytes());
        out.extend_from_slice(value);
    }
    out.push(b'\n');
}

#[inline]
fn write_lines(out: &mut Vec<u8>, name: Name, text: &str) {
    lines(text).for_each(|line| write_line(out, name, line));
}

const fn decimal_len(n: u64) -> usize {
    match n.checked_ilog10() {
        Some(digits) => digits as usize + 1,
        None => 1,
    }
}
