//! The logs that the reader has not taken yet.

use crate::node::NodeLog;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

#[derive(Clone, Default)]
pub(crate) struct LogQueue {
    queue: Arc<Mutex<Queue>>,
    /// Wakes the reader: a log was added or stopped, or should be inspected.
    pub(crate) wake: Arc<Notify>,
}

#[derive(Default)]
struct Queue {
    logs: Vec<NodeLog>,
    has_reader: bool,
}

/// The reader's end of the queue.
pub(crate) struct LogSource {
    queue: LogQueue,
    ended: bool,
}

impl LogQueue {
    /// Adds a log. The caller must start a reader if one is returned.
    pub(crate) fn add(&self, log: NodeLog) -> Option<LogSource> {
        let starts = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.logs.push(log);
            !std::mem::replace(&mut queue.has_reader, true)
        };
        self.wake.notify_one();
        starts.then(|| LogSource { queue: self.clone(), ended: false })
    }
}

impl LogSource {
    /// Moves the new logs to `logs`. Returns false if there is no log at all. The reader must then end.
    pub(crate) fn take(&mut self, logs: &mut Vec<NodeLog>) -> bool {
        let mut queue = self.queue.queue.lock().unwrap_or_else(PoisonError::into_inner);
        logs.append(&mut queue.logs);
        queue.has_reader = !logs.is_empty();
        self.ended = logs.is_empty();
        !self.ended
    }

    pub(crate) async fn woken(&self) {
        self.queue.wake.notified().await;
    }
}

impl Drop for LogSource {
    // The runtime of the reader may end before the program does. A later log then starts another reader.
    fn drop(&mut self) {
        if !self.ended {
            let mut queue = self.queue.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.has_reader = false;
        }
    }
}
