//! The body: a pure stream of bytes over the machine, a source, and a timer.

use super::shared::Shared;
use super::source::{Live, Source, Step};
use super::state::{CloseReason, Output};
use crate::hub::Attachment;
use crate::runtime::{Runtime, Timer};
use crate::sync::Arc;
use crate::trace::Told;
use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;
use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll};
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
    pub struct EventStream<R: Runtime, S = Live> {
        shared: Arc<Shared>,
        keep_alive: KeepAlive,
        runtime: R,
        ended: bool,
        attachment: Option<Attachment>,
        told: Told,
        #[pin]
        timer: Option<R::Timer>,
        #[pin]
        source: S,
    }

    impl<R: Runtime, S> PinnedDrop for EventStream<R, S> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(reason) = this.shared.with(|locked| locked.state.drop_body()) {
                leave(this.shared, this.attachment, this.told, reason);
            }
        }
    }
}

impl<R: Runtime, S> EventStream<R, S> {
    pub(crate) fn new(shared: Arc<Shared>, runtime: R, keep_alive: Option<Duration>, source: S) -> Self {
        Self {
            shared,
            keep_alive: KeepAlive::every(keep_alive),
            runtime,
            ended: false,
            attachment: None,
            told: Told::default(),
            timer: None,
            source,
        }
    }

    /// The identifier of this connection.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.shared.id
    }

    /// Whether the body has ended and been told so.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) const fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// The stream opens, as one of a hub's until it ends.
    pub(crate) fn attach(&mut self, attachment: Option<Attachment>) {
        self.attachment = attachment;
        self.told = Told::of_stream(self.shared.id);
    }

    pub(crate) const fn told(&self) -> &Told {
        &self.told
    }
}

/// Tells everybody that the stream has ended, and why.
fn leave(shared: &Shared, attachment: &mut Option<Attachment>, told: &mut Told, reason: CloseReason) {
    told.ended(shared.id, reason);
    if let Some(attachment) = attachment.take() {
        attachment.counters().ended(reason);
    }
    shared.decided();
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
        let _entered = this.told.enter();
        // Register, then look.
        this.shared.body.register(cx.waker());
        loop {
            let (output, room) = this.shared.with(|locked| {
                let output = locked.state.poll(now);
                let room = if let Output::Chunk(_) = output { locked.first_in_line() } else { None };
                (output, room)
            });
            if let Some(first_in_line) = room {
                first_in_line.wake();
            }
            let deadline = match output {
                Output::Chunk(chunk) => {
                    this.keep_alive.wrote(now);
                    this.told.wrote(chunk.len());
                    return Ok(Some(chunk));
                }
                Output::End(reason) => {
                    *this.ended = true;
                    leave(this.shared, this.attachment, this.told, reason);
                    return Ok(None);
                }
                Output::Idle(deadline) => deadline,
            };
            let step = this.source.as_mut().poll_step(cx);
            let chunk = match step {
                Poll::Ready(Step::End(CloseReason::Finished)) => {
                    super::sender::finish(this.shared);
                    continue;
                }
                Poll::Ready(Step::End(reason)) => {
                    this.shared.end(reason, None);
                    continue;
                }
                Poll::Ready(Step::Chunk(chunk)) if !chunk.is_empty() => chunk,
                _ if this.keep_alive.is_due(now) => this.source.as_mut().heartbeat(),
                Poll::Ready(Step::Chunk(_)) => {
                    // Its turn is over, although nothing came of it.
                    cx.waker().wake_by_ref();
                    return Err(None);
                }
                Poll::Pending => return Err(deadline.into_iter().chain(this.keep_alive.at).min()),
            };
            this.keep_alive.wrote(now);
            this.told.wrote(chunk.len());
            return Ok(Some(chunk));
        }
    }

    /// When to poll again although nothing woke it; `None` if there is no such moment.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.ended {
            return None;
        }
        let state = self.shared.with(|locked| locked.state.poll_timeout());
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

impl<R: Runtime, S: Source> FusedStream for EventStream<R, S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

#[cfg(feature = "http-body")]
impl<R: Runtime, S: Source> http_body::Body for EventStream<R, S> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.poll_next(cx).map(|chunk| chunk.map(|bytes| Ok(http_body::Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

impl<R: Runtime, S> fmt::Debug for EventStream<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("id", &self.id()).field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// When the connection must be written to again. Small, because every idle stream has one.
#[derive(Debug)]
struct KeepAlive {
    /// In milliseconds; `None`: never.
    interval: Option<NonZeroU32>,
    /// Set by the first write. `None` also where the clock does not reach that far.
    at: Option<Instant>,
}

impl KeepAlive {
    fn every(interval: Option<Duration>) -> Self {
        let ms = interval.and_then(|interval| u32::try_from(interval.as_nanos().div_ceil(1_000_000)).ok());
        Self { interval: ms.and_then(NonZeroU32::new), at: None }
    }

    fn wrote(&mut self, now: Instant) {
        self.at = self.interval.and_then(|ms| now.checked_add(Duration::from_millis(ms.get().into())));
    }

    fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }
}
