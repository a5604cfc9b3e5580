//! An allocator that counts what the current thread allocates.
#![allow(unsafe_code, reason = "an allocator that counts cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts for each thread alone, so tests that run side by side do not disturb each other. A test binary installs it:
///
/// ```
/// use sse_test_support::alloc::{self, Counting};
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting;
///
/// let before = alloc::live();
/// let held = vec![0_u8; 1000];
/// assert_eq!(alloc::live() - before, 1000);
/// drop(held);
/// assert_eq!(alloc::live(), before);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static EVER: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; `realloc` is the default, by `alloc` and `dealloc`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get().wrapping_add(layout.size()));
        EVER.set(EVER.get().wrapping_add(layout.size()));
        PEAK.set(PEAK.get().max(LIVE.get()));
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Bytes that are allocated now. Memory that another thread frees wraps this count; compare by `wrapping_sub`.
#[must_use]
pub fn live() -> usize {
    LIVE.get()
}

/// Bytes that were ever allocated.
#[must_use]
pub fn ever() -> usize {
    EVER.get()
}

/// The most bytes that were allocated at once since [`reset_peak`].
#[must_use]
pub fn peak() -> usize {
    PEAK.get()
}

/// Begins a new measurement of [`peak`] at the bytes that are allocated now.
pub fn reset_peak() {
    PEAK.set(LIVE.get());
}

/// How many allocations were made.
#[must_use]
pub fn calls() -> usize {
    CALLS.get()
}
