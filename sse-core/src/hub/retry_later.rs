//! How many clients were asked to come later in the last seconds, and how long the next one must wait for that.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Counts lie in the present period and the one before.
const PERIOD: Duration = Duration::from_secs(10);

/// How many of them are to return in a second, at most and on average.
const RETURNS_PER_SECOND: u32 = 200;

/// However many they are.
const LONGEST: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(crate) struct SentAway {
    began: Option<Instant>,
    before: u32,
    now: u32,
}

impl SentAway {
    /// Counts one more at this moment, and gives the range from which its time is drawn: that of the builder, with an end
    /// that grows with the number of clients in the last 10 to 20 s.
    pub(crate) fn add(&mut self, now: Instant, retry: &RangeInclusive<Duration>) -> RangeInclusive<Duration> {
        match self.began.map(|began| now.saturating_duration_since(began)) {
            Some(age) if age < PERIOD => {}
            age => {
                self.before = if age.is_some_and(|age| age < 2 * PERIOD) { self.now } else { 0 };
                (self.began, self.now) = (Some(now), 0);
            }
        }
        self.now = self.now.saturating_add(1);
        let crowd = self.before.saturating_add(self.now) / RETURNS_PER_SECOND;
        let end = *retry.start() + Duration::from_secs(crowd.into());
        *retry.start()..=(*retry.end()).max(end.min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_crowd_and_shrinks_after_it() {
        let (mut away, mut now) = (SentAway::default(), Instant::now());
        let normal = Duration::from_secs(1)..=Duration::from_secs(5);
        assert_eq!(away.add(now, &normal), normal);
        let last = (1..10_000).map(|_| away.add(now, &normal)).last();
        assert_eq!(last, Some(Duration::from_secs(1)..=Duration::from_secs(51)));
        now += PERIOD;
        assert_eq!(away.add(now, &normal), Duration::from_secs(1)..=Duration::from_secs(51));
        now += 2 * PERIOD;
        assert_eq!(away.add(now, &normal), normal);
        let last = (0..1_000_000).map(|_| away.add(now, &normal)).last();
        assert_eq!(last, Some(Duration::from_secs(1)..=LONGEST));
        let long = Duration::from_secs(400)..=Duration::from_secs(500);
        assert_eq!(away.add(now, &long), long);
    }
}
