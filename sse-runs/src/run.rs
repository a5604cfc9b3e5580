//! A run that clients can attach to.

use crate::RunLogError;
use crate::Runs;
use sse_core::Hub;
use sse_core::hub::Topic;
use std::sync::Arc;

/// The ID and the topic of a run. Subscribe a client with `sse.subscribe(run.hub(), run.topic()).replay(Replay::All)`.
///
/// The handle names the run by the ID. After [`Runs::remove`] the next run with this ID is meant.
#[derive(Debug, Clone)]
pub struct RunHandle {
    runs: Runs,
    id: Arc<str>,
    topic: Arc<str>,
    /// On several nodes: keeps the topic in the hub until the client subscribes.
    _kept: Option<Topic>,
}

impl RunHandle {
    pub(crate) fn new(runs: &Runs, id: Arc<str>, topic: Arc<str>) -> Self {
        let kept = runs.inner.nodes.as_ref().and_then(|nodes| nodes.attach(&runs.inner, &topic));
        Self { runs: runs.clone(), id, topic, _kept: kept }
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

    /// Whether the run has not ended. On several nodes: as far as this node has read the log.
    #[must_use]
    pub fn is_active(&self) -> bool {
        let is_known = || match &self.runs.inner.nodes {
            None => self.runs.is_active(&self.id),
            // This handle keeps the topic, unless the run was removed.
            Some(_) => self.hub().topic_stats(&*self.topic).is_some(),
        };
        self.hub().ended(&*self.topic).is_none() && is_known()
    }

    /// Stops the run, as [`Runs::stop`]. Returns whether the run was active and not stopped before.
    ///
    /// # Errors
    /// [`RunLogError`], only on several nodes.
    pub async fn stop(&self) -> Result<bool, RunLogError> {
        self.runs.stop(&*self.id).await
    }
}
