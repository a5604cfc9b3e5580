//! The runs whose work continues, and the signal that stops each.

use crate::StartRunError;
use crate::nodes::queue::RunQueue;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Why a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopCause {
    Requested,
    Abandoned,
    /// The run was removed, so no event is written to the topic any more.
    Removed,
    /// Other nodes have ended the run, or the server lost it.
    Lost,
}

/// The claim of an attempt, on several nodes.
pub(crate) struct Claim {
    /// Differs for each attempt.
    pub(crate) token: Arc<str>,
    pub(crate) queue: RunQueue,
    /// The server has the claim.
    pub(crate) is_made: AtomicBool,
}

impl Claim {
    pub(crate) fn is_made(&self) -> bool {
        self.is_made.load(Ordering::Acquire)
    }
}

/// The work of one run.
pub(crate) struct ActiveRun {
    stop: watch::Sender<Option<StopCause>>,
    phase: watch::Sender<RunPhase>,
    pub(crate) claim: Option<Claim>,
}

/// How far a run of one process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunPhase {
    Working,
    /// The last event follows at once, and then the ID is free.
    Over,
    Freed,
}

impl ActiveRun {
    pub(crate) fn new(claim: Option<Claim>) -> Arc<Self> {
        Arc::new(Self { stop: watch::Sender::new(None), phase: watch::Sender::new(RunPhase::Working), claim })
    }

    /// Stops the work. Returns whether it was not stopped before.
    pub(crate) fn stop(&self, cause: StopCause) -> bool {
        self.stop.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(cause);
            is_first
        })
    }

    /// Stops the work for this cause, also if it was stopped before. `Removed` and `Lost` reject every later event of the run,
    /// also the last one.
    pub(crate) fn replace_cause(&self, cause: StopCause) {
        self.stop.send_replace(Some(cause));
    }

    pub(crate) fn cause(&self) -> Option<StopCause> {
        *self.stop.borrow()
    }

    /// Returns when the run is stopped.
    pub(crate) async fn stopped(&self) -> StopCause {
        let mut stop = self.stop.subscribe();
        // The sender is a field of `self`, so the channel cannot close.
        match stop.wait_for(Option::is_some).await {
            Ok(cause) => cause.unwrap_or(StopCause::Requested),
            Err(_) => StopCause::Requested,
        }
    }
}

impl ActiveRun {
    /// The work has ended, and the last event follows.
    pub(crate) fn set_over(&self) {
        self.phase.send_replace(RunPhase::Over);
    }

    /// The ID is free.
    pub(crate) fn set_freed(&self) {
        self.phase.send_replace(RunPhase::Freed);
    }

    /// Waits until the ID is free, unless the work goes on.
    pub(crate) async fn freed_if_over(&self) {
        // The sender is a field of `self`, so the channel cannot close.
        let _ = self.phase.subscribe().wait_for(|phase| *phase != RunPhase::Over).await;
    }
}

/// All active runs.
#[derive(Default)]
pub(crate) struct ActiveRuns(Mutex<ActiveTable>);

#[derive(Default)]
struct ActiveTable {
    by_id: HashMap<String, Arc<ActiveRun>>,
    /// The number of runs whose work has not ended, also of runs that were removed.
    working: usize,
}

impl ActiveRuns {
    fn lock(&self) -> MutexGuard<'_, ActiveTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().working
    }

    /// Adds a run, unless a run has the ID or the work of `most` runs continues.
    pub(crate) fn insert(&self, id: &str, run: &Arc<ActiveRun>, most: usize) -> Result<(), StartRunError> {
        let mut runs = self.lock();
        if runs.by_id.contains_key(id) {
            return Err(StartRunError::Exists);
        }
        if runs.working >= most {
            return Err(StartRunError::TooMany);
        }
        runs.by_id.insert(id.to_owned(), run.clone());
        runs.working += 1;
        Ok(())
    }

    /// All runs that have their ID.
    pub(crate) fn all(&self) -> Vec<Arc<ActiveRun>> {
        self.lock().by_id.values().cloned().collect()
    }

    /// The number of runs whose claim was made at the server.
    pub(crate) fn claimed(&self) -> usize {
        let is_claimed = |run: &&Arc<ActiveRun>| run.claim.as_ref().is_some_and(Claim::is_made);
        self.lock().by_id.values().filter(is_claimed).count()
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<ActiveRun>> {
        self.lock().by_id.get(id).cloned()
    }

    /// Frees the ID of this run, and returns whether the run had the ID until now. The work of the run still counts.
    pub(crate) fn free_id(&self, id: &str, run: &Arc<ActiveRun>) -> bool {
        self.lock().free_id(id, run)
    }

    /// Removes a run whose work has ended. Each run is removed once.
    pub(crate) fn remove(&self, id: &str, run: &Arc<ActiveRun>) {
        let mut runs = self.lock();
        runs.free_id(id, run);
        runs.working -= 1;
    }
}

impl ActiveTable {
    fn free_id(&mut self, id: &str, run: &Arc<ActiveRun>) -> bool {
        let has_id = self.by_id.get(id).is_some_and(|known| Arc::ptr_eq(known, run));
        if has_id {
            self.by_id.remove(id);
        }
        has_id
    }
}
