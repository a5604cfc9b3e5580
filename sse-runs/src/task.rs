//! The task of a run, and the end of the run.

use crate::RunOutput;
use crate::active::{ActiveRun, StopCause};
use crate::builder::RunEnd;
use crate::inner::RunsInner;
use sse_core::hub::Topic;
use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use tokio::time::timeout;

/// Ends the topic of a run, in any case: also if the work panics, or if the task is dropped.
pub(crate) struct Ending {
    runs: Arc<RunsInner>,
    id: Arc<str>,
    topic: Topic,
    run: Arc<ActiveRun>,
    end: Option<RunEnd>,
}

impl Ending {
    pub(crate) const fn new(runs: Arc<RunsInner>, id: Arc<str>, topic: Topic, run: Arc<ActiveRun>) -> Self {
        Self { runs, id, topic, run, end: None }
    }

    /// Does the work, and notes the end. The drop publishes the end, after the drop of the work.
    pub(crate) async fn drive<F, E>(mut self, work: impl FnOnce(RunOutput) -> F, output: RunOutput)
    where
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let end = {
            let mut work = pin!(work(output));
            let (abandoned, grace) = (self.runs.settings.abandoned, self.runs.settings.grace);
            let abandoned = async {
                match (abandoned, &self.runs.nodes) {
                    (Some(after), None) => self.topic.abandoned(after).await,
                    (Some(after), Some(nodes)) => nodes.abandoned(&self.topic, after).await,
                    (None, _) => std::future::pending().await,
                }
            };
            let cause = tokio::select! {
                biased;
                cause = self.run.stopped() => Err(cause),
                result = &mut work => Ok(result),
                () = abandoned => Err(StopCause::Abandoned),
            };
            match cause {
                Ok(Ok(())) => RunEnd::Done,
                Ok(Err(error)) => RunEnd::Failed(error.to_string()),
                Err(cause) => {
                    // From here on the output refuses events.
                    self.run.stop(cause);
                    if !grace.is_zero() {
                        let _ = timeout(grace, &mut work).await;
                    }
                    match self.run.cause() {
                        Some(StopCause::Abandoned) => RunEnd::Abandoned,
                        Some(StopCause::Lost) => RunEnd::Lost,
                        _ => RunEnd::Stopped,
                    }
                }
            }
        };
        self.end = Some(end);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let unfinished = if std::thread::panicking() { RunEnd::Panicked } else { RunEnd::Dropped };
        let end = self.end.take().unwrap_or(unfinished);
        if let Some(claim) = &self.run.claim {
            // The writer of the run does the rest.
            return claim.queue.finish(end);
        }
        self.run.set_over();
        // A run that was removed while it started can share a topic with the next run of the ID.
        if self.run.cause() != Some(StopCause::Removed) {
            let _ = self.runs.last_frame(&end).map(|last| self.topic.end(last));
        }
        self.runs.active.remove(&self.id, &self.run);
        self.run.set_freed();
        self.runs.report(&self.id, &end);
    }
}
