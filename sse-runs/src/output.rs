//! The sender of a run's work.

use crate::active::{ActiveRun, StopCause};
use sse_core::hub::{PublishError, Topic};
use sse_core::{FrameError, IntoFrame};
use std::fmt;
use std::sync::Arc;

/// Writes the events of one run. Clones write to the same run.
///
/// A send waits for no client, because a send writes into the history of the run, and clients read from there. So slow clients
/// and clients that left never delay the work. On several nodes a send does not wait for the log either: the events of some
/// milliseconds are written together, and [`flush`](Self::flush) waits for them. A clone that outlives the work keeps the topic of the run in the hub.
///
/// ```
/// # use {sse_core::{Event, Hub}, sse_runs::{OutputError, Runs}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let runs = Runs::new(&Hub::new());
/// let (send, sent) = tokio::sync::oneshot::channel();
/// let run = runs.start_new(async |output| {
///     let hello = output.send(("token", "Hello"));
///     let invalid = output.send(Event::data("x").event("a\nb"));
///     let _ = send.send((hello, invalid));
///     Ok::<_, OutputError>(())
/// }).await;
/// let (hello, invalid) = sent.await.unwrap();
/// assert!(hello.is_ok() && matches!(invalid, Err(OutputError::Invalid(_))));
/// # drop(run);
/// # }
/// ```
#[derive(Clone)]
pub struct RunOutput {
    pub(crate) id: Arc<str>,
    pub(crate) topic: Topic,
    pub(crate) run: Arc<ActiveRun>,
}

/// The reason why a run did not send an event. Return it from the work with `?`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The run was stopped. Return from the work.
    #[error("the run was stopped")]
    Stopped,
    /// The run has ended or was removed. Another run may have the same ID; no event of this output gets into it.
    #[error("the run has ended")]
    Over,
    /// On several nodes: other nodes took this node for dead and ended the run, or the server lost the run. Return from the work.
    /// No event that the log had not stored gets into the run, nor into another run of the same ID.
    #[error("the run was ended as failed, because its node was taken for dead")]
    Lost,
    /// On several nodes: events of this many bytes wait for the log, which does not store them.
    /// [`RunsBuilder::max_unsent`](crate::RunsBuilder::max_unsent) is the limit.
    #[error("events of {0} bytes wait for the log, which is the limit: `RunsBuilder::max_unsent` changes it")]
    Full(usize),
    /// The event cannot be sent.
    #[error(transparent)]
    Invalid(FrameError),
}

impl From<PublishError> for OutputError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Invalid(error) => Self::Invalid(error),
            _ => Self::Over,
        }
    }
}

impl RunOutput {
    /// Sends one event to all clients of the run, also to those that attach later. [`RunOutput`] has an example.
    ///
    /// # Errors
    /// [`OutputError`]. Nothing was sent.
    pub fn send(&self, event: impl IntoFrame) -> Result<(), OutputError> {
        match self.run.cause() {
            None => {}
            Some(StopCause::Lost) => return Err(OutputError::Lost),
            Some(_) => return Err(OutputError::Stopped),
        }
        match &self.run.claim {
            None => self.topic.publish(event).map(drop)?,
            Some(claim) => claim.queue.push(claim.queue.hub().check(self.topic.name(), event)?)?,
        }
        Ok(())
    }

    /// Returns when the history of the run has all events that were sent before: at once in the memory of one process, and on
    /// several nodes when the log has stored them.
    ///
    /// # Errors
    /// [`OutputError::Lost`] and [`OutputError::Over`]: some of the events get to no client.
    ///
    /// # Cancel safety
    /// The future may be dropped at any time.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_runs::{OutputError, RunOutput, Runs}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sse_runs::StartRunError> {
    /// async fn work(output: RunOutput) -> Result<(), OutputError> {
    ///     output.send("Hello")?;
    ///     output.flush().await
    /// }
    /// Runs::new(&Hub::new()).start_new(work).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn flush(&self) -> Result<(), OutputError> {
        match &self.run.claim {
            None => Ok(()),
            Some(claim) => claim.queue.flushed().await,
        }
    }

    /// Whether the run was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.run.cause().is_some()
    }

    /// Returns when the run is stopped. Only of use with [`RunsBuilder::stop_grace`](crate::RunsBuilder::stop_grace): without a
    /// grace the work is dropped.
    ///
    /// # Cancel safety
    /// The future may be dropped at any time.
    pub async fn stopped(&self) {
        self.run.stopped().await;
    }

    /// The ID of the run.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The number of clients that follow the run at this node.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.topic.subscribers()
    }
}

impl fmt::Debug for RunOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOutput").field("id", &self.id).finish_non_exhaustive()
    }
}
