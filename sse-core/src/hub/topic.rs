//! One topic: its ring behind a lock, and the cursors parked on it.

use super::id::EventId;
use super::ring::{Ring, TrimPoint};
use crate::runtime::sync::atomic::{AtomicU64, Ordering};
use crate::runtime::sync::{Arc, Mutex, MutexGuard};
use bytes::Bytes;
use slab::Slab;
use std::task::Waker;

pub(crate) struct Topic {
    pub(crate) name: Box<str>,
    /// The newest position in the ring, to be looked at without its lock. Stored inside it, before the hub's head.
    newest: AtomicU64,
    /// Counts how often the parked cursors were woken. A cursor is parked if it was parked in this round.
    round: AtomicU64,
    locked: Mutex<Locked>,
}

pub(crate) struct Locked {
    pub(crate) ring: Ring,
    pub(crate) parked: Slab<Waker>,
    /// Subscribers and handles, which keep the topic although it may be empty.
    pub(crate) readers: usize,
    /// The position under which the hub finds the topic among those that hold events.
    pub(crate) oldest: u64,
}

impl Topic {
    pub(crate) fn new(name: &str, forgotten: TrimPoint) -> Self {
        let locked = Locked { ring: Ring::new(forgotten), parked: Slab::new(), readers: 0, oldest: 0 };
        let newest = AtomicU64::new(forgotten.position);
        Self { name: name.into(), newest, round: AtomicU64::new(1), locked: Mutex::new(locked) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Locked> {
        self.locked.lock()
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    pub(crate) fn round(&self) -> u64 {
        self.round.load(Ordering::Acquire)
    }

    /// Makes public what was done to the ring, and takes out whoever is parked, to be woken without the lock. The
    /// caller holds it.
    pub(crate) fn changed(&self, locked: &mut Locked, deferred: &mut Deferred, publish: impl FnOnce()) {
        self.newest.store(locked.ring.newest(), Ordering::Release);
        publish();
        if !locked.parked.is_empty() {
            self.round.fetch_add(1, Ordering::AcqRel);
            let likely = Slab::with_capacity(locked.parked.len());
            deferred.woken.push(std::mem::replace(&mut locked.parked, likely));
        }
    }

    /// Appends the block that tells a reader of this topic that something is missing, with the position it goes on from
    /// if no other gap follows at the same one.
    pub(crate) fn write_gap(&self, out: &mut Vec<u8>, event_type: &str, id: Option<EventId>) {
        use std::io::Write;
        let topic = json_string(&self.name);
        // Writing to a Vec cannot fail.
        let _ = write!(out, "event: {event_type}\ndata: {{\"reason\":\"trimmed\",\"topic\":{topic}}}\n");
        let _ = id.map(|id| writeln!(out, "id: {id}"));
        out.push(b'\n');
    }
}

/// A text as JSON writes it (RFC 8259, 7).
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

/// What leaves a lock to be dropped or woken outside it.
#[derive(Default)]
pub(crate) struct Deferred {
    pub(crate) garbage: Vec<Bytes>,
    pub(crate) woken: Vec<Slab<Waker>>,
    pub(crate) topics: Vec<Arc<Topic>>,
}

impl Deferred {
    /// To be called where no lock is held.
    pub(crate) fn run(self) {
        let Self { garbage, woken, topics } = self;
        if !woken.is_empty() {
            crate::runtime::wake::each(woken, |mut parked| crate::runtime::wake::all(parked.drain()));
        }
        drop((garbage, topics));
    }
}
