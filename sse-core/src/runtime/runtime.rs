//! What a runtime lends to the core: a clock, a timer, and randomness.

use crate::runtime::sync::Mutex;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

/// What the core borrows from the program around it. Tokio's is [`Tokio`](crate::Tokio), behind the feature `tokio`;
/// a test's is `testing::Clock`.
///
/// A value is cloned into every stream, so it should be small.
///
/// ```
/// // A host that polls at each deadline itself, as with `EventStream::poll_chunk`, lends a timer that never fires.
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
    /// Wakes a stream at its deadline.
    type Timer: Timer;

    /// The time now. Called at every poll of a stream and at every publish.
    fn now(&self) -> Instant;

    /// What the wall clock shows. Called only by [`Sse::expires_at`](crate::Sse::expires_at), whose moment may be a
    /// `SystemTime`.
    fn wall(&self) -> SystemTime;

    /// A timer that waits for nothing yet. Called when a stream is polled for the first time with something to wait
    /// for, inside the task that polls it.
    fn timer(&self) -> Self::Timer;

    /// The generator of all identifiers, tags and jitter.
    fn random(&self) -> &Random;
}

/// Wakes one task at a deadline. It lives inside the body of a stream, pinned and unboxed.
pub trait Timer: Send + Sync + 'static {
    /// Ready once the deadline is reached; before, the context's waker is woken then. Each call may bring another
    /// deadline, which replaces the last one.
    fn poll_at(self: Pin<&mut Self>, deadline: Instant, cx: &mut Context<'_>) -> Poll<()>;
}

/// The one generator of identifiers, tags and jitter, seeded once: a ChaCha of 12 rounds, so that the identifier of
/// one connection tells nothing about another's.
///
/// ```
/// let one = sse_core::Random::from_seed([7; 32]);
/// let other = sse_core::Random::from_seed([7; 32]);
/// assert_eq!(one.uuid(), other.uuid());
/// ```
#[derive(Debug)]
pub struct Random(Mutex<ChaCha12Rng>);

impl Random {
    /// A generator with this seed, which should come from the system unless every draw is to repeat.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Mutex::new(ChaCha12Rng::from_seed(seed)))
    }

    /// A random UUID (version 4).
    pub fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 16];
        self.0.lock().fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A secret of 128 bits.
    pub(crate) fn secret(&self) -> (u64, u64) {
        let mut generator = self.0.lock();
        (generator.next_u64(), generator.next_u64())
    }

    /// A duration from this range, each as likely as another.
    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Duration {
        let span = range.end().saturating_sub(*range.start());
        // 2^53 steps, so that the fraction is exact.
        let fraction = (self.0.lock().next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        range.start().saturating_add(span.mul_f64(fraction))
    }
}
