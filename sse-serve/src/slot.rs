//! Where the service, the placeholder and the socket of one connection on hyper meet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Passes a body from the service to the connection, and says when hyper has no more bytes to write.
///
/// 1. The service [parks](Self::park) the body and gives hyper a placeholder.
/// 2. hyper encodes the head into its write buffer, then polls the placeholder: [`arm`](Self::arm).
/// 3. hyper flushes the socket only when its write buffer is empty: [`flushed`](Self::flushed).
/// 4. The connection [takes](Self::take) the body.
#[derive(Debug)]
pub(crate) struct Slot<B> {
    armed: AtomicBool,
    flushed: AtomicBool,
    parked: Mutex<Option<Parked<B>>>,
}

/// A body that leaves hyper.
#[derive(Debug)]
pub(crate) struct Parked<B> {
    pub(crate) body: B,
    /// Whether the connection serves further requests after this body.
    pub(crate) keep_alive: bool,
}

impl<B> Slot<B> {
    pub(crate) const fn new() -> Self {
        Self { armed: AtomicBool::new(false), flushed: AtomicBool::new(false), parked: Mutex::new(None) }
    }

    pub(crate) fn park(&self, parked: Parked<B>) {
        *self.parked.lock().unwrap_or_else(PoisonError::into_inner) = Some(parked);
    }

    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }

    pub(crate) fn flushed(&self) {
        if self.armed.load(Ordering::Acquire) {
            self.flushed.store(true, Ordering::Release);
        }
    }

    /// The body, once the socket has the whole head.
    pub(crate) fn take(&self) -> Option<Parked<B>> {
        if !self.flushed.load(Ordering::Acquire) {
            return None;
        }
        self.parked.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
