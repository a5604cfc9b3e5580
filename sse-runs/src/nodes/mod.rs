//! Runs on several nodes: a claim for each run, a lease for each node, and writes in batches.
//!
//! `ledger` lists the commands, `scripts` and `redis_ledger` execute them on a Redis server, and `simulation` on a model with
//! faults. `claims` starts, finds, stops and removes runs. `queue` and `writer` send the events of one run. `beat` renews the
//! lease and compares the runs of this node with the server. `control` hears the requests of other nodes.

mod attached;
mod beat;
pub(crate) mod claims;
mod control;
pub(crate) mod ledger;
pub(crate) mod queue;
#[cfg(feature = "redis")]
pub(crate) mod redis_ledger;
#[cfg(feature = "redis")]
mod scripts;
#[cfg(test)]
mod simulation;
pub(crate) mod writer;

use crate::inner::RunsInner;
use attached::AttachedRuns;
use ledger::{Ledger, LedgerCall, LedgerError, LedgerReply};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

/// The waits between two attempts of a command.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The time limit of a start, a stop, a removal and a search for a run.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// The part of `Runs` that exists only on several nodes.
pub(crate) struct Nodes {
    pub(crate) ledger: Arc<dyn Ledger>,
    attached: AttachedRuns,
    /// Compares the runs of this node with the server now.
    must_compare: Arc<Notify>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Nodes {
    pub(crate) fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, attached: AttachedRuns::default(), must_compare: Arc::default(), tasks: Mutex::default() }
    }

    /// Starts the tasks of this node, unless they run. Without a runtime the next call starts them.
    pub(crate) fn start_tasks(&self, runs: &Arc<RunsInner>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if !tasks.is_empty() && !tasks.iter().any(AbortHandle::is_finished) {
            return;
        }
        tasks.drain(..).for_each(|task| task.abort());
        let weak = Arc::downgrade(runs);
        tasks.push(runtime.spawn(beat::keep_beating(weak.clone())).abort_handle());
        tasks.push(runtime.spawn(control::listen(weak, runs.settings.hub.clone())).abort_handle());
    }

    /// Executes a command, also after it failed, until this time.
    async fn call_until(&self, call: LedgerCall, until: Instant) -> Result<LedgerReply, LedgerError> {
        let mut last = LedgerError::Retry("no reply came in time".into());
        let mut wait = RETRY.0;
        loop {
            match timeout_at(until, self.ledger.call(call.clone())).await {
                Ok(Err(error @ LedgerError::Retry(_))) => last = error,
                Ok(result) => return result,
                Err(_) => return Err(last),
            }
            if Instant::now() + wait >= until {
                return Err(last);
            }
            sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Executes a command for a caller that waits.
    async fn call(&self, call: LedgerCall) -> Result<LedgerReply, LedgerError> {
        self.call_until(call, Instant::now() + CALL_LIMIT).await
    }

    /// Executes a command until it succeeds or the node is stopped.
    async fn call_until_stopped(&self, call: LedgerCall) -> Option<LedgerReply> {
        loop {
            match self.call(call.clone()).await {
                Ok(reply) => return Some(reply),
                Err(LedgerError::Stopped) => return None,
                Err(LedgerError::Retry(_)) => sleep(RETRY.1).await,
            }
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
    }
}
