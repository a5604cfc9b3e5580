//! The runs of a hub: attach, stop, remove. `start` starts them.

use crate::active::{ActiveRuns, Claim, StopCause};
use crate::builder::RunsBuilder;
use crate::inner::RunsInner;
use crate::nodes::Nodes;
use crate::{RunHandle, RunLogError, StartRunError};
use sse_core::Hub;
use sse_core::hub::MAX_TOPIC_BYTES;
use std::fmt;
use std::sync::Arc;

/// The runs of a hub. Clones share the runs. The [crate] has an example.
#[derive(Clone)]
pub struct Runs {
    pub(crate) inner: Arc<RunsInner>,
}

impl Runs {
    /// Returns the runs of this hub, with the default settings of [`RunsBuilder`].
    ///
    /// Call this once for each hub, and share clones. Two separate `Runs` with one prefix do not know the active runs of each
    /// other, so both could start a run with one ID.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self::builder(hub).build()
    }

    /// Returns a builder with the default settings.
    pub fn builder(hub: &Hub) -> RunsBuilder {
        RunsBuilder::new(hub)
    }

    pub(crate) fn with(settings: RunsBuilder, nodes: Option<Nodes>) -> Self {
        let inner = Arc::new(RunsInner { settings, active: ActiveRuns::default(), nodes });
        let runs = Self { inner };
        let _ = runs.nodes();
        runs
    }

    /// The part for several nodes, with its tasks started.
    pub(crate) fn nodes(&self) -> Option<&Nodes> {
        let nodes = self.inner.nodes.as_ref();
        nodes.inspect(|nodes| nodes.start_tasks(&self.inner))
    }

    /// Returns the run with this ID, if the work goes on or the hub keeps the topic. `None` for an unknown ID, so that no client
    /// waits for ever: answer 404, or 204 if the client of the protocol asks for that.
    ///
    /// On several nodes the node asks the server for a run of another node, at most every 20 ms for each run, and waits until it has
    /// read the start of the run. While the server is unreachable, a node finds the runs whose events it holds.
    ///
    /// # Errors
    /// [`RunLogError`], only on several nodes.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{OutputError, Runs, StartRunError}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runs = Runs::new(&Hub::new());
    /// assert!(runs.get("7").await?.is_none());
    /// runs.start("7", async |output| output.send("Hello")).await?;
    /// assert!(runs.get("7").await?.is_some_and(|run| run.is_active()));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<RunHandle>, RunLogError> {
        let Ok((id, topic)) = self.names(id.as_ref()) else { return Ok(None) };
        let is_found = match self.nodes() {
            Some(nodes) => self.is_claimed(&id) || nodes.find(&self.inner, &topic).await?,
            None => self.is_active(&id) || self.inner.is_kept(&topic),
        };
        Ok(is_found.then(|| RunHandle::new(self, id, topic)))
    }

    /// Stops a run, from any node: the clients receive `stopped`. Returns whether the run was active and not stopped before.
    ///
    /// The handler must check which clients may stop a run. The work is dropped at the next await point, or after
    /// [`RunsBuilder::stop_grace`]. Work that blocks a thread goes on until then, and sends nothing.
    ///
    /// # Errors
    /// [`RunLogError`], only on several nodes. The run may have been stopped.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{RunOutput, Runs, StartRunError}, std::future::pending};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runs = Runs::new(&Hub::new());
    /// runs.start("7", |_: RunOutput| pending::<Result<(), String>>()).await?;
    /// assert!(runs.stop("7").await?);
    /// assert!(!runs.stop("7").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop(&self, id: impl AsRef<str>) -> Result<bool, RunLogError> {
        let id = id.as_ref();
        match (self.inner.active.get(id), self.nodes()) {
            (Some(run), _) => Ok(run.stop(StopCause::Requested)),
            (None, None) => Ok(false),
            (None, Some(nodes)) => match self.names(id) {
                Ok((id, topic)) => nodes.stop(topic, id).await,
                Err(_) => Ok(false),
            },
        }
    }

    /// Stops a run and removes the events. Streams of the run are closed, and the ID is free. Later sends of the work return
    /// an error, also when another run has the ID. The work counts for [`RunsBuilder::max_active`] until the work has ended.
    /// Returns whether there was such a run.
    ///
    /// Use this in place of [`Hub::remove`], which removes the events and does not stop the work.
    ///
    /// # Errors
    /// [`RunLogError`], only on several nodes. The run may have been removed.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{RunOutput, Runs, StartRunError}, std::future::pending};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runs = Runs::new(&Hub::new());
    /// let work = |_: RunOutput| pending::<Result<(), String>>();
    /// runs.start("7", work).await?;
    /// assert!(runs.remove("7").await?);
    /// runs.start("7", work).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove(&self, id: impl AsRef<str>) -> Result<bool, RunLogError> {
        let Ok((id, topic)) = self.names(id.as_ref()) else { return Ok(false) };
        match self.nodes() {
            None => Ok(self.remove_here(&id, &topic)),
            // The node of the run reads the request in the log, also if it is this one.
            Some(nodes) => nodes.remove(topic.clone(), id, self.inner.is_kept(&topic)).await,
        }
    }

    fn remove_here(&self, id: &str, topic: &str) -> bool {
        let mut removed = false;
        loop {
            let run = self.inner.active.get(id);
            if let Some(run) = &run {
                run.replace_cause(StopCause::Removed);
            }
            removed |= self.hub().remove(topic).unwrap_or(false) || run.is_some();
            // The ID was not free until now, so that no new run loses a topic.
            let was_same = run.is_some_and(|run| self.inner.active.free_id(id, &run));
            // After another removal a new run may have started in between. That run has lost the topic, so the run is removed.
            if was_same || !self.is_active(id) {
                return removed;
            }
        }
    }

    /// The number of runs whose work goes on at this node, also of runs that were stopped or removed.
    #[must_use]
    pub fn active(&self) -> usize {
        self.inner.active.len()
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.inner.settings.hub
    }

    pub(crate) fn is_active(&self, id: &str) -> bool {
        self.inner.active.get(id).is_some()
    }

    /// Whether the run goes on at this node, and no other node can have the ID.
    fn is_claimed(&self, id: &str) -> bool {
        self.inner.active.get(id).is_some_and(|run| run.claim.as_ref().is_none_or(Claim::is_made))
    }

    /// The ID and the topic of a run.
    pub(crate) fn names(&self, id: &str) -> Result<(Arc<str>, Arc<str>), StartRunError> {
        let topic = format!("{}{id}", self.inner.settings.prefix);
        match topic.len() > MAX_TOPIC_BYTES {
            true => Err(StartRunError::IdTooLong(topic.len())),
            false => Ok((id.into(), topic.into())),
        }
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runs").field("active", &self.active()).finish_non_exhaustive()
    }
}
