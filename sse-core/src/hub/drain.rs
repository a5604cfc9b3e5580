//! Ending all streams of a hub, spread over a window.

use super::Inner;
use crate::runtime::runtime::Timer;
use crate::runtime::sync::Arc;
use crate::stream::owner::DrainEnd;
use crate::stream::state::Drain;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Starts the drain and assigns an end to every stream. Later calls only return a future for the same drain.
pub(super) fn start(hub: &Arc<Inner>, window: Duration) -> Draining {
    let now = hub.runtime.now();
    let deadline = now.checked_add(window.saturating_add(hub.limits.drain_grace));
    let streams = hub.registry.start_drain(deadline);
    if let Some(streams) = &streams {
        crate::runtime::trace::drain_began(streams.len(), window.as_millis().try_into().unwrap_or(u64::MAX));
        crate::stream::unowned::report();
    }
    crate::runtime::wake::each(streams.unwrap_or_default(), |(shared, ends)| {
        let random = hub.runtime.random();
        let wait = match ends {
            DrainEnd::Spread => random.duration(Duration::ZERO..=window),
            DrainEnd::Last => window,
        };
        let retry = shared.control.has_retry().then(|| random.duration(hub.limits.drain_retry.clone()));
        shared.drain(Drain { at: now.checked_add(wait), retry });
    });
    Draining { hub: hub.clone(), timer: None, ticket: None }
}

/// The future of [`Hub::drain`](super::Hub::drain). It returns the number of streams that are still open.
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
