//! The runs of a hub: start, attach, stop, remove.

use crate::active::{ActiveRun, ActiveRuns, StopCause};
use crate::builder::RunsBuilder;
use crate::task::Ending;
use crate::{RunHandle, RunOutput};
use sse_core::hub::{MAX_TOPIC_BYTES, PublishError};
use sse_core::{Hub, Runtime, Tokio};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// The runs of a hub. Clones share the runs. The [crate] has an example.
#[derive(Clone)]
pub struct Runs {
    inner: Arc<RunsInner>,
}

pub(crate) struct RunsInner {
    pub(crate) settings: RunsBuilder,
    pub(crate) active: ActiveRuns,
}

/// The reason why no run was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartRunError {
    /// A run has this ID, and goes on or is kept. [`Runs::start_or_get`] returns that run; [`Runs::remove`] frees the ID.
    #[error("a run with this ID exists")]
    Exists,
    /// The prefix and the ID together have this many bytes, more than [`MAX_TOPIC_BYTES`].
    #[error("the topic of the run has {0} bytes, and the limit is {MAX_TOPIC_BYTES}")]
    IdTooLong(usize),
    /// As many runs are active as [`RunsBuilder::max_active`] allows, or the hub has
    /// [`max_topics`](sse_core::hub::HubBuilder::max_topics) topics that are in use.
    #[error("too many runs are active: `RunsBuilder::max_active` and `HubBuilder::max_topics` change the limits")]
    TooMany,
    /// The hub follows a log. These runs live in the memory of one process.
    #[error("the hub follows a log, and these runs live in the memory of one process")]
    Followed,
    /// The call was made outside of a tokio runtime.
    #[error("a run needs a tokio runtime")]
    NoRuntime,
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

    pub(crate) fn with(settings: RunsBuilder) -> Self {
        Self { inner: Arc::new(RunsInner { settings, active: ActiveRuns::default() }) }
    }

    /// Starts the work of a new run with this ID, in a task of its own, and returns the run. The work writes to the [`RunOutput`]
    /// and goes on without clients. The run ends when the work returns, is stopped or panics, and each end is an event.
    ///
    /// # Errors
    /// [`StartRunError`]. Nothing was started.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{RunOutput, OutputError, Runs, StartRunError}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), StartRunError> {
    /// let runs = Runs::new(&Hub::new());
    /// async fn work(output: RunOutput) -> Result<(), OutputError> {
    ///     output.send("Hello").map(drop)
    /// }
    /// let run = runs.start("7", work)?;
    /// assert_eq!(run.topic(), "run/7");
    /// assert_eq!(runs.start("7", work).unwrap_err(), StartRunError::Exists);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<W, F, E>(&self, id: impl AsRef<str>, work: W) -> Result<RunHandle, StartRunError>
    where
        W: FnOnce(RunOutput) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let (id, topic_name) = self.names(id.as_ref())?;
        let settings = &self.inner.settings;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartRunError::NoRuntime)?;
        // The log of a follower takes no event from here. No events: nothing is published.
        if settings.hub.publish_all([("", ""); 0]) == Err(PublishError::Followed) {
            return Err(StartRunError::Followed);
        }
        let run = ActiveRun::new();
        self.inner.active.insert(&id, &run, settings.max_active)?;
        // The hub is called without the lock, because the hub may wake streams.
        let topic = match self.is_kept(&topic_name) {
            true => Err(StartRunError::Exists),
            false => settings.hub.topic_with(&topic_name, settings.bounds).map_err(|_| StartRunError::TooMany),
        };
        let topic = topic.inspect_err(|_| self.inner.active.remove(&id, &run))?;
        let output = RunOutput { id: id.clone(), topic: topic.clone(), run: run.clone() };
        // Made before the task, so that a run whose task never starts ends too.
        let ending = Ending::new(self.inner.clone(), id.clone(), topic, run);
        runtime.spawn(ending.drive(work, output));
        Ok(RunHandle::new(self, id, &topic_name))
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
    /// let run = Runs::new(&Hub::new()).start_new(async |output| output.send("Hello").map(drop))?;
    /// assert_eq!(run.id().len(), 36);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_new<W, F, E>(&self, work: W) -> Result<RunHandle, StartRunError>
    where
        W: FnOnce(RunOutput) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        self.start(Tokio.random().uuid().to_string(), work)
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
    /// let work = async |output: RunOutput| output.send("Hello").map(drop);
    /// assert!(runs.start_or_get("7", work)?.1);
    /// assert!(!runs.start_or_get("7", work)?.1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_or_get<W, F, E>(&self, id: impl AsRef<str>, work: W) -> Result<(RunHandle, bool), StartRunError>
    where
        W: FnOnce(RunOutput) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let id = id.as_ref();
        match self.start(id, work) {
            Err(StartRunError::Exists) => {
                let (id, topic) = self.names(id)?;
                Ok((RunHandle::new(self, id, &topic), false))
            }
            started => Ok((started?, true)),
        }
    }

    /// Returns the run with this ID, if the work goes on or the hub keeps the topic. `None` for an unknown ID, so that no client
    /// waits for ever: answer 404, or 204 if the client of the protocol asks for that.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{OutputError, Runs, StartRunError}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), StartRunError> {
    /// let runs = Runs::new(&Hub::new());
    /// assert!(runs.get("7").is_none());
    /// runs.start("7", async |output| output.send("Hello").map(drop))?;
    /// assert!(runs.get("7").is_some_and(|run| run.is_active()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn get(&self, id: impl AsRef<str>) -> Option<RunHandle> {
        let (id, topic) = self.names(id.as_ref()).ok()?;
        (self.is_active(&id) || self.is_kept(&topic)).then(|| RunHandle::new(self, id, &topic))
    }

    /// Stops a run: the clients receive `stopped`. Returns whether the run was active and not stopped before.
    ///
    /// The handler must check which clients may stop a run. The work is dropped at the next await point, or after
    /// [`RunsBuilder::stop_grace`]. Work that blocks a thread goes on until then, and sends nothing.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{RunOutput, Runs, StartRunError}, std::future::pending};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), StartRunError> {
    /// let runs = Runs::new(&Hub::new());
    /// runs.start("7", |_: RunOutput| pending::<Result<(), String>>())?;
    /// assert!(runs.stop("7"));
    /// assert!(!runs.stop("7"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self, id: impl AsRef<str>) -> bool {
        self.inner.active.get(id.as_ref()).is_some_and(|run| run.stop(StopCause::Requested))
    }

    /// Stops a run and removes the events. Streams of the run are closed, and the ID is free. Later sends of the work return
    /// an error, also when another run has the ID. The work counts for [`RunsBuilder::max_active`] until the work has ended.
    /// Returns whether there was such a run.
    ///
    /// Use this in place of [`Hub::remove`], which removes the events and does not stop the work.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{RunOutput, Runs, StartRunError}, std::future::pending};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), StartRunError> {
    /// let runs = Runs::new(&Hub::new());
    /// let work = |_: RunOutput| pending::<Result<(), String>>();
    /// runs.start("7", work)?;
    /// assert!(runs.remove("7"));
    /// runs.start("7", work)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove(&self, id: impl AsRef<str>) -> bool {
        let Ok((id, topic)) = self.names(id.as_ref()) else { return false };
        let mut removed = false;
        loop {
            let run = self.inner.active.get(&id);
            if let Some(run) = &run {
                run.remove();
            }
            removed |= self.hub().remove(&topic).unwrap_or(false) || run.is_some();
            // The ID was not free until now, so that no new run loses a topic.
            let was_same = run.is_some_and(|run| self.inner.active.free_id(&id, &run));
            // After another removal a new run may have started in between. That run has lost the topic, so the run is removed.
            if was_same || !self.is_active(&id) {
                return removed;
            }
        }
    }

    /// The number of runs whose work goes on, also of runs that were stopped or removed.
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

    /// Whether the hub has events of this topic, or remembers the end. A topic that clients wait for is no run yet.
    fn is_kept(&self, topic: &str) -> bool {
        self.hub().topic_stats(topic).is_some_and(|stats| stats.held_events > 0) || self.hub().ended(topic).is_some()
    }

    /// The ID and the topic of a run.
    fn names(&self, id: &str) -> Result<(Arc<str>, String), StartRunError> {
        let topic = format!("{}{id}", self.inner.settings.prefix);
        if topic.len() > MAX_TOPIC_BYTES { Err(StartRunError::IdTooLong(topic.len())) } else { Ok((id.into(), topic)) }
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runs").field("active", &self.active()).finish_non_exhaustive()
    }
}
