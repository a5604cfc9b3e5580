//! How old the events are, in steps, so that no event needs a time of its own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Into how many steps an age is divided: an event goes at most that much late, and never early.
const AGE_STEPS: u32 = 64;

/// Which positions are how old, in steps.
#[derive(Default)]
pub(crate) struct Ages {
    steps: VecDeque<Age>,
    /// The newest position that is too old; 0 once all of that is trimmed.
    expired: u64,
}

/// Events that were published within one step.
struct Age {
    first: Instant,
    last: Instant,
    /// That of the last one.
    position: u64,
}

impl Ages {
    pub(crate) fn published(&mut self, now: Instant, position: u64, age: Duration) {
        match self.steps.back_mut() {
            Some(step) if now.saturating_duration_since(step.first) < age / AGE_STEPS => {
                // Clocks are read before the lock is taken, so `now` may be a moment older.
                step.last = step.last.max(now);
                step.position = position;
            }
            _ => self.steps.push_back(Age { first: now, last: now, position }),
        }
    }

    /// All that was too old is trimmed.
    pub(crate) const fn trimmed(&mut self) {
        self.expired = 0;
    }

    /// The newest position that is too old, if something is that was not trimmed.
    pub(crate) fn expired(&mut self, now: Instant, age: Duration) -> Option<u64> {
        while let Some(step) = self.steps.front().filter(|step| now.saturating_duration_since(step.last) >= age) {
            self.expired = step.position;
            self.steps.pop_front();
        }
        (self.expired > 0).then_some(self.expired)
    }
}
