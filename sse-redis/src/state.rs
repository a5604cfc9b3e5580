//! How a node stands to the log.

use sse_core::hub::EventId;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How a node stands to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// What the log has is being loaded. Subscriptions are refused softly: their clients come back in a moment.
    Loading,
    /// The log is followed.
    Ready,
    /// The engine is away, or not what it was. Readers stay connected and clients resume from what the node holds.
    Stale,
    /// The hub drains.
    Draining,
}

/// What the driver says and everybody else reads.
#[derive(Debug)]
pub(crate) struct Shared {
    standing: watch::Sender<Standing>,
    trouble: Mutex<Option<Box<str>>>,
    pub(crate) progress: watch::Sender<Progress>,
}

/// How far the hub has come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(crate) newest: Option<EventId>,
    /// How often it had all that the log had.
    pub(crate) rounds: u64,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    loaded: bool,
    following: bool,
    since: Instant,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let standing = Standing { loaded: false, following: false, since: Instant::now() };
        Self { standing: watch::Sender::new(standing), trouble: Mutex::new(None), progress: watch::Sender::default() }
    }

    pub(crate) fn set_loaded(&self) {
        self.standing.send_if_modified(|standing| !std::mem::replace(&mut standing.loaded, true));
    }

    pub(crate) fn set_following(&self, following: bool) {
        if following {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        let changed = self.standing.send_if_modified(|standing| {
            let changed = standing.following != following;
            if changed {
                (standing.following, standing.since) = (following, Instant::now());
            }
            changed
        });
        if changed {
            crate::trace::following(following);
        }
    }

    pub(crate) fn set_trouble(&self, error: &dyn std::fmt::Display) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string().into());
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).as_deref().map(str::to_owned)
    }

    pub(crate) fn state(&self, is_draining: bool) -> State {
        let standing = *self.standing.borrow();
        match standing {
            _ if is_draining => State::Draining,
            Standing { loaded: false, .. } => State::Loading,
            Standing { following: true, .. } => State::Ready,
            Standing { .. } => State::Stale,
        }
    }

    /// Whether newcomers should come here: it is loaded, and has not been stale for longer than this.
    pub(crate) fn is_ready(&self, grace: Duration) -> bool {
        let standing = *self.standing.borrow();
        standing.loaded && (standing.following || standing.since.elapsed() < grace)
    }

    pub(crate) async fn changed_to(&self, loaded: bool) {
        // The sender is in `self`, so the channel cannot close.
        let _ = self.standing.subscribe().wait_for(|standing| standing.loaded == loaded).await;
    }
}
