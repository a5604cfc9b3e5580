//! When a node writes a probe: no entry has arrived for a while.

use crate::backoff::part;
use sse_core::Random;
use std::time::{Duration, Instant};

/// The time without entries after which a node writes a probe, and a random part of up to half of it, so that only a few
/// nodes write one.
const QUIET: Duration = Duration::from_secs(10);

/// The time without entries on one connection. All logs of a connection share one timer: an entry of any log shows that the
/// server receives publishes.
#[derive(Debug)]
pub(crate) struct QuietTimer {
    at: Option<Instant>,
}

impl QuietTimer {
    pub(crate) fn new(now: Instant, random: &Random) -> Self {
        let mut timer = Self { at: None };
        timer.restart(now, random);
        timer
    }

    /// An entry has arrived, or a probe is written.
    pub(crate) fn restart(&mut self, now: Instant, random: &Random) {
        self.at = now.checked_add(QUIET + part(QUIET / 2, random));
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// The time until the timer is due.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.at.map_or(QUIET, |at| at.saturating_duration_since(now))
    }
}
