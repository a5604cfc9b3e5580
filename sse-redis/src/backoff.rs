//! The wait before a new attempt to connect.

use sse_core::Random;
use std::time::Duration;

/// The first wait. Each further wait is twice as long.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait.
pub(crate) const LONGEST: Duration = Duration::from_secs(2);

/// The number of attempts since the last success.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Returns the next wait: a random part between one half and the whole, so that nodes do not reconnect at once.
    pub(crate) fn next(&mut self, random: &Random) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        longest / 2 + part(longest / 2, random)
    }

    pub(crate) const fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// A random part of a duration, evenly distributed.
pub(crate) fn part(of: Duration, random: &Random) -> Duration {
    of.mul_f64(f64::from(random.uuid().as_u128() as u32) / f64::from(u32::MAX))
}
