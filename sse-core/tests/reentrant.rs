//! No lock of this crate is held while a waker is woken or dropped, so wakers may call into the crate.

use sse_core::testing::Clock;
use sse_core::{Hub, Runtime, Sender, Timer};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A waker that calls the stream, the hub and the clock when it is woken and when it is dropped.
struct Meddler {
    events: Sender,
    hub: Hub,
    clock: Clock,
    calls: Arc<AtomicUsize>,
}

impl Meddler {
    fn meddle(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let _ = self.events.try_send("from a waker");
        let _ = self.events.comment("from a waker");
        let _ = (self.events.is_active(), self.events.open(), self.events.close_reason());
        drop(self.events.clone());
        let mut send = pin!(self.events.send("from a waker"));
        let mut closed = pin!(self.events.closed());
        let mut drained = pin!(self.hub.drain(Duration::ZERO));
        let cx = &mut Context::from_waker(Waker::noop());
        let _ = (send.as_mut().poll(cx), closed.as_mut().poll(cx), drained.as_mut().poll(cx));
        let (_events, response) = self.clock.sse().attach(&self.hub).channel();
        let _ = self.clock.read(response).bytes();
        let _ = (self.hub.stats(), self.clock.now());
        self.events.close();
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.meddle();
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

/// A stream with a hub, a clock, and wakers that call all three.
struct World {
    clock: Clock,
    hub: Hub,
    events: Sender,
    calls: Arc<AtomicUsize>,
}

impl World {
    fn waker(&self) -> Waker {
        let (events, hub, clock) = (self.events.clone(), self.hub.clone(), self.clock.clone());
        Waker::from(Arc::new(Meddler { events, hub, clock, calls: self.calls.clone() }))
    }

    /// Polls once, with a new waker. Only the polled future can keep a reference to the waker.
    fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&self.waker()))
    }

    fn meddled(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

type Body = Pin<Box<sse_core::EventStream<Clock>>>;

/// Runs the scenario on a separate thread, so that a deadlock fails the test and does not block the suite.
fn within_a_second(scenario: impl FnOnce(&World, Body) + Send + 'static) {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let (events, response) = clock.sse().buffer(20).attach(&hub).channel();
        let world = World { clock, hub, events, calls: Arc::default() };
        scenario(&world, Box::pin(response.into_body()));
        let _ = done.send(world.meddled());
    });
    match wait.recv_timeout(Duration::from_secs(10)) {
        Ok(meddled) => assert!(meddled > 0, "no waker ever ran"),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("deadlock"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the scenario panicked"),
    }
}

fn poll_body(world: &World, body: &mut Body) {
    let waker = world.waker();
    let cx = &mut Context::from_waker(&waker);
    while let Poll::Ready(Some(_)) = futures_util::Stream::poll_next(body.as_mut(), cx) {}
}

/// Hazard G5.
#[test]
fn send_wakes_the_body_without_a_lock() {
    within_a_second(|world, mut body| {
        poll_body(world, &mut body);
        let _ = world.events.try_send("x");
        poll_body(world, &mut body);
    });
}

/// Hazard G5.
#[test]
fn body_can_move_to_another_task() {
    within_a_second(|world, mut body| {
        poll_body(world, &mut body);
        poll_body(world, &mut body);
        drop(body);
    });
}

/// Hazard G5.
#[test]
fn end_and_clock_wake_the_body_without_a_lock() {
    within_a_second(|world, mut body| {
        poll_body(world, &mut body);
        world.clock.advance(Duration::from_secs(15));
        poll_body(world, &mut body);
        world.events.finish();
    });
}

/// Hazard G5.
#[test]
fn waiting_sends_complete_move_and_drop_without_a_lock() {
    within_a_second(|world, mut body| {
        world.events.try_send("fills the buffer").unwrap();
        let mut first = Box::pin(world.events.send("1"));
        let mut second = Box::pin(world.events.send("2"));
        let mut third = Box::pin(world.events.send("3"));
        assert!(world.poll(first.as_mut()).is_pending());
        assert!(world.poll(second.as_mut()).is_pending());
        assert!(world.poll(third.as_mut()).is_pending());
        // Another task polls, so the first waker is dropped and makes its calls.
        let _ = world.poll(third.as_mut());
        drop(third);
        poll_body(world, &mut body);
        let _ = world.poll(first.as_mut());
        drop((first, second));
    });
}

#[test]
fn the_body_is_dropped_while_sends_wait() {
    within_a_second(|world, body| {
        world.events.try_send("fills the buffer").unwrap();
        let mut send = Box::pin(world.events.send("1"));
        assert!(world.poll(send.as_mut()).is_pending());
        drop(body);
        assert!(world.poll(send.as_mut()).is_ready());
    });
}

/// Hazard G5.
#[test]
fn waiters_for_the_end_or_a_drain_are_woken_without_a_lock() {
    within_a_second(|world, mut body| {
        let mut closed = Box::pin(world.events.closed());
        let mut draining = Box::pin(world.events.draining());
        assert!(world.poll(closed.as_mut()).is_pending());
        // The first waker is dropped.
        let _ = world.poll(closed.as_mut());
        let _ = world.poll(draining.as_mut());
        drop(world.hub.drain(Duration::ZERO));
        poll_body(world, &mut body);
        assert!(world.poll(closed.as_mut()).is_ready());
    });
}

#[test]
fn a_watcher_is_dropped_while_it_waits() {
    within_a_second(|world, _body| {
        let mut closed = Box::pin(world.events.closed());
        let mut draining = Box::pin(world.events.draining());
        assert!(world.poll(closed.as_mut()).is_pending());
        assert!(world.poll(draining.as_mut()).is_pending());
        drop((closed, draining));
    });
}

#[test]
fn waiters_for_the_end_of_a_drain_are_woken_without_a_lock() {
    within_a_second(|world, body| {
        let mut drained = Box::pin(world.hub.drain(Duration::ZERO));
        let mut other = Box::pin(world.hub.drain(Duration::ZERO));
        assert!(world.poll(drained.as_mut()).is_pending());
        assert!(world.poll(drained.as_mut()).is_pending());
        assert!(world.poll(other.as_mut()).is_pending());
        drop(other);
        drop(body);
        assert!(world.poll(drained.as_mut()).is_ready());
    });
}

#[test]
fn an_alarm_of_the_test_clock_is_moved_and_dropped() {
    within_a_second(|world, _body| {
        let mut alarm = Box::pin(world.clock.timer());
        let now = world.clock.now();
        for n in [30, 20, 10] {
            let waker = world.waker();
            let cx = &mut Context::from_waker(&waker);
            assert!(alarm.as_mut().poll_at(now + Duration::from_secs(n), cx).is_pending());
        }
        drop(alarm);
    });
}
