//! Locks and atomics, in one place so that loom can stand in for them.
//!
//! No foreign code (a waker, a user's value being dropped) may run under one of these locks.

#[cfg(feature = "__loom")]
pub(crate) use loom::sync::{Arc, MutexGuard, atomic};
#[cfg(not(feature = "__loom"))]
pub(crate) use {
    atomic_waker::AtomicWaker,
    std::sync::{Arc, MutexGuard, atomic},
};

#[cfg(feature = "__loom")]
use loom::sync as imp;
#[cfg(not(feature = "__loom"))]
use std::sync as imp;

/// A lock that a panic elsewhere does not close: what it guards is whole between any two statements that can panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Loom's, with the name that the other one's method has.
#[cfg(feature = "__loom")]
#[derive(Debug)]
pub(crate) struct AtomicWaker(loom::future::AtomicWaker);

#[cfg(feature = "__loom")]
impl AtomicWaker {
    pub(crate) fn new() -> Self {
        Self(loom::future::AtomicWaker::new())
    }

    pub(crate) fn register(&self, waker: &std::task::Waker) {
        self.0.register_by_ref(waker);
    }

    pub(crate) fn wake(&self) {
        self.0.wake();
    }
}
