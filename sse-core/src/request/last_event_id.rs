//! Which last event ID a request brings.

use crate::event::limits::MAX_ID_BYTES;
use crate::request::grammar::trim;
use std::borrow::Cow;

/// The id that says "do not come back": a client that returns it is answered 204.
pub(crate) const END: &str = "end";

/// The last event ID a request brings: the id of the last event its client saw, or why there is none to go by.
///
/// Read from the header or, on a GET where that is absent or empty, from the query
/// ([`Policy::last_event_id_query`](crate::Policy::last_event_id_query)). None of these is an error. The text is the client's
/// word and nothing more: any text of at most [`MAX_ID_BYTES`] bytes, control characters included.
///
/// # Examples
/// ```
/// use sse_core::{LastEventId, Policy, Request};
///
/// let request = Request::new("GET", None, [("last-event-id", "…7".as_bytes())]);
/// let admitted = Policy::default().check(&request)?;
/// assert_eq!(admitted.last_event_id, LastEventId::Text("…7".into()));
/// assert_eq!(admitted.last_event_id.as_str(), Some("…7"));
/// # Ok::<(), sse_core::Rejection>(())
/// ```
///
/// Source: WHATWG HTML 9.2.4, the `Last-Event-ID` header; it is UTF-8, which most HTTP libraries' text accessors refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastEventId {
    /// It brings none: its client saw no event with an id.
    Absent,
    /// It brings one without text. Treat it as absent.
    Empty,
    /// The id.
    Text(Box<str>),
    /// It is not UTF-8, so no event had this id.
    NotUtf8,
    /// It is longer than [`MAX_ID_BYTES`], so no event had this id.
    TooLong,
    /// It came more than once, with different values. The same value twice is that value.
    Repeated,
}

impl LastEventId {
    /// The id, if there is one to go by: `None` unless it is [`Text`](Self::Text).
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(id) => Some(id),
            _ => None,
        }
    }

    /// Whether it is the reserved id `end`, to which a stream that has finished moved its client.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.as_str() == Some(END)
    }
}

/// The lines of the header, folded as they come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lines<'h> {
    first: Option<&'h [u8]>,
    differ: bool,
}

impl<'h> Lines<'h> {
    /// Reads one more line.
    pub(crate) fn read(&mut self, line: &'h [u8]) {
        let line = trim(line);
        self.differ |= *self.first.get_or_insert(line) != line;
    }

    pub(crate) fn outcome(self) -> LastEventId {
        match self.first {
            None => LastEventId::Absent,
            Some(_) if self.differ => LastEventId::Repeated,
            Some([]) => LastEventId::Empty,
            Some(line) if line.len() > MAX_ID_BYTES => LastEventId::TooLong,
            Some(line) => match str::from_utf8(line) {
                Ok(id) => LastEventId::Text(id.into()),
                Err(_) => LastEventId::NotUtf8,
            },
        }
    }
}

/// The same from a parameter of the query, for clients that cannot set headers.
pub(crate) fn from_query(query: &str, name: &str) -> LastEventId {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|pair| pair.0 == name).map(|pair| pair.1);
    let Some(first) = values.next() else { return LastEventId::Absent };
    if values.any(|value| value != first) {
        return LastEventId::Repeated;
    }
    // The decoder writes U+FFFD where the bytes are not UTF-8. An id that truly holds one is told as the same: to lose
    // its place is better than to be taken for another.
    if first.contains(char::REPLACEMENT_CHARACTER) {
        return LastEventId::NotUtf8;
    }
    match first {
        value if value.is_empty() => LastEventId::Empty,
        value if value.len() > MAX_ID_BYTES => LastEventId::TooLong,
        value => LastEventId::Text(Cow::into_owned(value).into()),
    }
}
