//! The events that the server itself sends: reserved types, bytes, and the streams that receive them.

use crate::event::encode;
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// The type of an event that only changes the client's last event ID.
pub(crate) const POSITION: &str = "sse-position";

/// Event types that only the server may send. An application's event with one of these types is
/// [`FrameError::ReservedType`](crate::FrameError::ReservedType).
///
/// | type | data | sent |
/// |---|---|---|
/// | `sse-position` | `{}` | when the client's last event ID changes and no event of the application carries the new ID |
/// | `sse-open` | none | when a stream opens and has no position to send yet |
/// | `sse-end` | `{}` | as the last event, by [`Sender::finish`](crate::Sender::finish) |
/// | `sse-later` | the reason, as JSON | by a hub that drains or is full, before the client retries |
///
/// A page needs no listener for these types. A program that forwards the events of a stream must skip them.
///
/// # Examples
/// ```
/// use sse_core::{Event, FrameError, RESERVED_TYPES};
///
/// for reserved in RESERVED_TYPES {
///     let result = Event::data("x").event(reserved).frame();
///     assert_eq!(result, Err(FrameError::ReservedType(reserved.into())));
/// }
/// ```
pub const RESERVED_TYPES: [&str; 4] = [POSITION, "sse-open", "sse-end", "sse-later"];

pub(crate) fn is_reserved(event_type: &str) -> bool {
    event_type.starts_with("sse-") && RESERVED_TYPES.contains(&event_type)
}

/// Whether an `EventSource` itself fires events of this type for its connection.
pub(crate) fn is_of_the_page(event_type: &[u8]) -> bool {
    matches!(event_type, b"error" | b"open")
}

/// The form in which a stream sends the server's own blocks.
///
/// By WHATWG HTML 9.2.6 a client keeps the ID of a block without data. Firefox, WebKit and many libraries do not. They do
/// keep the ID of an event with data, even if the page has no listener for the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// Events of the reserved types: for a GET whose `Accept` names `text/event-stream`.
    Events,
    /// Blocks without data: for any other GET, because its client may parse the data of every event.
    Blocks,
    /// No such blocks, nor any other block without data: for other methods, whose clients do not reconnect by
    /// themselves.
    Omitted,
}

impl Control {
    /// Returns the first bytes of a stream. A hub's stream has a reconnection time, and a position if no event must be sent
    /// before the position.
    pub(crate) fn opening(self, time: Option<Duration>, position: Option<impl fmt::Display>) -> Vec<u8> {
        let position = position.map(|id| id.to_string());
        let retry = time.map(|time| time.as_millis() as u64);
        let mut out = Vec::new();
        match (self, &position) {
            // After a cut connection WebKit puts the unfinished line and block before this response. The comment
            // completes that line, and the reserved type dispatches that data to no listener. ARCHITECTURE.md explains
            // the cases.
            (Self::Events, Some(id)) => {
                out.extend_from_slice(b":\n");
                write_position(&mut out, retry, id);
                out.push(b'\n');
            }
            (Self::Events, None) => return self.opening_after(time, NO_ID),
            (Self::Blocks, id) if retry.is_some() => {
                retry.into_iter().for_each(|ms| encode::write_retry(&mut out, ms));
                id.iter().for_each(|id| encode::write_id(&mut out, id));
                out.push(b'\n');
            }
            (Self::Blocks | Self::Omitted, _) => out.extend_from_slice(b":\n"),
        }
        out
    }

    /// Returns the first bytes of a stream that has no position to send yet. `brought` is the client's last event ID.
    ///
    /// The block repeats that ID. WebKit may hold the ID of an event that WebKit did not dispatch, and would take that ID
    /// at the blank line of this block.
    pub(crate) fn opening_after(self, time: Option<Duration>, brought: Option<impl fmt::Display>) -> Vec<u8> {
        if self != Self::Events {
            return self.opening(time, NO_ID);
        }
        let mut out = b":\nevent: sse-open\n".to_vec();
        time.into_iter().for_each(|time| encode::write_retry(&mut out, time.as_millis() as u64));
        brought.into_iter().for_each(|id| encode::write_id(&mut out, &id.to_string()));
        out.push(b'\n');
        out
    }

    /// Returns the block that changes the client's last event ID. `None` if the stream sends no such blocks.
    pub(crate) fn position(self, id: impl fmt::Display) -> Option<Vec<u8>> {
        let (mut out, id) = (Vec::new(), id.to_string());
        match self {
            Self::Events => write_position(&mut out, None, &id),
            Self::Blocks => encode::write_id(&mut out, &id),
            Self::Omitted => return None,
        }
        out.push(b'\n');
        Some(out)
    }

    /// Returns the block that makes the client stop. `None` if the stream sends no such blocks.
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

    /// Removes from whole blocks of a hub the parts that this stream does not send.
    pub(crate) fn filter(self, blocks: Bytes) -> Bytes {
        if self == Self::Omitted { with_data(blocks) } else { blocks }
    }
}

pub(crate) const NO_ID: Option<&str> = None;

/// Returns a block that sets the reconnection time of the client.
pub(crate) fn retry_block(time: Duration) -> Bytes {
    let mut block = Vec::with_capacity(20);
    encode::write_retry(&mut block, time.as_millis() as u64);
    block.push(b'\n');
    block.into()
}

/// Appends the block `sse-position` without its blank line.
pub(crate) fn write_position(out: &mut Vec<u8>, retry_ms: Option<u64>, id: &str) {
    out.extend_from_slice(b"event: sse-position\n");
    retry_ms.into_iter().for_each(|ms| encode::write_retry(out, ms));
    encode::write_id(out, id);
    out.extend_from_slice(b"data: {}\n");
}

/// Returns the comment lines of a block. The encoder puts them first.
pub(crate) fn comments(block: &[u8]) -> &[u8] {
    let lines = block.split_inclusive(|byte| *byte == b'\n').take_while(|line| line.starts_with(b":"));
    block.get(..lines.map(<[u8]>::len).sum()).unwrap_or_default()
}

/// Keeps blocks with data. Of other blocks only the comments remain.
fn with_data(blocks: Bytes) -> Bytes {
    let has_data = |block: &[u8]| block.starts_with(b"data:") || memchr::memmem::find(block, b"\ndata:").is_some();
    if BlockIter(&blocks).all(has_data) {
        return blocks;
    }
    let mut kept = Vec::with_capacity(blocks.len());
    BlockIter(&blocks).for_each(|block| kept.extend_from_slice(if has_data(block) { block } else { comments(block) }));
    kept.into()
}

/// Iterates over blocks, each with its blank line.
struct BlockIter<'b>(&'b [u8]);

impl<'b> Iterator for BlockIter<'b> {
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
    fn filter_removes_blocks_without_data_and_keeps_their_comments() {
        let blocks = "data: 1\nid: 1\n\n: c\nretry: 5\nid: 2\n\nid: 3\n\n: d\ndata: 4\nid: 4\n\ndata:\nid: 5\n\n";
        let kept = "data: 1\nid: 1\n\n: c\n: d\ndata: 4\nid: 4\n\ndata:\nid: 5\n\n";
        assert_eq!(Control::Omitted.filter(blocks.into()), kept);
        assert_eq!(Control::Blocks.filter(blocks.into()), blocks);
        assert_eq!(Control::Events.filter(blocks.into()), blocks);
        assert_eq!(comments(b": a\n:\n"), b": a\n:\n");
    }

    #[test]
    fn filter_does_not_copy_blocks_that_all_have_data() {
        let blocks = bytes::Bytes::from_static(b"data: 1\nid: 1\n\nevent: x\ndata: 2\nid: 2\n\n");
        assert_eq!(Control::Omitted.filter(blocks.clone()).as_ptr(), blocks.as_ptr());
    }
}
