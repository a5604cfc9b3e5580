//! The settings of a node: the size of the log, and the limits of a publish.

use crate::RedisBuilder;
use std::time::Duration;

impl RedisBuilder {
    /// Sets the number of entries that the log keeps: 100,000 by default, at least 1,024. Redis keeps somewhat more
    /// (`MAXLEN ~`), in about 1.2 times the memory of the events. All nodes should set the same number.
    ///
    /// The number divided by the events per second is the time for which a node may be unreachable without a gap.
    /// [`start`](Self::start) rejects smaller numbers with [`StartError::TooShort`](crate::StartError::TooShort).
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").max_entries(500_000);
    /// # let _ = builder;
    /// ```
    pub const fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// Sets the largest age of an entry: without limit by default. Every 10 s a node trims older entries, in steps of about 100
    /// entries, and leaves the newest 1,024. A [`Publisher`](crate::Publisher) trims nothing by age.
    ///
    /// The log keeps an entry only as long as this limit, [`max_entries`](Self::max_entries) and
    /// [`max_bytes`](Self::max_bytes) all permit. The hub of a node has its own limit,
    /// [`HubBuilder::topic_age`](sse_core::hub::HubBuilder::topic_age).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").max_age(Duration::from_secs(24 * 3_600));
    /// # let _ = builder;
    /// ```
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.retention.max_age = Some(age);
        self
    }

    /// Sets the largest memory of the log on the server, in bytes: without limit by default. Every 10 s a node compares the
    /// memory that the server reports (`MEMORY USAGE`), and trims the oldest entries, but leaves the newest 1,024. A
    /// [`Publisher`](crate::Publisher) trims nothing by size.
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").max_bytes(256 * 1024 * 1024);
    /// # let _ = builder;
    /// ```
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.retention.max_bytes = Some(bytes);
        self
    }

    /// Sets the number of replicas that must have an event before a publish returns its ID: 0 by default, and at most 1,000.
    /// A publish waits at most for the [`deadline`](Self::deadline), and then returns
    /// [`RedisPublishError::NotReplicated`](crate::RedisPublishError::NotReplicated).
    ///
    /// A failover to a replica that has the event does not lose the event. Also set `min-replicas-to-write` on the server, which
    /// then rejects publishes while replicas are missing.
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").replicas(1);
    /// # let _ = builder;
    /// ```
    pub const fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets the number of publishes that may be in flight: 1,024 by default, from 1 to 65,536. Further publishes wait for half of
    /// the [`deadline`](Self::deadline), and then return [`RedisPublishError::Overloaded`](crate::RedisPublishError::Overloaded).
    ///
    /// ```
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").in_flight(64);
    /// # let _ = builder;
    /// ```
    pub const fn in_flight(mut self, publishes: usize) -> Self {
        self.in_flight = publishes;
        self
    }

    /// Sets the time limit of a publish: 2 s by default, from 1 ms to 1 hour.
    ///
    /// Half of this time is for waiting: for a publish in flight to end, and for a connection to the server.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = sse_redis::Redis::builder("redis://127.0.0.1").deadline(Duration::from_millis(500));
    /// # let _ = builder;
    /// ```
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}
