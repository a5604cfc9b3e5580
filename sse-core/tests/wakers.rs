//! A waker that panics. All other wakers are woken, and the panic reaches the caller.

use futures_core::Stream;
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, Hub, Sse};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a runtime that shuts down");
    }
}

fn panicking() -> Waker {
    Waker::from(Arc::new(Panics))
}

type Body = Pin<Box<EventStream<Clock>>>;

/// A body that waits with a waker that panics.
fn bad(sse: Sse<Clock>, hub: &Hub) -> Body {
    let mut body = Box::pin(sse.keep_alive(None).subscribe(hub, ["a"]).into_response().into_body());
    while let Poll::Ready(Some(_)) = body.as_mut().poll_next(&mut Context::from_waker(&panicking())) {}
    body
}

fn good(sse: Sse<Clock>, hub: &Hub) -> Reader<EventStream<Clock>> {
    let mut reader = Reader::new(sse.subscribe(hub, ["a"]).into_response().into_body());
    reader.text();
    reader
}

/// Streams with ordinary wakers before, between and after two with wakers that panic. `act` must panic and wake every
/// ordinary one.
#[track_caller]
fn wakes_all(hub: &Hub, clock: &Clock, act: impl FnOnce(&Hub)) {
    let sse = || clock.sse().key("ann").unwrap();
    let mut all = vec![good(sse(), hub)];
    let first = bad(sse(), hub);
    all.push(good(sse(), hub));
    let second = bad(sse(), hub);
    all.push(good(sse(), hub));
    let before: Vec<_> = all.iter().map(Reader::wakes).collect();
    let panic = catch_unwind(AssertUnwindSafe(|| act(hub))).expect_err("the panic is not swallowed");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a runtime that shuts down"));
    for (at, (reader, before)) in all.iter().zip(before).enumerate() {
        assert_eq!(reader.wakes(), before + 1, "stream {at}");
    }
    drop((first, second));
}

/// Hazard G11.
#[test]
fn a_publish_wakes_every_stream_although_one_waker_panics() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    wakes_all(&hub, &clock, |hub| drop(hub.publish("a", "x")));
    wakes_all(&hub, &clock, |hub| drop(hub.publish_all([("a", "x"), ("b", "x"), ("a", "y")])));
    let stats = hub.stats();
    assert_eq!((stats.published, stats.held_events), (4, 4), "the events were published all the same");
}

/// Hazard G11.
#[test]
fn a_log_that_resets_wakes_every_stream_although_one_waker_panics() {
    use sse_core::hub::{EventId, log};
    let clock = Clock::new();
    let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
    wakes_all(&hub, &clock, |_| feed.append(EventId::new((1, 0), 1), "a", "x").unwrap());
    wakes_all(&hub, &clock, |_| feed.reset(EventId::new((2, 0), 2)));
    assert_eq!(hub.stats().published, 1);
}

/// Hazard G11.
#[test]
fn drain_and_close_by_key_reach_every_stream_although_one_waker_panics() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    wakes_all(&hub, &clock, |hub| assert_eq!(hub.close_by_key("ann"), 5));
    assert_eq!(hub.stats().streams, 0);
    wakes_all(&hub, &clock, |hub| drop(hub.drain(Duration::from_secs(1))));
    assert!(hub.is_draining());
}

/// Hazard G11.
#[test]
fn end_of_the_last_stream_wakes_every_waiter_although_one_waker_panics() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let last = clock.sse().attach(&hub).channel();
    let mut bad = Box::pin(hub.drain(Duration::from_secs(1)));
    assert!(bad.as_mut().poll(&mut Context::from_waker(&panicking())).is_pending());
    let mut good = tokio_test::task::spawn(hub.drain(Duration::from_secs(1)));
    assert!(good.poll().is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(last))).is_err());
    assert!(good.is_woken());
    assert_eq!(good.poll(), Poll::Ready(0));
}

/// Hazard G11.
#[test]
fn end_of_a_stream_wakes_every_waiter_although_one_waker_panics() {
    let clock = Clock::new();
    let (sender, response) = clock.sse().channel();
    let mut bad = Box::pin(sender.closed());
    assert!(bad.as_mut().poll(&mut Context::from_waker(&panicking())).is_pending());
    let mut good = tokio_test::task::spawn(sender.closed());
    assert!(good.poll().is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(response))).is_err());
    assert!(good.is_woken() && good.poll().is_ready());
}
