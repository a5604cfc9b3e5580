//! The ID of one publish, by which the publish can be found in the log.

use sse_core::Random;
use std::fmt;

/// The ID of one publish: 96 bits, stored in the field `n` of the entry.
///
/// A publish ID is not an event ID, which only the log can assign. After
/// [`MaybeStored`](crate::RedisPublishError::MaybeStored) the application can search the log for the publish ID, or publish
/// again with the same ID ([`Redis::publish_again`](crate::Redis::publish_again)). Clients then receive the event once.
///
/// ```
/// use sse_redis::PublishId;
///
/// let id = PublishId::parse("00112233445566778899aabb").expect("24 digits");
/// assert_eq!(id.to_string(), "00112233445566778899aabb");
/// assert_eq!(PublishId::parse("00112233445566778899AABB"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishId([u8; 12]);

/// The length of the text.
const DIGITS: usize = 24;

impl PublishId {
    /// Parses the text of [`Display`](fmt::Display): 24 lower-case hexadecimal digits. Any other text is `None`.
    ///
    /// ```
    /// assert!(sse_redis::PublishId::parse("order-1042").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut id = [0; DIGITS / 2];
        let (pairs, rest) = text.as_chunks::<2>();
        if pairs.len() != id.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in id.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(id))
    }

    pub(crate) fn draw(random: &Random) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = random.uuid().into_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, k, l])
    }

    /// This ID and the IDs of the events after the first of one `publish_all`. Neighbours have different tags.
    pub(crate) fn successors(self) -> impl Iterator<Item = Self> {
        let [a, b, c, d, rest @ ..] = self.0;
        (0..).map(move |more| {
            let [a, b, c, d] = u32::from_be_bytes([a, b, c, d]).wrapping_add(more).to_be_bytes();
            let [e, f, g, h, i, j, k, l] = rest;
            Self([a, b, c, d, e, f, g, h, i, j, k, l])
        })
    }

    /// The tag of the event ID. A log that replaced this one has other tags, so that an old event ID is unknown there.
    pub(crate) const fn tag(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

impl fmt::Display for PublishId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublishId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublishId({self})")
    }
}
