//! Every interleaving of a sender and a body: `LOOM_MAX_PREEMPTIONS=3 cargo test -p sse-core
//! --no-default-features --features __loom,testing --test loom --release`.
//!
//! A lost wake is a deadlock, which loom reports.
#![cfg(feature = "__loom")]

use bytes::Bytes;
use futures_util::Stream;
use loom::future::block_on;
use loom::thread;
use sse_core::testing::Clock;
use sse_core::{CloseReason, EventStream, SendError, Sender};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

type Body = Pin<Box<EventStream<Clock>>>;

/// A stream without keep-alives, which only its sender wakes.
fn channel(buffer: usize) -> (Sender, Body) {
    let (events, response) = Clock::new().sse().keep_alive(None).buffer(buffer).channel();
    (events, Box::pin(response.into_body()))
}

fn next(body: &mut Body) -> Option<Bytes> {
    block_on(poll_fn(|cx| body.as_mut().poll_next(cx)))
}

/// Reads the body to its end.
fn read(mut body: Body) -> String {
    let mut text = String::new();
    while let Some(chunk) = next(&mut body) {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

/// At most three preemptions. The known races already occur with two.
fn model(test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(3));
    model.check(test);
}

/// Hazard G4.
#[test]
fn a_send_reaches_a_body_that_goes_to_sleep() {
    model(|| {
        let (events, mut body) = channel(100);
        assert_eq!(next(&mut body).unwrap(), ":\nevent: sse-open\n\n");
        let sender = thread::spawn(move || {
            events.try_send("x").unwrap();
            events
        });
        assert_eq!(next(&mut body).unwrap(), "data: x\n\n");
        drop(sender.join().unwrap());
        assert_eq!(next(&mut body), None);
    });
}

/// Hazard G4.
#[test]
fn a_close_reaches_a_body_that_goes_to_sleep() {
    model(|| {
        let (events, body) = channel(100);
        let closer = thread::spawn(move || {
            let _ = events.try_send("x");
            assert!(events.close());
            events
        });
        assert_eq!(read(body), ":\nevent: sse-open\n\ndata: x\n\n");
        assert_eq!(closer.join().unwrap().close_reason(), Some(CloseReason::Closed));
    });
}

#[test]
fn only_one_of_two_concurrent_ends_takes_effect() {
    model(|| {
        let (events, body) = channel(100);
        let other = events.clone();
        let closer = thread::spawn(move || other.close());
        let finished = events.finish();
        let closed = closer.join().unwrap();
        assert!(closed != finished);
        let text = read(body);
        assert_eq!(
            text,
            if finished {
                ":\nevent: sse-open\n\nevent: sse-end\nid: end\ndata: {}\n\n"
            } else {
                ":\nevent: sse-open\n\n"
            }
        );
    });
}

#[test]
fn the_last_sender_dropped_ends_a_body_that_goes_to_sleep() {
    model(|| {
        let (events, body) = channel(100);
        let droppers = [events.clone(), events].map(|events| thread::spawn(move || drop(events)));
        assert_eq!(read(body), ":\nevent: sse-open\n\n");
        for dropper in droppers {
            dropper.join().unwrap();
        }
    });
}

#[test]
fn waiting_send_completes_when_the_body_makes_room() {
    model(|| {
        let (events, body) = channel(0);
        let sender = thread::spawn(move || {
            block_on(events.send("1")).unwrap();
            block_on(events.send("2")).unwrap();
        });
        assert_eq!(read(body), ":\nevent: sse-open\n\ndata: 1\n\ndata: 2\n\n");
        sender.join().unwrap();
    });
}

#[test]
fn two_waiting_sends_both_complete() {
    model(|| {
        let (events, body) = channel(0);
        let other = events.clone();
        let one = thread::spawn(move || block_on(other.send("x")).unwrap());
        let two = thread::spawn(move || block_on(events.send("x")).unwrap());
        assert_eq!(read(body), ":\nevent: sse-open\n\ndata: x\n\ndata: x\n\n");
        one.join().unwrap();
        two.join().unwrap();
    });
}

#[test]
fn a_body_dropped_fails_a_send_that_goes_to_sleep() {
    model(|| {
        let (events, body) = channel(0);
        events.try_send("fills the buffer").unwrap();
        let reader = thread::spawn(move || drop(body));
        assert_eq!(block_on(events.send("x")), Err(SendError::Closed));
        reader.join().unwrap();
        assert_eq!(events.close_reason(), Some(CloseReason::ClientLeft));
    });
}

#[test]
fn waiters_for_the_end_receive_the_reason() {
    model(|| {
        let (events, body) = channel(100);
        let closed = events.closed();
        let reader = thread::spawn(move || drop(body));
        assert_eq!(block_on(closed), CloseReason::ClientLeft);
        reader.join().unwrap();
    });
}

/// Hazard C8.
#[test]
fn close_and_dropped_body_give_one_reason() {
    model(|| {
        let (events, body) = channel(100);
        let reader = thread::spawn(move || drop(body));
        events.close();
        let reason = block_on(events.closed());
        assert_eq!(reason, CloseReason::ClientLeft, "its opening block was never read");
        reader.join().unwrap();
        assert_eq!(block_on(events.closed()), reason);
    });
}

/// Hazard D3.
#[test]
fn stream_opened_during_a_drain_is_ended_or_rejected() {
    model(|| {
        let clock = Clock::new();
        let hub = sse_core::Hub::builder().build_on(clock.clone());
        let drainer = thread::spawn({
            let hub = hub.clone();
            move || block_on(hub.drain(Duration::ZERO))
        });
        let (_events, response) = clock.sse().keep_alive(None).attach(&hub).channel();
        let text = read(Box::pin(response.into_body()));
        assert!(text.contains("retry: "), "{text:?}");
        assert_eq!(drainer.join().unwrap(), 0);
    });
}
