//! The state that all clones of `Runs` share.

use crate::active::{ActiveRun, ActiveRuns};
use crate::builder::{RunEnd, RunsBuilder};
use crate::nodes::Nodes;
use sse_core::Frame;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(crate) struct RunsInner {
    pub(crate) settings: RunsBuilder,
    pub(crate) active: ActiveRuns,
    /// Only on several nodes.
    pub(crate) nodes: Option<Nodes>,
}

impl RunsInner {
    /// The last event of a run, checked by the hub. `Some`, because every hub accepts empty data.
    pub(crate) fn last_frame(&self, end: &RunEnd) -> Option<Frame> {
        let own = self.settings.last_event.as_ref();
        // The panic of an application's function must not leave the run without an end.
        let own = own.and_then(|event| catch_unwind(AssertUnwindSafe(|| event(end))).ok());
        let own = own.and_then(|event| self.settings.hub.check("", event).ok());
        own.or_else(|| self.settings.hub.check("", end.event()).ok()).or_else(|| self.settings.hub.check("", "").ok())
    }

    /// Calls the function of `on_end`.
    pub(crate) fn report(&self, id: &str, end: &RunEnd) {
        if let Some(on_end) = &self.settings.on_end {
            // A second panic during the panic of the work would abort the process.
            let _ = catch_unwind(AssertUnwindSafe(|| on_end(id, end)));
        }
    }

    /// Whether the hub has events of this topic, or remembers the end. A topic that clients wait for is no run yet.
    pub(crate) fn is_kept(&self, topic: &str) -> bool {
        let hub = &self.settings.hub;
        hub.topic_stats(topic).is_some_and(|stats| stats.held_events > 0) || hub.ended(topic).is_some()
    }
}

/// A run that is being started. Frees the ID if the start fails or is dropped.
pub(crate) struct RunEntry<'r> {
    pub(crate) runs: &'r RunsInner,
    pub(crate) id: &'r str,
    pub(crate) run: &'r Arc<ActiveRun>,
    pub(crate) is_started: bool,
}

impl Drop for RunEntry<'_> {
    fn drop(&mut self) {
        if !self.is_started {
            self.runs.active.remove(self.id, self.run);
        }
    }
}
