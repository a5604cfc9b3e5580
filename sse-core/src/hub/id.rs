//! The ID of an event: a position in one history, and a tag that clients cannot forge.

use siphasher::sip::SipHasher13;
use std::fmt;

/// The ID of an event: its position in the history of its hub, and a tag.
///
/// A hub computes the tag by a keyed hash of the position, with a key that is new for each run. An ID of another hub, of
/// an earlier run, or with the tag of another position is therefore unknown, and its client receives a gap. A followed
/// log gives IDs of its own.
///
/// The text is `<position>-<tag>`: at most 50 of the characters `[0-9a-f.-]`, so that a browser sends the ID to another
/// origin without a preflight request.
///
/// ```
/// use sse_core::hub::EventId;
///
/// let id = EventId::new((1692632086370, 2), 0x9f3a);
/// assert_eq!(id.to_string(), "1692632086370.2-00009f3a");
/// assert_eq!(EventId::parse("1692632086370.2-00009f3a"), Some(id));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    position: (u64, u64),
    tag: u32,
}

impl EventId {
    /// Makes an ID from its parts, for a [log](super::log). A hub that publishes by itself uses only the first number of
    /// the position; a log may need both.
    ///
    /// ```
    /// use sse_core::hub::EventId;
    /// assert_eq!(EventId::new((17, 0), 0xab).to_string(), "17-000000ab");
    /// assert!(EventId::new((17, 1), 0) > EventId::new((17, 0), 0xab));
    /// ```
    #[must_use]
    pub const fn new(position: (u64, u64), tag: u32) -> Self {
        Self { position, tag }
    }

    /// The position, which orders the events of one history. Positions of two hubs cannot be compared.
    ///
    /// ```
    /// # use sse_core::Hub;
    /// let hub = Hub::new();
    /// let first = hub.publish("news", "rain")?;
    /// let second = hub.publish("weather", "sun")?;
    /// assert!(first.position() < second.position());
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    #[must_use]
    pub const fn position(&self) -> (u64, u64) {
        self.position
    }

    /// The tag, which proves that the ID belongs to this position of this history.
    ///
    /// ```
    /// # use sse_core::hub::EventId;
    /// assert_eq!(EventId::new((17, 0), 0xab).tag(), 0xab);
    /// ```
    #[must_use]
    pub const fn tag(&self) -> u32 {
        self.tag
    }

    /// Reads the text of an ID, as a client sends it in `Last-Event-ID`. Returns `None` for every other text: a sign, a
    /// leading zero or a space is not accepted.
    ///
    /// ```
    /// # use sse_core::hub::EventId;
    /// assert_eq!(EventId::parse("17-000000ab"), Some(EventId::new((17, 0), 0xab)));
    /// assert_eq!(EventId::parse("017-000000ab"), None);
    /// assert_eq!(EventId::parse("17-ab"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (position, tag) = text.split_once('-')?;
        let (first, second) = match position.split_once('.') {
            // `Display` omits a second number of zero.
            Some((_, "0")) => return None,
            Some((first, second)) => (first, number(second)?),
            None => (position, 0),
        };
        let hex = tag.len() == 8 && tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let tag = if hex { u32::from_str_radix(tag, 16).ok()? } else { return None };
        Some(Self::new((number(first)?, second), tag))
    }

    /// Reads the ID on the last line of a block that a hub encoded.
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

/// The text is no [`EventId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is no event ID of a hub, which has the form `<position>-<tag>`, for example `17-000000ab`")]
pub struct InvalidEventId(());

impl std::str::FromStr for EventId {
    type Err = InvalidEventId;

    /// The same as [`EventId::parse`], with an error.
    ///
    /// ```
    /// # use sse_core::hub::EventId;
    /// assert_eq!("17-000000ab".parse(), Ok(EventId::new((17, 0), 0xab)));
    /// assert!("17".parse::<EventId>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, InvalidEventId> {
        Self::parse(text).ok_or(InvalidEventId(()))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            (first, 0) => write!(f, "{first}-{:08x}", self.tag),
            (first, second) => write!(f, "{first}.{second}-{:08x}", self.tag),
        }
    }
}

/// The key of a hub's tags. A tag is a keyed hash (SipHash-1-3) of the position, so a client that has IDs of this hub
/// cannot compute the ID of another position.
pub(crate) struct TagKey(SipHasher13);

impl TagKey {
    pub(crate) fn new((one, other): (u64, u64)) -> Self {
        Self(SipHasher13::new_with_keys(one, other))
    }

    pub(crate) fn tag(&self, position: u64) -> u32 {
        self.0.hash(&position.to_le_bytes()) as u32
    }
}
