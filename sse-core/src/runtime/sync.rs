//! Locks and atomics: those of `std`, or those of loom in the tests of interleavings.
//!
//! No foreign code (a waker, the drop of a user's value) may run while one of these locks is held.

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

/// A mutex that ignores poisoning. Every critical section keeps the guarded value valid at each statement that can
/// panic, so a panic leaves no half-made change.
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

/// The waker cell of loom, with the method name of the crate `atomic-waker`.
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
