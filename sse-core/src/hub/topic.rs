//! One topic: its ring behind a lock, and the wakers of the cursors that wait for it.

use super::deferred::Deferred;
use super::id::EventId;
use super::ring::Ring;
use super::topic_cursors::TopicCursors;
use super::topic_extra::{TopicEnd, TopicExtra};
use super::trim_point::TrimPoint;
use crate::runtime::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::runtime::sync::{Arc, Mutex, MutexGuard};
use slab::Slab;
use std::collections::BTreeMap;
use std::task::Waker;

pub(crate) struct SharedTopic {
    pub(crate) name: Box<str>,
    seen: SeenTopic,
    state: Mutex<TopicState>,
    /// Held by the client that compresses the next events for all. The lock of the topic may be taken while it is held.
    #[cfg(feature = "gzip")]
    pub(crate) compressing: Mutex<()>,
}

/// The part of a topic that cursors read without the lock. Stored under the lock, before the hub's head.
struct SeenTopic {
    /// The newest position in the ring.
    newest: AtomicU64,
    /// The position up to which the ring was trimmed at the last change of `newest`.
    trimmed_to: AtomicU64,
    /// The position of the end: 0 before the end, and [`REMOVED`] for a removed topic.
    end: AtomicU64,
    /// Counts how often the wakers were taken out of the state. The waker of a cursor is still parked if this number has not
    /// changed since the cursor parked.
    wake_generation: AtomicU64,
    /// Whether this is a state topic. Stored under the lock of the history, and never changed back.
    is_state: AtomicBool,
}

/// Stands for the position of the end in a topic that was removed. No event has this position.
const REMOVED: u64 = u64::MAX;

/// Whether more events of a topic can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopicPhase {
    Open,
    /// The event at this position is the last one.
    Ended(u64),
    /// The hub has dropped the topic and its events. A newer topic may have the same name.
    Removed,
}

pub(crate) struct TopicState {
    pub(crate) ring: Ring,
    /// The wakers of cursors that are not in shards.
    pub(crate) parked: Slab<Waker>,
    /// The place of the thread that parked the first of these wakers.
    pub(super) parking_thread: usize,
    /// What the cursors share, if there are cursors.
    pub(super) cursors: Option<Arc<TopicCursors>>,
    pub(super) cursor_count: usize,
    /// The number of subscribers and handles. A topic with at least one of them is never dropped.
    pub(crate) users: usize,
    /// The handles among the users.
    pub(crate) handles: usize,
    /// The compressed streams of this topic alone.
    #[cfg(feature = "gzip")]
    pub(crate) compressed_streams: usize,
    /// The key of this topic in the map of topics by oldest event.
    pub(crate) oldest: u64,
    /// What most topics do not have.
    pub(crate) extra: Option<Box<TopicExtra>>,
}

impl TopicState {
    pub(crate) const fn subscribers(&self) -> usize {
        self.users - self.handles
    }

    pub(crate) fn extra(&mut self) -> &mut TopicExtra {
        self.extra.get_or_insert_default()
    }

    /// Whether this is a state topic with keys that were not removed. Such a topic makes no room for others.
    pub(crate) fn has_state(&self) -> bool {
        self.ring.keyed().is_some_and(|keyed| keyed.live() > 0)
    }

    /// The end of the topic, if it has ended.
    pub(crate) fn end(&self) -> Option<TopicEnd> {
        self.extra.as_ref()?.end
    }

    /// Adds a subscriber or a handle.
    pub(crate) fn enter(&mut self, is_handle: bool) {
        self.users += 1;
        self.handles += usize::from(is_handle);
        if let Some(extra) = self.extra.as_mut().filter(|_| !is_handle) {
            extra.arrivals += 1;
        }
    }

    /// Removes a subscriber or a handle. Returns the tasks that wait until no subscriber is left, if none is left now.
    pub(crate) fn leave(&mut self, is_handle: bool) -> BTreeMap<u64, Waker> {
        self.users -= 1;
        self.handles -= usize::from(is_handle);
        let is_last = !is_handle && self.subscribers() == 0;
        let extra = self.extra.as_mut().filter(|_| is_last);
        extra.map(|extra| std::mem::take(&mut extra.watchers)).unwrap_or_default()
    }
}

impl SharedTopic {
    pub(crate) fn new(name: &str, trimmed: TrimPoint) -> Self {
        let state = TopicState {
            ring: Ring::new(trimmed),
            parked: Slab::new(),
            parking_thread: 0,
            cursors: None,
            cursor_count: 0,
            users: 0,
            handles: 0,
            #[cfg(feature = "gzip")]
            compressed_streams: 0,
            oldest: 0,
            extra: None,
        };
        Self {
            name: name.into(),
            seen: SeenTopic {
                newest: AtomicU64::new(trimmed.position),
                trimmed_to: AtomicU64::new(trimmed.position),
                end: AtomicU64::new(0),
                wake_generation: AtomicU64::new(1),
                is_state: AtomicBool::new(false),
            },
            state: Mutex::new(state),
            #[cfg(feature = "gzip")]
            compressing: Mutex::new(()),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, TopicState> {
        self.state.lock()
    }

    pub(crate) fn newest(&self) -> u64 {
        self.seen.newest.load(Ordering::Acquire)
    }

    /// The position up to which the ring was trimmed when `newest` was stored. The ring may have been trimmed further since.
    pub(super) fn trimmed_to(&self) -> u64 {
        self.seen.trimmed_to.load(Ordering::Acquire)
    }

    pub(crate) fn wake_generation(&self) -> u64 {
        self.seen.wake_generation.load(Ordering::Acquire)
    }

    pub(crate) fn phase(&self) -> TopicPhase {
        match self.seen.end.load(Ordering::Acquire) {
            0 => TopicPhase::Open,
            REMOVED => TopicPhase::Removed,
            position => TopicPhase::Ended(position),
        }
    }

    pub(crate) fn is_state(&self) -> bool {
        self.seen.is_state.load(Ordering::Acquire)
    }

    /// Makes this a state topic. It must have no events, and the caller holds the lock.
    pub(crate) fn make_state(&self, state: &mut TopicState) {
        state.ring.make_keyed();
        self.seen.is_state.store(true, Ordering::Release);
    }

    /// Ends the topic, or opens it again after the log lost its end. The caller holds the lock, and commits.
    pub(crate) fn set_end(&self, state: &mut TopicState, end: Option<TopicEnd>) {
        if end.is_some() || state.extra.is_some() {
            state.extra().end = end;
        }
        self.seen.end.store(end.map_or(0, |end| end.position), Ordering::Release);
    }

    /// Marks a topic that the hub no longer has. The caller holds the lock, and commits.
    pub(crate) fn set_removed(&self) {
        self.seen.end.store(REMOVED, Ordering::Release);
    }

    /// Publishes a change of the ring and takes out the parked wakers, which [`Deferred::run`] wakes.
    /// `store_head` stores the hub's head. The caller holds the lock.
    pub(crate) fn commit(&self, state: &mut TopicState, deferred: &mut Deferred, store_head: impl FnOnce()) {
        self.seen.trimmed_to.store(state.ring.trimmed_to().position, Ordering::Release);
        self.seen.newest.store(state.ring.newest(), Ordering::Release);
        store_head();
        if let Some(shards) = state.cursors.as_ref().and_then(|cursors| cursors.shards()) {
            let waiting = shards.take_waiting();
            if waiting != 0 {
                deferred.shards.push((shards.clone(), waiting));
            }
        }
        if !state.parked.is_empty() {
            self.seen.wake_generation.fetch_add(1, Ordering::AcqRel);
            let likely = Slab::with_capacity(state.parked.len());
            deferred.woken.push(std::mem::replace(&mut state.parked, likely));
        }
    }

    /// Appends the gap block of this topic. `id` is `None` if another gap block follows at the same position.
    pub(crate) fn write_gap(&self, out: &mut Vec<u8>, event_type: &str, id: Option<EventId>) {
        use std::io::Write;
        let topic = json_string(&self.name);
        // Writing to a Vec cannot fail.
        let _ = write!(out, "event: {event_type}\ndata: {{\"reason\":\"trimmed\",\"topic\":{topic}}}\n");
        let _ = id.map(|id| writeln!(out, "id: {id}"));
        out.push(b'\n');
    }
}

/// A text as a JSON string (RFC 8259, section 7).
pub(super) fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            '\0'..='\u{1f}' => json.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => json.push(char),
        }
    }
    json.push('"');
    json
}
