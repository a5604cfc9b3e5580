//! The clock, the timer and the random generator that the core takes from the program around it.

use crate::runtime::sync::Mutex;
use crate::runtime::wake_task::WakeTask;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

/// Provides the core with a clock, timers and random numbers. Servers on tokio use [`Tokio`](crate::Tokio), behind the
/// feature `tokio`; tests use `testing::Clock`.
///
/// Every stream holds a clone, so an implementation should be small.
///
/// # Examples
/// A server without async tasks calls [`EventStream::poll_chunk`](crate::EventStream::poll_chunk) at each deadline. Its
/// timers therefore never fire.
/// ```
/// use sse_core::{Random, Runtime, Timer};
/// use std::pin::Pin;
/// use std::sync::Arc;
/// use std::task::{Context, Poll};
/// use std::time::{Instant, SystemTime};
///
/// #[derive(Clone)]
/// struct Host(Arc<Random>);
/// struct Never;
///
/// impl Runtime for Host {
///     type Timer = Never;
///
///     fn now(&self) -> Instant {
///         Instant::now()
///     }
///
///     fn wall(&self) -> SystemTime {
///         SystemTime::now()
///     }
///
///     fn timer(&self) -> Never {
///         Never
///     }
///
///     fn random(&self) -> &Random {
///         &self.0
///     }
/// }
///
/// impl Timer for Never {
///     fn poll_at(self: Pin<&mut Self>, _: Instant, _: &mut Context<'_>) -> Poll<()> {
///         Poll::Pending
///     }
/// }
///
/// let seed = [7; 32]; // from the system's generator
/// let hub = sse_core::Hub::builder().build_on(Host(Arc::new(Random::from_seed(seed))));
/// # assert_eq!(hub.stats().streams, 0);
/// ```
pub trait Runtime: Clone + Send + Sync + 'static {
    /// The timer that wakes a stream at its deadline.
    type Timer: Timer;

    /// Returns the current time. Called at every poll of a stream and at every publish.
    fn now(&self) -> Instant;

    /// Returns the wall-clock time. Only [`Sse::expires_at`](crate::Sse::expires_at) calls this, because an expiry may be
    /// given as a `SystemTime`.
    fn wall(&self) -> SystemTime;

    /// Returns a timer without a deadline. Called once per stream, by the task that polls the stream, when the stream
    /// first has to wait.
    fn timer(&self) -> Self::Timer;

    /// Returns the generator of all identifiers, tags and jitter.
    fn random(&self) -> &Random;

    /// Runs a task in the background. The hub calls this when more than 512 subscribers wait for one publish. The publish
    /// then returns after 512 of them, and the task wakes the rest.
    ///
    /// The default drops the task, and a dropped task wakes the rest at once. So a runtime without this method is slower for
    /// the publisher, and loses no subscriber. An own implementation must poll the task to its end, or drop it. [`WakeTask`]
    /// has an example.
    fn spawn(&self, task: WakeTask) {
        drop(task);
    }
}

/// Wakes one task at a deadline. The body of a stream holds its timer in place, pinned and without a box.
pub trait Timer: Send + Sync + 'static {
    /// Returns `Ready` once `deadline` is reached, else `Pending`. The timer then wakes the waker of `cx` at `deadline`.
    ///
    /// Each call replaces the deadline of the call before.
    fn poll_at(self: Pin<&mut Self>, deadline: Instant, cx: &mut Context<'_>) -> Poll<()>;
}

/// The generator of stream identifiers, hub tags and jitter. A runtime seeds one generator, once.
///
/// The algorithm is ChaCha with 12 rounds. Clients see the identifiers, and must not be able to compute those of other
/// streams.
///
/// # Examples
/// The same seed gives the same sequence.
/// ```
/// let one = sse_core::Random::from_seed([7; 32]);
/// let other = sse_core::Random::from_seed([7; 32]);
/// assert_eq!(one.uuid(), other.uuid());
/// ```
#[derive(Debug)]
pub struct Random(Mutex<ChaCha12Rng>);

impl Random {
    /// Creates a generator from a seed of 32 bytes. Take the seed from the operating system, except in a test that must
    /// be repeatable.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Mutex::new(ChaCha12Rng::from_seed(seed)))
    }

    /// Draws a random UUID (version 4).
    ///
    /// Source: RFC 9562 5.4.
    pub fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 16];
        self.0.lock().fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Draws a secret of 128 bits.
    pub(crate) fn secret(&self) -> (u64, u64) {
        let mut generator = self.0.lock();
        (generator.next_u64(), generator.next_u64())
    }

    /// Draws a duration from this range with uniform probability.
    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Duration {
        let span = range.end().saturating_sub(*range.start());
        // 2^53 steps, so that the fraction is exact.
        let fraction = (self.0.lock().next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        range.start().saturating_add(span.mul_f64(fraction))
    }
}
