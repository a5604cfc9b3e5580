//! The stored events of one topic: sealed segments and a short tail.
//!
//! ```text
//!   trimmed │ segment │ segment │ segment │ event event event
//!           └ 32 KiB each, contiguous ────┘ └ the tail
//! ```
//!
//! A run of 2 KiB or more is a slice of one segment or of the joined tail, so that all subscribers share the bytes. A
//! shorter run is a copy, because a small chunk in the buffer of a slow connection must not keep 32 KiB in memory.
//! Subscribers that take the same newest run share that copy. A single event of the tail is shared without a copy.

#[cfg(feature = "gzip")]
mod compressed;
mod keyed;
#[expect(clippy::module_inception, reason = "a reader looks for `Ring` in ring.rs")]
mod ring;
mod segment;
mod tail;

#[cfg(feature = "gzip")]
pub(crate) use compressed::NextCompressed;
pub(crate) use keyed::{Full, KeyedBounds, Wanted};
pub(crate) use ring::Ring;

use super::trim_point::TrimPoint;
use bytes::Bytes;

/// The tail becomes a segment when it has this size.
pub(crate) const SEGMENT_BYTES: usize = 32 * 1024;

/// A run shorter than this is a copy. A slice would keep up to 16 times as many bytes in memory.
pub(crate) const COPY_BYTES: usize = 2 * 1024;

/// The cost of trimming a segment. Trimming one event of the tail costs 1.
const SEGMENT_WORK: usize = 16;

/// The next entry of a topic after a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The events up to this point were trimmed.
    Gap(TrimPoint),
    /// The event at this position.
    Event(u64),
}

impl Next {
    pub(crate) const fn position(self) -> u64 {
        match self {
            Self::Gap(trimmed) => trimmed.position,
            Self::Event(position) => position,
        }
    }
}

/// Consecutive events of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) bytes: Bytes,
    pub(crate) events: usize,
    /// The position of the last event.
    pub(crate) last: u64,
}
