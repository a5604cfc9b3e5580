//! What the handles and the body of one stream share: the machine behind a lock, and who waits for it.

use super::state::{CloseReason, Drain, State};
use crate::FrameError;
use crate::frame::Piece;
use crate::sync::{
    Arc, AtomicWaker, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::collections::BTreeMap;
use std::task::Waker;
use uuid::Uuid;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: Uuid,
    /// Whether the end of the stream may tell the client to stop: only a GET comes back by itself.
    pub(crate) is_get: bool,
    /// Event types that the hub keeps to itself, and whether it gives the ids.
    pub(crate) rules: Rules,
    /// The body's. Registered before the state is looked at.
    pub(crate) body: AtomicWaker,
    senders: AtomicUsize,
    locked: Mutex<Locked>,
}

/// What a hub asks of everything that goes to its streams.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// The type of the hub's own events.
    pub(crate) reserved_type: Option<std::sync::Arc<str>>,
    pub(crate) gives_ids: bool,
}

impl Rules {
    pub(crate) fn check(&self, piece: &Piece<'_>) -> Result<(), FrameError> {
        if self.gives_ids && piece.has_id() {
            return Err(FrameError::IdNotAllowed);
        }
        match &self.reserved_type {
            Some(reserved) if piece.event_type() == reserved.as_bytes() => {
                Err(FrameError::ReservedType(reserved.as_ref().into()))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) state: State,
    /// Sends that wait for room, in the order of their calls; the first in line is woken.
    pub(crate) line: BTreeMap<u64, Option<Waker>>,
    /// Whoever waits for the end, or for the drain.
    pub(crate) watchers: BTreeMap<u64, Waker>,
    next_ticket: u64,
}

impl Locked {
    pub(crate) const fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Whoever is first in line, to look whether there is room now.
    pub(crate) fn first_in_line(&mut self) -> Option<Waker> {
        self.line.first_entry()?.get_mut().take()
    }

    /// All who wait for anything that the stream becomes.
    fn everybody(&mut self) -> Vec<Waker> {
        let line = self.line.values_mut().filter_map(Option::take);
        line.chain(std::mem::take(&mut self.watchers).into_values()).collect()
    }
}

impl Shared {
    pub(crate) fn new(id: Uuid, is_get: bool, rules: Rules, state: State) -> Arc<Self> {
        let locked = Locked { state, line: BTreeMap::new(), watchers: BTreeMap::new(), next_ticket: 0 };
        let (body, senders) = (AtomicWaker::new(), AtomicUsize::new(0));
        Arc::new(Self { id, is_get, rules, body, senders, locked: Mutex::new(locked) })
    }

    /// Looks at the state, or changes it. Wakes nobody; nothing foreign may run inside.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Locked) -> T) -> T {
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

    /// Ends the stream at once, and wakes whoever that concerns; true the first time.
    pub(crate) fn cut(&self, reason: CloseReason) -> bool {
        let (ended, everybody) = self.with(|locked| (locked.state.cut(reason), locked.everybody()));
        self.wake(true, everybody);
        ended
    }

    /// The body has delivered its last byte, or was dropped: tells whoever waits.
    pub(crate) fn decided(&self) {
        let everybody = self.with(Locked::everybody);
        self.wake(false, everybody);
    }

    pub(crate) fn drain(&self, drain: Drain) {
        let watchers = self.with(|locked| {
            locked.state.drain(drain);
            std::mem::take(&mut locked.watchers)
        });
        self.wake(true, watchers.into_values());
    }

    fn wake(&self, body: bool, others: impl IntoIterator<Item = Waker>) {
        if body {
            self.body.wake();
        }
        others.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn add_sender(&self) {
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    /// True if that was the last one.
    pub(crate) fn drop_sender(&self) -> bool {
        self.senders.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
