//! One ordered history: topics are labels in it, a connection is a cursor, `Last-Event-ID` is the cursor's position.

mod registry;
mod stats;
mod subscription;

pub use registry::Draining;
pub use stats::Stats;
pub use subscription::{Resumption, Start, Subscription};

use crate::runtime::{Random, Runtime, Timer};
use crate::sync::Arc;
use registry::Registry;
pub(crate) use registry::{Attachment, Kind};
use stats::Counters;
use std::fmt;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A history of events under topics, and the streams that follow it. A clone is the same hub.
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) runtime: Box<dyn AnyRuntime>,
    pub(crate) limits: Limits,
    pub(crate) registry: Registry,
    pub(crate) counters: Counters,
}

/// The bounds of a hub.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) max_streams: usize,
    pub(crate) drain_grace: Duration,
    pub(crate) drain_retry: RangeInclusive<Duration>,
}

/// A runtime behind a pointer, because a hub is no less a hub on another one.
pub(crate) trait AnyRuntime: Send + Sync {
    fn now(&self) -> Instant;
    fn timer(&self) -> Pin<Box<dyn Timer>>;
    fn random(&self) -> &Random;
}

impl<R: Runtime> AnyRuntime for R {
    fn now(&self) -> Instant {
        Runtime::now(self)
    }

    fn timer(&self) -> Pin<Box<dyn Timer>> {
        Box::pin(Runtime::timer(self))
    }

    fn random(&self) -> &Random {
        Runtime::random(self)
    }
}

impl Hub {
    /// A hub with the default bounds, on tokio's clock.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn new() -> Self {
        Builder::default().build()
    }

    /// A hub with bounds of its own.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Begins to go down, finally: every stream is told to end within the window, and newcomers are asked to come back
    /// later. The future is ready with 0 when no stream is left, or after window and grace with the number that would
    /// not end.
    ///
    /// It goes inside the future that the framework's shutdown waits for, so that newcomers still get an answer.
    pub fn drain(&self, window: Duration) -> Draining {
        registry::begin(&self.inner, window)
    }

    /// Whether [`Hub::drain`] was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.registry.is_draining()
    }

    /// What a client that is sent away is asked to wait.
    pub(crate) fn draw_retry(&self) -> Duration {
        self.inner.runtime.random().duration(self.inner.limits.drain_retry.clone())
    }

    /// What the hub holds and has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.counters.read(self.inner.registry.len(), 0, 0, 0)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// The bounds of a hub, each with its default.
#[derive(Debug, Clone)]
#[must_use = "a builder builds nothing until `build`"]
pub struct Builder {
    limits: Limits,
}

impl Default for Builder {
    fn default() -> Self {
        let limits = Limits {
            max_streams: usize::MAX,
            drain_grace: Duration::from_secs(10),
            drain_retry: Duration::from_secs(1)..=Duration::from_secs(5),
        };
        Self { limits }
    }
}

impl Builder {
    /// The hub, on tokio's clock.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn build(self) -> Hub {
        self.build_on(crate::Tokio)
    }

    /// The hub, on this runtime.
    #[must_use]
    pub fn build_on(self, runtime: impl Runtime) -> Hub {
        Hub {
            inner: Arc::new(Inner {
                runtime: Box::new(runtime),
                limits: self.limits,
                registry: Registry::default(),
                counters: Counters::default(),
            }),
        }
    }

    /// At most this many streams at once; the next is refused softly. No limit by default.
    pub const fn max_streams(mut self, streams: usize) -> Self {
        self.limits.max_streams = streams;
        self
    }

    /// How long [`Hub::drain`] waits beyond its window for streams that do not end: 10 s by default.
    pub const fn drain_grace(mut self, grace: Duration) -> Self {
        self.limits.drain_grace = grace;
        self
    }

    /// What a drained client is asked to wait before it comes back, drawn evenly: 1 to 5 s by default.
    pub const fn drain_retry(mut self, retry: RangeInclusive<Duration>) -> Self {
        self.limits.drain_retry = retry;
        self
    }
}
