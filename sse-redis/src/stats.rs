//! The counters of a node.

use crate::follower::Loss;
use crate::publish::RedisPublishError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The counters of a node since its start, from [`Redis::stats`](crate::Redis::stats). The counters of its hub are in
/// [`Hub::stats`](sse_core::Hub::stats).
///
/// ```no_run
/// # fn metrics(redis: sse_redis::Redis) -> String {
/// let stats = redis.stats();
/// format!("published {}\nunknown {}\nlag {}\n", stats.published, stats.maybe_stored, stats.lag)
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisStats {
    /// Events that the log stored.
    pub published: u64,
    /// The total time of the calls that stored them. A call of `publish_all` counts once.
    pub publish_time: Duration,
    /// The calls that stored events, by their time: the first number is that of the calls within the first of
    /// [`LATENCY_BOUNDS`](Self::LATENCY_BOUNDS), and so on. The last number is that of the calls beyond the last bound.
    pub publish_latency: [u64; BOUNDS + 1],
    /// Publishes that were not stored: an invalid event, no connection, no log, or an error of the server.
    pub not_stored: u64,
    /// Publishes that the leader stored, and that too few replicas acknowledged
    /// ([`RedisBuilder::replicas`](crate::RedisBuilder::replicas)).
    pub not_replicated: u64,
    /// Publishes that waited too long for their turn.
    pub overloaded: u64,
    /// Publishes without an answer.
    pub maybe_stored: u64,
    /// Publishes that are in flight now.
    pub in_flight: u64,
    /// Opened connections of both kinds, which nodes of several logs can share
    /// ([`Redis::with_log`](crate::Redis::with_log)). Two are the normal number, so each further one is a reconnect.
    pub connections: u64,
    /// Commands that were sent over these connections. A script counts as one.
    pub commands: u64,
    /// Entries that the node had not read when it inspected the log last: about a second ago while events arrive, otherwise
    /// about eight seconds ago, and longer with many logs.
    pub lag: u64,
    /// Entries that were trimmed before the node read them.
    pub lost_trimmed: u64,
    /// How often another log replaced the log.
    pub lost_wiped: u64,
    /// How often a failover truncated the log.
    pub lost_truncated: u64,
    /// How often the count of the server did not match the count of the node.
    pub lost_miscounted: u64,
    /// Events that were not sent, because the log has an earlier entry with the same publish ID.
    pub repetitions: u64,
    /// Entries that were skipped, because they have no topic or an invalid field.
    pub skipped: u64,
}

/// The number of bounds in [`RedisStats::LATENCY_BOUNDS`].
const BOUNDS: usize = 8;

impl RedisStats {
    /// The bounds of [`publish_latency`](Self::publish_latency), from 1 ms to 3 s.
    ///
    /// ```no_run
    /// # fn metrics(redis: sse_redis::Redis) {
    /// use sse_redis::RedisStats;
    ///
    /// // The buckets of a Prometheus histogram, each with all faster calls.
    /// let mut calls = 0;
    /// for (bound, more) in RedisStats::LATENCY_BOUNDS.iter().zip(redis.stats().publish_latency) {
    ///     calls += more;
    ///     println!("publish_seconds_bucket{{le=\"{}\"}} {calls}", bound.as_secs_f64());
    /// }
    /// # }
    /// ```
    pub const LATENCY_BOUNDS: [Duration; BOUNDS] = [
        Duration::from_millis(1),
        Duration::from_millis(3),
        Duration::from_millis(10),
        Duration::from_millis(30),
        Duration::from_millis(100),
        Duration::from_millis(300),
        Duration::from_secs(1),
        Duration::from_secs(3),
    ];
}

/// The counters behind [`RedisStats`].
#[derive(Debug, Default)]
pub(crate) struct RedisCounters {
    published: AtomicU64,
    publish_nanos: AtomicU64,
    publish_latency: [AtomicU64; BOUNDS + 1],
    not_stored: AtomicU64,
    not_replicated: AtomicU64,
    overloaded: AtomicU64,
    maybe_stored: AtomicU64,
    lag: AtomicU64,
    lost: [AtomicU64; 4],
    repetitions: AtomicU64,
    skipped: AtomicU64,
}

/// The counters of the connections that several nodes share.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounters {
    connections: AtomicU64,
    commands: AtomicU64,
}

impl ConnectionCounters {
    pub(crate) fn connected(&self) {
        add(&self.connections, 1);
    }

    pub(crate) fn sent(&self, commands: u64) {
        add(&self.commands, commands);
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl RedisCounters {
    /// Counts a call that publishes, with the number of stored events.
    pub(crate) fn published<T>(
        &self,
        result: &Result<T, RedisPublishError>,
        events: impl Fn(&T) -> u64,
        time: Duration,
    ) {
        match result {
            Ok(stored) => {
                let events = events(stored);
                // An empty batch is no call to the server.
                if events == 0 {
                    return;
                }
                add(&self.published, events);
                add(&self.publish_nanos, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
                let bucket = RedisStats::LATENCY_BOUNDS.partition_point(|bound| *bound < time);
                self.publish_latency.get(bucket).into_iter().for_each(|bucket| add(bucket, 1));
            }
            Err(RedisPublishError::NotReplicated { .. }) => add(&self.not_replicated, 1),
            Err(RedisPublishError::MaybeStored(_)) => add(&self.maybe_stored, 1),
            Err(RedisPublishError::Overloaded) => add(&self.overloaded, 1),
            Err(_) => add(&self.not_stored, 1),
        }
    }

    pub(crate) fn repetition(&self) {
        add(&self.repetitions, 1);
    }

    pub(crate) fn skipped(&self) {
        add(&self.skipped, 1);
    }

    pub(crate) fn set_lag(&self, entries: u64) {
        self.lag.store(entries, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self, loss: Loss) {
        let [trimmed, wiped, truncated, miscounted] = &self.lost;
        match loss {
            Loss::Trimmed(entries) => add(trimmed, entries),
            Loss::Wiped => add(wiped, 1),
            Loss::Truncated => add(truncated, 1),
            Loss::Miscounted => add(miscounted, 1),
        }
    }

    pub(crate) fn stats(&self, in_flight: usize, shared: &ConnectionCounters) -> RedisStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [trimmed, wiped, truncated, miscounted] = &self.lost;
        RedisStats {
            published: get(&self.published),
            publish_time: Duration::from_nanos(get(&self.publish_nanos)),
            publish_latency: self.publish_latency.each_ref().map(get),
            not_stored: get(&self.not_stored),
            not_replicated: get(&self.not_replicated),
            overloaded: get(&self.overloaded),
            maybe_stored: get(&self.maybe_stored),
            in_flight: in_flight as u64,
            connections: get(&shared.connections),
            commands: get(&shared.commands),
            lag: get(&self.lag),
            lost_trimmed: get(trimmed),
            lost_wiped: get(wiped),
            lost_truncated: get(truncated),
            lost_miscounted: get(miscounted),
            repetitions: get(&self.repetitions),
            skipped: get(&self.skipped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_publishes_are_counted_by_their_latency() {
        let counters = RedisCounters::default();
        let stored = |ms| counters.published(&Ok(()), |()| 1, Duration::from_millis(ms));
        [0, 1, 2, 3_000, 3_001, u64::MAX / 1_000_000].into_iter().for_each(stored);
        counters.published(&Err::<(), _>(RedisPublishError::Overloaded), |()| 1, Duration::from_millis(5));
        let stats = counters.stats(0, &ConnectionCounters::default());
        assert_eq!(stats.publish_latency, [2, 1, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((stats.published, stats.overloaded), (6, 1));
    }
}
