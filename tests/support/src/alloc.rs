//! Allocators that count: [`Counting`] for each thread alone, [`Total`] for the whole process.
#![allow(unsafe_code, reason = "an allocator that counts cannot be written without it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Counts the bytes that all threads of the process hold together, so that a long run can separate memory in use from
/// memory that the system's allocator keeps. [`total`] reads the count.
#[derive(Debug, Clone, Copy)]
pub struct Total;

static TOTAL: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Total {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TOTAL.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        TOTAL.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        TOTAL.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TOTAL.fetch_add(size, Ordering::Relaxed);
        TOTAL.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Bytes that all threads hold now, in a process whose allocator is [`Total`].
#[must_use]
pub fn total() -> usize {
    TOTAL.load(Ordering::Relaxed)
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

/// Starts a new measurement of [`peak`] at the bytes that are allocated now.
pub fn reset_peak() {
    PEAK.set(LIVE.get());
}

/// How many allocations were made.
#[must_use]
pub fn calls() -> usize {
    CALLS.get()
}
