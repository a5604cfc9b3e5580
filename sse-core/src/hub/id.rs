//! The id of an event in a hub: a position in one history, and a tag that no client can make for it.

use std::fmt;

/// The id of an event: its position in its hub's history, and a tag.
///
/// A hub makes the tag of its own events by a keyed hash of the position, with a secret of its own. An id with another
/// event's tag, one of another hub, or one of an earlier run is therefore unknown, and its client receives a gap. A log
/// gives its entries ids of its own.
///
/// As text it is `<position>-<tag>`, at most 50 of the characters `[0-9a-f.-]`, so that no browser asks for a preflight
/// before it brings one back.
///
/// ```
/// use sse_core::hub::EventId;
///
/// let id = EventId::new((1692632086370, 2), 0x9f3a);
/// assert_eq!(id.to_string(), "1692632086370.2-00009f3a");
/// assert_eq!(EventId::parse("1692632086370.2-00009f3a"), Some(id));
/// assert_eq!(EventId::parse("01692632086370.2-9f3a"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    position: (u64, u64),
    tag: u32,
}

impl EventId {
    /// An id from its parts. A hub that publishes by itself counts in the first number; a log may need both.
    #[must_use]
    pub const fn new(position: (u64, u64), tag: u32) -> Self {
        Self { position, tag }
    }

    /// The position: what orders the events of one history.
    #[must_use]
    pub const fn position(&self) -> (u64, u64) {
        self.position
    }

    /// The tag, which belongs to this position of this history.
    #[must_use]
    pub const fn tag(&self) -> u32 {
        self.tag
    }

    /// Reads an id as it was written, and nothing else: no sign, no leading zero, no space.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (position, tag) = text.split_once('-')?;
        let (first, second) = match position.split_once('.') {
            // A second number that is zero is not written.
            Some((_, "0")) => return None,
            Some((first, second)) => (first, number(second)?),
            None => (position, 0),
        };
        let hex = tag.len() == 8 && tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let tag = if hex { u32::from_str_radix(tag, 16).ok()? } else { return None };
        Some(Self::new((number(first)?, second), tag))
    }

    /// The id on the last line of a block that a hub encoded.
    pub(crate) fn of_block(block: &[u8]) -> Option<Self> {
        let block = block.strip_suffix(b"\n\n")?;
        let line = block.get(memchr::memrchr(b'\n', block).map_or(0, |at| at + 1)..)?;
        Self::parse(std::str::from_utf8(line.strip_prefix(b"id: ")?).ok()?)
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            (first, 0) => write!(f, "{first}-{:08x}", self.tag),
            (first, second) => write!(f, "{first}.{second}-{:08x}", self.tag),
        }
    }
}
