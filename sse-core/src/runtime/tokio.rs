//! Tokio as the runtime.

use crate::runtime::runtime::{Random, Runtime, Timer};
use crate::runtime::wake_task::WakeTask;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::{Instant, SystemTime};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{Sleep, sleep_until};

/// The clock and the timer of tokio, and one random generator per process, seeded by the operating system.
///
/// A stream can be created outside a tokio runtime, and an event published. It must be polled inside a runtime with time enabled (`enable_time`).
///
/// # Panics
/// Tokio panics if such a stream is polled without a runtime, or with a runtime without time.
///
/// # Examples
/// ```
/// use sse_core::{Runtime, Tokio};
///
/// assert_ne!(Tokio.random().uuid(), Tokio.random().uuid());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokio;

static RANDOM: LazyLock<Random> = LazyLock::new(|| {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        // The system's generator failed. The keys of the standard hasher and the clock still differ between processes.
        use std::hash::{BuildHasher, RandomState};
        let words = std::iter::repeat_with(|| RandomState::new().hash_one(Instant::now()));
        for (bytes, word) in seed.chunks_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
    Random::from_seed(seed)
});

impl Runtime for Tokio {
    type Timer = TokioTimer;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn timer(&self) -> TokioTimer {
        TokioTimer { sleep: None }
    }

    fn random(&self) -> &Random {
        &RANDOM
    }

    /// Spawns the task if the caller is in a runtime that polls the task in every case: a runtime of several threads, or a
    /// runtime of one thread that runs the caller as a task. Otherwise the task wakes all subscribers at once, because
    /// `block_on` of a runtime of one thread polls spawned tasks only until it returns.
    fn spawn(&self, task: WakeTask) {
        let Ok(handle) = Handle::try_current() else { return };
        if handle.runtime_flavor() == RuntimeFlavor::MultiThread || tokio::task::try_id().is_some() {
            // A runtime that shuts down drops the task.
            drop(handle.spawn(task));
        }
    }
}

pin_project! {
    /// The timer of [`Tokio`]. It creates its `Sleep` at the first deadline.
    #[derive(Debug)]
    pub struct TokioTimer {
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Timer for TokioTimer {
    fn poll_at(self: Pin<&mut Self>, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let deadline = deadline.into();
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(deadline)));
        }
        let Some(mut sleep) = this.sleep.as_pin_mut() else { return Poll::Pending };
        // Every write moves the deadline to a later time. The timer keeps the old deadline, fires then, and is set to the
        // new one below. So the timer is set once per keep-alive interval and not once per write.
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
