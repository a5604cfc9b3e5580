//! The state of a node: its follower, the last error, and the progress of its hub.

use crate::problem::Problem;
use sse_core::hub::EventId;
use std::mem::Discriminant;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The time for which a skipped entry is a problem.
const UNKNOWN_ENTRY: Duration = Duration::from_secs(60);

/// The state of a node, from [`Redis::state`](crate::Redis::state).
///
/// ```no_run
/// use sse_redis::{NodeState, Redis};
///
/// fn gauge(redis: &Redis) -> u8 {
///     match redis.state() {
///         NodeState::Ready => 1,
///         _ => 0,
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeState {
    /// The node loads the entries of the log. Subscriptions are answered "retry later".
    Loading,
    /// The node follows the log.
    Ready,
    /// The Redis server is unreachable or is no longer the leader. Streams stay open, and clients resume from the events
    /// that the node holds.
    Stale,
    /// The hub drains.
    Draining,
}

/// The state that the driver writes and all handles read.
#[derive(Debug)]
pub(crate) struct NodeStatus {
    standing: watch::Sender<Standing>,
    outage: Mutex<Outage>,
    unknown_entry: Mutex<Option<(EventId, Instant)>>,
    pub(crate) progress: watch::Sender<Progress>,
}

/// The time in which the log is not followed.
#[derive(Debug, Default)]
struct Outage {
    problem: Option<Problem>,
    /// The kinds of problems that were a warning in this outage.
    warned: Vec<Discriminant<Problem>>,
}

/// How far the hub has followed the log.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(crate) newest: Option<EventId>,
    /// The number of completed catch-up rounds.
    pub(crate) rounds: u64,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    loaded: bool,
    stopped: bool,
    following: bool,
    since: Instant,
}

impl NodeStatus {
    pub(crate) fn new() -> Self {
        let standing = Standing { loaded: false, stopped: false, following: false, since: Instant::now() };
        Self {
            standing: watch::Sender::new(standing),
            outage: Mutex::default(),
            unknown_entry: Mutex::default(),
            progress: watch::Sender::default(),
        }
    }

    pub(crate) fn set_loaded(&self) {
        self.standing.send_if_modified(|standing| !std::mem::replace(&mut standing.loaded, true));
    }

    pub(crate) fn set_stopped(&self) {
        self.standing.send_modify(|standing| standing.stopped = true);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.standing.borrow().stopped
    }

    pub(crate) fn is_following(&self) -> bool {
        self.standing.borrow().following
    }

    pub(crate) fn set_following(&self, following: bool) {
        if following {
            // A lost probe says that the log which is followed is not the one that receives publishes.
            self.end_outage(|problem| *problem != Problem::ProbeLost);
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

    /// An entry has arrived.
    pub(crate) fn entry_received(&self) {
        self.end_outage(|problem| *problem == Problem::ProbeLost);
    }

    fn end_outage(&self, of: impl FnOnce(&Problem) -> bool) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        if outage.problem.as_ref().is_some_and(of) {
            *outage = Outage::default();
        }
    }

    /// Sets the problem. Only the first problem of each kind in an outage is a warning, and not each attempt.
    pub(crate) fn set_problem(&self, problem: Problem) {
        let is_first = {
            let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
            let kind = std::mem::discriminant(&problem);
            let is_first = !outage.warned.contains(&kind);
            if is_first {
                outage.warned.push(kind);
            }
            outage.problem = Some(problem.clone());
            is_first
        };
        // Tasks that wait for the load look at the problem.
        self.standing.send_modify(|_| {});
        if is_first {
            crate::trace::away(&problem);
        }
    }

    pub(crate) fn problem(&self) -> Option<Problem> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner).problem.clone()
    }

    pub(crate) fn state(&self, is_draining: bool) -> NodeState {
        let standing = *self.standing.borrow();
        match standing {
            _ if is_draining => NodeState::Draining,
            Standing { loaded: false, .. } => NodeState::Loading,
            Standing { following: true, .. } => NodeState::Ready,
            Standing { .. } => NodeState::Stale,
        }
    }

    /// Whether the node is loaded, not stopped, and has been stale for less than `grace`.
    pub(crate) fn is_ready(&self, now: Instant, grace: Duration) -> bool {
        let standing = *self.standing.borrow();
        let stale = || now.saturating_duration_since(standing.since);
        standing.loaded && !standing.stopped && (standing.following || stale() < grace)
    }

    /// Waits until the hub is loaded, or cannot be loaded.
    pub(crate) async fn loaded(&self) -> Result<(), Problem> {
        let mut standing = self.standing.subscribe();
        loop {
            let Standing { loaded, stopped, .. } = *standing.borrow_and_update();
            if loaded {
                return Ok(());
            }
            if stopped {
                return Err(Problem::Stopped);
            }
            if let Some(problem) = self.problem().filter(Problem::prevents_loading) {
                return Err(problem);
            }
            // The sender is a field of `self`, so the channel cannot close.
            let _ = standing.changed().await;
        }
    }

    pub(crate) fn set_unknown_entry(&self, id: EventId) {
        *self.unknown_entry.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, Instant::now()));
    }

    /// The last entry that was skipped, for a while.
    pub(crate) fn unknown_entry(&self) -> Option<Problem> {
        let entry = *self.unknown_entry.lock().unwrap_or_else(PoisonError::into_inner);
        entry.filter(|(_, since)| since.elapsed() < UNKNOWN_ENTRY).map(|(id, _)| Problem::UnknownEntry(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redis;

    const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

    #[test]
    fn a_loaded_node_stays_ready_without_its_server_unless_a_limit_is_set() {
        let status = NodeStatus::new();
        status.set_following(true);
        status.set_loaded();
        status.set_following(false);
        let later = Instant::now() + YEAR;
        assert!(status.is_ready(later, Redis::builder("redis://127.0.0.1").ready_grace));
        let limited = Redis::builder("redis://127.0.0.1").ready_grace(YEAR / 2);
        assert!(!status.is_ready(later, limited.ready_grace) && status.is_ready(Instant::now(), limited.ready_grace));
        status.set_stopped();
        assert!(!status.is_ready(Instant::now(), limited.ready_grace));
    }

    #[test]
    fn a_lost_probe_is_the_problem_until_an_entry_arrives() {
        let status = NodeStatus::new();
        status.set_problem(Problem::ProbeLost);
        status.set_following(true);
        assert_eq!(status.problem(), Some(Problem::ProbeLost));
        status.entry_received();
        assert_eq!(status.problem(), None);
        status.set_problem(Problem::NotLeader);
        status.entry_received();
        assert_eq!(status.problem(), Some(Problem::NotLeader));
        status.set_following(true);
        assert_eq!(status.problem(), None);
    }
}
