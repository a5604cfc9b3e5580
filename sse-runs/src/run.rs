//! A run that clients can attach to.

use crate::Runs;
use sse_core::Hub;
use std::sync::Arc;

/// The ID and the topic of a run. Subscribe a client with `sse.subscribe(run.hub(), run.topic()).replay(Replay::All)`.
///
/// The handle names the run by the ID. After [`Runs::remove`] the next run with this ID is meant.
#[derive(Debug, Clone)]
pub struct RunHandle {
    runs: Runs,
    id: Arc<str>,
    topic: Arc<str>,
}

impl RunHandle {
    pub(crate) fn new(runs: &Runs, id: Arc<str>, topic: &str) -> Self {
        Self { runs: runs.clone(), id, topic: topic.into() }
    }

    /// The ID of the run.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of the topic with the events of the run.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The hub with the topic.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        self.runs.hub()
    }

    /// Whether the run has not ended.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.hub().ended(&*self.topic).is_none() && self.runs.is_active(&self.id)
    }

    /// Stops the run, as [`Runs::stop`]. Returns whether the run was active and not stopped before.
    pub fn stop(&self) -> bool {
        self.runs.stop(&*self.id)
    }
}
