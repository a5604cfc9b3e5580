//! What is being worked on: told to standard error, and to a topic that the page shows.

use crate::model::Chunk;
use serde::Serialize;
use sse_axum::{Event, Hub};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often progress is looked at.
const EVERY: Duration = Duration::from_millis(250);

/// All jobs. A clone is the same.
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
struct Told {
    id: usize,
    method: &'static str,
    state: &'static str,
    tokens: u64,
}

impl Work {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, jobs: Arc::default() }
    }

    /// Begins a job; it ends when the value is dropped, finished or not.
    pub(crate) fn begin(&self, method: &'static str) -> Job {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let counts = Arc::new(Counts { method, tokens: AtomicU64::new(0) });
        self.jobs().insert(id, counts.clone());
        let job = Job { work: self.clone(), id, counts, finished: false };
        job.work.tell(id, &job.counts, "working");
        job
    }

    /// Tells how far each job is. One that made nothing since the last look waits for its reader.
    pub(crate) async fn tell_progress(self) {
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
                    _ => self.tell(*id, job, state),
                }
                seen.insert(*id, (tokens, state));
            }
        }
    }

    fn tell(&self, id: usize, counts: &Counts, state: &'static str) {
        let told = Told { id, method: counts.method, state, tokens: counts.tokens.load(Ordering::Relaxed) };
        if state != "working" || told.tokens == 0 {
            eprintln!("completion {id}, {}: {state}, {} tokens", told.method, told.tokens);
        }
        if let Err(error) = self.hub.publish("work", Event::json(&told).event("job")) {
            eprintln!("completions: {error}");
        }
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Arc<Counts>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer that is being made. It lives in the stream of its tokens, so it is dropped when the reader leaves.
#[derive(Debug)]
pub(crate) struct Job {
    work: Work,
    id: usize,
    counts: Arc<Counts>,
    finished: bool,
}

impl Job {
    /// Counts a token; `None` is the end.
    pub(crate) fn made(&mut self, token: Option<&Chunk>) {
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
        self.work.tell(self.id, &self.counts, state);
    }
}
