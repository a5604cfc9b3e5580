//! The task that wakes a crowd after the publish has returned.

use crate::runtime::wake;
use slab::Slab;
use std::fmt;
use std::future::Future;
use std::iter::Flatten;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::vec;

/// A publish wakes at most this many subscribers by itself, and a [`WakeTask`] as many in each poll.
pub(crate) const WAKES: usize = if cfg!(feature = "__loom") { 1 } else { 512 };

/// The rest of a crowd: the subscribers of one publish that the publish did not wake by itself. [`Runtime::spawn`] receives
/// this task.
///
/// Each poll wakes at most 512 subscribers and lets other tasks run. A task that is dropped wakes all remaining subscribers
/// at once, so no subscriber is lost with a runtime that shuts down.
///
/// [`Runtime::spawn`]: crate::Runtime::spawn
///
/// ```
/// # use sse_core::{Hub, Random, Runtime, Sse, Timer, WakeTask, testing::Clock};
/// # use std::{pin::Pin, sync::{Arc, Mutex}, task::{Context, Poll, Waker}, time::{Instant, SystemTime}};
/// #[derive(Clone)]
/// struct Host {
///     clock: Clock,
///     tasks: Arc<Mutex<Vec<WakeTask>>>,
/// }
///
/// impl Runtime for Host {
/// #   type Timer = <Clock as Runtime>::Timer;
/// #   fn now(&self) -> Instant { self.clock.now() }
/// #   fn wall(&self) -> SystemTime { self.clock.wall() }
/// #   fn timer(&self) -> Self::Timer { self.clock.timer() }
/// #   fn random(&self) -> &Random { self.clock.random() }
///     // ...
///     fn spawn(&self, task: WakeTask) {
///         self.tasks.lock().unwrap().push(task);
///     }
/// }
///
/// let host = Host { clock: Clock::new(), tasks: Arc::default() };
/// let hub = Hub::builder().build_on(host.clone());
/// let mut cx = Context::from_waker(Waker::noop());
/// let mut crowd: Vec<_> = (0..1_000)
///     .map(|_| host.clock.sse().subscribe(&hub, ["news"]).into_response().into_body())
///     .collect();
/// let now = host.clock.now();
/// for body in &mut crowd {
///     while Pin::new(&mut *body).poll_chunk(now, &mut cx).is_ready() {}
/// }
/// hub.publish("news", "rain")?; // wakes 512 subscribers
///
/// let mut task = host.tasks.lock().unwrap().pop().unwrap();
/// assert!(Pin::new(&mut task).poll(&mut cx).is_ready()); // wakes the other 488
/// # use std::future::Future;
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
pub struct WakeTask {
    wakers: Flatten<vec::IntoIter<Slab<Waker>>>,
    left: usize,
}

impl WakeTask {
    pub(crate) fn new(parked: Vec<Slab<Waker>>) -> Self {
        let left = parked.iter().map(Slab::len).sum();
        Self { wakers: parked.into_iter().flatten(), left }
    }

    /// Wakes at most [`WAKES`] subscribers. Returns whether all are woken.
    pub(crate) fn wake_some(&mut self) -> bool {
        let left = self.left.saturating_sub(WAKES);
        wake::all(std::iter::from_fn(|| {
            // Counted first, because the waker may panic.
            self.left = self.left.checked_sub(1).filter(|now| *now >= left)?;
            self.wakers.next().map(|(_, waker)| waker)
        }));
        self.left == 0
    }
}

impl Future for WakeTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.wake_some() {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for WakeTask {
    fn drop(&mut self) {
        let wakers = self.wakers.by_ref().map(|(_, waker)| waker);
        // Unwind safety: `wake::all` has woken every waker before it panics.
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| wake::all(wakers))) else { return };
        if std::thread::panicking() {
            // A second panic at once would abort. The drop of a panic's payload can panic too.
            drop(catch_unwind(AssertUnwindSafe(|| drop(panic))));
        } else {
            resume_unwind(panic);
        }
    }
}

impl fmt::Debug for WakeTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeTask").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "wake_task_tests.rs"]
mod tests;
