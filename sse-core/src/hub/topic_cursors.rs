//! The part of a topic that its cursors share: taking events and parking wakers.

use super::ring::Run;
use super::shards::{KEPT_RUN_BYTES, ShardSpot, Shards};
use super::topic::{SharedTopic, TopicState};
use crate::runtime::sync::{Arc, thread_place};
use crate::stream::source::CHUNK_BYTES;
use slab::Slab;
use std::ops::Deref;
use std::sync::OnceLock;
use std::task::Waker;

/// With fewer cursors a topic has no shards, whose memory would be much for each of the cursors.
const SHARDED_CURSORS: usize = if cfg!(feature = "__loom") { 2 } else { 16 };

/// A topic as its cursors see it. Exists only while a cursor follows the topic, so a topic without cursors keeps no shards.
pub(crate) struct TopicCursors {
    pub(super) shared: Arc<SharedTopic>,
    /// Created when a second thread parks. Until then the wakers are in the state of the topic.
    shards: OnceLock<Arc<Shards>>,
}

impl Deref for TopicCursors {
    type Target = SharedTopic;

    fn deref(&self) -> &SharedTopic {
        &self.shared
    }
}

/// The place of a parked waker.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spot {
    /// 0 if the waker was never parked.
    generation: u64,
    /// 0 for the state of the topic, otherwise 1 more than the number of the shard.
    place: u32,
    at: u32,
}

impl Spot {
    const fn in_shard(self) -> Option<ShardSpot> {
        match self.place.checked_sub(1) {
            Some(shard) => Some(ShardSpot { shard, generation: self.generation, at: self.at }),
            None => None,
        }
    }

    const fn of_shard(spot: ShardSpot) -> Self {
        Self { generation: spot.generation, place: spot.shard + 1, at: spot.at }
    }
}

impl TopicCursors {
    /// Adds a cursor to a topic.
    pub(super) fn enter(topic: &Arc<SharedTopic>) -> Arc<Self> {
        let mut state = topic.lock();
        state.cursor_count += 1;
        let new = || Arc::new(Self { shared: topic.clone(), shards: OnceLock::new() });
        state.cursors.get_or_insert_with(new).clone()
    }

    pub(super) fn shards(&self) -> Option<&Arc<Shards>> {
        self.shards.get()
    }

    /// The events after `after` up to the head, as far as their bytes are contiguous: at most one chunk, or one larger
    /// event. `None` if the next entry is a gap. `newest` is the newest position that the caller has seen.
    pub(super) fn take(&self, after: u64, head: u64, newest: u64) -> Option<Run> {
        let Some(shards) = self.shards() else { return self.lock().ring.take(after, head, CHUNK_BYTES) };
        // The ring would return the same run: it has nothing newer, and has lost nothing after this position.
        if newest <= head
            && after >= self.trimmed_to()
            && let Some(run) = shards.kept_run(after, newest)
        {
            return Some(run);
        }
        let run = self.lock().ring.take(after, head, CHUNK_BYTES)?;
        // A cursor that is behind is alone there.
        let is_kept = run.bytes.len() <= KEPT_RUN_BYTES && run.last == self.newest();
        Some(if is_kept { shards.keep_run(after, &run) } else { run })
    }

    /// Parks a waker. `same` is whether this waker is the one that was parked. Returns `false` if there is news.
    pub(super) fn park(
        &self,
        spot: &mut Spot,
        waker: &Waker,
        same: bool,
        has_news: impl Fn(&SharedTopic) -> bool,
    ) -> bool {
        // Every later publish wakes a waker that is still parked.
        if self.is_parked(*spot) && (same || self.replace(*spot, waker)) {
            return true;
        }
        // Code of the application, so it runs without a lock.
        let fresh = waker.clone();
        let shards = match self.shards() {
            Some(shards) => shards,
            None => {
                let mut state = self.lock();
                if has_news(self) {
                    return false;
                }
                if !state.parked.is_empty()
                    && state.parking_thread != thread_place()
                    && state.cursor_count >= SHARDED_CURSORS
                {
                    // Under the lock that a publish takes before it looks for shards.
                    self.shards.get_or_init(|| Arc::new(Shards::new()))
                } else {
                    if state.parked.is_empty() {
                        state.parking_thread = thread_place();
                    }
                    let at = state.parked.insert(fresh) as u32;
                    *spot = Spot { generation: self.wake_generation(), place: 0, at };
                    return true;
                }
            }
        };
        *spot = Spot::of_shard(shards.park(fresh));
        !has_news(self)
    }

    /// Replaces a parked waker. Returns `false` if the waker is no longer parked.
    #[cold]
    fn replace(&self, spot: Spot, waker: &Waker) -> bool {
        let fresh = waker.clone();
        let replaced = if let (Some(shards), Some(spot)) = (self.shards(), spot.in_shard()) {
            shards.replace(spot, fresh)
        } else {
            let mut state = self.lock();
            let is_parked = self.wake_generation() == spot.generation;
            match state.parked.get_mut(spot.at as usize).filter(|_| is_parked) {
                Some(slot) => Ok(std::mem::replace(slot, fresh)),
                None => Err(fresh),
            }
        };
        // The drop of either waker is code of the application too.
        replaced.is_ok()
    }

    fn is_parked(&self, spot: Spot) -> bool {
        match (spot.in_shard(), self.shards()) {
            (Some(spot), Some(shards)) => shards.is_parked(spot),
            _ => self.wake_generation() == spot.generation,
        }
    }

    /// Takes the waker of a cursor that leaves out of the shards, with memory that is no longer used. The caller drops both.
    pub(super) fn unpark(&self, spot: Spot) -> Option<(Option<Waker>, Slab<Waker>)> {
        Some(self.shards()?.unpark(spot.in_shard()?))
    }

    /// Removes a cursor from the topic, whose state the caller has locked, with its waker. The caller drops the result.
    pub(super) fn leave(&self, state: &mut TopicState, spot: Spot) -> impl Sized + use<> {
        let is_here = spot.place == 0 && self.wake_generation() == spot.generation;
        let waker = if is_here { state.parked.try_remove(spot.at as usize) } else { None };
        // The last subscriber releases the memory that a crowd of wakers needed.
        let unused = if state.parked.is_empty() { std::mem::take(&mut state.parked) } else { Slab::new() };
        state.cursor_count -= 1;
        let cursors = if state.cursor_count == 0 { state.cursors.take() } else { None };
        (waker, unused, cursors)
    }
}

#[cfg(all(test, not(feature = "__loom")))]
#[path = "topic_cursors_tests.rs"]
mod tests;
