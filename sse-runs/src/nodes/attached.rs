//! The runs that clients of this node may follow.

use sse_core::Hub;
use sse_core::hub::{Topic, TopicBounds};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A run without subscribers is remembered for this time, because its client subscribes after `get`.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A node asks the server for a run at most once in this time, whatever the number of clients that attach.
const FRESH: Duration = Duration::from_millis(20);

/// The smallest number of runs in one beat. Of more runs an eighth is in each beat.
const IN_ONE_BEAT: usize = 256;

#[derive(Default)]
pub(super) struct AttachedRuns(Mutex<Table>);

#[derive(Default)]
struct Table {
    runs: HashMap<Arc<str>, AttachedRun>,
    /// The topics in the order in which beats report them.
    order: VecDeque<Arc<str>>,
}

struct AttachedRun {
    /// Keeps the bounds of the topic.
    topic: Option<Topic>,
    used: Instant,
    /// When the server was last asked.
    found: Option<Instant>,
}

impl AttachedRun {
    fn is_fresh(&self) -> bool {
        self.found.is_some_and(|found| found.elapsed() < FRESH)
    }
}

impl AttachedRuns {
    /// Whether this node found the run at the server just now.
    pub(super) fn is_fresh(&self, topic: &str) -> bool {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.runs.get(topic).is_some_and(AttachedRun::is_fresh)
    }

    /// The run was removed.
    pub(super) fn forget(&self, topic: &str) {
        let _topic = {
            let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            table.runs.get_mut(topic).and_then(|run| {
                run.found = None;
                run.topic.take()
            })
        };
    }

    /// Remembers a run, and returns a handle of its topic with these bounds.
    pub(super) fn add(&self, hub: &Hub, topic: &Arc<str>, bounds: TopicBounds) -> Option<Topic> {
        // Without room for the topic, a subscriber has no room either.
        let handle = hub.topic_with(&**topic, bounds).ok();
        let now = Instant::now();
        let run = AttachedRun { topic: handle.clone(), used: now, found: Some(now) };
        // Dropped after the lock, because the hub may wake streams.
        let _old = {
            let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut run = run;
            // A handle that was made without asking does not count as one.
            if let Some(known) = table.runs.get(topic).filter(|known| known.is_fresh()) {
                run.found = known.found;
            }
            let old = table.runs.insert(topic.clone(), run);
            if old.is_none() {
                table.order.push_back(topic.clone());
            }
            old
        };
        handle
    }

    /// The runs to report with the next beat, each of which has a subscriber. Forgets runs that ended or have no subscriber.
    pub(super) fn next(&self, hub: &Hub) -> Vec<Arc<str>> {
        let now = Instant::now();
        // Dropped after the lock.
        let mut dropped = Vec::new();
        let mut followed = Vec::new();
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *table;
        for _ in 0..table.order.len().min(IN_ONE_BEAT.max(table.order.len() / 8)) {
            let Some(topic) = table.order.pop_front() else { break };
            let Some(run) = table.runs.get_mut(&topic) else { continue };
            let stats = hub.topic_stats(&*topic);
            let has_subscribers = stats.is_some_and(|stats| stats.subscribers > 0);
            if has_subscribers {
                run.used = now;
            }
            if stats.is_none_or(|stats| stats.is_ended) || now.saturating_duration_since(run.used) >= REMEMBERED {
                dropped.extend(table.runs.remove(&topic));
                continue;
            }
            if has_subscribers {
                followed.push(topic.clone());
            }
            table.order.push_back(topic);
        }
        followed
    }
}
