//! Parses one encoded block, for example one from another server, into an [`Event`].

use crate::event::event::Event;
use std::borrow::Cow;
use std::time::Duration;

/// The error of [`Event::parse`]: the bytes are not exactly one block of an event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The bytes are not UTF-8.
    #[error("the block is not UTF-8")]
    NotUtf8,
    /// The blank line at the end is missing, so the next bytes of the stream would become part of the block.
    #[error("the block does not end with a blank line")]
    Unended,
    /// More bytes follow the blank line. Pass one block at a time, or use a [`Decoder`](crate::Decoder).
    #[error("something follows the blank line that ends the block")]
    Continues,
    /// The line with this number, counted from 1, is neither a comment nor a valid field. Clients ignore unknown fields
    /// and a `retry` that is not a number. A byte order mark makes the first line invalid.
    #[error("line {0} of the block is neither a comment nor one of the fields data, event, id and retry (a number)")]
    NoField(usize),
}

impl<'a> Event<'a> {
    /// Parses one block from another server or from storage: the lines of the block and the blank line after them. A block
    /// of comments alone needs no blank line.
    ///
    /// The event means the same to a client as the block. The last of several `event`, `id` or `retry` lines counts.
    ///
    /// This call does not validate the values. [`Event::frame`] and the calls that send the event return errors such as
    /// [`FrameError::TooLarge`](crate::FrameError::TooLarge) or an invalid ID, and encode the event in this crate's own
    /// spelling. A hub assigns IDs itself and rejects an event that has an [`event_id`](Self::event_id).
    ///
    /// To decode a whole stream use the [`Decoder`](crate::Decoder).
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are not exactly one block. Lines that clients ignore, for example unknown fields, are
    /// [`BlockError::NoField`].
    ///
    /// # Examples
    /// ```
    /// use sse_core::{BlockError, Event};
    ///
    /// let event = Event::parse(b"event:note\r\ndata:two\r\ndata:  lines\r\n\r\n")?;
    /// assert_eq!(event.event_id(), None);
    /// assert_eq!(event.frame().unwrap(), "event: note\ndata: two\ndata:  lines\n\n");
    ///
    /// assert_eq!(Event::parse(b"data: cut o"), Err(BlockError::Unended));
    /// assert_eq!(Event::parse(b"data: one\n\ndata: two\n\n"), Err(BlockError::Continues));
    /// assert_eq!(Event::parse(b"data: x\nset-cookie: y\n\n"), Err(BlockError::NoField(2)));
    /// # Ok::<(), BlockError>(())
    /// ```
    ///
    /// Source: WHATWG HTML 9.2.5 and 9.2.6.
    pub fn parse(block: &'a [u8]) -> Result<Self, BlockError> {
        let mut rest = std::str::from_utf8(block).map_err(|_| BlockError::NotUtf8)?;
        // The block may have a type or an ID and no data.
        let mut event = Self::without_data();
        let (mut number, mut has_field) = (0, false);
        while let Some((line, tail)) = first_line(rest) {
            (number, rest) = (number + 1, tail);
            if line.is_empty() {
                return if rest.is_empty() { Ok(event) } else { Err(BlockError::Continues) };
            }
            event.set_line(line).ok_or(BlockError::NoField(number))?;
            has_field |= !line.starts_with(':');
        }
        if rest.is_empty() && !has_field { Ok(event) } else { Err(BlockError::Unended) }
    }

    /// Sets the field or the comment of this line. `None` if the line is invalid.
    fn set_line(&mut self, line: &'a str) -> Option<()> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => add_line(&mut self.comment, value),
            "data" => add_line(&mut self.data, value),
            "event" => self.event = Some(value.into()),
            "id" => self.id = Some(value.into()),
            "retry" => self.retry = Some(milliseconds(value)?),
            _ => return None,
        }
        Some(())
    }
}

/// Splits the text after its first CRLF, CR or LF: the line without its end, and the rest.
fn first_line(text: &str) -> Option<(&str, &str)> {
    let (line, tail) = text.split_at_checked(text.find(['\r', '\n'])?)?;
    Some((line, tail.strip_prefix("\r\n").or_else(|| tail.strip_prefix(['\r', '\n']))?))
}

fn add_line<'a>(text: &mut Option<Cow<'a, str>>, line: &'a str) {
    match text {
        None => *text = Some(line.into()),
        Some(text) => {
            let text = text.to_mut();
            text.push('\n');
            text.push_str(line);
        }
    }
}

/// Parses a number of ASCII digits. A number beyond `u64` becomes `u64::MAX`, which `Event::frame` rejects.
fn milliseconds(digits: &str) -> Option<Duration> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_millis(digits.parse().unwrap_or(u64::MAX)))
}
