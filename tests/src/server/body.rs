//! Reads a request's body, up to a bound.

use super::plain::Plain;
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use std::pin::pin;

/// The largest accepted body.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// How many further bytes are read and dropped. A client that is still writing when the connection closes never sees
/// the 413.
const MAX_DROPPED_BYTES: usize = 64 * 1024 * 1024;

/// The whole body, from any framework's stream of chunks.
pub(crate) async fn read<E>(chunks: impl Stream<Item = Result<impl Buf, E>>) -> Result<Vec<u8>, Plain> {
    let mut chunks = pin!(chunks);
    let (mut body, mut length) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let Ok(mut chunk) = chunk else { return Err(Plain::bad_request("the body ended early")) };
        length += chunk.remaining();
        if length > MAX_BYTES + MAX_DROPPED_BYTES {
            break;
        }
        while chunk.has_remaining() && length <= MAX_BYTES {
            body.extend_from_slice(chunk.chunk());
            chunk.advance(chunk.chunk().len());
        }
    }
    if length > MAX_BYTES { Err(Plain::text(413, "more than 8 MiB")) } else { Ok(body) }
}
