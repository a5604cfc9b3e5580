//! The least that a framework's body can do: it is woken, and yields one chunk that is ready.

use bytes::Bytes;
use futures_core::Stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The latest chunk, and who waits for the next.
#[derive(Clone, Default)]
pub struct Floor(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    round: u64,
    chunk: Bytes,
    parked: Vec<Waker>,
}

impl Floor {
    pub fn publish(&self, payload: &str) {
        let parked = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.round += 1;
            state.chunk = format!("data: {payload}\n\n").into();
            std::mem::take(&mut state.parked)
        };
        parked.into_iter().for_each(Waker::wake);
    }

    pub fn body(&self) -> Body {
        Body { floor: self.clone(), round: 0 }
    }
}

pub struct Body {
    floor: Floor,
    round: u64,
}

impl Stream for Body {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut state = this.floor.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.round == this.round {
            state.parked.push(cx.waker().clone());
            return Poll::Pending;
        }
        this.round = state.round;
        Poll::Ready(Some(Ok(state.chunk.clone())))
    }
}
