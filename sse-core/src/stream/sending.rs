//! The future of a send that waits for room.

use super::sender::Sender;
use crate::event::error::{FrameError, SendError};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`Sender::send`].
#[must_use = "nothing is sent until the future is awaited"]
#[derive(Debug)]
pub struct Sending<'s> {
    sender: &'s Sender,
    step: SendState,
    /// The ticket of this send, if it waits for room.
    ticket: Option<u64>,
    #[cfg(debug_assertions)]
    caller: &'static std::panic::Location<'static>,
}

#[derive(Debug)]
enum SendState {
    Send(Bytes),
    Done(Result<(), SendError>),
}

impl<'s> Sending<'s> {
    #[track_caller]
    pub(super) fn new(sender: &'s Sender, bytes: Result<Bytes, FrameError>) -> Self {
        let step = match bytes {
            Ok(bytes) => SendState::Send(bytes),
            Err(error) => SendState::Done(Err(error.into())),
        };
        Self {
            sender,
            step,
            ticket: None,
            #[cfg(debug_assertions)]
            caller: std::panic::Location::caller(),
        }
    }
}

impl Future for Sending<'_> {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let bytes = match &this.step {
            SendState::Send(bytes) => bytes.clone(),
            SendState::Done(result) => return Poll::Ready(result.clone()),
        };
        let shared = &**this.sender.shared();
        let mut waker = Some(cx.waker().clone());
        let (mut wakes, mut waits_unread) = (false, false);
        let (result, next, old) = shared.with(|locked| {
            if !locked.state.is_active() {
                return (Poll::Ready(Err(SendError::Closed)), None, None);
            }
            let first = locked.first_ticket().is_none_or(|first| Some(first) == this.ticket);
            if first && bytes.len() <= locked.state.room() {
                wakes = locked.state.send(|pending| pending.push(bytes));
                let old = this.ticket.take().and_then(|ticket| locked.waiting().line.remove(&ticket)).flatten();
                return (Poll::Ready(Ok(())), locked.first_in_line(), old);
            }
            waits_unread = this.ticket.is_none() && !locked.state.is_read();
            let waiting = locked.waiting();
            let ticket = *this.ticket.get_or_insert_with(|| waiting.ticket());
            let old = waiting.line.insert(ticket, waker.take()).flatten();
            (Poll::Pending, None, old)
        });
        drop(old);
        if waits_unread {
            crate::runtime::trace::send_waits(shared.id);
            #[cfg(debug_assertions)]
            super::unread::warn(this.caller);
        }
        if let Poll::Ready(done) = &result {
            this.leave_line();
            this.step = SendState::Done(done.clone());
        }
        shared.wake(wakes, next);
        result
    }
}

impl Sending<'_> {
    fn leave_line(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let (own, next) =
            self.sender.shared().with(|locked| (locked.waiting().line.remove(&ticket), locked.first_in_line()));
        drop(own);
        if let Some(next) = next {
            next.wake();
        }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.leave_line();
    }
}
