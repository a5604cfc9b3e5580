//! The state of one stream, without a clock, a lock or a waker: time is an argument, and deadlines are results.
//!
//! ```text
//!            open, first send,                close, finish, drain, expiry, lag,
//!            or first poll                    failure, last sender dropped
//!   Idle ──────────────────────► Open ──────────────────────────────► Ending(reason)
//!     │                           │                                      │      │
//!     │       body dropped        │            body dropped              │      │ the body took
//!     ▼                           ▼                                      │      │ all pending blocks
//!   Closed(gone) ◄──────── Closed(gone) ◄────────────────────────────────┘      ▼
//!                                                                        Closed(reason)
//! ```
//!
//! A stream may end while idle. The client then still receives the opening block. The reason is decided once, at the
//! transition to `Closed`. If the client did not receive the last block, the reason is `gone`.

use super::close_reason::CloseReason;
use super::pending::Pending;
use super::source::CHUNK_BYTES;
use crate::event::control::retry_block;
use bytes::Bytes;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Open,
    Ending(CloseReason),
    Closed(CloseReason),
}

/// The moment at which a drain ends a stream, and the reconnection time for the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    /// `None` if the clock cannot represent the moment. The drain then never ends the stream.
    pub(crate) at: Option<Instant>,
    /// `None` for a client that does not reconnect by itself.
    pub(crate) retry: Option<Duration>,
}

/// The next step of the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Send these blocks, which have events of the application or only the opening of the stream.
    Chunk { chunk: Bytes, has_events: bool },
    /// No pending blocks, so the body polls its source. The body must poll again at this moment, even if no waker fires.
    Idle(Option<Instant>),
    /// The body has ended for this reason.
    End(CloseReason),
}

#[derive(Debug)]
pub(crate) struct State {
    phase: Phase,
    /// Blocks for the body. While the stream is idle: the opening block.
    pending: Pending,
    /// The bytes in `pending` that the application sent. `bound` limits these bytes.
    sent: usize,
    bound: usize,
    expires_at: Option<Instant>,
    /// Boxed, because most streams never drain.
    drain: Option<Box<Drain>>,
    /// Whether the body was ever polled.
    read: bool,
}

impl State {
    pub(crate) fn new(bound: usize, expires_at: Option<Instant>) -> Self {
        let (phase, pending) = (Phase::Idle, Pending::default());
        Self { phase, pending, sent: 0, bound, expires_at, drain: None, read: false }
    }

    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Open)
    }

    pub(crate) const fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    pub(crate) const fn is_read(&self) -> bool {
        self.read
    }

    pub(crate) const fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether one more chunk of the source may wait with the pending blocks.
    pub(crate) const fn can_hold(&self) -> bool {
        self.pending.len() < CHUNK_BYTES
    }

    pub(crate) const fn reason(&self) -> Option<CloseReason> {
        match self.phase {
            Phase::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    /// The maximum size in bytes of the next event. An event of any size fits if no event of the application is pending.
    pub(crate) const fn room(&self) -> usize {
        if self.sent == 0 { usize::MAX } else { self.bound.saturating_sub(self.sent) }
    }

    // Calls of the application.

    /// Opens the stream. Returns true for the first call.
    pub(crate) fn open(&mut self) -> bool {
        let opens = self.phase == Phase::Idle;
        if opens {
            self.phase = Phase::Open;
        }
        opens
    }

    /// Sets the first block of the stream. Has no effect on an open stream.
    pub(crate) fn set_opening(&mut self, opening: Bytes) {
        if self.phase == Phase::Idle {
            self.pending = Pending::One(opening);
        }
    }

    /// Opens the stream and queues the blocks that `put` writes. The caller has checked that the stream is active and has
    /// room. The caller must wake the body if this returns true. Otherwise an earlier call has done so.
    pub(crate) fn send(&mut self, put: impl FnOnce(&mut Pending)) -> bool {
        let opens = self.open();
        let before = self.pending.len();
        put(&mut self.pending);
        self.sent += self.pending.len() - before;
        opens || before == 0
    }

    /// Queues a chunk of the source, which must wait for the end of a window.
    pub(crate) fn hold(&mut self, chunk: Bytes) {
        self.sent += chunk.len();
        self.pending.push(chunk);
    }

    /// Ends the stream after its pending blocks. The client receives `last` as the last block. Returns true for the first
    /// call.
    pub(crate) fn end(&mut self, reason: CloseReason, last: Option<Bytes>) -> bool {
        let ends = self.is_active();
        if ends {
            self.open();
            if let Some(last) = last {
                self.pending.push(last);
            } else if let Some(retry) = self.drain.as_ref().and_then(|drain| drain.retry) {
                // The clients of streams that the application closes during a drain reconnect at random moments too.
                self.pending.push(retry_block(retry));
            }
            self.phase = Phase::Ending(reason);
        }
        ends
    }

    /// Ends the stream without its pending blocks. Returns true for the first call.
    pub(crate) fn cut(&mut self, reason: CloseReason) -> bool {
        let ends = self.is_active();
        (self.pending, self.sent) = (Pending::default(), 0);
        if ends {
            self.phase = Phase::Ending(reason);
        }
        ends
    }

    /// Notes that the hub drains. The stream ends at the moment of the drain.
    pub(crate) fn drain(&mut self, drain: Drain) {
        self.drain = Some(Box::new(drain));
    }

    // Calls of the body.

    /// Closes the stream, because the body was dropped. Returns the reason, unless the stream was closed before.
    pub(crate) fn drop_body(&mut self) -> Option<CloseReason> {
        let reason = match self.phase {
            Phase::Closed(_) => return None,
            // The body took all blocks and was dropped before the next poll.
            Phase::Ending(reason) if self.pending.is_empty() => reason,
            _ => CloseReason::ClientLeft,
        };
        self.close(reason);
        Some(reason)
    }

    /// Returns the next step at this moment. The first call opens the stream. With `hold`, the pending blocks of an active
    /// stream stay pending.
    pub(crate) fn poll(&mut self, now: Instant, hold: bool) -> Output {
        self.read = true;
        self.open();
        if self.drain_at().is_some_and(|at| at <= now) {
            self.end(CloseReason::Drained, None);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            self.end(CloseReason::Expired, None);
        }
        if !(hold && self.is_active())
            && let Some(chunk) = self.pending.take()
        {
            let has_events = self.sent > 0;
            self.sent = 0;
            return Output::Chunk { chunk, has_events };
        }
        match self.phase {
            Phase::Idle | Phase::Open => Output::Idle(self.poll_timeout()),
            Phase::Ending(reason) => {
                self.close(reason);
                Output::End(reason)
            }
            Phase::Closed(reason) => Output::End(reason),
        }
    }

    /// The next moment at which [`State::poll`] returns another result without any call of the application.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.is_active() { self.drain_at().into_iter().chain(self.expires_at).min() } else { None }
    }

    fn drain_at(&self) -> Option<Instant> {
        self.drain.as_ref()?.at
    }

    /// Drops the pending blocks.
    fn close(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed(reason);
        self.pending = Pending::default();
        self.sent = 0;
    }
}
