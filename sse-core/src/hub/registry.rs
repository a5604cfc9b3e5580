//! The streams attached to a hub: how many there may be, why they ended, and how they go down together.

use super::Inner;
use super::stats::Counters;
use crate::runtime::Timer;
use crate::stream::shared::Shared;
use crate::stream::state::Drain;
use crate::sync::{Arc, Mutex};
use slab::Slab;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Locked>);

#[derive(Debug, Default)]
struct Locked {
    streams: Slab<Entry>,
    drain: Option<Window>,
    /// Whoever waits until no stream is left.
    waiters: BTreeMap<u64, Waker>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Entry {
    shared: Arc<Shared>,
    kind: Kind,
}

/// How a stream goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// At a moment of its own in the window: its client resumes elsewhere and loses nothing.
    Subscription,
    /// At the end of the window: its application has until then to say goodbye.
    Handled,
}

/// When a drain is over.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// `None`: the clock does not reach that far.
    gives_up: Option<Instant>,
}

impl Registry {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().streams.len()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.lock().drain.is_some()
    }

    /// Enters a stream, unless the hub drains or has enough of them: looked at under the lock under which a drain
    /// begins, so that no stream slips past it.
    fn enter(&self, shared: &Arc<Shared>, kind: Kind, max_streams: usize) -> Option<usize> {
        let mut locked = self.0.lock();
        let may = locked.drain.is_none() && locked.streams.len() < max_streams;
        may.then(|| locked.streams.insert(Entry { shared: shared.clone(), kind }))
    }

    fn leave(&self, key: usize) {
        let (entry, emptied, waiters) = {
            let mut locked = self.0.lock();
            let entry = locked.streams.try_remove(key);
            if locked.streams.is_empty() {
                // A crowd that has left leaves no room behind either.
                (entry, std::mem::take(&mut locked.streams), std::mem::take(&mut locked.waiters))
            } else {
                (entry, Slab::new(), BTreeMap::new())
            }
        };
        drop((entry, emptied));
        waiters.into_values().for_each(Waker::wake);
    }
}

/// A stream's entry in its hub, for as long as its body lives.
pub(crate) struct Attachment {
    hub: Arc<Inner>,
    key: usize,
}

impl Attachment {
    pub(crate) fn new(hub: &Arc<Inner>, shared: &Arc<Shared>, kind: Kind) -> Option<Self> {
        let key = hub.registry.enter(shared, kind, hub.limits.max_streams)?;
        Some(Self { hub: hub.clone(), key })
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.hub.counters
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.hub.registry.leave(self.key);
    }
}

/// Begins the drain, once, and tells every stream.
pub(crate) fn begin(hub: &Arc<Inner>, window: Duration) -> Draining {
    let now = hub.runtime.now();
    let gives_up = now.checked_add(window.saturating_add(hub.limits.drain_grace));
    let streams: Vec<_> = {
        let mut locked = hub.registry.0.lock();
        let first = locked.drain.is_none();
        locked.drain.get_or_insert(Window { gives_up });
        // Those that were told once are not told again.
        let told = if first { &locked.streams } else { &Slab::new() };
        told.iter().map(|(_, entry)| (entry.shared.clone(), entry.kind)).collect()
    };
    for (shared, kind) in streams {
        let random = hub.runtime.random();
        let wait = match kind {
            Kind::Subscription => random.duration(Duration::ZERO..=window),
            Kind::Handled => window,
        };
        // A moment that the clock cannot tell is never.
        if let Some(at) = now.checked_add(wait) {
            shared.drain(Drain { at, retry: random.duration(hub.limits.drain_retry.clone()) });
        }
    }
    Draining { hub: hub.clone(), timer: None, ticket: None }
}

/// The future of [`Hub::drain`](crate::Hub::drain).
#[must_use = "the drain goes on by itself; await this to know when it is over"]
pub struct Draining {
    hub: Arc<Inner>,
    timer: Option<Pin<Box<dyn Timer>>>,
    ticket: Option<u64>,
}

impl Future for Draining {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = &mut *self;
        let mut waker = Some(cx.waker().clone());
        let (left, gives_up, old) = {
            let mut locked = this.hub.registry.0.lock();
            let locked = &mut *locked;
            let ticket = *this.ticket.get_or_insert_with(|| {
                locked.next_ticket += 1;
                locked.next_ticket
            });
            let old = waker.take().and_then(|waker| locked.waiters.insert(ticket, waker));
            (locked.streams.len(), locked.drain.and_then(|window| window.gives_up), old)
        };
        drop(old);
        if left == 0 {
            return Poll::Ready(0);
        }
        let Some(deadline) = gives_up else { return Poll::Pending };
        let timer = this.timer.get_or_insert_with(|| this.hub.runtime.timer());
        loop {
            if this.hub.runtime.now() >= deadline {
                return Poll::Ready(this.hub.registry.len());
            }
            if timer.as_mut().poll_at(deadline, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let old = self.hub.registry.0.lock().waiters.remove(&ticket);
        drop(old);
    }
}

impl std::fmt::Debug for Draining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draining").field("left", &self.hub.registry.len()).finish_non_exhaustive()
    }
}
