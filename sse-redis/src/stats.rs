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

/// The counters behind [`RedisStats`].
#[derive(Debug, Default)]
pub(crate) struct RedisCounters {
    published: AtomicU64,
    publish_nanos: AtomicU64,
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
                add(&self.published, events(stored));
                add(&self.publish_nanos, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
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
