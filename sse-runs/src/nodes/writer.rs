//! The task that sends the events of one run to the log, in batches.

use super::Nodes;
use super::ledger::{ClaimState, LedgerCall, LedgerReply, WRITE_BYTES, WRITE_EVENTS, WriteCall};
use super::queue::RunQueue;
use crate::OutputError;
use crate::active::{ActiveRun, StopCause};
use crate::builder::RunEnd;
use crate::inner::RunsInner;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// Sends the events of one run, and then its end. Only one command of a run is on its way at a time, so the order of the log is
/// the order of the work.
pub(crate) struct RunWriter {
    runs: Arc<RunsInner>,
    id: Arc<str>,
    topic: Arc<str>,
    run: Arc<ActiveRun>,
    end: Option<RunEnd>,
}

impl RunWriter {
    pub(crate) fn new(runs: Arc<RunsInner>, id: Arc<str>, topic: Arc<str>, run: Arc<ActiveRun>) -> Self {
        Self { runs, id, topic, run, end: None }
    }

    pub(crate) async fn drive(mut self) {
        let (runs, run) = (self.runs.clone(), self.run.clone());
        let (Some(nodes), Some(claim)) = (&runs.nodes, &run.claim) else { return };
        self.end = Some(self.send_all(nodes, &claim.queue, &claim.token).await);
    }

    /// Returns the end of the run, when the log has the last event.
    async fn send_all(&self, nodes: &Nodes, queue: &RunQueue, token: &Arc<str>) -> RunEnd {
        let (mut number, mut next, mut checks) = (0, Instant::now(), 0);
        loop {
            queue.ready(checks).await;
            sleep_until(next).await;
            next = Instant::now() + self.runs.settings.batch;
            checks = queue.checks();
            let part = queue.take(WRITE_EVENTS, WRITE_BYTES);
            let sent = part.events.len();
            number += 1;
            let write = WriteCall {
                topic: self.topic.clone(),
                token: token.clone(),
                number,
                events: part.events.into(),
                end: part.end.as_ref().and_then(|end| self.runs.last_frame(end)),
            };
            let reply = nodes.call_until_stopped(LedgerCall::Write(write)).await;
            match (reply, part.end) {
                (Some(LedgerReply::Written), None) => queue.stored(sent, part.bytes),
                (Some(LedgerReply::Written), Some(end)) => {
                    queue.stored(sent, part.bytes);
                    return end;
                }
                (Some(LedgerReply::Refused(state)), _) => return self.give_up(nodes, queue, state).await,
                // The node was stopped.
                _ => return self.give_up(nodes, queue, ClaimState::Other).await,
            }
        }
    }

    /// The claim is not that of this attempt any more: stops the work.
    async fn give_up(&self, nodes: &Nodes, queue: &RunQueue, state: ClaimState) -> RunEnd {
        let is_removed = state == ClaimState::Removed;
        self.run.replace_cause(if is_removed { StopCause::Removed } else { StopCause::Lost });
        // The ID is free at this node, whatever the work still does.
        self.runs.active.free_id(&self.id, &self.run);
        queue.close(if is_removed { OutputError::Over } else { OutputError::Lost });
        match (state, &self.run.claim) {
            (ClaimState::None, _) => nodes.repair(&self.runs, &self.topic).await,
            // Without those events a client would miss events without notice.
            (ClaimState::Behind, Some(claim)) => nodes.end_as_lost(&self.runs, &self.topic, &claim.token).await,
            _ => {}
        }
        let end = queue.finished().await;
        if is_removed { end.unwrap_or(RunEnd::Stopped) } else { RunEnd::Lost }
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        // The runtime shuts down, if the end is not known.
        let end = self.end.take().unwrap_or(RunEnd::Dropped);
        self.runs.active.remove(&self.id, &self.run);
        if let Some(claim) = &self.run.claim {
            claim.queue.close(OutputError::Over);
        }
        self.runs.report(&self.id, &end);
    }
}
