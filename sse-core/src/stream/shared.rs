//! The common part of the senders and the body of one stream: the state behind a lock, and the wakers.

use super::close_reason::CloseReason;
use super::rules::Rules;
use super::state::{Drain, State};
use super::waiting::{OnEnd, Waiting};
use crate::event::control::{Control, retry_block};
use crate::event::error::FrameError;
use crate::runtime::sync::{
    Arc, AtomicWaker, Mutex,
    atomic::{AtomicU32, Ordering},
};
use std::ops::RangeInclusive;
use std::task::Waker;
use std::time::Duration;
use uuid::Uuid;

/// The reconnection time that a failed stream sends: a failure rarely ends within 3 s.
const FAILURE_RETRY: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: Uuid,
    pub(crate) control: Control,
    pub(crate) rules: Rules,
    /// The waker of the body. The body registers the waker before it reads the state.
    pub(crate) body: AtomicWaker,
    senders: AtomicU32,
    /// The index of the stream in the registry of its hub. Only used under the lock of the registry. 32 bits, because an idle
    /// stream is 8 bytes smaller so.
    slot: AtomicU32,
    locked: Mutex<LockedStream>,
}

#[derive(Debug)]
pub(crate) struct LockedStream {
    pub(crate) state: State,
    /// Allocated by the first future that waits, because most streams have none.
    waiting: Option<Box<Waiting>>,
}

impl LockedStream {
    pub(crate) fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    pub(crate) fn failure(&self) -> Option<FrameError> {
        self.waiting.as_ref()?.failure.clone()
    }

    /// The ticket of the send that has waited for the longest time.
    pub(crate) fn first_ticket(&self) -> Option<u64> {
        self.waiting.as_ref()?.line.first_key_value().map(|(ticket, _)| *ticket)
    }

    /// Takes the waker of the send that has waited for the longest time.
    pub(crate) fn first_in_line(&mut self) -> Option<Waker> {
        self.waiting.as_mut()?.line.first_entry()?.get_mut().take()
    }

    /// Takes the wakers that wait for the end or for a drain.
    fn watchers(&mut self) -> Vec<Waker> {
        let watchers = self.waiting.as_mut().map(|waiting| std::mem::take(&mut waiting.watchers));
        watchers.unwrap_or_default().into_values().collect()
    }

    /// Takes all wakers except the waker of the body.
    fn all_waiting(&mut self) -> Vec<Waker> {
        let mut wakers = self.watchers();
        wakers.extend(self.waiting.iter_mut().flat_map(|waiting| waiting.line.values_mut()).filter_map(Option::take));
        wakers
    }
}

impl Shared {
    pub(crate) fn new(id: Uuid, control: Control, rules: Rules, state: State) -> Arc<Self> {
        let locked = LockedStream { state, waiting: None };
        let (body, senders, slot) = (AtomicWaker::new(), AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Self { id, control, rules, body, senders, slot, locked: Mutex::new(locked) })
    }

    /// The index of the stream in the registry of its hub.
    pub(crate) fn slot(&self) -> usize {
        self.slot.load(Ordering::Relaxed) as usize
    }

    /// Sets the index of the stream in the registry of its hub. No registry has 2^32 streams.
    pub(crate) fn set_slot(&self, slot: usize) {
        self.slot.store(u32::try_from(slot).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Reads or changes the state under the lock. The closure must not call code of the application and must not wake.
    pub(crate) fn with<T>(&self, access: impl FnOnce(&mut LockedStream) -> T) -> T {
        access(&mut self.locked.lock())
    }

    /// Ends the stream after its pending blocks. The client receives `last` as the last block. Returns true for the call
    /// that ended the stream.
    pub(crate) fn end(&self, reason: CloseReason, last: Option<bytes::Bytes>) -> bool {
        let (ended, wakers) = self.with(|locked| {
            let ended = locked.state.end(reason, last);
            (ended, if ended { locked.all_waiting() } else { Vec::new() })
        });
        self.wake(ended, wakers);
        ended
    }

    /// Ends the stream as failed after its pending blocks. A client that reconnects by itself receives a reconnection time.
    /// Returns true for the call that ended the stream.
    pub(crate) fn fail(&self, error: FrameError) -> bool {
        let last = self.control.has_retry().then(|| retry_block(self.failure_retry()));
        let reported = error.clone();
        let (ended, wakers) = self.with(|locked| {
            let ended = locked.state.end(CloseReason::Failed, last);
            if ended {
                locked.waiting().failure = Some(error);
            }
            (ended, if ended { locked.all_waiting() } else { Vec::new() })
        });
        if ended {
            crate::runtime::trace::stream_failed(&reported);
        }
        self.wake(ended, wakers);
        ended
    }

    /// Derives the reconnection time from the random ID of the stream, because a sender has no generator.
    fn failure_retry(&self) -> Duration {
        let span = FAILURE_RETRY.end().as_millis() as u64 - FAILURE_RETRY.start().as_millis() as u64;
        *FAILURE_RETRY.start() + Duration::from_millis((self.id.as_u128() as u64) % (span + 1))
    }

    /// Ends the stream without its pending blocks. Returns true for the call that ended the stream.
    pub(crate) fn cut(&self, reason: CloseReason) -> bool {
        let (ended, wakers) = self.with(|locked| (locked.state.cut(reason), locked.all_waiting()));
        self.wake(true, wakers);
        ended
    }

    /// Wakes all futures that wait, after the body sent its last byte or was dropped.
    pub(crate) fn wake_all(&self) {
        let wakers = self.with(LockedStream::all_waiting);
        self.wake(false, wakers);
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

    /// Wakes the others, and the body if `body` is true. A waker that panics does not keep the others asleep.
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

    /// Returns true for the last sender.
    pub(crate) fn drop_sender(&self) -> bool {
        self.senders.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
