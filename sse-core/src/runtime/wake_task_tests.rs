use super::{WAKES, WakeTask};
use slab::Slab;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
struct CountedWakes {
    count: AtomicUsize,
    panics: bool,
}

impl Wake for CountedWakes {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "a waker panics");
    }
}

/// Two slabs with this many wakers each.
fn task(each: usize, wakes: &Arc<CountedWakes>) -> WakeTask {
    let parked = [each, each].map(|count| {
        let mut parked = Slab::new();
        for _ in 0..count {
            parked.insert(Waker::from(wakes.clone()));
        }
        parked
    });
    WakeTask::new(parked.into())
}

fn count(wakes: &CountedWakes) -> usize {
    wakes.count.load(Ordering::Relaxed)
}

#[test]
fn each_poll_wakes_at_most_512_and_wakes_the_task_again() {
    let (wakes, polls) = (Arc::new(CountedWakes::default()), Arc::new(CountedWakes::default()));
    let waker = Waker::from(polls.clone());
    let mut task = task(WAKES, &wakes);
    assert_eq!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)), Poll::Pending);
    assert_eq!((count(&wakes), count(&polls)), (WAKES, 1));
    assert_eq!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)), Poll::Ready(()));
    assert_eq!((count(&wakes), count(&polls)), (2 * WAKES, 1));
    drop(task);
    assert_eq!(count(&wakes), 2 * WAKES);
}

#[test]
fn a_task_that_is_dropped_wakes_the_rest() {
    let wakes = Arc::new(CountedWakes::default());
    let mut task = task(1_000, &wakes);
    assert!(!task.wake_some());
    drop(task);
    assert_eq!(count(&wakes), 2_000);
}

#[test]
fn a_waker_that_panics_prevents_no_other_wake() {
    let wakes = Arc::new(CountedWakes { panics: true, ..CountedWakes::default() });
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(task(1_000, &wakes))));
    assert!(dropped.is_err());
    assert_eq!(count(&wakes), 2_000);
    // The first panic unwinds, and the drop of the task panics meanwhile.
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let mut task = task(1_000, &wakes);
        task.wake_some();
    }));
    assert!(polled.is_err());
    assert_eq!(count(&wakes), 4_000);
}
