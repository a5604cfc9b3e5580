//! The decoder of `text/event-stream`.
//!
//! This file splits the bytes into lines and each line into name and value. `buffers` applies the fields, and `limits`
//! bounds the memory. A line that lies inside one chunk is decoded without a copy.

use super::buffers::Buffers;
use super::limits::DecodeError;
use crate::decoder::message_event::{DEFAULT_TYPE, MessageEvent};
use crate::event::error::Field;
use crate::event::line_breaks::LineBreaks;
use memchr::memchr2;
use std::borrow::Cow;
use std::mem;
use std::time::Duration;

/// Decodes an event stream in the same way as a browser. Chunks may end anywhere.
///
/// The decoder does no I/O: the application passes bytes and receives events. For a stream of chunks use
/// [`decode_stream`](Self::decode_stream). Use one decoder per response, and create the next one with
/// [`with_last_event_id`](Self::with_last_event_id).
///
/// - A line ends with CR, LF or CRLF. A CR at the end of a chunk ends the line at once.
/// - Bytes that are not UTF-8 become U+FFFD. A byte order mark is skipped at the start of the stream only.
/// - Comments and unknown fields are skipped, and have no length limit.
/// - A block without a blank line at the end of the stream is not dispatched.
///
/// Time is linear in the length of the input, for any chunk sizes. Memory is bounded by a small multiple of the limits,
/// and the decoder keeps that memory for the next event.
///
/// # Examples
/// ```
/// use sse_core::Decoder;
///
/// let mut decoder = Decoder::new();
/// let mut seen = Vec::new();
/// for chunk in ["retry: 2500\nid: 7\nda", "ta: tick\n\n: still here\n", "data: tock\n\ndata: cut o"] {
///     let mut input = chunk.as_bytes();
///     while let Some(event) = decoder.decode(&mut input) {
///         seen.push(event?.data.into_owned());
///     }
/// }
/// assert_eq!(seen, ["tick", "tock"]);
/// assert_eq!(decoder.last_event_id(), "7");
/// assert_eq!(decoder.reconnection_time(), Some(std::time::Duration::from_millis(2500)));
/// # Ok::<(), sse_core::DecodeError>(())
/// ```
///
/// Source: WHATWG HTML 9.2.5 and 9.2.6.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    buffers: Buffers,
    line: OpenLine,
    /// The first bytes of a line, until they suffice to recognise the field.
    head: Vec<u8>,
    /// The first line of the stream was recognised. Only before that line a byte order mark is skipped.
    started: bool,
    /// The last chunk ended with CR. A LF at the start of the next chunk belongs to the same line end.
    after_cr: bool,
}

/// The state of a line that continues in the next chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum OpenLine {
    /// The line has too few bytes to recognise the field; they are in `head`. Also the state before the first byte.
    #[default]
    Head,
    /// A known field with an incomplete value.
    Value(Field),
    /// The rest of the line is ignored.
    Skipped,
    /// No line is open: the next byte starts a line.
    None,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Bytes that suffice to recognise a field: a byte order mark, and the longest name with colon and space.
const HEAD: usize = BYTE_ORDER_MARK.len() + "event: ".len();

impl Decoder {
    /// Creates a decoder without a last event ID. Both limits are 1 MiB.
    ///
    /// [`Decoder`] has an example.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a decoder for a response to a request with this `Last-Event-ID`. The ID stays the last event ID until a block
    /// has another one.
    ///
    /// ```
    /// # use sse_core::Decoder;
    /// let mut decoder = Decoder::with_last_event_id("7");
    /// let event = decoder.decode(&mut b"data: x\n\n".as_slice()).expect("an event")?;
    /// assert_eq!(event.last_event_id, "7");
    /// # Ok::<(), sse_core::DecodeError>(())
    /// ```
    #[must_use]
    pub fn with_last_event_id(id: &str) -> Self {
        Self { buffers: Buffers::with_last_event_id(id), ..Self::default() }
    }

    /// Sets the longest value of one field, in bytes, without name, colon and space. 1 MiB by default.
    ///
    /// A longer value is [`DecodeError::LineTooLong`], and the decoder skips its block.
    ///
    /// ```
    /// # use sse_core::{DecodeError, Decoder};
    /// let mut decoder = Decoder::new().max_line_bytes(4);
    /// let mut input: &[u8] = b"data: abcde\n\ndata: abcd\n\n";
    /// assert_eq!(decoder.decode(&mut input), Some(Err(DecodeError::LineTooLong { limit: 4 })));
    /// assert_eq!(decoder.decode(&mut input).expect("an event")?.data, "abcd");
    /// # Ok::<(), DecodeError>(())
    /// ```
    #[must_use]
    pub const fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.buffers.limits.line = bytes;
        self
    }

    /// Sets the largest event, in bytes of event type and data, including the LF between lines of data. 1 MiB by default.
    ///
    /// A larger event is [`DecodeError::EventTooLarge`], and the decoder skips its block.
    ///
    /// ```
    /// # use sse_core::{DecodeError, Decoder};
    /// let mut decoder = Decoder::new().max_event_bytes(4);
    /// let mut input: &[u8] = b"id: 1\ndata: ab\ndata: cd\n\nid: 2\ndata: ab\ndata: c\n\n";
    /// assert_eq!(decoder.decode(&mut input), Some(Err(DecodeError::EventTooLarge { limit: 4 })));
    /// assert_eq!(decoder.last_event_id(), "");
    /// assert_eq!(decoder.decode(&mut input).expect("an event")?.data, "ab\nc");
    /// assert_eq!(decoder.last_event_id(), "2");
    /// # Ok::<(), DecodeError>(())
    /// ```
    #[must_use]
    pub const fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.buffers.limits.event = bytes;
        self
    }

    /// Returns the last event ID, which a reconnect sends as `Last-Event-ID`. Empty if the stream has none.
    ///
    /// The ID changes at the blank line of a block with an ID, also if the block has no data.
    ///
    /// ```
    /// # use sse_core::Decoder;
    /// let mut decoder = Decoder::new();
    /// assert_eq!(decoder.decode(&mut &b"id: 7\n\n"[..]), None);
    /// assert_eq!(decoder.last_event_id(), "7");
    /// ```
    ///
    /// Source: WHATWG HTML 9.2.6.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.buffers.last_event_id()
    }

    /// Returns the reconnection time of the stream, at most `u64::MAX` milliseconds. `None` if the stream sets none.
    ///
    /// The time changes at the end of a `retry` line. A value with other characters than ASCII digits is ignored, as is a
    /// larger one. [`Decoder`] has an example.
    ///
    /// Source: WHATWG HTML 9.2.6.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.buffers.reconnection_time().map(Duration::from_millis)
    }

    /// Decodes `input` up to the next event, and removes the decoded bytes from `input`. Returns `None` when `input` is
    /// empty; then call again with the next chunk.
    ///
    /// # Errors
    /// [`DecodeError`] once for each block over a limit. Call again to continue with the next block.
    ///
    /// # Examples
    /// [`Decoder`] has an example.
    pub fn decode<'d, 'i: 'd>(&'d mut self, input: &mut &'i [u8]) -> Option<Result<MessageEvent<'d>, DecodeError>> {
        match self.advance(input) {
            Ok(None) => None,
            Ok(Some(DataPlace::Input(data))) => Some(Ok(self.event(data))),
            Ok(Some(DataPlace::Buffered)) => Some(Ok(self.event(self.buffers.data()))),
            Err(error) => {
                self.buffers.skip_block();
                Some(Err(error))
            }
        }
    }

    fn event<'d>(&'d self, data: &'d [u8]) -> MessageEvent<'d> {
        MessageEvent {
            event_type: Cow::Borrowed(match self.buffers.event_type() {
                "" => DEFAULT_TYPE,
                event_type => event_type,
            }),
            // Almost all data is UTF-8, and this check is several times faster than the lossy conversion.
            data: simdutf8::basic::from_utf8(data).map_or_else(|_| String::from_utf8_lossy(data), Cow::Borrowed),
            last_event_id: Cow::Borrowed(self.buffers.last_event_id()),
        }
    }

    /// Decodes lines until an event is complete. `None` if `input` ended before that.
    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<DataPlace<'i>>, DecodeError> {
        if input.is_empty() {
            return Ok(None);
        }
        self.buffers.start_block();
        if mem::take(&mut self.after_cr) {
            *input = input.strip_prefix(b"\n").unwrap_or(input);
        }
        if self.line != OpenLine::None {
            self.continue_line(input)?;
        }
        // The block's line of data, if the block has one line of data so far and the line lies in this chunk.
        let mut held: Option<&'i [u8]> = None;
        while let Some(first) = input.first() {
            if matches!(first, b'\n' | b'\r') {
                self.end_line(input, 0);
                if self.buffers.end_block(held.is_some()) {
                    return Ok(Some(held.map_or(DataPlace::Buffered, DataPlace::Input)));
                }
                continue;
            }
            let Some(end) = memchr2(b'\r', b'\n', input) else {
                break;
            };
            let line = input.get(..end).unwrap_or_default();
            self.end_line(input, end);
            match field(line) {
                _ if self.buffers.is_skipping() => {}
                None => {}
                Some((Field::Data, value)) if held.is_none() && !self.buffers.has_data() => {
                    self.buffers.check(Field::Data, value.len())?;
                    held = Some(value);
                }
                Some((field, value)) => {
                    // The line of data comes first, and counts towards the same limit as the type and further data.
                    if matches!(field, Field::Data | Field::Event)
                        && let Some(first) = held.take()
                    {
                        self.buffers.line(Field::Data, first)?;
                    }
                    self.buffers.line(field, value)?;
                    if field == Field::Data {
                        self.data_lines(input)?;
                    }
                }
            }
        }
        if let Some(first) = held {
            self.buffers.line(Field::Data, first)?;
        }
        if !input.is_empty() {
            let rest = mem::take(input);
            if rest.len() < HEAD {
                self.line = OpenLine::Head;
                self.head.extend_from_slice(rest);
            } else {
                self.open_line(rest)?;
            }
        }
        Ok(None)
    }

    /// Decodes the lines of data that directly follow a line of data, as in a long text.
    fn data_lines(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        let bytes = *input;
        let mut breaks = LineBreaks::of(bytes);
        let mut decoded = 0;
        let mut result = Ok(());
        while let Some(end) = breaks.next()
            // `advance` decodes lines in other forms.
            && let Some(value) = bytes.get(decoded..end).and_then(|line| line.strip_prefix(b"data: "))
            && result.is_ok()
        {
            result = self.buffers.next_data_line(value);
            decoded = end + 1;
            if bytes.get(end..=decoded) == Some(b"\r\n") {
                decoded += 1;
                breaks.next();
            }
        }
        if let Some(([.., last], rest)) = bytes.split_at_checked(decoded) {
            self.after_cr = *last == b'\r' && rest.is_empty();
            *input = rest;
        }
        result
    }

    /// Continues the open line of the last chunk. Afterwards no line is open, or `input` is empty.
    fn continue_line(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        if self.line == OpenLine::Head {
            let missing = HEAD.saturating_sub(self.head.len());
            let window = input.get(..missing).unwrap_or(input);
            let end = memchr2(b'\r', b'\n', window);
            let (piece, rest) = input.split_at_checked(end.unwrap_or(window.len())).unwrap_or((input, &[]));
            self.head.extend_from_slice(piece);
            if end.is_none() {
                *input = rest;
                if self.head.len() < HEAD {
                    return Ok(());
                }
            }
            // Moved out because `self` changes below, and moved back to keep the allocation.
            let mut head = mem::take(&mut self.head);
            let line = match head.strip_prefix(BYTE_ORDER_MARK) {
                Some(line) if !self.started => line,
                _ => &head,
            };
            self.started = true;
            let result = match end {
                None => self.open_line(line),
                Some(end) => {
                    self.line = OpenLine::None;
                    self.end_line(input, end);
                    match field(line) {
                        Some((field, value)) if !self.buffers.is_skipping() => self.buffers.line(field, value),
                        _ => Ok(()),
                    }
                }
            };
            head.clear();
            self.head = head;
            result?;
            if end.is_some() {
                return Ok(());
            }
        }
        let end = memchr2(b'\r', b'\n', input);
        let piece = end.and_then(|end| input.get(..end)).unwrap_or(input);
        match end {
            Some(end) => self.end_line(input, end),
            None => *input = &[],
        }
        // If the value is too long, the rest of the line is skipped.
        let after = if end.is_some() { OpenLine::None } else { OpenLine::Skipped };
        if let OpenLine::Value(field) = mem::replace(&mut self.line, after) {
            self.buffers.extend_line(field, piece)?;
            if end.is_some() {
                self.buffers.end_line(field);
            } else {
                self.line = OpenLine::Value(field);
            }
        }
        Ok(())
    }

    /// Starts a line that continues in the next chunk and is long enough to recognise its field.
    fn open_line(&mut self, line: &[u8]) -> Result<(), DecodeError> {
        self.line = OpenLine::Skipped;
        if let Some((field, value)) = field(line)
            && !self.buffers.is_skipping()
        {
            self.buffers.start_line(field)?;
            self.buffers.extend_line(field, value)?;
            self.line = OpenLine::Value(field);
        }
        Ok(())
    }

    /// Removes the first `end` bytes and the CRLF, CR or LF after them from `input`. The decoder does not wait for a LF after
    /// a CR at the end of a chunk.
    #[inline]
    fn end_line(&mut self, input: &mut &[u8], end: usize) {
        *input = match input.get(end..).unwrap_or_default() {
            [b'\r', b'\n', rest @ ..] => rest,
            [ending, rest @ ..] => {
                self.after_cr = *ending == b'\r' && rest.is_empty();
                rest
            }
            [] => &[],
        };
    }
}

/// The place of the data of a complete event.
enum DataPlace<'i> {
    /// In the input.
    Input(&'i [u8]),
    /// In the buffer.
    Buffered,
}

/// Splits a line into field and value. `None` for a comment or an unknown field. A line without a colon has an empty
/// value.
#[inline]
fn field(line: &[u8]) -> Option<(Field, &[u8])> {
    // A comparison of known length is an instruction and not a call.
    let (field, rest) = match line {
        [b'd', b'a', b't', b'a', rest @ ..] => (Field::Data, rest),
        [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Field::Event, rest),
        [b'i', b'd', rest @ ..] => (Field::Id, rest),
        [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Field::Retry, rest),
        _ => return None,
    };
    match rest {
        [b':', b' ', value @ ..] | [b':', value @ ..] | value @ [] => Some((field, value)),
        _ => None,
    }
}
