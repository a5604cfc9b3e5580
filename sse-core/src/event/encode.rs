//! The one encoder: every byte of every event is written here.
//!
//! `ValidEvent::of` looks at everything that can be wrong; `write` then cannot fail, and meets the text for the first time:
//! how long a text becomes is not known before its line breaks are, and looking for them twice is what encoding costs.

use crate::event::control;
use crate::event::error::{Field, FrameError};
use crate::event::event::Event;
use crate::event::frame::Frame;
use crate::event::limits::{MAX_ID_BYTES, MAX_RETRY};
use crate::event::line_breaks::Breaks;
use bytes::Bytes;
use memchr::memchr2;

/// An event that was checked: the proof that it can be written.
#[derive(Debug)]
pub(crate) struct ValidEvent<'e> {
    event: &'e Event<'e>,
    /// Not the empty one, which is not written.
    event_type: Option<&'e str>,
    retry_ms: Option<u64>,
    /// Whether a blank line ends the block: not after a comment alone, nor after nothing.
    is_block: bool,
    /// Bytes of the whole block if its texts are one line each, as they mostly are; never less than that.
    len_at_least: usize,
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

impl<'e> ValidEvent<'e> {
    /// Checks the fields in the order `id`, `event`, `data`. [`check`](Self::check) must follow before the event is written.
    pub(crate) fn of(event: &'e Event<'e>) -> Result<Self, FrameError> {
        let mut len_at_least = of_texts(event, line_len);
        if let Some(id) = &event.id {
            check_id(id)?;
            len_at_least += line_len(ID, id);
        }
        let event_type = event.event.as_deref().filter(|text| !text.is_empty());
        if let Some(event_type) = event_type {
            // So short that `memchr` takes longer.
            if event_type.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
                return Err(FrameError::LineBreak(Field::Event));
            }
            if control::is_reserved(event_type) {
                return Err(FrameError::ReservedType(event_type.into()));
            }
            len_at_least += line_len(EVENT, event_type);
        }
        if let Some(words) = &event.json_error {
            return Err(FrameError::Json(words.clone()));
        }
        if event.data.is_none() && !event.without_data && !event.checkpoint {
            if event_type.is_some() {
                return Err(FrameError::NoData(Field::Event));
            }
            if event.id.is_some() {
                return Err(FrameError::NoData(Field::Id));
            }
        }
        let retry_ms = event.retry.map(|time| time.as_millis() as u64);
        len_at_least += retry_ms.map_or(0, |ms| "retry: \n".len() + decimal_len(ms));
        if event.checkpoint {
            len_at_least += "event: sse-position\ndata: {}\n".len();
        }
        let is_block = event.data.is_some() || event.id.is_some() || event_type.is_some() || retry_ms.is_some();
        len_at_least += usize::from(is_block);
        Ok(Self { event, event_type, retry_ms, is_block, len_at_least })
    }

    /// Checks the rest: the size of the event, which is measured only near the limit, and then `retry`.
    pub(crate) fn check(&self, limit: usize) -> Result<(), FrameError> {
        if len_at_most(self.event, self.len_at_least) > limit {
            check_payload(self.event, limit)?;
        }
        if self.event.retry.is_some_and(|time| time > MAX_RETRY) { Err(FrameError::RetryTooLong) } else { Ok(()) }
    }

    pub(crate) const fn has_id(&self) -> bool {
        self.event.id.is_some()
    }

    pub(crate) fn event_type(&self) -> &str {
        self.event_type.unwrap_or_default()
    }

    /// Whether a client dispatches it.
    pub(crate) const fn has_data(&self) -> bool {
        self.event.data.is_some()
    }

    pub(crate) const fn is_checkpoint(&self) -> bool {
        self.event.checkpoint
    }

    pub(crate) const fn len_at_least(&self) -> usize {
        self.len_at_least
    }

    /// Whether the whole block has at most so many bytes. It is measured only where that is not plain.
    pub(crate) fn fits(&self, room: usize) -> bool {
        let more = || of_texts(self.event, |name, text| lines_len(name, text) - line_len(name, text));
        len_at_most(self.event, self.len_at_least) <= room
            || self.len_at_least <= room && self.len_at_least + more() <= room
    }

    /// Appends the whole block.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_fields(out);
        if self.is_block {
            out.push(b'\n');
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut block = Vec::with_capacity(self.len_at_least);
        self.write(&mut block);
        keep(block)
    }

    /// Appends the fields alone, for whoever adds one more before the blank line.
    pub(crate) fn write_fields(&self, out: &mut Vec<u8>) {
        out.reserve(self.len_at_least);
        if let Some(text) = &self.event.comment {
            write_lines(out, COMMENT, text);
        }
        if let (true, Some(id)) = (self.event.checkpoint, &self.event.id) {
            return control::write_position(out, self.retry_ms, id);
        }
        if let Some(id) = &self.event.id {
            write_id(out, id);
        }
        if let Some(event_type) = self.event_type {
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
pub(crate) fn frame(event: &Event<'_>, limit: usize) -> Result<Frame, FrameError> {
    let checked = ValidEvent::of(event)?;
    checked.check(limit)?;
    Ok(checked.to_frame())
}

impl ValidEvent<'_> {
    /// Encodes into a buffer of its own.
    pub(crate) fn to_frame(&self) -> Frame {
        let event_type = self.event_type.map_or(0..0, |event_type| {
            // The comment is written first.
            let comment = self.event.comment.as_deref().map_or(0, |text| lines_len(COMMENT, text));
            let start = comment + self.event.id.as_deref().map_or(0, |id| line_len(ID, id)) + EVENT.spaced.len();
            start..start + event_type.len()
        });
        Frame::new(self, event_type)
    }
}

/// Turns a buffer that is full into bytes that are kept, and lets go of what it was too large by.
pub(crate) fn keep(mut block: Vec<u8>) -> Bytes {
    block.shrink_to_fit();
    block.into()
}

#[inline(always)]
pub(crate) fn write_id(out: &mut Vec<u8>, id: &str) {
    write_line(out, ID, id.as_bytes());
}

pub(crate) fn write_retry(out: &mut Vec<u8>, ms: u64) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = writeln!(out, "retry: {ms}");
}

pub(crate) fn check_id(id: &str) -> Result<(), FrameError> {
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

/// The sum of what `measure` says of data and comment.
#[inline]
fn of_texts(event: &Event<'_>, measure: impl Fn(Name, &str) -> usize) -> usize {
    let data = event.data.as_deref().map_or(0, |text| measure(DATA, text));
    let comment = event.comment.as_deref().map_or(0, |text| measure(COMMENT, text));
    data + comment
}

/// The lines of a text: CRLF, CR and LF are one break each, and `n` breaks make `n + 1` lines.
struct Lines<'t> {
    text: &'t [u8],
    breaks: Breaks<'t>,
    /// Where the next line begins, unless the last one was told.
    from: Option<usize>,
}

impl<'t> Lines<'t> {
    #[inline]
    const fn of(text: &'t str) -> Self {
        Self { text: text.as_bytes(), breaks: Breaks::of(text.as_bytes()), from: Some(0) }
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'t [u8]> {
        let from = self.from?;
        let Some(end) = self.breaks.next() else {
            self.from = None;
            return self.text.get(from..);
        };
        let is_crlf = self.text.get(end..end + 2) == Some(b"\r\n");
        if is_crlf {
            self.breaks.next();
        }
        self.from = Some(end + 1 + usize::from(is_crlf));
        self.text.get(from..end)
    }
}

/// Bytes of a text of one line.
const fn line_len(name: Name, value: &str) -> usize {
    let name = if value.is_empty() { name.bare } else { name.spaced };
    name.len() + value.len() + 1
}

fn lines_len(name: Name, text: &str) -> usize {
    let len = |line: &[u8]| if line.is_empty() { name.bare.len() + 1 } else { name.spaced.len() + line.len() + 1 };
    Lines::of(text).map(len).sum()
}

/// Bytes of a block that has so many if its texts are one line each: as if each of their bytes broke a line.
fn len_at_most(event: &Event<'_>, len_at_least: usize) -> usize {
    len_at_least + of_texts(event, |name, text| text.len() * name.spaced.len())
}

/// Measures what counts towards the limit of an event: the values, a line break in them as the line it opens.
#[cold]
fn check_payload(event: &Event<'_>, limit: usize) -> Result<(), FrameError> {
    let lines = of_texts(event, |name, text| {
        let first = if text.is_empty() || text.starts_with(['\r', '\n']) { name.bare } else { name.spaced };
        lines_len(name, text) - first.len() - 1
    });
    let payload = lines + event.id.iter().chain(&event.event).map(|value| value.len()).sum::<usize>();
    within(payload, limit)
}

/// The same, of an event that was encoded before.
pub(crate) fn check_encoded_size(block: &[u8], limit: usize) -> Result<(), FrameError> {
    if block.len() <= limit {
        return Ok(());
    }
    // Of each text, the name before its first line and the end of its last line do not count.
    let (mut payload, mut texts) = (0, [(DATA, false), (COMMENT, false)]);
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        let uncounted =
            |name: Name| if line.starts_with(name.spaced.as_bytes()) { name.spaced } else { name.bare }.len() + 1;
        if let Some((name, begun)) = texts.iter_mut().find(|(name, _)| line.starts_with(name.bare.as_bytes())) {
            payload += line.len() - if *begun { 0 } else { uncounted(*name) };
            *begun = true;
        } else if let Some(name) = [ID, EVENT].into_iter().find(|name| line.starts_with(name.bare.as_bytes())) {
            payload += line.len() - uncounted(name);
        }
    }
    within(payload, limit)
}

const fn within(bytes: usize, limit: usize) -> Result<(), FrameError> {
    if bytes > limit { Err(FrameError::TooLarge { bytes, limit }) } else { Ok(()) }
}

// Always inlined, because a name of known length is written by an instruction and not by a call.
#[inline(always)]
fn write_line(out: &mut Vec<u8>, name: Name, value: &[u8]) {
    if value.is_empty() {
        out.extend_from_slice(name.bare.as_bytes());
    } else {
        out.extend_from_slice(name.spaced.as_bytes());
        out.extend_from_slice(value);
    }
    out.push(b'\n');
}

#[inline(always)]
fn write_lines(out: &mut Vec<u8>, name: Name, text: &str) {
    // Most texts are one line.
    if memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
        return write_line(out, name, text.as_bytes());
    }
    for line in Lines::of(text) {
        write_line(out, name, line);
    }
}

const fn decimal_len(n: u64) -> usize {
    match n.checked_ilog10() {
        Some(digits) => digits as usize + 1,
        None => 1,
    }
}
