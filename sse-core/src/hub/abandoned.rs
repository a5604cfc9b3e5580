//! Waiting until no subscriber follows a topic.

use super::Inner;
use super::publish::Topic;
use super::topic::SharedTopic;
use crate::runtime::runtime::Timer;
use crate::runtime::sync::Arc;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

impl Topic {
    /// The number of subscribers of the topic at this node, as [`Hub::subscribers`](super::Hub::subscribers).
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let answer = hub.topic("answer/7")?;
    /// let client = clock.sse().subscribe(&hub, "answer/7").into_response();
    /// assert_eq!(answer.subscribers(), 1);
    /// # drop(client);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.shared().lock().subscribers()
    }

    /// Returns when the topic has had no subscriber at this node for this long, for example to stop work without a client.
    /// The time starts at the first poll of the future, and again whenever the last subscriber leaves. The future does not
    /// borrow the handle.
    ///
    /// A client that left counts until its server drops the body. A client that reconnects is absent for some seconds, so
    /// wait longer than its reconnection time.
    ///
    /// # Cancel safety
    /// The future may be dropped at any time. A new one starts its time again.
    ///
    /// ```
    /// # use {sse_core::{Hub, testing::Clock}, std::time::Duration, std::pin::pin, std::future::Future};
    /// # use std::task::{Context, Poll, Waker};
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let answer = hub.topic("answer/7")?;
    /// let client = clock.sse().subscribe(&hub, "answer/7").into_response();
    /// let mut abandoned = pin!(answer.abandoned(Duration::from_secs(60)));
    /// clock.advance(Duration::from_secs(100));
    /// assert_eq!(abandoned.as_mut().poll(&mut cx), Poll::Pending);
    /// drop(client);
    /// assert_eq!(abandoned.as_mut().poll(&mut cx), Poll::Pending);
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(abandoned.poll(&mut cx), Poll::Ready(()));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn abandoned(&self, after: Duration) -> impl Future<Output = ()> + Send + Unpin + use<> {
        let (hub, topic) = (self.hub().inner.clone(), self.shared().clone());
        topic.lock().enter(true);
        Abandoned { hub, topic, after, since: None, timer: None, ticket: None }
    }
}

/// The future of [`Topic::abandoned`].
struct Abandoned {
    hub: Arc<Inner>,
    /// Counts this future as a handle.
    topic: Arc<SharedTopic>,
    after: Duration,
    /// When the topic was first seen without a subscriber, and the number of arrivals then.
    since: Option<(Instant, u64)>,
    timer: Option<Pin<Box<dyn Timer>>>,
    /// The key of the waker.
    ticket: Option<u64>,
}

impl Future for Abandoned {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        // Code of the application, so it runs without a lock.
        let (now, waker) = (this.hub.runtime.now(), cx.waker().clone());
        let (seen, old) = {
            let mut locked = this.topic.lock();
            let is_empty = locked.subscribers() == 0;
            let extra = locked.extra();
            let ticket = *this.ticket.get_or_insert_with(|| {
                extra.tickets += 1;
                extra.tickets
            });
            let old = extra.watchers.insert(ticket, waker);
            (is_empty.then_some(extra.arrivals), old)
        };
        drop(old);
        let Some(arrivals) = seen else {
            (this.since, this.timer) = (None, None);
            return Poll::Pending;
        };
        let since = match this.since {
            Some((since, known)) if known == arrivals => since,
            _ => now,
        };
        this.since = Some((since, arrivals));
        let Some(deadline) = since.checked_add(this.after) else { return Poll::Pending };
        let timer = this.timer.get_or_insert_with(|| this.hub.runtime.timer());
        loop {
            if this.hub.runtime.now() >= deadline {
                return Poll::Ready(());
            }
            if timer.as_mut().poll_at(deadline, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        let ticket = self.ticket;
        self.hub.leave_topic(&self.topic, true, |locked| locked.extra.as_mut()?.watchers.remove(&ticket?));
    }
}

impl fmt::Debug for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Abandoned").field("after", &self.after).finish_non_exhaustive()
    }
}
