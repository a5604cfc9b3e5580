//! The ages of events, in steps, so that no event stores a time of its own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The number of steps in [`topic_age`](super::HubBuilder::topic_age). An event is trimmed at most one step late, and
/// never early.
const AGE_STEPS: u32 = 64;

/// The age of each position, in steps.
#[derive(Default)]
pub(crate) struct Ages {
    steps: VecDeque<AgeStep>,
    /// The newest position that has expired. 0 when every expired event is trimmed.
    expired: u64,
}

/// The events that were published within one step.
struct AgeStep {
    first: Instant,
    last: Instant,
    /// The position of the last event.
    position: u64,
}

impl Ages {
    pub(crate) fn published(&mut self, now: Instant, position: u64, age: Duration) {
        match self.steps.back_mut() {
            Some(step) if now.saturating_duration_since(step.first) < age / AGE_STEPS => {
                // Callers read the clock before they take the lock, so `now` can be earlier than `step.last`.
                step.last = step.last.max(now);
                step.position = position;
            }
            _ => self.steps.push_back(AgeStep { first: now, last: now, position }),
        }
    }

    /// Notes that every expired event is trimmed.
    pub(crate) const fn trimmed(&mut self) {
        self.expired = 0;
    }

    /// The newest position that has expired; `None` if every expired event is trimmed.
    pub(crate) fn expired(&mut self, now: Instant, age: Duration) -> Option<u64> {
        while let Some(step) = self.steps.front().filter(|step| now.saturating_duration_since(step.last) >= age) {
            self.expired = step.position;
            self.steps.pop_front();
        }
        (self.expired > 0).then_some(self.expired)
    }
}
