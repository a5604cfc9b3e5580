//! One connection as a machine: no clock, no lock, no waker. Time is an argument, deadlines come out.
//!
//! ```text
//!            open, first send,                close, finish, drain, expiry, lag,
//!            or first poll                    failure, last sender dropped
//!   Idle ──────────────────────► Open ──────────────────────────────► Ending(reason)
//!     │                           │                                      │      │
//!     │       body dropped        │            body dropped              │      │ all that was
//!     ▼                           ▼                                      │      │ pending is taken
//!   Closed(gone) ◄──────── Closed(gone) ◄────────────────────────────────┘      ▼
//!                                                                        Closed(reason)
//! ```
//!
//! Idle may end too: what opens the stream is then still delivered first. A reason is decided once, on the way into
//! `Closed`; an ending that was not delivered is `gone`.

use bytes::Bytes;
use std::fmt;
use std::time::{Duration, Instant};

/// Why a stream ended. Decided once, and the same for whoever asks.
///
/// ```
/// use sse_core::{CloseReason, testing::Clock};
///
/// let (events, response) = Clock::new().sse().channel();
/// drop(response); // the client leaves
/// assert_eq!(events.close_reason(), Some(CloseReason::ClientLeft));
/// assert_eq!(CloseReason::ClientLeft.as_str(), "gone");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application closed it, or dropped every sender, and all was delivered. A browser comes back.
    Closed,
    /// The application finished it, and all was delivered. A browser asks once more and is told to stop.
    Finished,
    /// The client left, or the server dropped the body, before all was delivered.
    ClientLeft,
    /// It fell behind what its topics keep, and was ended so that the client comes back with its last event ID.
    Lagged,
    /// The hub drained.
    Drained,
    /// It reached its `max_lifetime`.
    Expired,
    /// The source of its events failed, or made an event that cannot be sent.
    Failed,
}

impl CloseReason {
    /// Every reason, in the order of [`CloseReason::index`].
    pub(crate) const ALL: [Self; 7] =
        [Self::Closed, Self::Finished, Self::ClientLeft, Self::Lagged, Self::Drained, Self::Expired, Self::Failed];

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The reason as one lower-case word, for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Finished => "finished",
            Self::ClientLeft => "gone",
            Self::Lagged => "lagged",
            Self::Drained => "drained",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Open,
    Ending(CloseReason),
    Closed(CloseReason),
}

/// When the hub drains a stream, and what it then asks the client to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    /// `None`: never, because the clock does not reach that far.
    pub(crate) at: Option<Instant>,
    /// `None`: nothing, because its client does not reconnect by itself.
    pub(crate) retry: Option<Duration>,
}

/// What the body does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Write this.
    Chunk(Bytes),
    /// Nothing from the handle; other sources may go on. Ask again at this moment, if there is one, although nobody did
    /// anything.
    Idle(Option<Instant>),
    /// The body has ended, for this reason.
    End(CloseReason),
}

#[derive(Debug)]
pub(crate) struct State {
    phase: Phase,
    /// As long as the stream is idle: what is written before anything else.
    pending: Pending,
    /// Bytes in `pending` that were sent by the application: what the bound is about.
    sent: usize,
    bound: usize,
    expires_at: Option<Instant>,
    /// Boxed, because few streams ever see one.
    drain: Option<Box<Drain>>,
    /// Whether the body was ever polled.
    read: bool,
}

impl State {
    pub(crate) fn new(bound: usize, expires_at: Option<Instant>) -> Self {
        let (phase, pending) = (Phase::Idle, Pending::default());
        Self { phase, pending, sent: 0, bound, expires_at, drain: None, read: false }
    }

    // What is.

    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Open)
    }

    pub(crate) const fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    pub(crate) const fn is_read(&self) -> bool {
        self.read
    }

    pub(crate) const fn reason(&self) -> Option<CloseReason> {
        match self.phase {
            Phase::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    /// How many bytes an event may have to be taken: what the bound leaves, or any if nothing of the application's is
    /// pending.
    pub(crate) const fn room(&self) -> usize {
        if self.sent == 0 { usize::MAX } else { self.bound.saturating_sub(self.sent) }
    }

    // What the application does.

    /// Opens the stream; true the first time.
    pub(crate) fn open(&mut self) -> bool {
        let opens = self.phase == Phase::Idle;
        if opens {
            self.phase = Phase::Open;
        }
        opens
    }

    /// Sets what goes before everything else, as long as the stream is not open.
    pub(crate) fn set_opening(&mut self, opening: Bytes) {
        if self.phase == Phase::Idle {
            self.pending = Pending::One(opening);
        }
    }

    /// Opens the stream and queues what `put` puts. The caller looked whether it is active and has room, and wakes the
    /// body if this is true: otherwise whoever queued what was pending already does.
    pub(crate) fn send(&mut self, put: impl FnOnce(&mut Pending)) -> bool {
        let opens = self.open();
        let before = self.pending.len();
        put(&mut self.pending);
        self.sent += self.pending.len() - before;
        opens || before == 0
    }

    /// Begins the end; true the first time. `goodbye` is what the client is told last.
    pub(crate) fn end(&mut self, reason: CloseReason, goodbye: Option<Bytes>) -> bool {
        let ends = self.is_active();
        if ends {
            self.open();
            if let Some(goodbye) = goodbye {
                self.pending.push(goodbye);
            } else if let Some(retry) = self.drain.as_ref().and_then(|drain| drain.retry) {
                // Whoever says goodbye while the hub drains is spread like the others.
                self.pending.push(retry_block(retry));
            }
            self.phase = Phase::Ending(reason);
        }
        ends
    }

    /// Ends the stream at once: what is pending is not delivered. True the first time.
    pub(crate) fn cut(&mut self, reason: CloseReason) -> bool {
        let ends = self.is_active();
        (self.pending, self.sent) = (Pending::default(), 0);
        if ends {
            self.phase = Phase::Ending(reason);
        }
        ends
    }

    /// The hub is going down: the application hears of it now, and the stream ends at its moment.
    pub(crate) fn drain(&mut self, drain: Drain) {
        self.drain = Some(Box::new(drain));
    }

    // What the body does.

    /// The body was dropped; the reason, if that decided it.
    pub(crate) fn drop_body(&mut self) -> Option<CloseReason> {
        let reason = match self.phase {
            Phase::Closed(_) => return None,
            // All was delivered; that it is the end, nobody had asked yet.
            Phase::Ending(reason) if self.pending.is_empty() => reason,
            _ => CloseReason::ClientLeft,
        };
        self.close(reason);
        Some(reason)
    }

    /// What to do at this moment. The first call opens the stream.
    pub(crate) fn poll(&mut self, now: Instant) -> Output {
        self.read = true;
        self.open();
        if self.drain_at().is_some_and(|at| at <= now) {
            self.end(CloseReason::Drained, None);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            self.end(CloseReason::Expired, None);
        }
        if let Some(chunk) = self.pending.take() {
            self.sent = 0;
            return Output::Chunk(chunk);
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

    /// When `poll` would have something new to say although nobody did anything.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.is_active() { self.drain_at().into_iter().chain(self.expires_at).min() } else { None }
    }

    fn drain_at(&self) -> Option<Instant> {
        self.drain.as_ref()?.at
    }

    /// Nothing more will be written; what was pending is let go.
    fn close(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed(reason);
        self.pending = Pending::default();
        self.sent = 0;
    }
}

/// A block that asks the client to wait this long before it comes back.
pub(crate) fn retry_block(time: Duration) -> Bytes {
    let mut block = Vec::with_capacity(20);
    crate::event::encode::write_retry(&mut block, time.as_millis() as u64);
    block.push(b'\n');
    block.into()
}

/// Bytes on their way to the body, which takes them as one chunk.
#[derive(Debug)]
pub(crate) enum Pending {
    /// One shared frame alone stays shared.
    One(Bytes),
    /// Several, or none.
    Joined(Vec<u8>),
}

impl Default for Pending {
    fn default() -> Self {
        Self::Joined(Vec::new())
    }
}

impl Pending {
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.is_empty() {
            *self = Self::One(bytes);
        } else {
            self.write(bytes.len(), |joined| joined.extend_from_slice(&bytes));
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::One(bytes) => bytes.len(),
            Self::Joined(bytes) => bytes.len(),
        }
    }

    /// Writes about `more` bytes after what is pending.
    pub(crate) fn write(&mut self, more: usize, put: impl FnOnce(&mut Vec<u8>)) {
        let mut joined = match std::mem::take(self) {
            Self::One(first) => {
                let mut joined = Vec::with_capacity(first.len() + more);
                joined.extend_from_slice(&first);
                joined
            }
            Self::Joined(joined) => joined,
        };
        joined.reserve(more);
        put(&mut joined);
        *self = Self::Joined(joined);
    }

    /// All of them, if there are any.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        Some(match std::mem::take(self) {
            Self::One(bytes) => bytes,
            Self::Joined(bytes) => bytes.into(),
        })
    }
}
