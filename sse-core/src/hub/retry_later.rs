//! The wait of clients that must retry later: it grows with the number of such clients, and a client keeps it.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Clients are counted for the present period and for the period before it.
const PERIOD: Duration = Duration::from_secs(10);

/// The number of clients that return in a second, on average.
const RETURNS_PER_SECOND: u32 = 200;

/// The maximum of a wait that grew with the number of clients.
const LONGEST: Duration = Duration::from_secs(300);

/// How long after its wait a client is expected back.
const EXPECTED: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(crate) struct RetryLater {
    /// Until this moment clients are expected that keep a wait.
    kept_until: Option<Instant>,
    period_start: Option<Instant>,
    before: u32,
    now: u32,
}

impl RetryLater {
    /// Counts one client, and returns the range from which its wait is drawn. The end of the range `retry` grows with the
    /// number of clients in the last 10 to 20 s.
    pub(crate) fn add(&mut self, now: Instant, retry: &RangeInclusive<Duration>) -> RangeInclusive<Duration> {
        match self.period_start.map(|start| now.saturating_duration_since(start)) {
            Some(age) if age < PERIOD => {}
            age => {
                self.before = if age.is_some_and(|age| age < 2 * PERIOD) { self.now } else { 0 };
                (self.period_start, self.now) = (Some(now), 0);
            }
        }
        self.now = self.now.saturating_add(1);
        let crowd = self.before.saturating_add(self.now) / RETURNS_PER_SECOND;
        let end = *retry.start() + Duration::from_secs(crowd.into());
        let end = (*retry.end()).max(end.min(LONGEST));
        // A clock that cannot represent the moment forgets the wait.
        self.kept_until = self.kept_until.max(now.checked_add(end.saturating_add(EXPECTED)));
        *retry.start()..=end
    }

    /// Whether a client that comes now may keep a wait.
    pub(crate) fn is_kept(&self, now: Instant) -> bool {
        self.kept_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_crowd_and_shrinks_after_it() {
        let (mut clients, mut now) = (RetryLater::default(), Instant::now());
        let normal = Duration::from_secs(1)..=Duration::from_secs(5);
        assert_eq!(clients.add(now, &normal), normal);
        let last = (1..10_000).map(|_| clients.add(now, &normal)).last();
        assert_eq!(last, Some(Duration::from_secs(1)..=Duration::from_secs(51)));
        now += PERIOD;
        assert_eq!(clients.add(now, &normal), Duration::from_secs(1)..=Duration::from_secs(51));
        now += 2 * PERIOD;
        assert_eq!(clients.add(now, &normal), normal);
        let last = (0..1_000_000).map(|_| clients.add(now, &normal)).last();
        assert_eq!(last, Some(Duration::from_secs(1)..=LONGEST));
        let long = Duration::from_secs(400)..=Duration::from_secs(500);
        assert_eq!(clients.add(now, &long), long);
    }

    #[test]
    fn the_wait_is_kept_until_ten_minutes_after_its_end() {
        let (mut clients, now) = (RetryLater::default(), Instant::now());
        assert!(!clients.is_kept(now));
        let _ = clients.add(now, &(Duration::from_secs(1)..=Duration::from_secs(5)));
        assert!(clients.is_kept(now + Duration::from_secs(604)));
        assert!(!clients.is_kept(now + Duration::from_secs(605)));
    }
}
