//! The settings of the runs of a hub.

use crate::Runs;
use crate::nodes::Nodes;
use sse_core::hub::TopicBounds;
use sse_core::{Event, Hub};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How the work of a run ended, for [`RunsBuilder::on_end`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnd {
    /// The work returned `Ok`.
    Done,
    /// [`Runs::stop`] or [`Runs::remove`] was called.
    Stopped,
    /// No client followed the run for the time of [`RunsBuilder::stop_abandoned`].
    Abandoned,
    /// The work returned an error with this text.
    Failed(String),
    /// The work panicked.
    Panicked,
    /// The work was dropped, because the runtime shut down.
    Dropped,
    /// On several nodes: other nodes took the node of the run for dead and ended the run, or the server lost the run.
    Lost,
}

impl RunEnd {
    /// The event type and the data of the last event.
    pub(crate) const fn event(&self) -> (&'static str, &'static str) {
        match self {
            Self::Done => ("done", "{}"),
            Self::Stopped => ("stopped", r#"{"reason":"requested"}"#),
            Self::Abandoned => ("stopped", r#"{"reason":"abandoned"}"#),
            Self::Failed(_) => ("failed", r#"{"reason":"error"}"#),
            Self::Panicked => ("failed", r#"{"reason":"panic"}"#),
            Self::Dropped => ("failed", r#"{"reason":"dropped"}"#),
            Self::Lost => ("failed", r#"{"reason":"lost"}"#),
        }
    }
}

/// The function of [`RunsBuilder::on_end`].
pub(crate) type OnRunEnd = Arc<dyn Fn(&str, &RunEnd) + Send + Sync>;

/// The function of [`RunsBuilder::last_event`].
pub(crate) type LastRunEvent = Arc<dyn Fn(&RunEnd) -> Event<'static> + Send + Sync>;

/// Sets how the runs of a hub behave, from [`Runs::builder`]. No setter fails.
///
/// ```
/// use sse_core::Hub;
/// use sse_core::hub::TopicBounds;
/// use sse_runs::Runs;
/// use std::time::Duration;
///
/// // Topics are kept for an hour after their end.
/// let hub = Hub::builder().ended_topic_age(Duration::from_secs(3600)).build();
/// let runs = Runs::builder(&hub)
///     .prefix("answer/")
///     .bounds(TopicBounds::new().bytes(1024 * 1024))
///     .stop_abandoned(Duration::from_secs(60))
///     .max_active(1_000)
///     .on_end(|id, end| eprintln!("run {id}: {end:?}"))
///     .build();
/// assert_eq!(runs.active(), 0);
/// ```
#[derive(Clone)]
#[must_use = "the builder does nothing until `build`"]
pub struct RunsBuilder {
    pub(crate) hub: Hub,
    pub(crate) prefix: String,
    pub(crate) bounds: TopicBounds,
    pub(crate) abandoned: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) max_active: usize,
    pub(crate) on_end: Option<OnRunEnd>,
    pub(crate) last_event: Option<LastRunEvent>,
    pub(crate) batch: Duration,
    pub(crate) max_unsent: usize,
    #[cfg(feature = "redis")]
    pub(crate) redis: Option<sse_redis::Redis>,
}

/// The shortest and the longest time between two writes of a run.
const BATCH: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

impl RunsBuilder {
    pub(crate) fn new(hub: &Hub) -> Self {
        Self {
            hub: hub.clone(),
            prefix: "run/".to_owned(),
            bounds: TopicBounds::new(),
            abandoned: None,
            grace: Duration::ZERO,
            max_active: 10_000,
            on_end: None,
            last_event: None,
            batch: Duration::from_millis(25),
            max_unsent: 1024 * 1024,
            #[cfg(feature = "redis")]
            redis: None,
        }
    }

    /// Sets the text before the ID in the name of a run's topic: `run/` by default.
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Sets the bounds of the history of each run: those of the hub by default. A client that attaches after events were
    /// trimmed receives a gap in their place.
    pub const fn bounds(mut self, bounds: TopicBounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Stops a run that no client has followed for this long: never by default. The time starts with the run, and again
    /// whenever the last client leaves. A client that reconnects is absent for some seconds, so choose more than 10 s.
    pub const fn stop_abandoned(mut self, after: Duration) -> Self {
        self.abandoned = Some(after);
        self
    }

    /// Sets how long the work of a stopped run may go on, to clean up: not at all by default, so the work is dropped at once. Work
    /// can return earlier, after [`RunOutput::stopped`](crate::RunOutput::stopped) or [`OutputError::Stopped`](crate::OutputError).
    /// The last event is sent when the work has ended. An error or a result of the work after the stop is ignored.
    pub const fn stop_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the maximum number of runs whose work goes on: 10,000 by default. The next start returns
    /// [`StartRunError::TooMany`](crate::StartRunError::TooMany). A stopped or removed run counts until the work has ended.
    pub const fn max_active(mut self, runs: usize) -> Self {
        self.max_active = runs;
        self
    }

    /// Calls a function with the ID and the end of each run, after its last event, for example to log errors: no function by
    /// default. The function runs in the task of the run, and must not block. A panic of the function is caught.
    pub fn on_end(mut self, call: impl Fn(&str, &RunEnd) + Send + Sync + 'static) -> Self {
        self.on_end = Some(Arc::new(call));
        self
    }

    /// Sets the last event of each run, for clients of another protocol: by default `done`, `stopped` or `failed`, as the
    /// [crate] lists them. The function must not block. If the event cannot be sent, or the function panics, the run sends the
    /// default.
    ///
    /// ```
    /// # use {sse_core::{Event, Hub}, sse_runs::{RunEnd, Runs}};
    /// // Chat completions of OpenAI end with `[DONE]`.
    /// let runs = Runs::builder(&Hub::new()).last_event(|end| match end {
    ///     RunEnd::Done => Event::data("[DONE]"),
    ///     _ => Event::data(r#"{"error":{"message":"the answer stopped"}}"#),
    /// });
    /// # let _ = runs.build();
    /// ```
    pub fn last_event(mut self, event: impl Fn(&RunEnd) -> Event<'static> + Send + Sync + 'static) -> Self {
        self.last_event = Some(Arc::new(event));
        self
    }

    /// Shares the runs between all nodes of this log: every node attaches to them and stops them, and a node that dies does not
    /// leave a run without its end. The hub is then that of the log. All nodes must have the same settings. `docs/runs.md` lists the
    /// guarantees.
    ///
    /// Call [`build`](Self::build) inside the runtime of the node. Each `Runs` sends one command to the server each second,
    /// whatever the number of runs.
    ///
    /// ```no_run
    /// # fn start() -> Result<(), sse_redis::StartError> {
    /// let (redis, hub) = sse_redis::Redis::start("redis://127.0.0.1:6379")?;
    /// let runs = sse_runs::Runs::builder(&hub).redis(&redis).build();
    /// # let _ = runs;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "redis")]
    pub fn redis(mut self, redis: &sse_redis::Redis) -> Self {
        self.hub = redis.hub().clone();
        self.redis = Some(redis.clone());
        self
    }

    /// Sets the time between two writes of a run to the log of several nodes: 25 ms by default, at least 20 ms and at most 1 s.
    /// So a run sends at most 50 commands per second, whatever the number of events and clients. The first event is written at
    /// once. Runs in the memory of one process have no such delay.
    pub const fn batch(mut self, time: Duration) -> Self {
        self.batch = time;
        self
    }

    /// Sets the maximum size of the events of one run that the log of several nodes has not stored yet, in bytes as they are
    /// sent: 1 MiB by default. A send beyond the limit returns [`OutputError::Full`](crate::OutputError::Full), which happens while
    /// the server is unreachable. One event always has room.
    pub const fn max_unsent(mut self, bytes: usize) -> Self {
        self.max_unsent = bytes;
        self
    }

    /// Builds the runs.
    #[must_use]
    pub fn build(self) -> Runs {
        #[cfg(feature = "redis")]
        let nodes = self
            .redis
            .as_ref()
            .map(|redis| Nodes::new(Arc::new(crate::nodes::redis_ledger::RedisLedger::new(redis, &self.prefix))));
        #[cfg(not(feature = "redis"))]
        let nodes = None::<Nodes>;
        self.build_on(nodes)
    }

    pub(crate) fn build_on(mut self, nodes: Option<Nodes>) -> Runs {
        self.batch = self.batch.clamp(BATCH.0, BATCH.1);
        Runs::with(self, nodes)
    }
}

impl fmt::Debug for RunsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunsBuilder").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
