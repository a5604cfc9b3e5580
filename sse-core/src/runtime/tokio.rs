//! Tokio as the runtime.

use crate::runtime::runtime::{Random, Runtime, Timer};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::{Instant, SystemTime};
use tokio::time::{Sleep, sleep_until};

/// Tokio's clock and timer, and one generator for the process, seeded by the system.
///
/// A stream may be made outside a runtime; it must be polled inside one with time enabled (`enable_time`), or tokio
/// panics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokio;

static RANDOM: LazyLock<Random> = LazyLock::new(|| {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        // A system without randomness still has ASLR and a clock behind the hasher's keys.
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
}

pin_project! {
    /// A tokio `Sleep`, made when it is first needed.
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
        // A deadline is moved back at every write. The timer is left to fire at the old one and armed again then:
        // once an interval instead of once a write.
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
