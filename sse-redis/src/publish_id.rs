//! What tells one publish from every other, so that it can be found again in the log.

use sse_core::Random;
use std::fmt;

/// The id of one publish: 96 bits, written into the log's entry as its field `n`.
///
/// It is not the event's id, which only the log can give. It says which publish an entry came from: whoever was told
/// [`MaybeStored`](crate::PublishError::MaybeStored) can look for it in the log, or publish once more under it and have
/// readers see the event once ([`Redis::publish_again`](crate::Redis::publish_again)).
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

/// How many characters it is written with.
const DIGITS: usize = 24;

impl PublishId {
    /// Reads what [`Display`](fmt::Display) wrote: 24 lower-case hexadecimal digits.
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

    /// The tag of the event: what makes its id worthless against another history.
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
