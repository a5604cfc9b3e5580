//! The runs of a hub: start, attach, stop, remove.

use crate::active::{ActiveRun, ActiveRuns, Claim, StopCause};
use crate::builder::RunsBuilder;
use crate::inner::{RunEntry, RunsInner};
use crate::nodes::Nodes;
use crate::nodes::claims::new_token;
use crate::nodes::queue::RunQueue;
use crate::nodes::writer::RunWriter;
use crate::task::Ending;
use crate::{RunHandle, RunLogError, RunOutput, StartRunError};
use sse_core::hub::{MAX_TOPIC_BYTES, PublishError};
use sse_core::{Hub, Runtime, Tokio};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
    fn nodes(&self) -> Option<&Nodes> {
        let nodes = self.inner.nodes.as_ref();
        nodes.inspect(|nodes| nodes.start_tasks(&self.inner))
    }

    /// Starts the work of a new run with this ID, in a task of its own, and returns the run. The work writes to the [`RunOutput`]
    /// and goes on without clients. The run ends when the work returns, is stopped or panics, and each end is an event.
    ///
    /// # Errors
    /// [`StartRunError`]. Nothing was started.
    ///
    /// # Cancel safety
    /// A dropped future has started nothing, except on several nodes: then the log may have the run, which ends as `failed`.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{RunOutput, OutputError, Runs, StartRunError}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), StartRunError> {
    /// let runs = Runs::new(&Hub::new());
    /// async fn work(output: RunOutput) -> Result<(), OutputError> {
    ///     output.send("Hello").map(drop)
    /// }
    /// let run = runs.start("7", work).await?;
    /// assert_eq!(run.topic(), "run/7");
    /// assert_eq!(runs.start("7", work).await.unwrap_err(), StartRunError::Exists);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start<W, F, E>(&self, id: impl AsRef<str>, work: W) -> Result<RunHandle, StartRunError>
    where
        W: FnOnce(RunOutput) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let (id, topic) = self.names(id.as_ref())?;
        self.begin(id, topic, false, work).await
    }

    /// Starts a run. `is_fresh` if no run had the ID before.
    async fn begin<W, F, E>(
        &self,
        id: Arc<str>,
        topic_name: Arc<str>,
        is_fresh: bool,
        work: W,
    ) -> Result<RunHandle, StartRunError>
    where
        W: FnOnce(RunOutput) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let inner = &self.inner;
        let settings = &inner.settings;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartRunError::NoRuntime)?;
        let nodes = self.nodes();
        // The log of a follower takes no event from here. No events: nothing is published.
        if nodes.is_none() && settings.hub.publish_all([("", ""); 0]) == Err(PublishError::Followed) {
            return Err(StartRunError::Followed);
        }
        let claim = nodes.map(|_| Claim {
            token: new_token(),
            queue: RunQueue::new(&settings.hub, settings.max_unsent),
            is_made: AtomicBool::new(false),
        });
        let run = ActiveRun::new(claim);
        if let (Some(nodes), Some(known)) = (nodes, inner.active.get(&id)) {
            // The log may have the end of the last run already, and a removal.
            nodes.ended(&known).await;
        }
        inner.active.insert(&id, &run, settings.max_active)?;
        let mut entered = RunEntry { runs: inner, id: &id, run: &run, is_started: false };
        // The hub is called without the lock, because the hub may wake streams.
        if nodes.is_none() && inner.is_kept(&topic_name) {
            return Err(StartRunError::Exists);
        }
        let open = || settings.hub.topic_with(&*topic_name, settings.bounds).map_err(|_| StartRunError::TooMany);
        let mut topic = open()?;
        if let (Some(nodes), Some(claim)) = (nodes, &run.claim) {
            nodes.claim(inner, &topic_name, claim, is_fresh).await?;
            // The claim may have removed an earlier topic of this name.
            topic = open().unwrap_or(topic);
        }
        entered.is_started = true;
        let output = RunOutput { id: id.clone(), topic: topic.clone(), run: run.clone() };
        // Made before the tasks, so that a run whose task never starts ends too.
        let ending = Ending::new(inner.clone(), id.clone(), topic, run.clone());
        if nodes.is_some() {
            let writer = RunWriter::new(inner.clone(), id.clone(), topic_name.clone(), run.clone());
            runtime.spawn(writer.drive());
        }
        runtime.spawn(ending.drive(work, output));
        drop(entered);
        Ok(RunHandle::new(self, id, topic_name))
    }

    /// Starts a run with a random ID that no client can guess, a UUID of version 4, as [`start`](Self::start).
    ///
    /// # Errors
    /// [`StartRunError`]. Nothing was started.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{OutputError, Runs, StartRunError}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), StartRunError> {
    /// let run = Runs::new(&Hub::new()).start_new(async |output| output.send("Hello")).await?;
    /// assert_eq!(run.id().len(), 36);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_new<W, F, E>(&self, work: W) -> Result<RunHandle, StartRunError>
    where
        W: FnOnce(RunOutput) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let (id, topic) = self.names(&Tokio.random().uuid().to_string())?;
        self.begin(id, topic, true, work).await
    }

    /// Starts a run, or returns the run that has this ID: a request that is sent twice starts one run. The second value is
    /// whether the run was started.
    ///
    /// # Errors
    /// [`StartRunError`], and never [`StartRunError::Exists`].
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{OutputError, RunOutput, Runs, StartRunError}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), StartRunError> {
    /// let runs = Runs::new(&Hub::new());
    /// let work = async |output: RunOutput| output.send("Hello");
    /// assert!(runs.start_or_get("7", work).await?.1);
    /// assert!(!runs.start_or_get("7", work).await?.1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_or_get<W, F, E>(&self, id: impl AsRef<str>, work: W) -> Result<(RunHandle, bool), StartRunError>
    where
        W: FnOnce(RunOutput) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let id = id.as_ref();
        match self.start(id, work).await {
            Err(StartRunError::Exists) => {
                let (id, topic) = self.names(id)?;
                if let Some(nodes) = self.nodes() {
                    // Waits until this node has read what the run needs.
                    nodes.find(&self.inner, &topic).await.map_err(StartRunError::Log)?;
                }
                Ok((RunHandle::new(self, id, topic), false))
            }
            started => Ok((started?, true)),
        }
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
    fn names(&self, id: &str) -> Result<(Arc<str>, Arc<str>), StartRunError> {
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
