//! The wakers of a topic whose cursors are polled by several threads, in a shard for each thread.

use super::ring::Run;
use crate::runtime::sync::atomic::{AtomicU64, Ordering};
use crate::runtime::sync::{Apart, Mutex, thread_place, threads};
use bytes::Bytes;
use slab::Slab;
use std::task::Waker;

/// The maximum size of a run that a shard keeps for the next cursor of its thread. All shards of a topic together keep at
/// most 16 times as much, which does not count as stored bytes of the hub.
pub(super) const KEPT_RUN_BYTES: usize = 4 * 1024;

/// The shards of a topic. A cursor takes and parks in the shard of the thread that polls the cursor, so threads do not
/// compete for a lock or a cache line.
///
/// # Why no wake is lost
/// A cursor puts its waker into a shard, sets the bit of the shard in `waiting`, and then looks for a new event once more. A
/// publish stores the event, and then takes all bits. Both change `waiting` by one read-modify-write with acquire and
/// release, and such operations on one value have an order:
/// - The cursor is first: the publish takes the bit. It then locks the shard, and finds the waker.
/// - The publish is first: the cursor reads what the publish wrote, so it sees the event.
///
/// A cursor that finds the bit set does not set it again. Then the publish that takes this bit locks the shard afterwards:
/// if it locked the shard before the cursor did, the cursor would have found the bit cleared. And the cursor sees the events
/// of every publish that took the bit before it was set, because it reads the value with acquire.
///
/// So a waker in a shard belongs to a set bit, or to a publish that has taken the bit and is about to lock the shard. A
/// cursor whose waker is still in its shard therefore need not look again.
#[derive(Debug)]
pub(crate) struct Shards {
    /// One bit for each shard that may hold wakers.
    waiting: Apart<AtomicU64>,
    first: Apart<Shard>,
    others: Box<[Apart<Shard>]>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Counts how often the wakers were taken out. Changed under the lock.
    generation: AtomicU64,
    state: Mutex<ShardState>,
}

#[derive(Debug, Default)]
struct ShardState {
    parked: Slab<Waker>,
    run: Option<KeptRun>,
}

/// The newest run of the topic, for cursors at these positions.
#[derive(Debug)]
struct KeptRun {
    from: u64,
    to: u64,
    run: Run,
}

/// The place of a waker in the shards.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShardSpot {
    pub(super) shard: u32,
    pub(super) generation: u64,
    pub(super) at: u32,
}

impl Shards {
    pub(super) fn new() -> Self {
        Self {
            waiting: Apart::default(),
            first: Apart::default(),
            others: (1..threads()).map(|_| Apart::default()).collect(),
        }
    }

    fn shard(&self, number: usize) -> &Shard {
        number.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }

    /// Puts a waker into the shard of this thread. The caller looks for new events afterwards.
    pub(super) fn park(&self, waker: Waker) -> ShardSpot {
        let number = thread_place();
        let shard = self.shard(number);
        let mut state = shard.state.lock();
        let at = state.parked.insert(waker);
        let bit = 1 << number;
        // To write only if necessary leaves the cache line with all threads.
        if self.waiting.load(Ordering::Acquire) & bit == 0 {
            self.waiting.fetch_or(bit, Ordering::AcqRel);
        }
        ShardSpot { shard: number as u32, generation: shard.generation.load(Ordering::Relaxed), at: at as u32 }
    }

    /// Whether the waker is still parked.
    pub(super) fn is_parked(&self, spot: ShardSpot) -> bool {
        self.shard(spot.shard as usize).generation.load(Ordering::Acquire) == spot.generation
    }

    /// Replaces a waker. Returns the old one, or the new one if the old one is no longer parked.
    pub(super) fn replace(&self, spot: ShardSpot, waker: Waker) -> Result<Waker, Waker> {
        let shard = self.shard(spot.shard as usize);
        let mut state = shard.state.lock();
        let is_parked = shard.generation.load(Ordering::Relaxed) == spot.generation;
        match state.parked.get_mut(spot.at as usize).filter(|_| is_parked) {
            Some(slot) => Ok(std::mem::replace(slot, waker)),
            None => Err(waker),
        }
    }

    /// Takes a waker out, and the memory of the shard's wakers after the last one. The caller drops both.
    pub(super) fn unpark(&self, spot: ShardSpot) -> (Option<Waker>, Slab<Waker>) {
        let shard = self.shard(spot.shard as usize);
        let mut state = shard.state.lock();
        let is_parked = shard.generation.load(Ordering::Relaxed) == spot.generation;
        let waker = if is_parked { state.parked.try_remove(spot.at as usize) } else { None };
        (waker, if state.parked.is_empty() { std::mem::take(&mut state.parked) } else { Slab::new() })
    }

    /// Takes the bits of the shards that may hold wakers. The caller has stored the event.
    pub(super) fn take_waiting(&self) -> u64 {
        self.waiting.swap(0, Ordering::AcqRel)
    }

    /// Takes the wakers of these shards out. The caller wakes them.
    pub(super) fn take_parked(&self, mut waiting: u64) -> impl Iterator<Item = Slab<Waker>> {
        std::iter::from_fn(move || {
            let shard = self.shard(waiting.trailing_zeros() as usize);
            waiting &= waiting.checked_sub(1)?;
            let mut state = shard.state.lock();
            shard.generation.fetch_add(1, Ordering::Release);
            let likely = Slab::with_capacity(state.parked.len());
            Some(std::mem::replace(&mut state.parked, likely))
        })
    }

    /// The run that the shard of this thread keeps, if it is the newest one and continues this position.
    pub(super) fn kept_run(&self, after: u64, newest: u64) -> Option<Run> {
        let state = self.shard(thread_place()).state.lock();
        let kept = state.run.as_ref().filter(|kept| kept.run.last == newest)?;
        (kept.from..=kept.to).contains(&after).then(|| kept.run.clone())
    }

    /// Keeps a copy of the newest run for the next cursor of this thread, and returns the run of the copy. The bytes are a
    /// copy, because threads would compete for a common count of references.
    pub(super) fn keep_run(&self, after: u64, run: &Run) -> Run {
        let run = Run { bytes: Bytes::copy_from_slice(&run.bytes), ..*run };
        let mut old = Some(KeptRun { from: after, to: after, run: run.clone() });
        {
            let mut state = self.shard(thread_place()).state.lock();
            match &mut state.run {
                // The same events, taken at another position. The topic has no event between the two positions.
                Some(kept) if kept.run.last == run.last && kept.run.events == run.events => {
                    (kept.from, kept.to) = (kept.from.min(after), kept.to.max(after));
                }
                kept => std::mem::swap(kept, &mut old),
            }
        }
        drop(old);
        run
    }
}
