//! The runs whose work goes on, and the signal that stops each.

use crate::StartRunError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Why a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopCause {
    Requested,
    Abandoned,
}

/// The work of one run.
#[derive(Debug)]
pub(crate) struct ActiveRun {
    stop: watch::Sender<Option<StopCause>>,
}

impl ActiveRun {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { stop: watch::Sender::new(None) })
    }

    /// Stops the work. Returns whether it was not stopped before.
    pub(crate) fn stop(&self, cause: StopCause) -> bool {
        self.stop.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(cause);
            is_first
        })
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

/// All active runs, by ID.
#[derive(Debug, Default)]
pub(crate) struct ActiveRuns(Mutex<HashMap<String, Arc<ActiveRun>>>);

impl ActiveRuns {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<ActiveRun>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Adds a run, unless a run has the ID or there are `most` runs.
    pub(crate) fn insert(&self, id: &str, run: &Arc<ActiveRun>, most: usize) -> Result<(), StartRunError> {
        let mut runs = self.lock();
        if runs.contains_key(id) {
            return Err(StartRunError::Exists);
        }
        if runs.len() >= most {
            return Err(StartRunError::TooMany);
        }
        runs.insert(id.to_owned(), run.clone());
        Ok(())
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<ActiveRun>> {
        self.lock().get(id).cloned()
    }

    /// Removes this run, unless another run has the ID since.
    pub(crate) fn remove(&self, id: &str, run: &Arc<ActiveRun>) {
        let mut runs = self.lock();
        if runs.get(id).is_some_and(|known| Arc::ptr_eq(known, run)) {
            runs.remove(id);
        }
    }
}
