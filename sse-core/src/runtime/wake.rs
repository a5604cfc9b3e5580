//! Wakes and tells many, although one of them may panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// Wakes all of these.
///
/// # Panics
/// With the first panic of a waker, after all others were woken.
pub(crate) fn all(wakers: impl IntoIterator<Item = Waker>) {
    each(wakers, Waker::wake);
}

/// Does this with all of these.
///
/// # Panics
/// With the first panic of `act`, after it was called for all others.
pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, mut act: impl FnMut(T)) {
    let mut items = items.into_iter();
    let mut first = None;
    // An item that panics is gone from `items` by then. What `act` changed is an atomic or behind a lock.
    let mut each_left = || {
        for item in items.by_ref() {
            act(item);
        }
    };
    while let Err(panic) = catch_unwind(AssertUnwindSafe(&mut each_left)) {
        match first {
            None => first = Some(panic),
            // Dropping it may panic as well.
            Some(_) => drop(catch_unwind(AssertUnwindSafe(|| drop(panic)))),
        }
    }
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}
