//! A stream with a lifetime ends cleanly, up to a fifth early, so that clients do not all reconnect at once.

use sse_core::testing::Clock;
use sse_core::{CloseReason, Runtime, SendError};
use std::task::Poll;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// Hazard C4.
#[test]
fn a_stream_ends_at_its_lifetime_after_what_is_pending() {
    let clock = Clock::new();
    let (events, response) = clock.sse().keep_alive(None).max_lifetime(HOUR).channel();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    clock.advance(HOUR.mul_f64(0.8) - Duration::from_millis(1));
    assert_eq!(reader.wakes(), 0);
    assert_eq!(reader.text(), "");
    events.try_send("last").unwrap();
    clock.advance(HOUR.mul_f64(0.2) + Duration::from_millis(1));
    assert_eq!(reader.poll(), Poll::Ready(Some("data: last\n\n".into())));
    assert_eq!(reader.poll(), Poll::Ready(None));
    assert_eq!(events.close_reason(), Some(CloseReason::Expired));
    assert_eq!(events.try_send("late"), Err(SendError::Closed));
}

#[test]
fn end_of_the_lifetime_wakes_an_idle_stream() {
    let clock = Clock::new();
    let (_events, response) = clock.sse().keep_alive(None).max_lifetime(HOUR).channel();
    let mut reader = clock.read(response);
    reader.bytes();
    clock.advance(HOUR);
    assert_eq!(reader.wakes(), 1);
    assert_eq!(reader.poll(), Poll::Ready(None));
}

#[test]
fn stream_of_events_has_a_lifetime() {
    let clock = Clock::new();
    let response = clock.sse().max_lifetime(HOUR).stream(futures_util::stream::pending::<&str>());
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    clock.advance(HOUR);
    assert!(reader.has_ended());
}

/// Hazards C4 and D4.
#[test]
fn ten_thousand_lifetimes_are_spread_evenly_over_the_last_fifth() {
    let clock = Clock::new();
    let start = clock.now();
    let mut tenths = [0; 10];
    for _ in 0..10_000 {
        let (_events, response) = clock.sse().keep_alive(None).max_lifetime(HOUR).channel();
        let deadline = response.into_body().deadline().expect("a lifetime is a deadline");
        let part = (deadline - start).as_secs_f64() / HOUR.as_secs_f64();
        assert!((0.8..=1.0).contains(&part), "{part}");
        tenths[((part - 0.8) / 0.02).min(9.0) as usize] += 1;
    }
    for count in tenths {
        assert!((850..1150).contains(&count), "{tenths:?}");
    }
}

#[test]
fn a_lifetime_beyond_the_clock_is_no_limit() {
    let clock = Clock::new();
    for lifetime in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(u64::MAX / 4)] {
        let (events, response) = clock.sse().keep_alive(None).max_lifetime(lifetime).channel();
        let mut reader = clock.read(response);
        reader.bytes();
        clock.advance(1000 * HOUR);
        assert_eq!(reader.text(), "");
        assert!(events.is_active());
    }
}

#[test]
fn stream_with_a_lifetime_of_zero_opens_and_ends() {
    let clock = Clock::new();
    let (events, response) = clock.sse().max_lifetime(Duration::ZERO).channel();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Expired));
}
