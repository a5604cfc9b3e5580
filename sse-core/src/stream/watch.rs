//! A future that waits for a change of a stream.

use super::shared::{LockedStream, Shared};
use crate::runtime::sync::Arc;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits until `ready` returns a value.
pub(super) struct Watch<T> {
    shared: Arc<Shared>,
    ticket: Option<u64>,
    ready: fn(&LockedStream) -> Option<T>,
}

impl<T> Watch<T> {
    pub(super) const fn new(shared: Arc<Shared>, ready: fn(&LockedStream) -> Option<T>) -> Self {
        Self { shared, ticket: None, ready }
    }
}

impl<T> Future for Watch<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        let mut waker = Some(cx.waker().clone());
        let (result, old) = this.shared.with(|locked| match (this.ready)(locked) {
            Some(value) => (Poll::Ready(value), None),
            None => {
                let waiting = locked.waiting();
                let ticket = *this.ticket.get_or_insert_with(|| waiting.ticket());
                (Poll::Pending, waker.take().and_then(|waker| waiting.watchers.insert(ticket, waker)))
            }
        });
        drop(old);
        result
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let old = self.shared.with(|locked| locked.waiting().watchers.remove(&ticket));
            drop(old);
        }
    }
}
