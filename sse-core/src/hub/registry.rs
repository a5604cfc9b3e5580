//! The streams of a hub: how many are open, and their keys.

use super::Inner;
use super::limits::HubLimits;
use super::shrink::{is_sparse, shrink};
use crate::runtime::sync::{Arc, Mutex};
use crate::stream::close_reason::CloseReason;
use crate::stream::owner::{DrainEnd, StreamOwner};
use crate::stream::shared::Shared;
use slab::Slab;
use std::collections::{BTreeMap, HashMap};
use std::task::Waker;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<RegistryState>);

#[derive(Debug, Default)]
struct RegistryState {
    streams: Slab<RegisteredStream>,
    /// The streams of each key.
    keyed: HashMap<std::sync::Arc<str>, Vec<usize>>,
    /// The key of each stream. A map of its own, because most streams have no key.
    keys: HashMap<usize, StreamKey>,
    drain: Option<Window>,
    /// The wakers of [`Draining`](super::Draining) futures, by ticket.
    waiters: BTreeMap<u64, Waker>,
    /// The wakers of the futures of [`Hub::draining`](super::Hub::draining), by ticket. Empty once the hub drains.
    watchers: BTreeMap<u64, Waker>,
    next_ticket: u64,
}

#[derive(Debug)]
struct RegisteredStream {
    shared: Arc<Shared>,
    ends: DrainEnd,
}

/// The key of a stream, and the index of the stream in the list of that key.
#[derive(Debug)]
struct StreamKey {
    key: std::sync::Arc<str>,
    index: usize,
}

/// The end of a drain.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// `None` if the clock cannot represent this moment.
    deadline: Option<Instant>,
}

/// All that a drain notifies when it starts.
pub(super) struct DrainNotices {
    pub(super) streams: Vec<(Arc<Shared>, DrainEnd)>,
    pub(super) watchers: BTreeMap<u64, Waker>,
}

/// The state of a drain.
pub(super) struct DrainProgress {
    pub(super) open: usize,
    pub(super) deadline: Option<Instant>,
}

impl Registry {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().streams.len()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.lock().drain.is_some()
    }

    /// Adds a stream, unless the hub drains or is full. The check holds the lock that a drain takes to start, so that no
    /// stream is added during a drain.
    fn enter(&self, stream: RegisteredStream, key: Option<std::sync::Arc<str>>, limits: &HubLimits) -> bool {
        let mut locked = self.0.lock();
        let locked = &mut *locked;
        let of_key = key.as_ref().and_then(|key| locked.keyed.get(key)).map_or(0, Vec::len);
        let full = locked.streams.len() >= limits.max_streams || of_key >= limits.max_streams_per_key;
        if full || locked.drain.is_some() {
            return false;
        }
        let shared = stream.shared.clone();
        let at = locked.streams.insert(stream);
        shared.set_slot(at);
        if let Some(key) = key {
            let streams = locked.keyed.entry(key.clone()).or_default();
            locked.keys.insert(at, StreamKey { key, index: streams.len() });
            streams.push(at);
        }
        true
    }

    fn leave(&self, shared: &Shared) {
        let (stream, waiters) = {
            let mut locked = self.0.lock();
            let stream = locked.remove(shared.slot());
            let waiters = if locked.streams.is_empty() { std::mem::take(&mut locked.waiters) } else { BTreeMap::new() };
            (stream, waiters)
        };
        drop(stream);
        crate::runtime::wake::all(waiters.into_values());
    }

    /// Closes every stream with this key at once, and frees the key.
    pub(super) fn close_by_key(&self, key: &str) -> usize {
        let streams: Vec<_> = {
            let mut locked = self.0.lock();
            let locked = &mut *locked;
            let streams = locked.keyed.remove(key).unwrap_or_default();
            let free = |at| {
                locked.keys.remove(&at);
                locked.streams.get(at).map(|stream| stream.shared.clone())
            };
            let streams = streams.into_iter().filter_map(free).collect();
            shrink(&mut locked.keyed);
            shrink(&mut locked.keys);
            streams
        };
        let mut closed = 0;
        crate::runtime::wake::each(streams, |shared| closed += usize::from(shared.cut(CloseReason::Closed)));
        closed
    }

    /// Starts a drain and returns all streams and watchers. `None` if the hub drains already.
    pub(super) fn start_drain(&self, deadline: Option<Instant>) -> Option<DrainNotices> {
        let mut locked = self.0.lock();
        if locked.drain.is_some() {
            return None;
        }
        locked.drain = Some(Window { deadline });
        let streams = locked.streams.iter().map(|(_, stream)| (stream.shared.clone(), stream.ends)).collect();
        Some(DrainNotices { streams, watchers: std::mem::take(&mut locked.watchers) })
    }

    /// Registers the waker for the start of a drain. Returns whether the hub drains already.
    pub(super) fn poll_drain_start(&self, ticket: &mut Option<u64>, waker: Waker) -> bool {
        let old = {
            let mut locked = self.0.lock();
            if locked.drain.is_some() {
                return true;
            }
            let ticket = locked.ticket(ticket);
            locked.watchers.insert(ticket, waker)
        };
        drop(old);
        false
    }

    pub(super) fn stop_watching(&self, ticket: u64) {
        let old = self.0.lock().watchers.remove(&ticket);
        drop(old);
    }

    /// Registers the waker for the moment when no stream is open.
    pub(super) fn poll_drain(&self, ticket: &mut Option<u64>, waker: Waker) -> DrainProgress {
        let (progress, old) = {
            let mut locked = self.0.lock();
            let ticket = locked.ticket(ticket);
            let old = locked.waiters.insert(ticket, waker);
            let deadline = locked.drain.and_then(|window| window.deadline);
            (DrainProgress { open: locked.streams.len(), deadline }, old)
        };
        drop(old);
        progress
    }

    pub(super) fn stop_waiting(&self, ticket: u64) {
        let old = self.0.lock().waiters.remove(&ticket);
        drop(old);
    }
}

impl RegistryState {
    /// The ticket of a future, which receives one at its first poll.
    fn ticket(&mut self, ticket: &mut Option<u64>) -> u64 {
        *ticket.get_or_insert_with(|| {
            self.next_ticket += 1;
            self.next_ticket
        })
    }

    fn remove(&mut self, at: usize) -> Option<RegisteredStream> {
        let stream = self.streams.try_remove(at);
        if let Some(StreamKey { key, index }) = self.keys.remove(&at)
            && let Some(streams) = self.keyed.get_mut(&key)
        {
            streams.swap_remove(index);
            // The last stream of the key now has this index.
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
        stream
    }

    /// Moves the remaining streams together, so that the memory of a crowd that left can be released.
    fn compact(&mut self) {
        let Self { streams, keyed, keys, .. } = self;
        streams.compact(|stream, from, to| {
            stream.shared.set_slot(to);
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
        self.registry.enter(RegisteredStream { shared: shared.clone(), ends }, key, &self.limits)
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
        self.draw_retry_later()
    }

    fn channel_retry(&self) -> Option<Duration> {
        self.draw_channel_retry()
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

/// The hub as the owner of a stream. An `Arc` of loom does not convert into an `Arc` of a trait object.
#[cfg(feature = "__loom")]
pub(crate) fn owner(hub: &Arc<Inner>) -> Arc<dyn StreamOwner> {
    struct LoomOwner(Arc<Inner>);

    impl StreamOwner for LoomOwner {
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

        fn channel_retry(&self) -> Option<Duration> {
            self.0.channel_retry()
        }

        fn address(&self) -> usize {
            self.0.address()
        }
    }

    let owner: std::sync::Arc<dyn StreamOwner> = std::sync::Arc::new(LoomOwner(hub.clone()));
    Arc::from_std(owner)
}
