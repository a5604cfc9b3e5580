//! Ending all streams of a hub, spread over a window.

use super::registry::DrainNotices;
use super::{Hub, Inner};
use crate::runtime::runtime::Timer;
use crate::runtime::sync::Arc;
use crate::stream::owner::DrainEnd;
use crate::stream::shared::Shared;
use crate::stream::state::Drain;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Starts the drain and assigns an end to every stream. Later calls only return a future for the same drain.
pub(super) fn start(hub: &Arc<Inner>, window: Duration) -> Draining {
    let now = hub.runtime.now();
    let deadline = now.checked_add(window.saturating_add(hub.limits.drain_grace));
    if let Some(DrainNotices { streams, watchers }) = hub.registry.start_drain(deadline) {
        crate::runtime::trace::drain_began(streams.len(), window.as_millis().try_into().unwrap_or(u64::MAX));
        crate::stream::unowned::report();
        let streams = streams.into_iter().map(|(shared, ends)| Notice::Stream(shared, ends));
        let notices = streams.chain(watchers.into_values().map(Notice::Watcher));
        crate::runtime::wake::each(notices, |notice| match notice {
            Notice::Stream(shared, ends) => {
                let random = hub.runtime.random();
                let wait = match ends {
                    DrainEnd::Spread => random.duration(Duration::ZERO..=window),
                    DrainEnd::Last => window,
                };
                let retry = shared.control.has_retry().then(|| random.duration(hub.limits.drain_retry.clone()));
                shared.drain(Drain { at: now.checked_add(wait), retry });
            }
            Notice::Watcher(waker) => waker.wake(),
        });
    }
    Draining { hub: hub.clone(), timer: None, ticket: None }
}

/// One type for both, so that a panic of one waker does not skip the rest.
enum Notice {
    Stream(Arc<Shared>, DrainEnd),
    Watcher(Waker),
}

impl Hub {
    /// Returns when [`Hub::drain`] is called, or at once if the hub drains already. For tasks that publish, so that they stop
    /// with the server. For a stream, see [`Sender::draining`](crate::Sender::draining).
    ///
    /// # Cancel safety
    /// The future may be dropped at any time.
    ///
    /// ```
    /// # use {sse_core::{Hub, testing::Clock}, std::time::Duration, std::pin::pin, std::future::Future};
    /// # use std::task::{Context, Poll, Waker};
    /// # let hub = Hub::builder().build_on(Clock::new());
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let mut draining = pin!(hub.draining());
    /// assert_eq!(draining.as_mut().poll(&mut cx), Poll::Pending);
    /// drop(hub.drain(Duration::from_secs(5)));
    /// assert_eq!(draining.poll(&mut cx), Poll::Ready(()));
    /// ```
    pub fn draining(&self) -> impl Future<Output = ()> + Send + Sync + Unpin + use<> {
        DrainStart { hub: self.inner.clone(), ticket: None }
    }
}

/// The future of [`Hub::draining`].
struct DrainStart {
    hub: Arc<Inner>,
    ticket: Option<u64>,
}

impl Future for DrainStart {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.hub.registry.poll_drain_start(&mut this.ticket, cx.waker().clone()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for DrainStart {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.hub.registry.stop_watching(ticket);
        }
    }
}

/// The future of [`Hub::drain`]. It returns the number of streams that are still open.
#[must_use = "the drain continues by itself; await this to know when it is over"]
pub struct Draining {
    hub: Arc<Inner>,
    timer: Option<Pin<Box<dyn Timer>>>,
    ticket: Option<u64>,
}

impl Future for Draining {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = &mut *self;
        let progress = this.hub.registry.poll_drain(&mut this.ticket, cx.waker().clone());
        if progress.open == 0 {
            crate::runtime::trace::drain_over(0);
            return Poll::Ready(0);
        }
        let Some(deadline) = progress.deadline else { return Poll::Pending };
        let timer = this.timer.get_or_insert_with(|| this.hub.runtime.timer());
        loop {
            if this.hub.runtime.now() >= deadline {
                let open = this.hub.registry.len();
                crate::runtime::trace::drain_over(open);
                return Poll::Ready(open);
            }
            if timer.as_mut().poll_at(deadline, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.hub.registry.stop_waiting(ticket);
        }
    }
}

impl std::fmt::Debug for Draining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draining").field("open", &self.hub.registry.len()).finish_non_exhaustive()
    }
}
