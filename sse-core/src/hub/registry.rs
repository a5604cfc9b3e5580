//! The streams attached to a hub: how many there may be, why they ended, and how they go down together.

use super::{Inner, Limits};
use crate::hub::shrink::{is_sparse, shrink};
use crate::runtime::runtime::Timer;
use crate::runtime::sync::atomic::Ordering;
use crate::runtime::sync::{Arc, Mutex};
use crate::stream::owner::{DrainEnd, StreamOwner};
use crate::stream::shared::Shared;
use crate::stream::state::{CloseReason, Drain};
use slab::Slab;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Locked>);

#[derive(Debug, Default)]
struct Locked {
    streams: Slab<Entry>,
    /// The streams of each key; and the key of each stream, apart because most streams have none.
    keyed: HashMap<std::sync::Arc<str>, Vec<usize>>,
    keys: HashMap<usize, Keyed>,
    drain: Option<Window>,
    /// Whoever waits until no stream is left.
    waiters: BTreeMap<u64, Waker>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Entry {
    shared: Arc<Shared>,
    ends: DrainEnd,
}

/// A stream's key, and its index among the streams of that key.
#[derive(Debug)]
struct Keyed {
    key: std::sync::Arc<str>,
    index: usize,
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
    fn enter(&self, entry: Entry, key: Option<std::sync::Arc<str>>, limits: &Limits) -> bool {
        let mut locked = self.0.lock();
        let locked = &mut *locked;
        let of_key = key.as_ref().and_then(|key| locked.keyed.get(key)).map_or(0, Vec::len);
        let full = locked.streams.len() >= limits.max_streams || of_key >= limits.max_streams_per_key;
        if full || locked.drain.is_some() {
            return false;
        }
        let shared = entry.shared.clone();
        let at = locked.streams.insert(entry);
        shared.slot.store(at, Ordering::Relaxed);
        if let Some(key) = key {
            let streams = locked.keyed.entry(key.clone()).or_default();
            locked.keys.insert(at, Keyed { key, index: streams.len() });
            streams.push(at);
        }
        true
    }

    fn leave(&self, shared: &Shared) {
        let (entry, waiters) = {
            let mut locked = self.0.lock();
            let entry = locked.remove(shared.slot.load(Ordering::Relaxed));
            let waiters = if locked.streams.is_empty() { std::mem::take(&mut locked.waiters) } else { BTreeMap::new() };
            (entry, waiters)
        };
        drop(entry);
        crate::runtime::wake::all(waiters.into_values());
    }

    /// Ends every stream of a key at once, and forgets that they had it.
    pub(crate) fn cut(&self, key: &str) -> usize {
        let streams: Vec<_> = {
            let mut locked = self.0.lock();
            let locked = &mut *locked;
            let streams = locked.keyed.remove(key).unwrap_or_default();
            let forget = |at| {
                locked.keys.remove(&at);
                locked.streams.get(at).map(|entry| entry.shared.clone())
            };
            let streams = streams.into_iter().filter_map(forget).collect();
            shrink(&mut locked.keyed);
            shrink(&mut locked.keys);
            streams
        };
        let mut ended = 0;
        crate::runtime::wake::each(streams, |shared| ended += usize::from(shared.cut(CloseReason::Closed)));
        ended
    }
}

impl Locked {
    fn remove(&mut self, at: usize) -> Option<Entry> {
        let entry = self.streams.try_remove(at);
        if let Some(Keyed { key, index }) = self.keys.remove(&at)
            && let Some(streams) = self.keyed.get_mut(&key)
        {
            streams.swap_remove(index);
            // Another stream of the key is in its place now.
            if let Some(moved) = streams.get(index).and_then(|moved| self.keys.get_mut(moved)) {
                moved.index = index;
            }
            if streams.is_empty() {
                self.keyed.remove(&key);
                shrink(&mut self.keyed);
            } else if is_sparse(streams.len(), streams.capacity()) {
                streams.shrink_to(2 * streams.len());
            }
            shrink(&mut self.keys);
        }
        if is_sparse(self.streams.len(), self.streams.capacity()) {
            self.compact();
        }
        entry
    }

    /// Moves the streams of a crowd's remainder together, so that its room can be given back.
    fn compact(&mut self) {
        let Self { streams, keyed, keys, .. } = self;
        streams.compact(|entry, from, to| {
            entry.shared.slot.store(to, Ordering::Relaxed);
            if let Some(of) = keys.remove(&from) {
                if let Some(at) = keyed.get_mut(&of.key).and_then(|streams| streams.get_mut(of.index)) {
                    *at = to;
                }
                keys.insert(to, of);
            }
            true
        });
    }
}

impl StreamOwner for Inner {
    fn enter(&self, shared: &Arc<Shared>, ends: DrainEnd, key: Option<std::sync::Arc<str>>) -> bool {
        self.registry.enter(Entry { shared: shared.clone(), ends }, key, &self.limits)
    }

    fn ended(&self, reason: CloseReason) {
        self.counters.ended(reason);
    }

    fn leave(&self, shared: &Shared) {
        self.registry.leave(shared);
    }

    fn is_draining(&self) -> bool {
        self.registry.is_draining()
    }

    fn retry_later(&self) -> Duration {
        self.send_away()
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// The hub as the owner of a stream.
#[cfg(not(feature = "__loom"))]
pub(crate) fn owner(hub: &Arc<Inner>) -> Arc<dyn StreamOwner> {
    hub.clone()
}

/// The same for loom, whose `Arc` does not turn into one of a trait.
#[cfg(feature = "__loom")]
pub(crate) fn owner(hub: &Arc<Inner>) -> Arc<dyn StreamOwner> {
    struct Owner(Arc<Inner>);

    impl StreamOwner for Owner {
        fn enter(&self, shared: &Arc<Shared>, ends: DrainEnd, key: Option<std::sync::Arc<str>>) -> bool {
            self.0.enter(shared, ends, key)
        }

        fn ended(&self, reason: CloseReason) {
            self.0.ended(reason);
        }

        fn leave(&self, shared: &Shared) {
            self.0.leave(shared);
        }

        fn is_draining(&self) -> bool {
            self.0.is_draining()
        }

        fn retry_later(&self) -> Duration {
            self.0.retry_later()
        }

        fn address(&self) -> usize {
            self.0.address()
        }
    }

    let owner: std::sync::Arc<dyn StreamOwner> = std::sync::Arc::new(Owner(hub.clone()));
    Arc::from_std(owner)
}

/// Begins the drain, once, and tells every stream.
pub(crate) fn begin(hub: &Arc<Inner>, window: Duration) -> Draining {
    let now = hub.runtime.now();
    let gives_up = now.checked_add(window.saturating_add(hub.limits.drain_grace));
    let (first, streams) = {
        let mut locked = hub.registry.0.lock();
        let first = locked.drain.is_none();
        locked.drain.get_or_insert(Window { gives_up });
        // Those that were told once are not told again.
        let told = if first { &locked.streams } else { &Slab::new() };
        let told: Vec<_> = told.iter().map(|(_, entry)| (entry.shared.clone(), entry.ends)).collect();
        (first, told)
    };
    if first {
        crate::runtime::trace::drain_began(streams.len(), window.as_millis().try_into().unwrap_or(u64::MAX));
        crate::stream::unowned::report();
    }
    crate::runtime::wake::each(streams, |(shared, ends)| {
        let random = hub.runtime.random();
        let wait = match ends {
            DrainEnd::Spread => random.duration(Duration::ZERO..=window),
            DrainEnd::Last => window,
        };
        let retry = shared.control.has_retry().then(|| random.duration(hub.limits.drain_retry.clone()));
        shared.drain(Drain { at: now.checked_add(wait), retry });
    });
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
            crate::runtime::trace::drain_over(0);
            return Poll::Ready(0);
        }
        let Some(deadline) = gives_up else { return Poll::Pending };
        let timer = this.timer.get_or_insert_with(|| this.hub.runtime.timer());
        loop {
            if this.hub.runtime.now() >= deadline {
                let left = this.hub.registry.len();
                crate::runtime::trace::drain_over(left);
                return Poll::Ready(left);
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
