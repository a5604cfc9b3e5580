//! The reader of `text/event-stream`: bytes in, events out.
//!
//! This file cuts the bytes into lines and a line into name and value; `buffers` does what a field says; `limits` says
//! how much of it is kept. A line that lies inside one chunk is read where it lies.

use super::limits::DecodeError;

use super::buffers::Buffers;
use crate::decoder::message_event::DEFAULT_TYPE;
use crate::decoder::message_event::MessageEvent;
use crate::event::error::Field;
use crate::event::line_breaks::LineBreaks;
use memchr::memchr2;
use std::borrow::Cow;
use std::mem;
use std::time::Duration;

/// Decodes an event stream, from chunks cut anywhere, exactly as a browser does.
///
/// It is given bytes and gives back events; it opens nothing and waits for nothing. For a stream of chunks see
/// [`decode_stream`](Self::decode_stream). One decoder reads one response: make the next one
/// [`with_last_event_id`](Self::with_last_event_id).
///
/// - A line ends at its CR, LF or CRLF; at a CR without waiting for what follows it.
/// - Bytes that are not UTF-8 become U+FFFD; a byte order mark is skipped at the very start only.
/// - Comments and unknown fields are skipped as they come, whatever their length.
/// - A block that the stream does not end with a blank line is not dispatched.
///
/// Time is linear in the input, however it is cut. Memory is bounded by the limits, a few times over, and kept for the next
/// event.
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
    line: Line,
    /// The first bytes of a line, until there are enough of them to know what it is.
    head: Vec<u8>,
    /// The very first line was begun, before which alone a byte order mark is skipped.
    started: bool,
    /// The last chunk ended at a CR, to which a LF would still belong.
    after_cr: bool,
}

/// The line that the last chunk did not end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    /// It has too few bytes to be known; they are in `head`. So is the first line of a stream, before any byte.
    #[default]
    Head,
    /// A known field, whose value is being collected.
    Value(Field),
    /// Nothing in it counts.
    Skipped,
    /// There is none: the next byte begins a line.
    None,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// As many bytes of a line tell all but its value: what may stand before it, and the longest name with colon and space.
const HEAD: usize = BYTE_ORDER_MARK.len() + "event: ".len();

impl Decoder {
    /// A decoder at the start of a stream, with limits of 1 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same for a stream asked for with this `Last-Event-ID`, which stays the last event ID until an event brings one.
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

    /// Sets how many bytes the value of one field may have, without its name, colon and space. 1 MiB by default.
    ///
    /// A longer one is told as [`DecodeError::LineTooLong`], and its block is skipped.
    #[must_use]
    pub const fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.buffers.limits.line = bytes;
        self
    }

    /// Sets how many bytes the type and the data of one event may have, the LF between lines of data included. 1 MiB by default.
    ///
    /// A larger one is told as [`DecodeError::EventTooLarge`], and its block is skipped.
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

    /// The last event ID: what a reconnect sends as `Last-Event-ID`; empty if there is none.
    ///
    /// It moves at the blank line of a block that has an id, even where nothing is dispatched.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.buffers.last_event_id()
    }

    /// How long the server asked to wait before a reconnect, up to `u64::MAX` milliseconds; `None` if it did not.
    ///
    /// It is set as soon as its line ends. Values that are not ASCII digits alone are ignored, as are larger ones.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<Duration> {
        self.buffers.reconnection_time().map(Duration::from_millis)
    }

    /// Decodes up to the next event, and moves `input` past what was read. `None` when all of it was; then give the next chunk.
    ///
    /// # Errors
    /// A [`DecodeError`] for a block that is over a limit, once. Go on calling: decoding resumes with the next block.
    pub fn decode<'d, 'i: 'd>(&'d mut self, input: &mut &'i [u8]) -> Option<Result<MessageEvent<'d>, DecodeError>> {
        match self.advance(input) {
            Ok(None) => None,
            Ok(Some(Data::Held(data))) => Some(Ok(self.event(data))),
            Ok(Some(Data::Buffered)) => Some(Ok(self.event(self.buffers.data()))),
            Err(error) => {
                self.buffers.abandon();
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
            // Several times faster than the lossy reading, and almost always enough.
            data: simdutf8::basic::from_utf8(data).map_or_else(|_| String::from_utf8_lossy(data), Cow::Borrowed),
            last_event_id: Cow::Borrowed(self.buffers.last_event_id()),
        }
    }

    /// Reads line by line until an event is complete.
    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Data<'i>>, DecodeError> {
        if input.is_empty() {
            return Ok(None);
        }
        self.buffers.begin();
        if mem::take(&mut self.after_cr) {
            *input = input.strip_prefix(b"\n").unwrap_or(input);
        }
        if self.line != Line::None {
            self.resume(input)?;
        }
        // The block's first line of data, as long as it is the only one and lies in this chunk.
        let mut held: Option<&'i [u8]> = None;
        while let Some(first) = input.first() {
            if matches!(first, b'\n' | b'\r') {
                self.end_line(input, 0);
                if self.buffers.end_block(held.is_some()) {
                    return Ok(Some(held.map_or(Data::Buffered, Data::Held)));
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
                    // What is held counts towards the same limit as these two, and comes first.
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
                self.line = Line::Head;
                self.head.extend_from_slice(rest);
            } else {
                self.open(rest)?;
            }
        }
        Ok(None)
    }

    /// Reads further lines of data for as long as they follow one another, as those of a long text do.
    fn data_lines(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        let bytes = *input;
        let mut breaks = LineBreaks::of(bytes);
        let mut read = 0;
        let mut result = Ok(());
        while let Some(end) = breaks.next()
            // Whatever is written in another way is read by whoever called.
            && let Some(value) = bytes.get(read..end).and_then(|line| line.strip_prefix(b"data: "))
            && result.is_ok()
        {
            result = self.buffers.another(value);
            read = end + 1;
            if bytes.get(end..=read) == Some(b"\r\n") {
                read += 1;
                breaks.next();
            }
        }
        if let Some(([.., last], rest)) = bytes.split_at_checked(read) {
            self.after_cr = *last == b'\r' && rest.is_empty();
            *input = rest;
        }
        result
    }

    /// Goes on with the line that the last chunk did not end. After it there is no such line, or no input.
    fn resume(&mut self, input: &mut &[u8]) -> Result<(), DecodeError> {
        if self.line == Line::Head {
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
            // Taken out to be read while the rest changes; put back for its allocation.
            let mut head = mem::take(&mut self.head);
            let line = match head.strip_prefix(BYTE_ORDER_MARK) {
                Some(line) if !self.started => line,
                _ => &head,
            };
            self.started = true;
            let result = match end {
                None => self.open(line),
                Some(end) => {
                    self.line = Line::None;
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
        // Nothing more of the line counts if its value is too long.
        let after = if end.is_some() { Line::None } else { Line::Skipped };
        if let Line::Value(field) = mem::replace(&mut self.line, after) {
            self.buffers.extend(field, piece)?;
            if end.is_some() {
                self.buffers.close(field);
            } else {
                self.line = Line::Value(field);
            }
        }
        Ok(())
    }

    /// Begins a line that does not end in this chunk, but is long enough to be known.
    fn open(&mut self, line: &[u8]) -> Result<(), DecodeError> {
        self.line = Line::Skipped;
        if let Some((field, value)) = field(line)
            && !self.buffers.is_skipping()
        {
            self.buffers.open(field)?;
            self.buffers.extend(field, value)?;
            self.line = Line::Value(field);
        }
        Ok(())
    }

    /// Moves `input` past the line end at `end`: CRLF, CR or LF. A LF that may follow in the next chunk is not waited for.
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

/// Where the data of a complete event is.
enum Data<'i> {
    /// In the input, untouched.
    Held(&'i [u8]),
    /// In the buffer.
    Buffered,
}

/// The name and the value of a line, if the name is known. A name without a colon has the empty value.
#[inline]
fn field(line: &[u8]) -> Option<(Field, &[u8])> {
    // Written out, because a comparison of known length is an instruction and not a call.
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
