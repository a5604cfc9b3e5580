//! The events of one run that the log has not stored yet.

use crate::OutputError;
use crate::builder::RunEnd;
use sse_core::{Frame, Hub};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The events of one run on the way to the log. The work adds events, and the writer of the run takes them.
pub(crate) struct RunQueue {
    hub: Hub,
    max_bytes: usize,
    state: Mutex<QueueState>,
    /// Wakes the writer.
    progress: watch::Sender<QueueProgress>,
}

#[derive(Default)]
struct QueueState {
    events: VecDeque<Frame>,
    /// The bytes of these events, and of the events that the writer has taken and not stored.
    bytes: usize,
    end: Option<RunEnd>,
    /// Why no event is accepted any more.
    closed: Option<OutputError>,
}

/// Numbers that only grow.
#[derive(Default, Clone, Copy)]
struct QueueProgress {
    accepted: u64,
    stored: u64,
    /// The work has ended.
    finished: bool,
    /// The writer must ask the server for the state of the claim.
    checks: u64,
    closed: bool,
}

/// What the writer sends next.
pub(crate) struct RunPart {
    pub(crate) events: Vec<Frame>,
    pub(crate) bytes: usize,
    /// The work has ended, and no event follows this part.
    pub(crate) end: Option<RunEnd>,
}

impl RunQueue {
    pub(crate) fn new(hub: &Hub, max_bytes: usize) -> Self {
        Self { hub: hub.clone(), max_bytes, state: Mutex::default(), progress: watch::Sender::default() }
    }

    pub(crate) const fn hub(&self) -> &Hub {
        &self.hub
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event.
    pub(crate) fn push(&self, event: Frame) -> Result<(), OutputError> {
        let mut state = self.lock();
        if let Some(closed) = &state.closed {
            return Err(closed.clone());
        }
        let bytes = event.as_bytes().len();
        // One event always has room, so that the limit of an event is the hub's.
        if state.bytes > 0 && state.bytes + bytes > self.max_bytes {
            return Err(OutputError::Full(self.max_bytes));
        }
        state.bytes += bytes;
        state.events.push_back(event);
        self.progress.send_modify(|progress| progress.accepted += 1);
        Ok(())
    }

    /// The work has ended. No event follows.
    pub(crate) fn finish(&self, end: RunEnd) {
        let mut state = self.lock();
        state.closed.get_or_insert(OutputError::Over);
        state.end.get_or_insert(end);
        self.progress.send_modify(|progress| progress.finished = true);
    }

    /// Drops the events, and accepts no more, because the claim of the run is lost.
    pub(crate) fn close(&self, reason: OutputError) {
        let dropped = {
            let mut state = self.lock();
            state.closed = Some(reason);
            state.bytes = 0;
            self.progress.send_modify(|progress| progress.closed = true);
            std::mem::take(&mut state.events)
        };
        drop(dropped);
    }

    /// Lets the writer ask the server whether the run still has its claim.
    pub(crate) fn check(&self) {
        self.progress.send_modify(|progress| progress.checks += 1);
    }

    /// The number of checks that were asked for.
    pub(crate) fn checks(&self) -> u64 {
        self.progress.borrow().checks
    }

    /// Returns when there is something to send, or another check than these was asked for.
    pub(crate) async fn ready(&self, checks: u64) {
        let is_ready = |progress: &QueueProgress| {
            progress.accepted > progress.stored || progress.finished || progress.checks > checks
        };
        // The sender is a field of `self`, so the channel cannot close.
        let _ = self.progress.subscribe().wait_for(is_ready).await;
    }

    /// Returns when the work has ended.
    pub(crate) async fn finished(&self) -> Option<RunEnd> {
        let _ = self.progress.subscribe().wait_for(|progress| progress.finished).await;
        self.lock().end.clone()
    }

    /// Returns when the writer has ended, if the work has ended. Returns at once while the work goes on.
    pub(crate) async fn ended(&self) {
        let is_over = |progress: &QueueProgress| !progress.finished || progress.closed;
        let _ = self.progress.subscribe().wait_for(is_over).await;
    }

    /// Takes events, at most this number and about this many bytes.
    pub(crate) fn take(&self, most: usize, most_bytes: usize) -> RunPart {
        let mut state = self.lock();
        let (mut events, mut bytes) = (Vec::new(), 0);
        while events.len() < most
            && let Some(event) = state.events.front()
            && (events.is_empty() || bytes + event.as_bytes().len() <= most_bytes)
        {
            bytes += event.as_bytes().len();
            events.extend(state.events.pop_front());
        }
        let end = if state.events.is_empty() { state.end.clone() } else { None };
        RunPart { events, bytes, end }
    }

    /// The log has stored this part.
    pub(crate) fn stored(&self, events: usize, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        self.progress.send_modify(|progress| progress.stored += events as u64);
    }

    /// Returns when the log has stored all events that were added before.
    pub(crate) async fn flushed(&self) -> Result<(), OutputError> {
        let accepted = self.progress.borrow().accepted;
        let is_done = |progress: &QueueProgress| progress.stored >= accepted || progress.closed;
        let is_stored = match self.progress.subscribe().wait_for(is_done).await {
            Ok(progress) => progress.stored >= accepted,
            Err(_) => false,
        };
        if is_stored { Ok(()) } else { Err(self.lock().closed.clone().unwrap_or(OutputError::Over)) }
    }
}
