//! The body of a stream: pending blocks of the senders, events of a source, and keep-alives by a timer.

use super::close_reason::CloseReason;
use super::keep_alive::KeepAlive;
use super::membership::Membership;
use super::owner::StreamOwner;
use super::pace::Pace;
use super::results::Results;
use super::shared::Shared;
use super::source::{Source, Step};
use super::state::Output;
use super::waiting::OnEnd;
use crate::event::control::Control;
use crate::runtime::runtime::{Runtime, Timer};
use crate::runtime::sync::Arc;
use crate::runtime::trace::StreamSpan;
use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use uuid::Uuid;

pin_project! {
    /// The body of one event stream: a `Stream<Item = Bytes>`. Each chunk has whole blocks. After the end the body returns
    /// `None` for ever.
    ///
    /// The timer of the body wakes its task at each deadline (keep-alive, lifetime, drain). A body that the server does not
    /// poll keeps no deadline. A timeout of the socket ends the connection of a client that stalls.
    ///
    /// A host without a timer calls [`EventStream::poll_chunk`] with its own time, and again at [`EventStream::deadline`].
    #[must_use = "the client receives nothing until the server has the body"]
    pub struct EventStream<R: Runtime, S> {
        pub(super) membership: Membership,
        pub(super) keep_alive: KeepAlive,
        pace: Option<Box<Pace>>,
        pub(super) runtime: R,
        #[pin]
        pub(super) timer: Option<R::Timer>,
        #[pin]
        source: S,
    }
}

impl<R: Runtime, S> EventStream<R, S> {
    pub(crate) fn new(shared: Arc<Shared>, runtime: R, timing: Timing, source: S) -> Self {
        let (keep_alive, pace) = (KeepAlive::every(timing.keep_alive), Pace::every(timing.pace));
        Self { membership: Membership::new(shared), keep_alive, pace, runtime, timer: None, source }
    }

    /// The unique ID of this stream.
    ///
    /// ```
    /// use sse_core::testing::Clock;
    ///
    /// let (events, response) = Clock::new().sse().channel();
    /// assert_eq!(response.into_body().id(), events.id());
    /// ```
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.membership.shared.id
    }

    /// Whether the body has returned `None`.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.membership.ended
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.membership.shared
    }

    pub(crate) const fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// Opens the stream. The stream has entered `owner` before.
    pub(crate) fn attach(&mut self, owner: Option<Arc<dyn StreamOwner>>, on_end: Option<OnEnd>) {
        self.membership.attach(owner, on_end);
    }

    /// Removes the stream from its owner, because the stream does not open.
    pub(crate) fn detach(&mut self) {
        self.membership.detach();
    }

    /// The same stream with another source.
    #[doc(hidden)]
    pub fn map_source<T>(self, map: impl FnOnce(S) -> T) -> EventStream<R, T> {
        let Self { membership, keep_alive, pace, runtime, timer, source } = self;
        EventStream { membership, keep_alive, pace, runtime, timer, source: map(source) }
    }

    /// The body as a stream of results, for servers that take one. A failed stream over another method than GET ends with an
    /// error, and the server then aborts the response.
    pub const fn into_results(self) -> Results<R, S> {
        Results { body: self }
    }

    pub(crate) const fn span(&self) -> &StreamSpan {
        &self.membership.span
    }
}

/// The intervals of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) pace: Duration,
}

/// The result of one poll of a body.
enum Polled {
    Chunk(Bytes),
    /// No chunk before this moment, unless a waker fires.
    Wait(Option<Instant>),
    End,
}

impl<R: Runtime, S: Source> EventStream<R, S> {
    /// Polls the next chunk at this moment, for a host with a clock and timers of its own. Returns `None` after the end.
    ///
    /// The waker fires when another chunk may be ready. A deadline does not fire the waker, see [`EventStream::deadline`].
    pub fn poll_chunk(self: Pin<&mut Self>, now: Instant, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.poll_until(now, cx) {
            Polled::Chunk(chunk) => Poll::Ready(Some(chunk)),
            Polled::End => Poll::Ready(None),
            Polled::Wait(_) => Poll::Pending,
        }
    }

    fn poll_until(self: Pin<&mut Self>, now: Instant, cx: &mut Context<'_>) -> Polled {
        let mut this = self.project();
        if this.membership.ended {
            return Polled::End;
        }
        let _entered = this.membership.span.enter();
        // Registered before the state is read, so that no change is missed.
        this.membership.shared.body.register(cx.waker());
        loop {
            let is_paused = this.pace.as_mut().is_some_and(|pace| pace.is_closed(now));
            let (output, room, can_hold) = this.membership.shared.with(|locked| {
                let output = locked.state.poll(now, is_paused);
                let room = if let Output::Chunk { .. } = output { locked.first_in_line() } else { None };
                (output, room, locked.state.can_hold())
            });
            if let Some(first_in_line) = room {
                first_in_line.wake();
            }
            let deadline = match output {
                Output::Chunk { chunk, has_events } => {
                    if let Some(pace) = this.pace.as_mut().filter(|_| has_events) {
                        pace.wrote(now);
                    }
                    #[cfg(feature = "gzip")]
                    let chunk = this.source.as_mut().encode(chunk);
                    this.keep_alive.wrote_data(now, this.membership.shared.id);
                    this.membership.span.wrote(chunk.len());
                    return Polled::Chunk(chunk);
                }
                Output::End(reason) => {
                    this.membership.ended = true;
                    this.membership.aborts =
                        reason == CloseReason::Failed && this.membership.shared.control == Control::Omitted;
                    this.keep_alive.end();
                    this.membership.leave(reason);
                    #[cfg(feature = "gzip")]
                    if let Some(bytes) = this.source.as_mut().encode_empty() {
                        return Polled::Chunk(bytes);
                    }
                    return Polled::End;
                }
                Output::Idle(deadline) => deadline,
            };
            // A topic keeps its events, so a poll would only make the cursor ask for one more wake.
            let polls = !is_paused || (can_hold && !this.source.keeps_events());
            let step = if polls { this.source.as_mut().poll_step(cx) } else { Poll::Pending };
            let chunk = match step {
                Poll::Ready(Step::End(CloseReason::Finished)) => {
                    super::sender::finish(&this.membership.shared);
                    continue;
                }
                Poll::Ready(Step::End(reason)) => {
                    this.membership.shared.end(reason, None);
                    continue;
                }
                Poll::Ready(Step::Fail(error)) => {
                    this.membership.shared.fail(error);
                    continue;
                }
                Poll::Ready(Step::Sent) if !is_paused => continue,
                Poll::Ready(Step::Chunk(chunk)) if is_paused && !chunk.is_empty() => {
                    this.membership.shared.with(|locked| locked.state.hold(chunk));
                    continue;
                }
                Poll::Ready(Step::Chunk(chunk)) if !chunk.is_empty() => {
                    if let Some(pace) = this.pace.as_mut() {
                        pace.wrote(now);
                    }
                    this.keep_alive.wrote_data(now, this.membership.shared.id);
                    chunk
                }
                _ if this.keep_alive.is_due(now) => {
                    this.keep_alive.wrote(now);
                    this.source.as_mut().keep_alive()
                }
                Poll::Ready(Step::Chunk(_)) => {
                    // The source used its turn for events without bytes.
                    cx.waker().wake_by_ref();
                    return Polled::Wait(None);
                }
                Poll::Pending | Poll::Ready(Step::Sent) => {
                    let window = this.pace.as_mut().and_then(|pace| {
                        if !is_paused {
                            pace.wrote_all();
                        } else if this.source.keeps_events()
                            || this.membership.shared.with(|locked| locked.state.has_pending())
                        {
                            pace.wait();
                        }
                        pace.at()
                    });
                    return Polled::Wait(deadline.into_iter().chain(this.keep_alive.at()).chain(window).min());
                }
            };
            this.membership.span.wrote(chunk.len());
            return Polled::Chunk(chunk);
        }
    }

    /// The next moment at which the body must be polled even if no waker fires. `None` if there is no such moment.
    ///
    /// ```
    /// use sse_core::Runtime;
    /// use sse_core::testing::Clock;
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use std::time::Duration;
    ///
    /// let (clock, hour) = (Clock::new(), Duration::from_secs(3600));
    /// let now = clock.now();
    /// let (events, response) = clock.sse().keep_alive(None).expires_at(now + hour).channel();
    /// let mut body = pin!(response.into_body());
    /// let mut cx = Context::from_waker(Waker::noop());
    /// while let Poll::Ready(Some(_)) = body.as_mut().poll_chunk(now, &mut cx) {}
    /// assert_eq!(body.deadline(), Some(now + hour));
    /// # drop(events);
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.membership.ended {
            return None;
        }
        let state = self.membership.shared.with(|locked| locked.state.poll_timeout());
        let window = self.pace.as_ref().and_then(|pace| pace.at());
        state.into_iter().chain(self.keep_alive.at()).chain(window).min()
    }
}

impl<R: Runtime, S: Source> Stream for EventStream<R, S> {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let now = self.runtime.now();
            let deadline = match self.as_mut().poll_until(now, cx) {
                Polled::End => {
                    // A timer after the end would wake the task for nothing.
                    self.project().timer.set(None);
                    return Poll::Ready(None);
                }
                Polled::Chunk(chunk) => return Poll::Ready(Some(chunk)),
                Polled::Wait(None) => return Poll::Pending,
                Polled::Wait(Some(deadline)) => deadline,
            };
            let mut this = self.as_mut().project();
            if this.timer.is_none() {
                let timer = this.runtime.timer();
                this.timer.set(Some(timer));
            }
            // A timer may fire early by the resolution of its clock. The loop then arms the timer again.
            match this.timer.as_pin_mut().map(|timer| timer.poll_at(deadline, cx)) {
                Some(Poll::Ready(())) => {}
                _ => return Poll::Pending,
            }
        }
    }
}

impl<R: Runtime, S: Source> FusedStream for EventStream<R, S> {
    fn is_terminated(&self) -> bool {
        self.membership.ended
    }
}

#[cfg(feature = "http-body")]
impl<R: Runtime, S: Source> http_body::Body for EventStream<R, S> {
    type Data = Bytes;
    type Error = super::results::StreamFailed;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.poll_result(cx).map_ok(http_body::Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.membership.ended && !self.membership.aborts
    }
}

impl<R: Runtime, S> fmt::Debug for EventStream<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("id", &self.id())
            .field("ended", &self.membership.ended)
            .finish_non_exhaustive()
    }
}
