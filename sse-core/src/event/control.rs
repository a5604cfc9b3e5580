//! The events that the server itself sends: their reserved types, their bytes, and the streams that carry them.

use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// The type of an event that moves the client's last event ID.
pub(crate) const POSITION: &str = "sse-position";

/// Event types that belong to the server. An event of an application with one of them is
/// [`FrameError::ReservedType`](crate::FrameError::ReservedType).
///
/// | type | data | sent |
/// |---|---|---|
/// | `sse-position` | `{}` | when the client's last event ID moves and no event of the application moves it |
/// | `sse-open` | none | when a stream opens that has no position to send yet |
/// | `sse-end` | `{}` | last of all by [`Sender::finish`](crate::Sender::finish) |
/// | `sse-later` | the reason, as JSON | by a hub that asks the client to come later |
///
/// A page needs no listener for them. A program that reads a stream of this crate and forwards its events must skip
/// them.
///
/// ```
/// use sse_core::{Event, FrameError, RESERVED_TYPES};
///
/// for reserved in RESERVED_TYPES {
///     let refused = Event::data("x").event(reserved).frame();
///     assert_eq!(refused, Err(FrameError::ReservedType(reserved.into())));
/// }
/// ```
pub const RESERVED_TYPES: [&str; 4] = [POSITION, "sse-open", "sse-end", "sse-later"];

pub(crate) fn is_reserved(event_type: &str) -> bool {
    event_type.starts_with("sse-") && RESERVED_TYPES.contains(&event_type)
}

/// Whether an `EventSource` fires events of this type by itself.
pub(crate) fn is_of_the_page(event_type: &[u8]) -> bool {
    matches!(event_type, b"error" | b"open")
}

/// How a stream sends blocks that are no events of the application.
///
/// Firefox, WebKit and many libraries keep no ID of a block without data, although WHATWG HTML 9.2.6 says so. They do
/// keep the ID of an event that has data, also of one that nobody listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// As events of the reserved types: for a GET whose `Accept` names the type.
    Events,
    /// As blocks without data: for any other GET, whose client may parse the data of every event.
    Blocks,
    /// Not at all, and no other block without data either: for methods whose clients do not reconnect by themselves.
    Omitted,
}

impl Control {
    /// The first bytes of a stream. A stream of a hub has a reconnection time, and a position once that may be sent.
    pub(crate) fn opening(self, time: Option<Duration>, position: Option<impl fmt::Display>) -> Vec<u8> {
        let position = position.map(|id| id.to_string());
        let retry = time.map(|time| time.as_millis() as u64);
        let mut out = Vec::new();
        match (self, &position) {
            // The comment completes half a line of an earlier response that WebKit puts before this one, and the
            // reserved type takes the data of half an event. ARCHITECTURE.md has the whole argument.
            (Self::Events, Some(id)) => {
                out.extend_from_slice(b":\n");
                write_position(&mut out, retry, id);
                out.push(b'\n');
            }
            (Self::Events, None) => return self.opening_after(time, NO_ID),
            (Self::Blocks, id) if retry.is_some() => {
                retry.into_iter().for_each(|ms| crate::event::encode::write_retry(&mut out, ms));
                id.iter().for_each(|id| crate::event::encode::write_id(&mut out, id));
                out.push(b'\n');
            }
            (Self::Blocks | Self::Omitted, _) => out.extend_from_slice(b":\n"),
        }
        out
    }

    /// The first bytes of a stream that may send no position yet, for a client that brought this ID.
    ///
    /// The ID is repeated because WebKit may hold a whole ID of an event that it did not dispatch, and would keep it
    /// with the data that this block takes.
    pub(crate) fn opening_after(self, time: Option<Duration>, brought: Option<impl fmt::Display>) -> Vec<u8> {
        if self != Self::Events {
            return self.opening(time, NO_ID);
        }
        let mut out = b":\nevent: sse-open\n".to_vec();
        time.into_iter().for_each(|time| crate::event::encode::write_retry(&mut out, time.as_millis() as u64));
        brought.into_iter().for_each(|id| crate::event::encode::write_id(&mut out, &id.to_string()));
        out.push(b'\n');
        out
    }

    /// The block that moves the client's last event ID, if the stream may have one.
    pub(crate) fn position(self, id: impl fmt::Display) -> Option<Vec<u8>> {
        let (mut out, id) = (Vec::new(), id.to_string());
        match self {
            Self::Events => write_position(&mut out, None, &id),
            Self::Blocks => crate::event::encode::write_id(&mut out, &id),
            Self::Omitted => return None,
        }
        out.push(b'\n');
        Some(out)
    }

    /// The block that makes the client stop, if the stream may have one.
    pub(crate) const fn end(self) -> Option<Bytes> {
        match self {
            Self::Events => Some(Bytes::from_static(b"event: sse-end\nid: end\ndata: {}\n\n")),
            Self::Blocks => Some(Bytes::from_static(b"id: end\n\n")),
            Self::Omitted => None,
        }
    }

    /// Whether the stream may ask its client to wait before it reconnects.
    pub(crate) const fn has_retry(self) -> bool {
        !matches!(self, Self::Omitted)
    }

    /// Whole blocks of a hub as this stream sends them.
    pub(crate) fn admit(self, blocks: Bytes) -> Bytes {
        if self == Self::Omitted { with_data(blocks) } else { blocks }
    }
}

pub(crate) const NO_ID: Option<&str> = None;

/// The block `sse-position` without the blank line that ends it.
pub(crate) fn write_position(out: &mut Vec<u8>, retry_ms: Option<u64>, id: &str) {
    out.extend_from_slice(b"event: sse-position\n");
    retry_ms.into_iter().for_each(|ms| crate::event::encode::write_retry(out, ms));
    crate::event::encode::write_id(out, id);
    out.extend_from_slice(b"data: {}\n");
}

/// The lines of a block that are comments, which come first.
pub(crate) fn comments(block: &[u8]) -> &[u8] {
    let lines = block.split_inclusive(|byte| *byte == b'\n').take_while(|line| line.starts_with(b":"));
    block.get(..lines.map(<[u8]>::len).sum()).unwrap_or_default()
}

/// The blocks that have data; of others only the comments.
fn with_data(blocks: Bytes) -> Bytes {
    let has_data = |block: &[u8]| block.starts_with(b"data:") || memchr::memmem::find(block, b"\ndata:").is_some();
    if Blocks(&blocks).all(has_data) {
        return blocks;
    }
    let mut kept = Vec::with_capacity(blocks.len());
    Blocks(&blocks).for_each(|block| kept.extend_from_slice(if has_data(block) { block } else { comments(block) }));
    kept.into()
}

/// Blocks, each with the blank line that ends it.
struct Blocks<'b>(&'b [u8]);

impl<'b> Iterator for Blocks<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memmem::find(self.0, b"\n\n").map_or(self.0.len(), |at| at + 2);
        let (block, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, comments};

    #[test]
    fn blocks_without_data_are_left_out_and_their_comments_kept() {
        let blocks = "data: 1\nid: 1\n\n: c\nretry: 5\nid: 2\n\nid: 3\n\n: d\ndata: 4\nid: 4\n\ndata:\nid: 5\n\n";
        let kept = "data: 1\nid: 1\n\n: c\n: d\ndata: 4\nid: 4\n\ndata:\nid: 5\n\n";
        assert_eq!(Control::Omitted.admit(blocks.into()), kept);
        assert_eq!(Control::Blocks.admit(blocks.into()), blocks);
        assert_eq!(Control::Events.admit(blocks.into()), blocks);
        assert_eq!(comments(b": a\n:\n"), b": a\n:\n");
    }

    #[test]
    fn blocks_that_all_have_data_are_not_copied() {
        let blocks = bytes::Bytes::from_static(b"data: 1\nid: 1\n\nevent: x\ndata: 2\nid: 2\n\n");
        assert_eq!(Control::Omitted.admit(blocks.clone()).as_ptr(), blocks.as_ptr());
    }
}
