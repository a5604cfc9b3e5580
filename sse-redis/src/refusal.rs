//! The last answer of the server to an entry: stored, or refused for a reason that an operator should know.

use crate::problem::Problem;
use std::sync::{Mutex, PoisonError};

/// The reason of the last refusal, until the server stores an entry again.
#[derive(Debug, Default)]
pub(crate) struct Refusal(Mutex<Option<Problem>>);

impl Refusal {
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the problem, or `None` after an entry was stored. Only the first refusal of a kind is a warning, and not each publish.
    pub(crate) fn set(&self, problem: Option<Problem>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), problem.clone());
        let is_same = |other: &Problem| before.as_ref().is_some_and(|before| before.is_same_kind(other));
        if let Some(problem) = problem.filter(|problem| !is_same(problem)) {
            crate::trace::publish_refused(&problem);
        }
    }
}
