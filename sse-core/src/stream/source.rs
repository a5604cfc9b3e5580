//! The source of a body: the events that no sender sends.

use super::close_reason::CloseReason;
use super::item_stream::ItemStream;
use super::rules::check;
use crate::event::control::Control;
use crate::event::error::FrameError;
use crate::event::frame::IntoFrame;
use bytes::Bytes;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The size in bytes at which one poll of a source returns.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// The number of events at which one poll of a source returns, because events without fields have no bytes.
const CHUNK_EVENTS: usize = 1024;

/// The events of a body that no sender sends. Sealed.
#[doc(hidden)]
pub trait Source: private::Sealed {
    #[doc(hidden)]
    fn poll_step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step>;

    /// Whether the events wait in the source until a poll takes all of them. Another source does the work of the application
    /// at its polls, so the body polls it also while the stream must not write.
    #[doc(hidden)]
    fn keeps_events(&self) -> bool {
        false
    }

    /// The bytes of a keep-alive.
    #[doc(hidden)]
    fn keep_alive(self: Pin<&mut Self>) -> Bytes {
        Bytes::from_static(KEEP_ALIVE)
    }

    /// Encodes blocks that are not from this source, in the order in which the client receives them.
    #[cfg(feature = "gzip")]
    #[doc(hidden)]
    fn encode(self: Pin<&mut Self>, blocks: Bytes) -> Bytes {
        blocks
    }

    /// The bytes of a body that ends before its first byte: `None` if it can be empty, or is not.
    #[cfg(feature = "gzip")]
    #[doc(hidden)]
    fn encode_empty(self: Pin<&mut Self>) -> Option<Bytes> {
        None
    }
}

/// One comment line. At a blank line some clients would dispatch an empty event.
pub(crate) const KEEP_ALIVE: &[u8] = b":\n";

pub(crate) mod private {
    pub trait Sealed {}
    impl<S> Sealed for super::StreamSource<S> {}
}

/// The result of one poll of a source.
#[doc(hidden)]
#[expect(clippy::exhaustive_enums, reason = "hidden, and only sources of this crate return it")]
#[derive(Debug)]
pub enum Step {
    /// Whole blocks.
    Chunk(Bytes),
    /// The source queued blocks by a sender, so the body takes those next.
    Sent,
    /// The end, for this reason.
    End(CloseReason),
    /// The end, because of this error.
    Fail(FrameError),
}

pin_project! {
    /// The source of [`Sse::stream`](crate::Sse::stream): a stream of events or of results.
    pub struct StreamSource<S> {
        #[pin]
        items: S,
        // An event that did not fit into the last chunk.
        held: Bytes,
        control: Control,
        max_event_bytes: usize,
        ended: Option<Result<(), FrameError>>,
    }
}

impl<S> StreamSource<S> {
    pub(crate) const fn new(items: S, control: Control, max_event_bytes: usize) -> Self {
        Self { items, held: Bytes::new(), control, max_event_bytes, ended: None }
    }
}

impl<S> fmt::Debug for StreamSource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSource").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl<S: ItemStream<Item: IntoFrame>> Source for StreamSource<S> {
    /// Returns all events that are ready as one chunk of up to 64 KiB, or one larger event.
    fn poll_step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        let mut this = self.project();
        let mut chunk = Vec::from(std::mem::take(this.held));
        for _ in 0..CHUNK_EVENTS {
            if this.ended.is_some() || chunk.len() >= CHUNK_BYTES || !this.held.is_empty() {
                break;
            }
            match this.items.as_mut().poll_event(cx) {
                Poll::Ready(Some(item)) => {
                    let written = item.with_checked(|event| {
                        let event = event?;
                        check(&event, *this.max_event_bytes, *this.control)?;
                        let event = event.for_stream(*this.control);
                        let full = chunk.len();
                        if full > 0 && full + event.len_at_least() > CHUNK_BYTES {
                            *this.held = event.into_bytes();
                            return Ok(());
                        }
                        event.encode(&mut chunk);
                        if full > 0 && chunk.len() > CHUNK_BYTES {
                            *this.held = chunk.split_off(full).into();
                        }
                        Ok(())
                    });
                    if let Err(error) = written {
                        *this.ended = Some(Err(error));
                    }
                }
                Poll::Ready(None) => *this.ended = Some(Ok(())),
                Poll::Pending if chunk.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        match &*this.ended {
            Some(Ok(())) if chunk.is_empty() => Poll::Ready(Step::End(CloseReason::Finished)),
            Some(Err(error)) if chunk.is_empty() => Poll::Ready(Step::Fail(error.clone())),
            // An empty chunk makes the body poll again later.
            _ => Poll::Ready(Step::Chunk(chunk.into())),
        }
    }
}
