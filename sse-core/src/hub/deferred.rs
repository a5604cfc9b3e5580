//! Work that is collected under a lock, for the time after the lock.

use super::Inner;
use super::shards::Shards;
use super::topic::SharedTopic;
use crate::runtime::sync::Arc;
use crate::runtime::wake;
use crate::runtime::wake_task::{WAKES, WakeTask};
use bytes::Bytes;
use slab::Slab;
use std::task::Waker;

/// Bytes and topics to drop, and wakers to wake.
#[derive(Default)]
pub(crate) struct Deferred {
    pub(crate) garbage: Vec<Bytes>,
    pub(crate) woken: Vec<Slab<Waker>>,
    /// The shards of topics, and a bit for each shard whose wakers are to be woken.
    pub(super) shards: Vec<(Arc<Shards>, u64)>,
    pub(crate) topics: Vec<Arc<SharedTopic>>,
}

impl Deferred {
    /// Wakes and drops. Of more than [`WAKES`] subscribers, a task wakes the rest. The caller must hold no lock, because
    /// wakers and drops run code of the application.
    pub(crate) fn run(self, hub: &Inner) {
        let Self { garbage, mut woken, shards, topics } = self;
        for (shards, waiting) in &shards {
            woken.extend(shards.take_parked(*waiting));
        }
        if woken.iter().map(Slab::len).sum::<usize>() > WAKES {
            let mut task = WakeTask::new(woken);
            // If a waker panics here, the drop of the task wakes the rest.
            task.wake_some();
            hub.runtime.spawn(task);
        } else if !woken.is_empty() {
            wake::each(woken, |mut parked| wake::all(parked.drain()));
        }
        drop((garbage, topics));
    }
}
