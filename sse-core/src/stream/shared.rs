//! What the handles and the body of one stream share: the machine behind a lock, and who waits for it.

use super::state::{CloseReason, Drain, State, retry_block};
use crate::event::control::{Control, is_of_the_page};
use crate::event::error::FrameError;
use crate::event::frame::CheckedEvent;
use crate::runtime::sync::{
    Arc, AtomicWaker, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::task::Waker;
use std::time::Duration;
use uuid::Uuid;

/// What the client of a failed stream is asked to wait.
const FAILURE_RETRY: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: Uuid,
    pub(crate) control: Control,
    pub(crate) rules: Rules,
    /// The body's. Registered before the state is looked at.
    pub(crate) body: AtomicWaker,
    senders: AtomicUsize,
    /// Where its hub keeps it, written and read under the lock of the hub's registry.
    pub(crate) slot: AtomicUsize,
    locked: Mutex<LockedStream>,
}

/// The rules for every event of a stream: its size, and on a hub no ID, because the hub sets the IDs, and not the type of the
/// hub's own events.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    reserved: Option<std::sync::Arc<str>>,
    max_event_bytes: usize,
}

impl Rules {
    pub(crate) const fn of_hub(reserved_type: std::sync::Arc<str>, max_event_bytes: usize) -> Self {
        Self { reserved: Some(reserved_type), max_event_bytes }
    }

    pub(crate) const fn of_stream(max_event_bytes: usize) -> Self {
        Self { reserved: None, max_event_bytes }
    }

    /// The same with the limit of one stream, if it has its own.
    pub(crate) fn with_max_event_bytes(self, bytes: Option<usize>) -> Self {
        Self { max_event_bytes: bytes.unwrap_or(self.max_event_bytes), ..self }
    }

    /// Whether a stream of this kind may send an event.
    pub(crate) fn check(&self, piece: &CheckedEvent<'_>, control: Control) -> Result<(), FrameError> {
        check(piece, self.max_event_bytes, control)?;
        let Some(reserved) = &self.reserved else { return Ok(()) };
        if piece.has_id() {
            return Err(FrameError::IdNotAllowed);
        }
        if piece.event_type() == reserved.as_bytes() {
            return Err(FrameError::ReservedType(reserved.as_ref().into()));
        }
        Ok(())
    }
}

/// Whether a stream of this kind may send an event of this size and type.
pub(crate) fn check(piece: &CheckedEvent<'_>, max_event_bytes: usize, control: Control) -> Result<(), FrameError> {
    piece.check_size_and_retry(max_event_bytes)?;
    let event_type = piece.event_type();
    if control != Control::Omitted && is_of_the_page(event_type) {
        return Err(FrameError::PageType(String::from_utf8_lossy(event_type).into()));
    }
    Ok(())
}

#[derive(Debug)]
pub(crate) struct LockedStream {
    pub(crate) state: State,
    /// Made when somebody waits, because on most streams nobody ever does.
    waiting: Option<Box<Waiting>>,
}

/// Who waits for a stream to become something.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Sends that wait for room, in the order in which they came; the first in line is woken.
    pub(crate) line: BTreeMap<u64, Option<Waker>>,
    /// Whoever waits for the end, or for the drain.
    pub(crate) watchers: BTreeMap<u64, Waker>,
    /// Why the stream failed, for the application.
    failure: Option<FrameError>,
    on_end: Option<OnEnd>,
    next_ticket: u64,
}

/// The application's function for the end of a stream.
pub(crate) struct OnEnd(pub(crate) Box<EndFn>);

type EndFn = dyn FnOnce(CloseReason, Option<&FrameError>) + Send + Sync;

impl fmt::Debug for OnEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnEnd")
    }
}

impl Waiting {
    pub(crate) const fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }
}

impl LockedStream {
    pub(crate) fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    pub(crate) fn failure(&self) -> Option<FrameError> {
        self.waiting.as_ref()?.failure.clone()
    }

    /// The ticket of whoever is first in line.
    pub(crate) fn first_ticket(&self) -> Option<u64> {
        self.waiting.as_ref()?.line.first_key_value().map(|(ticket, _)| *ticket)
    }

    /// Whoever is first in line, to look whether there is room now.
    pub(crate) fn first_in_line(&mut self) -> Option<Waker> {
        self.waiting.as_mut()?.line.first_entry()?.get_mut().take()
    }

    /// Those who wait for the end, or for the drain.
    fn watchers(&mut self) -> Vec<Waker> {
        let watchers = self.waiting.as_mut().map(|waiting| std::mem::take(&mut waiting.watchers));
        watchers.unwrap_or_default().into_values().collect()
    }

    /// All who wait for anything that the stream becomes.
    fn everybody(&mut self) -> Vec<Waker> {
        let mut everybody = self.watchers();
        everybody
            .extend(self.waiting.iter_mut().flat_map(|waiting| waiting.line.values_mut()).filter_map(Option::take));
        everybody
    }
}

impl Shared {
    pub(crate) fn new(id: Uuid, control: Control, rules: Rules, state: State) -> Arc<Self> {
        let locked = LockedStream { state, waiting: None };
        let (body, senders, slot) = (AtomicWaker::new(), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { id, control, rules, body, senders, slot, locked: Mutex::new(locked) })
    }

    /// Looks at the state, or changes it. Wakes nobody; nothing foreign may run inside.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut LockedStream) -> T) -> T {
        look(&mut self.locked.lock())
    }

    /// Ends the stream after what is pending, and wakes whoever that concerns; true the first time.
    pub(crate) fn end(&self, reason: CloseReason, goodbye: Option<bytes::Bytes>) -> bool {
        let (ended, everybody) = self.with(|locked| {
            let ended = locked.state.end(reason, goodbye);
            (ended, if ended { locked.everybody() } else { Vec::new() })
        });
        self.wake(ended, everybody);
        ended
    }

    /// Ends the stream as failed after what is pending; true the first time. A client that reconnects by itself is asked to
    /// wait for 10 to 30 s, because a failure seldom mends itself in three.
    pub(crate) fn fail(&self, error: FrameError) -> bool {
        let goodbye = self.control.has_retry().then(|| retry_block(self.failure_retry()));
        let told = error.clone();
        let (ended, everybody) = self.with(|locked| {
            let ended = locked.state.end(CloseReason::Failed, goodbye);
            if ended {
                locked.waiting().failure = Some(error);
            }
            (ended, if ended { locked.everybody() } else { Vec::new() })
        });
        if ended {
            crate::runtime::trace::stream_failed(&told);
        }
        self.wake(ended, everybody);
        ended
    }

    /// A handle has no generator of its own, but the identifier is one draw of it.
    fn failure_retry(&self) -> Duration {
        let span = FAILURE_RETRY.end().as_millis() as u64 - FAILURE_RETRY.start().as_millis() as u64;
        *FAILURE_RETRY.start() + Duration::from_millis((self.id.as_u128() as u64) % (span + 1))
    }

    /// Ends the stream at once, and wakes whoever that concerns; true the first time.
    pub(crate) fn cut(&self, reason: CloseReason) -> bool {
        let (ended, everybody) = self.with(|locked| (locked.state.cut(reason), locked.everybody()));
        self.wake(true, everybody);
        ended
    }

    /// The body has delivered its last byte, or was dropped: tells whoever waits.
    pub(crate) fn decided(&self) {
        let everybody = self.with(LockedStream::everybody);
        self.wake(false, everybody);
    }

    pub(crate) fn set_on_end(&self, on_end: OnEnd) {
        let old = self.with(|locked| locked.waiting().on_end.replace(on_end));
        drop(old);
    }

    pub(crate) fn take_on_end(&self) -> Option<OnEnd> {
        self.with(|locked| locked.waiting.as_mut()?.on_end.take())
    }

    pub(crate) fn drain(&self, drain: Drain) {
        let watchers = self.with(|locked| {
            locked.state.drain(drain);
            locked.watchers()
        });
        self.wake(true, watchers);
    }

    /// Wakes the body, if so, and all of these.
    pub(crate) fn wake(&self, body: bool, others: impl IntoIterator<Item = Waker>) {
        let others = others.into_iter().map(Some);
        crate::runtime::wake::each(body.then_some(None).into_iter().chain(others), |waker| match waker {
            Some(waker) => waker.wake(),
            None => self.body.wake(),
        });
    }

    pub(crate) fn add_sender(&self) {
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    /// True if that was the last one.
    pub(crate) fn drop_sender(&self) -> bool {
        self.senders.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
