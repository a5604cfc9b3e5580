//! The answers in progress, printed to standard error and published to a topic that the page shows.

use crate::model::Chunk;
use serde::Serialize;
use sse_axum::{Event, Hub};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The interval between two reports.
const EVERY: Duration = Duration::from_millis(250);

/// All jobs. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) hub: Hub,
    jobs: Arc<Mutex<BTreeMap<usize, Arc<Counts>>>>,
}

#[derive(Debug)]
struct Counts {
    method: &'static str,
    tokens: AtomicU64,
}

#[derive(Serialize)]
struct Report {
    id: usize,
    method: &'static str,
    state: &'static str,
    tokens: u64,
}

impl Work {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, jobs: Arc::default() }
    }

    /// Starts a job. The job ends when the returned value is dropped.
    pub(crate) fn start(&self, method: &'static str) -> Job {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let counts = Arc::new(Counts { method, tokens: AtomicU64::new(0) });
        self.jobs().insert(id, counts.clone());
        let job = Job { work: self.clone(), id, counts, finished: false };
        job.work.report(id, &job.counts, "working");
        job
    }

    /// Publishes the progress of each job. A job without a new token since the last report waits for its client.
    pub(crate) async fn publish_progress(self) {
        let mut seen = BTreeMap::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let jobs = self.jobs().clone();
            seen.retain(|id, _| jobs.contains_key(id));
            for (id, job) in &jobs {
                let tokens = job.tokens.load(Ordering::Relaxed);
                let state = if seen.get(id) == Some(&(tokens, "working")) { "waiting" } else { "working" };
                match seen.get(id) {
                    Some((before, "waiting")) if *before == tokens => continue,
                    _ => self.report(*id, job, state),
                }
                seen.insert(*id, (tokens, state));
            }
        }
    }

    fn report(&self, id: usize, counts: &Counts, state: &'static str) {
        let report = Report { id, method: counts.method, state, tokens: counts.tokens.load(Ordering::Relaxed) };
        if state != "working" || report.tokens == 0 {
            eprintln!("completion {id}, {}: {state}, {} tokens", report.method, report.tokens);
        }
        if let Err(error) = self.hub.publish("work", Event::json(&report).event("job")) {
            eprintln!("completions: {error}");
        }
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Arc<Counts>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer in progress. The stream of tokens owns this value, so the server drops it when the client leaves.
#[derive(Debug)]
pub(crate) struct Job {
    work: Work,
    id: usize,
    counts: Arc<Counts>,
    finished: bool,
}

impl Job {
    /// Counts a token. `None` is the end of the answer.
    pub(crate) fn count(&mut self, token: Option<&Chunk>) {
        match token {
            Some(_) => _ = self.counts.tokens.fetch_add(1, Ordering::Relaxed),
            None => self.finished = true,
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.work.jobs().remove(&self.id);
        let state = if self.finished { "finished" } else { "cancelled" };
        self.work.report(self.id, &self.counts, state);
    }
}
