//! The least work of a framework's body that loses no event: a wake-up, and a chunk that is ready.
//!
//! All streams share one log that only grows. The events since the previous read are one chunk.

use bytes::Bytes;
use futures_core::Stream;
use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The bytes of one chunk, or one larger event.
const CHUNK: usize = 64 * 1024;

#[derive(Clone, Default)]
pub struct Floor(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    chunks: Vec<Bytes>,
    /// The events since the previous read.
    fresh: String,
    parked: Vec<Waker>,
}

impl State {
    fn seal(&mut self) {
        if !self.fresh.is_empty() {
            self.chunks.push(std::mem::take(&mut self.fresh).into());
        }
    }
}

impl Floor {
    pub fn publish(&self, payload: &str) {
        let parked = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.fresh.len() + payload.len() > CHUNK {
                state.seal();
            }
            let _ = write!(state.fresh, "data: {payload}\n\n");
            std::mem::take(&mut state.parked)
        };
        parked.into_iter().for_each(Waker::wake);
    }

    /// A body that begins with the next event; with `comes_back`, a body that begins with the whole log.
    pub fn body(&self, comes_back: bool) -> Body {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.seal();
        Body { floor: self.clone(), next: if comes_back { 0 } else { state.chunks.len() } }
    }
}

pub struct Body {
    floor: Floor,
    next: usize,
}

impl Stream for Body {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut state = this.floor.0.lock().unwrap_or_else(PoisonError::into_inner);
        if this.next == state.chunks.len() {
            state.seal();
        }
        let Some(chunk) = state.chunks.get(this.next).cloned() else {
            state.parked.push(cx.waker().clone());
            return Poll::Pending;
        };
        this.next += 1;
        Poll::Ready(Some(Ok(chunk)))
    }
}
