//! The state that the clones of a hub, its streams and its handles share.

use super::history::History;
use super::id::EventId;
use super::limits::HubLimits;
use super::registry::Registry;
use super::retry_later::RetryLater;
use super::stats::Counters;
use super::topic::{SharedTopic, TopicState};
use crate::runtime::runtime::{Random, Runtime, Timer};
use crate::runtime::sync::atomic::AtomicU64;
use crate::runtime::sync::{Apart, Arc, Mutex};
use crate::runtime::wake_task::WakeTask;
use crate::stream::rules::Rules;
use std::pin::Pin;
use std::time::{Duration, Instant};

pub(crate) struct Inner {
    pub(crate) runtime: Box<dyn DynRuntime>,
    pub(crate) limits: HubLimits,
    /// The rules for every event that is sent to subscribers.
    pub(crate) rules: Rules,
    /// Locked by every publish, and by every subscriber that enters or leaves. The lock of a topic may be taken while this
    /// lock is held, never the other way round.
    pub(crate) history: Mutex<History>,
    /// The newest position. Every entry up to it is complete in every topic, because it is stored last, under the lock of
    /// the topic.
    pub(crate) head: Apart<AtomicU64>,
    /// The number of truncations so far.
    pub(crate) epoch: AtomicU64,
    pub(crate) registry: Registry,
    pub(crate) counters: Counters,
    #[cfg(feature = "gzip")]
    pub(crate) gzip: crate::hub::gzip::Gzip,
    retry_later: Mutex<RetryLater>,
}

impl Inner {
    pub(crate) fn new(runtime: Box<dyn DynRuntime>, limits: HubLimits, history: History) -> Self {
        Self {
            runtime,
            rules: Rules::of_hub(limits.gap_type.clone(), limits.max_event_bytes),
            #[cfg(feature = "gzip")]
            gzip: crate::hub::gzip::Gzip::new(limits.gzip.compressors, limits.hub_bytes),
            limits,
            history: Mutex::new(history),
            head: Apart(AtomicU64::new(0)),
            epoch: AtomicU64::new(0),
            registry: Registry::default(),
            counters: Counters::default(),
            retry_later: Mutex::default(),
        }
    }

    /// The time, if events expire. The caller holds no lock, because the clock is code of the application.
    pub(crate) fn now_if_aging(&self) -> Option<Instant> {
        self.limits.topic_age.or(self.limits.ended_topic_age).map(|_| self.runtime.now())
    }

    /// Counts a client that must retry later, and draws the wait of this client.
    pub(crate) fn draw_retry_later(&self) -> Duration {
        Counters::add(&self.counters.retry_later, 1);
        let now = self.runtime.now();
        let range = self.retry_later.lock().add(now, &self.limits.drain_retry);
        self.runtime.random().duration(range)
    }

    /// Draws the reconnection time that a channel sends: `None` unless the application set one, or the client of the channel
    /// may keep the wait of a "retry later".
    pub(crate) fn draw_channel_retry(&self) -> Option<Duration> {
        let sends = self.limits.retry.is_some() || {
            let now = self.runtime.now();
            self.retry_later.lock().is_kept(now)
        };
        sends.then(|| self.runtime.random().duration(self.limits.retry()))
    }

    /// The compressed bytes of stored events, which count towards `hub_bytes`.
    pub(crate) fn compressed_bytes(&self) -> usize {
        #[cfg(feature = "gzip")]
        return self.gzip.held();
        #[cfg(not(feature = "gzip"))]
        0
    }

    /// The gap block for a client whose ID is unknown or was truncated.
    pub(crate) fn unknown_gap(&self, id: Option<EventId>) -> Vec<u8> {
        let event_type = &self.limits.gap_type;
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        format!("event: {event_type}\ndata: {{\"reason\":\"unknown\"}}\n{id}\n").into_bytes()
    }

    /// Removes one subscriber or handle of a topic. The value that `take` returns is dropped without a lock.
    pub(crate) fn leave_topic<T>(
        &self,
        topic: &Arc<SharedTopic>,
        is_handle: bool,
        take: impl FnOnce(&mut TopicState) -> T,
    ) {
        let (taken, watchers, was_last) = {
            let mut locked = topic.lock();
            let watchers = locked.leave(is_handle);
            (take(&mut locked), watchers, locked.users == 0)
        };
        drop(taken);
        if was_last {
            self.history.lock().topics.release(topic);
        }
        crate::runtime::wake::all(watchers.into_values());
    }
}

/// A [`Runtime`] as a trait object, so that the type of a hub does not depend on it.
pub(crate) trait DynRuntime: Send + Sync {
    fn now(&self) -> Instant;
    fn timer(&self) -> Pin<Box<dyn Timer>>;
    fn random(&self) -> &Random;
    fn spawn(&self, task: WakeTask);
}

impl<R: Runtime> DynRuntime for R {
    fn now(&self) -> Instant {
        Runtime::now(self)
    }

    fn timer(&self) -> Pin<Box<dyn Timer>> {
        Box::pin(Runtime::timer(self))
    }

    fn random(&self) -> &Random {
        Runtime::random(self)
    }

    fn spawn(&self, task: WakeTask) {
        Runtime::spawn(self, task);
    }
}
