//! Starting runs.

use crate::active::{ActiveRun, Claim};
use crate::inner::RunEntry;
use crate::nodes::claims::new_token;
use crate::nodes::queue::RunQueue;
use crate::nodes::writer::RunWriter;
use crate::task::Ending;
use crate::{RunHandle, RunOutput, Runs, StartRunError};
use sse_core::hub::PublishError;
use sse_core::{Runtime, Tokio};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a start does with an earlier run of the ID that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// There is none, because the ID is random.
    None,
    /// The start fails.
    Kept,
    Replaced,
}

impl Runs {
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
        self.begin(id, topic, Earlier::Kept, work).await
    }

    async fn begin<W, F, E>(
        &self,
        id: Arc<str>,
        topic_name: Arc<str>,
        earlier: Earlier,
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
        match (nodes, inner.active.get(&id)) {
            // The log may have the end of the last run already, and a removal.
            (Some(nodes), Some(known)) => nodes.ended(&known).await,
            // A client can have read the end of the last run a moment before the ID is free.
            (None, Some(known)) => known.freed_if_over().await,
            (_, None) => {}
        }
        inner.active.insert(&id, &run, settings.max_active)?;
        let mut entered = RunEntry { runs: inner, id: &id, run: &run, is_started: false };
        // The hub is called without the lock, because the hub may wake streams.
        if nodes.is_none() && inner.is_kept(&topic_name) {
            if earlier != Earlier::Replaced {
                return Err(StartRunError::Exists);
            }
            // No other start can have the ID meanwhile.
            let _ = settings.hub.remove(&*topic_name);
        }
        let open = || settings.hub.topic_with(&*topic_name, settings.bounds).map_err(|_| StartRunError::TooMany);
        let mut topic = open()?;
        if let (Some(nodes), Some(claim)) = (nodes, &run.claim) {
            nodes.claim(inner, &topic_name, claim, earlier).await?;
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
        self.begin(id, topic, Earlier::None, work).await
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

    /// Starts a run, also if the ID is that of a run that has ended: the events of that run are removed, and streams of it are
    /// closed. For IDs that have one run after the other, such as the answers of a chat. If two calls come at once, one of them
    /// starts a run.
    ///
    /// # Errors
    /// [`StartRunError`]: [`StartRunError::Exists`] if the run with this ID goes on. Nothing was started, and nothing was removed.
    ///
    /// # Cancel safety
    /// A dropped future has started nothing, except on several nodes: then the log may have the run, which ends as `failed`.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{OutputError, RunOutput, Runs, StartRunError}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), StartRunError> {
    /// let runs = Runs::new(&Hub::new());
    /// let work = async |output: RunOutput| output.send("Hello");
    /// runs.start_or_replace("chat", work).await?;
    /// assert_eq!(runs.start_or_replace("chat", work).await.unwrap_err(), StartRunError::Exists);
    /// while runs.active() > 0 {
    ///     tokio::task::yield_now().await;
    /// }
    /// runs.start_or_replace("chat", work).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_or_replace<W, F, E>(&self, id: impl AsRef<str>, work: W) -> Result<RunHandle, StartRunError>
    where
        W: FnOnce(RunOutput) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let (id, topic) = self.names(id.as_ref())?;
        self.begin(id, topic, Earlier::Replaced, work).await
    }
}
