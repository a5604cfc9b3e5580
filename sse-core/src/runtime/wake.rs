//! Calls a function for many items, and completes the calls although some of them panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// Wakes all of these wakers.
///
/// # Panics
/// Repeats the first panic of a waker after all wakers were woken.
pub(crate) fn all(wakers: impl IntoIterator<Item = Waker>) {
    each(wakers, Waker::wake);
}

/// Calls `act` for each item.
///
/// # Panics
/// Repeats the first panic of `act` after `act` was called for all items.
pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, mut act: impl FnMut(T)) {
    let mut items = items.into_iter();
    let mut first = None;
    // Unwind safety: `items` no longer holds an item whose call panicked, and `act` changes only atomics and values
    // behind locks.
    let mut each_left = || {
        for item in items.by_ref() {
            act(item);
        }
    };
    while let Err(panic) = catch_unwind(AssertUnwindSafe(&mut each_left)) {
        match first {
            None => first = Some(panic),
            // The drop of a panic's payload can panic too.
            Some(_) => drop(catch_unwind(AssertUnwindSafe(|| drop(panic)))),
        }
    }
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}
