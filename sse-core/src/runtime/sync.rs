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

/// A value on cache lines of its own. Processors fetch two lines of 64 bytes at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

impl<T> std::ops::Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The maximum number of values that are kept once for each thread.
const MAX_THREADS: usize = 16;

/// How often to keep a value that threads would otherwise compete for: twice the number of processors, at most 16. With two
/// values for each processor, threads that run at once rarely have the same one.
pub(crate) fn threads() -> usize {
    use std::sync::LazyLock;
    use std::thread::available_parallelism;
    static THREADS: LazyLock<usize> = LazyLock::new(|| {
        if cfg!(feature = "__loom") {
            return 2;
        }
        available_parallelism().map_or(MAX_THREADS, |threads| threads.get().saturating_mul(2)).min(MAX_THREADS)
    });
    *THREADS
}

/// The place of the calling thread among [`threads`] values. Threads take the places in turn.
#[cfg(not(feature = "__loom"))]
pub(crate) fn thread_place() -> usize {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};
    thread_local!(static PLACE: Cell<usize> = const { Cell::new(usize::MAX) });
    #[cold]
    fn next() -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % threads()
    }
    PLACE.with(|place| {
        if place.get() == usize::MAX {
            place.set(next());
        }
        place.get()
    })
}

/// The place of the calling thread, which is the same in every execution of a model.
#[cfg(feature = "__loom")]
pub(crate) fn thread_place() -> usize {
    // The hash of a thread ID differs between executions.
    let id = format!("{:?}", loom::thread::current().id());
    id.chars().filter_map(|char| char.to_digit(10)).sum::<u32>() as usize % threads()
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
