//! The body: a pure stream of bytes over the machine, a source, and a timer.

use super::membership::Membership;
use super::owner::StreamOwner;
use super::shared::{OnEnd, Shared};
use super::source::{Source, Step};
use super::state::{CloseReason, Output};
use crate::event::control::Control;
use crate::runtime::runtime::{Runtime, Timer};
use crate::runtime::sync::Arc;
use crate::runtime::trace::StreamSpan;
use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use uuid::Uuid;

pin_project! {
    /// The body of one event stream: `Stream<Item = Bytes>`, whole blocks in each chunk, silent for ever once it has
    /// ended.
    ///
    /// Deadlines (keep-alive, lifetime, drain) are looked at when it is polled, and its timer sees to that. A body that
    /// nobody polls has none: what ends the connection of a reader that stalls is the socket.
    ///
    /// Without a timer, a host may call [`EventStream::poll_chunk`] with its own time, and again at
    /// [`EventStream::deadline`].
    #[must_use = "the client reads nothing until this is given to the server"]
    pub struct EventStream<R: Runtime, S> {
        membership: Membership,
        keep_alive: KeepAlive,
        runtime: R,
        ended: bool,
        // It failed, and its client must not take it for a whole answer: the server is yet to hear of that.
        aborts: bool,
        #[pin]
        timer: Option<R::Timer>,
        #[pin]
        source: S,
    }
}

impl<R: Runtime, S> EventStream<R, S> {
    pub(crate) fn new(shared: Arc<Shared>, runtime: R, keep_alive: Option<Duration>, source: S) -> Self {
        let keep_alive = KeepAlive::every(keep_alive);
        Self {
            membership: Membership::new(shared),
            keep_alive,
            runtime,
            ended: false,
            aborts: false,
            timer: None,
            source,
        }
    }

    /// The identifier of this connection.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.membership.shared.id
    }

    /// Whether the body has ended and been told so.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.membership.shared
    }

    pub(crate) const fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// The stream opens, as one that entered this owner.
    pub(crate) fn attach(&mut self, owner: Option<Arc<dyn StreamOwner>>, on_end: Option<OnEnd>) {
        self.membership.attach(owner, on_end);
    }

    /// The stream does not open.
    pub(crate) fn detach(&mut self) {
        self.membership.detach();
    }

    /// The same stream with another source.
    #[doc(hidden)]
    pub fn map_source<T>(self, map: impl FnOnce(S) -> T) -> EventStream<R, T> {
        let Self { membership, keep_alive, runtime, ended, aborts, timer, source } = self;
        EventStream { membership, keep_alive, runtime, ended, aborts, timer, source: map(source) }
    }

    /// The body as a stream of results, for servers that take one: a failed stream over another method than GET ends with
    /// an error, upon which the server aborts the response.
    pub const fn into_results(self) -> Results<R, S> {
        Results { body: self }
    }

    pub(crate) const fn span(&self) -> &StreamSpan {
        &self.membership.span
    }
}

impl<R: Runtime, S: Source> EventStream<R, S> {
    /// The next chunk at this moment, for a host with a clock and timers of its own.
    ///
    /// The waker is woken when there may be more; a deadline that passes wakes nobody, see [`EventStream::deadline`].
    /// `None` once the stream has ended, however often it is asked.
    pub fn poll_chunk(self: Pin<&mut Self>, now: Instant, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.poll_until(now, cx).map_or(Poll::Pending, Poll::Ready)
    }

    /// The next chunk, or until when there is none if nobody wakes it.
    fn poll_until(self: Pin<&mut Self>, now: Instant, cx: &mut Context<'_>) -> Result<Option<Bytes>, Option<Instant>> {
        let mut this = self.project();
        if *this.ended {
            return Ok(None);
        }
        let _entered = this.membership.span.enter();
        // Register, then look.
        this.membership.shared.body.register(cx.waker());
        loop {
            let (output, room) = this.membership.shared.with(|locked| {
                let output = locked.state.poll(now);
                let room = if let Output::Chunk(_) = output { locked.first_in_line() } else { None };
                (output, room)
            });
            if let Some(first_in_line) = room {
                first_in_line.wake();
            }
            let deadline = match output {
                Output::Chunk(chunk) => {
                    this.keep_alive.wrote_data(now, this.membership.shared.id);
                    this.membership.span.wrote(chunk.len());
                    return Ok(Some(chunk));
                }
                Output::End(reason) => {
                    *this.ended = true;
                    *this.aborts = reason == CloseReason::Failed && this.membership.shared.control == Control::Omitted;
                    this.keep_alive.at = None;
                    this.membership.leave(reason);
                    return Ok(None);
                }
                Output::Idle(deadline) => deadline,
            };
            let step = this.source.as_mut().poll_step(cx);
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
                Poll::Ready(Step::Chunk(chunk)) if !chunk.is_empty() => {
                    this.keep_alive.wrote_data(now, this.membership.shared.id);
                    chunk
                }
                _ if this.keep_alive.is_due(now) => {
                    this.keep_alive.wrote(now);
                    this.source.as_mut().keep_alive()
                }
                Poll::Ready(Step::Chunk(_)) => {
                    // Its turn is over, although nothing came of it.
                    cx.waker().wake_by_ref();
                    return Err(None);
                }
                Poll::Pending => return Err(deadline.into_iter().chain(this.keep_alive.at).min()),
            };
            this.membership.span.wrote(chunk.len());
            return Ok(Some(chunk));
        }
    }

    /// As a stream's `poll_next`; after the last chunk of a failed stream over another method than GET comes the error.
    fn poll_result(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamFailed>>> {
        if !self.ended
            && let Some(chunk) = ready!(self.as_mut().poll_next(cx))
        {
            return Poll::Ready(Some(Ok(chunk)));
        }
        let mut this = self.project();
        if !*this.aborts {
            return Poll::Ready(None);
        }
        // The keep-alive needs its moment no more.
        let at = *this.keep_alive.at.get_or_insert_with(|| this.runtime.now() + LINGER);
        if this.timer.is_none() {
            let timer = this.runtime.timer();
            this.timer.set(Some(timer));
        }
        while this.runtime.now() < at {
            match this.timer.as_mut().as_pin_mut().map(|timer| timer.poll_at(at, cx)) {
                Some(Poll::Ready(())) => {}
                _ => return Poll::Pending,
            }
        }
        this.timer.set(None);
        *this.aborts = false;
        Poll::Ready(Some(Err(StreamFailed(()))))
    }

    /// When to poll again although nothing woke it; `None` if there is no such moment.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.ended {
            return None;
        }
        let state = self.membership.shared.with(|locked| locked.state.poll_timeout());
        state.into_iter().chain(self.keep_alive.at).min()
    }
}

impl<R: Runtime, S: Source> Stream for EventStream<R, S> {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let now = self.runtime.now();
            let deadline = match self.as_mut().poll_until(now, cx) {
                Ok(None) => {
                    // It would wake the task for nothing.
                    self.project().timer.set(None);
                    return Poll::Ready(None);
                }
                Ok(chunk) => return Poll::Ready(chunk),
                Err(None) => return Poll::Pending,
                Err(Some(deadline)) => deadline,
            };
            let mut this = self.as_mut().project();
            if this.timer.is_none() {
                let timer = this.runtime.timer();
                this.timer.set(Some(timer));
            }
            // A timer may fire a moment early by its clock's grain; then it is armed again.
            match this.timer.as_pin_mut().map(|timer| timer.poll_at(deadline, cx)) {
                Some(Poll::Ready(())) => {}
                _ => return Poll::Pending,
            }
        }
    }
}

/// A failed stream, as the server hears of it that must abort the response. The reason is for the application alone: see
/// [`Sse::on_end`](crate::Sse::on_end).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event stream failed, and its response must not look whole")]
pub struct StreamFailed(());

/// How long the last chunk of an aborted body has to leave: servers drop unsent bytes when a body fails.
const LINGER: Duration = Duration::from_millis(50);

pin_project! {
    /// The body of [`EventStream::into_results`].
    #[must_use = "the client reads nothing until this is given to the server"]
    pub struct Results<R: Runtime, S> {
        #[pin]
        body: EventStream<R, S>,
    }
}

impl<R: Runtime, S: Source> Stream for Results<R, S> {
    type Item = Result<Bytes, StreamFailed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().body.poll_result(cx)
    }
}

impl<R: Runtime, S> fmt::Debug for Results<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Results").field(&self.body).finish()
    }
}

impl<R: Runtime, S: Source> FusedStream for EventStream<R, S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

#[cfg(feature = "http-body")]
impl<R: Runtime, S: Source> http_body::Body for EventStream<R, S> {
    type Data = Bytes;
    type Error = StreamFailed;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.poll_result(cx).map_ok(http_body::Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.ended && !self.aborts
    }
}

impl<R: Runtime, S> fmt::Debug for EventStream<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("id", &self.id()).field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// When the connection must be written to again. Small, because every idle stream has one.
///
/// After data the time is drawn, at first from half to one interval and later from nine tenths on, so that one publish
/// does not put the keep-alives of all streams on one moment. After a keep-alive it is the interval, which leaves them
/// apart.
#[derive(Debug)]
struct KeepAlive {
    /// In milliseconds; `None`: never.
    interval: Option<NonZeroU32>,
    /// How often data put it off.
    draws: u32,
    /// Set by the first write. `None` also where the clock does not reach that far.
    at: Option<Instant>,
}

impl KeepAlive {
    fn every(interval: Option<Duration>) -> Self {
        let ms = interval.and_then(|interval| u32::try_from(interval.as_nanos().div_ceil(1_000_000)).ok());
        Self { interval: ms.and_then(NonZeroU32::new), draws: 0, at: None }
    }

    /// The stream's identifier was drawn at random, and an idle stream has no room for a generator of its own.
    fn wrote_data(&mut self, now: Instant, id: Uuid) {
        let Some(ms) = self.interval else { return };
        let interval = Duration::from_millis(ms.get().into());
        let spread = if self.draws == 0 { interval / 2 } else { interval / 10 };
        self.draws = self.draws.saturating_add(1);
        let fraction =
            (splitmix((id.as_u128() as u64).wrapping_add(self.draws.into())) >> 11) as f64 / (1_u64 << 53) as f64;
        self.at = now.checked_add(interval - spread.mul_f64(fraction));
    }

    fn wrote(&mut self, now: Instant) {
        self.at = self.interval.and_then(|ms| now.checked_add(Duration::from_millis(ms.get().into())));
    }

    fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }
}

/// One step of SplitMix64, which spreads neighbouring numbers (Steele, Lea and Flood, 2014).
const fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
