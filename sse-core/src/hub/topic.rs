//! One topic: its ring behind a lock, and the wakers of the cursors that wait for it.

use super::id::EventId;
use super::ring::Ring;
use super::trim_point::TrimPoint;
use crate::runtime::sync::atomic::{AtomicU64, Ordering};
use crate::runtime::sync::{Arc, Mutex, MutexGuard};
use bytes::Bytes;
use slab::Slab;
use std::task::Waker;

pub(crate) struct SharedTopic {
    pub(crate) name: Box<str>,
    /// The newest position in the ring, for readers without the lock. Stored under the lock, before the hub's head.
    newest: AtomicU64,
    /// Counts how often the parked wakers were taken out. The waker of a cursor is still parked if this number has not
    /// changed since the cursor parked.
    wake_generation: AtomicU64,
    state: Mutex<TopicState>,
}

pub(crate) struct TopicState {
    pub(crate) ring: Ring,
    pub(crate) parked: Slab<Waker>,
    /// The number of subscribers and handles. A topic with at least one of them is never dropped.
    pub(crate) users: usize,
    /// The handles among the users.
    pub(crate) handles: usize,
    /// The key of this topic in the map of topics by oldest event.
    pub(crate) oldest: u64,
}

impl SharedTopic {
    pub(crate) fn new(name: &str, trimmed: TrimPoint) -> Self {
        let state = TopicState { ring: Ring::new(trimmed), parked: Slab::new(), users: 0, handles: 0, oldest: 0 };
        let newest = AtomicU64::new(trimmed.position);
        Self { name: name.into(), newest, wake_generation: AtomicU64::new(1), state: Mutex::new(state) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, TopicState> {
        self.state.lock()
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    pub(crate) fn wake_generation(&self) -> u64 {
        self.wake_generation.load(Ordering::Acquire)
    }

    /// Publishes a change of the ring and takes out the parked wakers, which the caller wakes without the lock.
    /// `store_head` stores the hub's head. The caller holds the lock.
    pub(crate) fn commit(&self, state: &mut TopicState, deferred: &mut Deferred, store_head: impl FnOnce()) {
        self.newest.store(state.ring.newest(), Ordering::Release);
        store_head();
        if !state.parked.is_empty() {
            self.wake_generation.fetch_add(1, Ordering::AcqRel);
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
fn json_string(text: &str) -> String {
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

/// Work collected under a lock, for the time after the lock: bytes and topics to drop, and wakers to wake.
#[derive(Default)]
pub(crate) struct Deferred {
    pub(crate) garbage: Vec<Bytes>,
    pub(crate) woken: Vec<Slab<Waker>>,
    pub(crate) topics: Vec<Arc<SharedTopic>>,
}

impl Deferred {
    /// Wakes and drops. The caller must hold no lock, because wakers and drops run code of the application.
    pub(crate) fn run(self) {
        let Self { garbage, woken, topics } = self;
        if !woken.is_empty() {
            crate::runtime::wake::each(woken, |mut parked| crate::runtime::wake::all(parked.drain()));
        }
        drop((garbage, topics));
    }
}
