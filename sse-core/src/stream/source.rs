//! The source of a body: its events beside those of a sender.

use super::item_stream::ItemStream;
use super::state::CloseReason;
use crate::event::control::Control;
use crate::event::error::FrameError;
use crate::event::frame::IntoFrame;
use crate::stream::shared::check;
use bytes::Bytes;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// As much as one poll takes before it hands on what it has.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// Events that encode to nothing must not hold the task for ever.
const CHUNK_EVENTS: usize = 1024;

/// The events of a body beside those of its sender. Sealed.
#[doc(hidden)]
pub trait Source: private::Sealed {
    #[doc(hidden)]
    fn poll_step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step>;

    /// What keeps the connection alive now.
    #[doc(hidden)]
    fn keep_alive(self: Pin<&mut Self>) -> Bytes {
        Bytes::from_static(KEEP_ALIVE)
    }
}

/// One comment line; without a blank line after it, at which some clients would dispatch an empty event.
pub(crate) const KEEP_ALIVE: &[u8] = b":\n";

pub(crate) mod private {
    pub trait Sealed {}
    impl<S> Sealed for super::StreamSource<S> {}
}

/// What a source has.
#[doc(hidden)]
#[expect(clippy::exhaustive_enums, reason = "hidden, and made by sources of this crate alone")]
#[derive(Debug)]
pub enum Step {
    /// Whole blocks.
    Chunk(Bytes),
    /// No more, for this reason.
    End(CloseReason),
    /// No more, because of this.
    Fail(FrameError),
}

pin_project! {
    /// The source of [`Sse::stream`](crate::Sse::stream): a stream of events, or of results of them.
    pub struct StreamSource<S> {
        #[pin]
        items: S,
        // An event that found no room in the last chunk.
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
    /// All events that are ready, up to 64 KiB or one larger event, as one chunk.
    fn poll_step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        let mut this = self.project();
        let mut chunk = Vec::from(std::mem::take(this.held));
        for _ in 0..CHUNK_EVENTS {
            if this.ended.is_some() || chunk.len() >= CHUNK_BYTES || !this.held.is_empty() {
                break;
            }
            match this.items.as_mut().poll_event(cx) {
                Poll::Ready(Some(item)) => {
                    let written = item.with_checked(|piece| {
                        let piece = piece?;
                        check(&piece, *this.max_event_bytes, *this.control)?;
                        let piece = piece.for_stream(*this.control);
                        let full = chunk.len();
                        if full > 0 && full + piece.len_at_least() > CHUNK_BYTES {
                            *this.held = piece.into_bytes();
                            return Ok(());
                        }
                        piece.encode(&mut chunk);
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
            // Also when nothing was written: the body then comes again.
            _ => Poll::Ready(Step::Chunk(chunk.into())),
        }
    }
}
