//! The delay before a reconnect.

use crate::runtime::runtime::Random;
use std::time::Duration;

/// Used until the server sends a `retry` field.
const DEFAULT: Duration = Duration::from_secs(3);

/// The bounds of the delay, and what it depends on.
#[derive(Debug)]
pub(crate) struct Retry {
    /// The server's reconnection time, before the bounds.
    pub(crate) time: Duration,
    pub(crate) min: Duration,
    pub(crate) max: Duration,
    /// Attempts in a row that received no byte of a stream.
    failures: u32,
    random: Random,
}

impl Retry {
    pub(crate) const fn new(random: Random) -> Self {
        Self { time: DEFAULT, min: Duration::from_secs(1), max: Duration::from_secs(300), failures: 0, random }
    }

    pub(crate) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub(crate) const fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The next delay: the reconnection time within its bounds, doubled for each failed attempt, and up to a fifth
    /// longer, so that the clients of one server do not reconnect in step.
    pub(crate) fn delay(&self, at_least: Option<Duration>) -> Duration {
        let max = self.max.max(self.min);
        let time = at_least.map_or(self.time, |at_least| at_least.max(self.time)).clamp(self.min, max);
        // 2^20 seconds are 12 days.
        let doubled = time.saturating_mul(1 << self.failures.min(20)).min(max);
        self.random.duration(doubled..=doubled.saturating_add(doubled / 5))
    }
}
