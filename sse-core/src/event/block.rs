//! One block that somebody else wrote, read as the event it is.

use crate::event::event::Event;
use std::borrow::Cow;
use std::time::Duration;

/// Why bytes are not one block of an event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// An event stream is UTF-8.
    #[error("the block is not UTF-8")]
    NotUtf8,
    /// What follows would become part of it.
    #[error("the block does not end with a blank line")]
    Unended,
    /// There is more after its blank line. Cut the stream into blocks, or read it with a [`Decoder`](crate::Decoder).
    #[error("something follows the blank line that ends the block")]
    Continues,
    /// The line with this number, counted from 1, is neither a comment nor a field that a client knows, or it is a
    /// `retry` that is no number. A byte order mark makes the first line such a one.
    #[error("line {0} of the block is no field of an event stream")]
    NoField(usize),
}

impl<'a> Event<'a> {
    /// Reads one whole block that another server wrote, or that was stored: its lines and the blank line after them. A
    /// block of comments alone needs no blank line.
    ///
    /// What it holds is an intention like any other and becomes a [`Frame`](crate::Frame) by the same check, in the
    /// spelling of this crate, and means to a client what the block did. So an id that cannot be sent and a block that is
    /// too large are told there, and where a hub gives the ids an event with an [`event_id`](Self::event_id) is refused.
    /// What clients ignore, as unknown fields, is refused here rather than passed on. Of several `event`, `id` or `retry`
    /// the last counts.
    ///
    /// For a whole stream, which has no blocks until somebody finds them, use the [`Decoder`](crate::Decoder).
    ///
    /// # Errors
    /// [`BlockError`], if this is not exactly one block.
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
        // As its author wrote it.
        let mut event = Self::without_data();
        let (mut number, mut has_field) = (0, false);
        while let Some((line, tail)) = first_line(rest) {
            (number, rest) = (number + 1, tail);
            if line.is_empty() {
                return if rest.is_empty() { Ok(event) } else { Err(BlockError::Continues) };
            }
            event.read(line).ok_or(BlockError::NoField(number))?;
            has_field |= !line.starts_with(':');
        }
        if rest.is_empty() && !has_field { Ok(event) } else { Err(BlockError::Unended) }
    }

    fn read(&mut self, line: &'a str) -> Option<()> {
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

/// The line that is ended by CRLF, CR or LF, and what follows.
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

/// ASCII digits alone. More than fit are more than a frame takes.
fn milliseconds(digits: &str) -> Option<Duration> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_millis(digits.parse().unwrap_or(u64::MAX)))
}
