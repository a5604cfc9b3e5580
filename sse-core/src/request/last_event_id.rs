//! The last event ID of a request, from the header or the query.

use crate::event::limits::MAX_ID_BYTES;
use crate::request::grammar::trim;
use std::borrow::Cow;

/// The reserved ID of a finished stream. A client that sends this ID receives 204 and stops.
pub(crate) const END: &str = "end";

/// The last event ID of a request: the ID of the last event that the client received, or the reason why there is none.
///
/// The ID comes from the `Last-Event-ID` header. If the header is absent or empty, a GET request may have the ID in the
/// query, see [`Policy::last_event_id_query`](crate::Policy::last_event_id_query). No variant is an error.
///
/// The text is untrusted input: any text of at most [`MAX_ID_BYTES`] bytes, including control characters.
///
/// # Examples
/// ```
/// use sse_core::{LastEventId, Policy, Request};
///
/// let request = Request::new("GET", None, [("last-event-id", "…7".as_bytes())]);
/// let accepted = Policy::default().check(&request)?;
/// assert_eq!(accepted.last_event_id, LastEventId::Text("…7".into()));
/// assert_eq!(accepted.last_event_id.as_str(), Some("…7"));
/// # Ok::<(), sse_core::Rejection>(())
/// ```
///
/// Source: WHATWG HTML 9.2.4. The header is UTF-8; the text accessors of most HTTP libraries accept only ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastEventId {
    /// The request has no ID: the client received no event with an ID.
    Absent,
    /// The ID is empty. Treat an empty ID as absent.
    Empty,
    /// The ID.
    Text(Box<str>),
    /// The ID is not UTF-8, so no event had this ID.
    NotUtf8,
    /// The ID is longer than [`MAX_ID_BYTES`], so no event had this ID.
    TooLong,
    /// The request has several different IDs. Several equal IDs count as one.
    Repeated,
}

impl LastEventId {
    /// Returns the ID of [`Text`](Self::Text), else `None`.
    ///
    /// ```
    /// use sse_core::LastEventId;
    ///
    /// assert_eq!(LastEventId::Text("7".into()).as_str(), Some("7"));
    /// assert_eq!(LastEventId::TooLong.as_str(), None);
    /// assert!(LastEventId::Text("end".into()).is_end());
    /// ```
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(id) => Some(id),
            _ => None,
        }
    }

    /// Whether the ID is the reserved `end`, which a finished stream sends as its last ID. [`as_str`](Self::as_str) has an
    /// example.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.as_str() == Some(END)
    }
}

/// The lines of the `Last-Event-ID` header.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IdLines<'h> {
    first: Option<&'h [u8]>,
    differ: bool,
}

impl<'h> IdLines<'h> {
    /// Adds one line of the header.
    pub(crate) fn add_line(&mut self, line: &'h [u8]) {
        let line = trim(line);
        self.differ |= *self.first.get_or_insert(line) != line;
    }

    pub(crate) fn last_event_id(self) -> LastEventId {
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

/// Reads the ID from a parameter of the query, for clients that cannot set headers.
pub(crate) fn from_query(query: &str, name: &str) -> LastEventId {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|pair| pair.0 == name).map(|pair| pair.1);
    let Some(first) = values.next() else { return LastEventId::Absent };
    if values.any(|value| value != first) {
        return LastEventId::Repeated;
    }
    // The URL decoder replaces invalid UTF-8 by U+FFFD. An ID that really contains U+FFFD is treated in the same way: the
    // client then gets a gap, which is better than the events after a wrong ID.
    if first.contains(char::REPLACEMENT_CHARACTER) {
        return LastEventId::NotUtf8;
    }
    match first {
        value if value.is_empty() => LastEventId::Empty,
        value if value.len() > MAX_ID_BYTES => LastEventId::TooLong,
        value => LastEventId::Text(Cow::into_owned(value).into()),
    }
}
