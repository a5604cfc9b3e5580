//! The encoder. It produces all bytes of an application's events.
//!
//! `ValidEvent` validates an event, and its encoding then cannot fail. Validation does not search the texts for line
//! breaks, except near the size limit. That search is most of the cost of encoding, so it runs once, while the text is
//! copied.

use crate::event::control;
use crate::event::error::{Field, FrameError};
use crate::event::event::Event;
use crate::event::frame::Frame;
use crate::event::limits::{MAX_ID_BYTES, MAX_RETRY};
use crate::event::line_breaks::LineBreaks;
use bytes::Bytes;
use memchr::memchr2;

/// A validated event, ready to be encoded.
#[derive(Debug)]
pub(crate) struct ValidEvent<'e> {
    event: &'e Event<'e>,
    /// `None` also for the empty type, which has no line.
    event_type: Option<&'e str>,
    retry_ms: Option<u64>,
    /// Whether a blank line ends the block. False for a comment alone and for an event without fields.
    is_block: bool,
    /// A lower bound for the bytes of the block: the exact number if each text is one line.
    len_at_least: usize,
}

/// The start of a line. A space precedes each value, because a client removes one space there. A line without a value has
/// no space.
#[derive(Debug, Clone, Copy)]
struct LinePrefix {
    bare: &'static str,
    spaced: &'static str,
}

const ID: LinePrefix = LinePrefix { bare: "id:", spaced: "id: " };
const EVENT: LinePrefix = LinePrefix { bare: "event:", spaced: "event: " };
const DATA: LinePrefix = LinePrefix { bare: "data:", spaced: "data: " };
const COMMENT: LinePrefix = LinePrefix { bare: ":", spaced: ": " };

impl<'e> ValidEvent<'e> {
    /// Validates the fields in the order `id`, `event`, `data`. The caller must also call
    /// [`check_size_and_retry`](Self::check_size_and_retry) before it encodes the event.
    pub(crate) fn new(event: &'e Event<'e>) -> Result<Self, FrameError> {
        let mut len_at_least = sum_of_texts(event, line_len);
        if let Some(id) = &event.id {
            check_id(id)?;
            len_at_least += line_len(ID, id);
        }
        let event_type = event.event.as_deref().filter(|text| !text.is_empty());
        if let Some(event_type) = event_type {
            // Types are so short that `memchr` would take longer.
            if event_type.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
                return Err(FrameError::LineBreak(Field::Event));
            }
            if control::is_reserved(event_type) {
                return Err(FrameError::ReservedType(event_type.into()));
            }
            len_at_least += line_len(EVENT, event_type);
        }
        if let Some(error) = &event.json_error {
            return Err(FrameError::Json(error.clone()));
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

    /// Validates the size of the event, which is measured only near the limit, and then `retry`.
    pub(crate) fn check_size_and_retry(&self, limit: usize) -> Result<(), FrameError> {
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

    /// Whether a client dispatches the event.
    pub(crate) const fn has_data(&self) -> bool {
        self.event.data.is_some()
    }

    pub(crate) const fn is_checkpoint(&self) -> bool {
        self.event.checkpoint
    }

    pub(crate) const fn len_at_least(&self) -> usize {
        self.len_at_least
    }

    /// Whether the block has at most `room` bytes. The texts are measured only if the bounds do not decide.
    pub(crate) fn fits(&self, room: usize) -> bool {
        let more = || sum_of_texts(self.event, |prefix, text| lines_len(prefix, text) - line_len(prefix, text));
        len_at_most(self.event, self.len_at_least) <= room
            || self.len_at_least <= room && self.len_at_least + more() <= room
    }

    /// Appends the whole block to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.encode_fields(out);
        if self.is_block {
            out.push(b'\n');
        }
    }

    /// Encodes into a new buffer.
    pub(crate) fn to_frame(&self) -> Frame {
        let event_type = self.event_type.map_or(0..0, |event_type| {
            // The comment and the ID come before the type.
            let comment = self.event.comment.as_deref().map_or(0, |text| lines_len(COMMENT, text));
            let start = comment + self.event.id.as_deref().map_or(0, |id| line_len(ID, id)) + EVENT.spaced.len();
            start..start + event_type.len()
        });
        Frame::new(self, event_type)
    }

    /// Encodes into a new buffer.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut block = Vec::with_capacity(self.len_at_least);
        self.encode(&mut block);
        into_exact_bytes(block)
    }

    /// Appends the block without its blank line, so that the caller can add a field.
    pub(crate) fn encode_fields(&self, out: &mut Vec<u8>) {
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

/// Validates and encodes an event of at most `limit` bytes.
pub(crate) fn frame(event: &Event<'_>, limit: usize) -> Result<Frame, FrameError> {
    let valid = ValidEvent::new(event)?;
    valid.check_size_and_retry(limit)?;
    Ok(valid.to_frame())
}

/// Turns a buffer into bytes that may be stored for long, without unused capacity.
pub(crate) fn into_exact_bytes(mut block: Vec<u8>) -> Bytes {
    block.shrink_to_fit();
    block.into()
}

#[inline(always)]
pub(crate) fn write_id(out: &mut Vec<u8>, id: &str) {
    write_line(out, ID, id.as_bytes());
}

pub(crate) fn write_retry(out: &mut Vec<u8>, ms: u64) {
    use std::io::Write;
    // A write to a `Vec` cannot fail.
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

/// The sum of `measure` over the data and the comment.
#[inline]
fn sum_of_texts(event: &Event<'_>, measure: impl Fn(LinePrefix, &str) -> usize) -> usize {
    let data = event.data.as_deref().map_or(0, |text| measure(DATA, text));
    let comment = event.comment.as_deref().map_or(0, |text| measure(COMMENT, text));
    data + comment
}

/// Iterates over the lines of a text. CRLF, CR and LF are one break each, and `n` breaks make `n + 1` lines.
struct TextLines<'t> {
    text: &'t [u8],
    breaks: LineBreaks<'t>,
    /// Offset of the next line; `None` after the last line.
    from: Option<usize>,
}

impl<'t> TextLines<'t> {
    #[inline]
    const fn of(text: &'t str) -> Self {
        Self { text: text.as_bytes(), breaks: LineBreaks::of(text.as_bytes()), from: Some(0) }
    }
}

impl<'t> Iterator for TextLines<'t> {
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

/// Encoded bytes of a value that is one line.
const fn line_len(prefix: LinePrefix, value: &str) -> usize {
    let prefix = if value.is_empty() { prefix.bare } else { prefix.spaced };
    prefix.len() + value.len() + 1
}

/// Encoded bytes of a text of any number of lines.
fn lines_len(prefix: LinePrefix, text: &str) -> usize {
    let len = |line: &[u8]| if line.is_empty() { prefix.bare.len() + 1 } else { prefix.spaced.len() + line.len() + 1 };
    TextLines::of(text).map(len).sum()
}

/// An upper bound for the bytes of the block, as if each byte of the texts were a line break.
fn len_at_most(event: &Event<'_>, len_at_least: usize) -> usize {
    len_at_least + sum_of_texts(event, |prefix, text| text.len() * prefix.spaced.len())
}

/// Measures the bytes that count towards the size limit: the values, where a line break counts as the start of the next
/// line.
#[cold]
fn check_payload(event: &Event<'_>, limit: usize) -> Result<(), FrameError> {
    let lines = sum_of_texts(event, |prefix, text| {
        let first = if text.is_empty() || text.starts_with(['\r', '\n']) { prefix.bare } else { prefix.spaced };
        lines_len(prefix, text) - first.len() - 1
    });
    let payload = lines + event.id.iter().chain(&event.event).map(|value| value.len()).sum::<usize>();
    check_size(payload, limit)
}

/// The same check for an encoded event.
pub(crate) fn check_encoded_size(block: &[u8], limit: usize) -> Result<(), FrameError> {
    if block.len() <= limit {
        return Ok(());
    }
    // In each text the prefix of the first line and the end of the last line do not count.
    let (mut payload, mut texts) = (0, [(DATA, false), (COMMENT, false)]);
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        let uncounted = |prefix: LinePrefix| {
            if line.starts_with(prefix.spaced.as_bytes()) { prefix.spaced } else { prefix.bare }.len() + 1
        };
        if let Some((prefix, begun)) = texts.iter_mut().find(|(prefix, _)| line.starts_with(prefix.bare.as_bytes())) {
            payload += line.len() - if *begun { 0 } else { uncounted(*prefix) };
            *begun = true;
        } else if let Some(prefix) = [ID, EVENT].into_iter().find(|prefix| line.starts_with(prefix.bare.as_bytes())) {
            payload += line.len() - uncounted(prefix);
        }
    }
    check_size(payload, limit)
}

const fn check_size(bytes: usize, limit: usize) -> Result<(), FrameError> {
    if bytes > limit { Err(FrameError::TooLarge { bytes, limit }) } else { Ok(()) }
}

// Always inlined: the copy of a prefix of known length is then an instruction and not a call.
#[inline(always)]
fn write_line(out: &mut Vec<u8>, prefix: LinePrefix, value: &[u8]) {
    if value.is_empty() {
        out.extend_from_slice(prefix.bare.as_bytes());
    } else {
        out.extend_from_slice(prefix.spaced.as_bytes());
        out.extend_from_slice(value);
    }
    out.push(b'\n');
}

#[inline(always)]
fn write_lines(out: &mut Vec<u8>, prefix: LinePrefix, text: &str) {
    // Most texts are one line.
    if memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
        return write_line(out, prefix, text.as_bytes());
    }
    for line in TextLines::of(text) {
        write_line(out, prefix, line);
    }
}

const fn decimal_len(n: u64) -> usize {
    match n.checked_ilog10() {
        Some(digits) => digits as usize + 1,
        None => 1,
    }
}
