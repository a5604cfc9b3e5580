//! A quiet stream says that it lives: every 15 s by default, between events only.

use proptest::prelude::*;
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, Sender, Sse};
use std::task::Poll;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A stream, its opening block already read and its reader asleep.
fn open(clock: &Clock, configure: impl FnOnce(Sse<Clock>) -> Sse<Clock>) -> (Sender, Reader<EventStream<Clock>>) {
    let (events, response) = configure(clock.sse()).channel();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    (events, reader)
}

#[test]
fn an_idle_stream_writes_one_comment_line_every_15_s() {
    let clock = Clock::new();
    let (_events, mut reader) = open(&clock, |sse| sse);
    for n in 1..=3 {
        clock.advance(15 * SECOND - MS);
        assert_eq!(reader.wakes(), n - 1, "woken early");
        assert_eq!(reader.text(), "");
        clock.advance(MS);
        assert_eq!(reader.wakes(), n, "not woken");
        assert_eq!(reader.poll(), Poll::Ready(Some(":\n".into())));
        assert_eq!(reader.poll(), Poll::Pending);
    }
}

#[test]
fn every_write_puts_it_off() {
    let clock = Clock::new();
    let (events, mut reader) = open(&clock, |sse| sse.keep_alive(10 * SECOND));
    for _ in 0..5 {
        clock.advance(9 * SECOND);
        events.try_send("x").unwrap();
        assert_eq!(reader.text(), "data: x\n\n");
    }
    clock.advance(9 * SECOND);
    assert_eq!(reader.text(), "");
    clock.advance(SECOND);
    assert_eq!(reader.text(), ":\n");
}

#[test]
fn an_event_at_the_deadline_goes_in_its_place() {
    let clock = Clock::new();
    let (events, mut reader) = open(&clock, |sse| sse.keep_alive(10 * SECOND));
    clock.advance(10 * SECOND);
    events.try_send("x").unwrap();
    assert_eq!(reader.text(), "data: x\n\n");
    clock.advance(9 * SECOND);
    assert_eq!(reader.text(), "");
}

#[test]
fn a_reader_that_comes_late_is_told_once() {
    let clock = Clock::new();
    let (_events, mut reader) = open(&clock, |sse| sse.keep_alive(SECOND));
    clock.advance(100 * SECOND);
    assert_eq!(reader.text(), ":\n");
}

#[test]
fn none_and_zero_turn_it_off() {
    let off: [fn(Sse<Clock>) -> Sse<Clock>; 2] = [|sse| sse.keep_alive(None), |sse| sse.keep_alive(Duration::ZERO)];
    for off in off {
        let clock = Clock::new();
        let (events, mut reader) = open(&clock, off);
        clock.advance(100_000 * SECOND);
        assert_eq!(reader.wakes(), 0);
        assert_eq!(reader.text(), "");
        events.try_send("x").unwrap();
        assert_eq!(reader.text(), "data: x\n\n");
    }
}

/// Hazard E4.
#[test]
fn an_interval_beyond_the_clock_is_never_due() {
    let clock = Clock::new();
    for interval in [Duration::MAX, Duration::from_secs(u64::MAX / 2), Duration::from_secs(u64::MAX / 4)] {
        let (events, mut reader) = open(&clock, |sse| sse.keep_alive(interval));
        clock.advance(100_000 * SECOND);
        assert_eq!(reader.text(), "");
        events.try_send("x").unwrap();
        assert_eq!(reader.text(), "data: x\n\n");
    }
}

#[test]
fn it_ends_with_the_stream() {
    let clock = Clock::new();
    let (events, mut reader) = open(&clock, |sse| sse);
    events.close();
    assert!(reader.has_ended());
    clock.advance(100 * SECOND);
    assert_eq!(reader.wakes(), 1, "once, by the end");
    assert_eq!(reader.poll(), Poll::Ready(None));
}

/// Hazard E4.
#[test]
fn a_source_of_nothing_does_not_silence_it() {
    let clock = Clock::new();
    // Always ready, and never with a byte.
    let nothing = futures_util::stream::repeat_with(sse_core::Event::new);
    let mut reader = clock.read(clock.sse().keep_alive(SECOND).stream(nothing));
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    for _ in 0..3 {
        assert_eq!(reader.poll(), Poll::Pending);
        clock.advance(SECOND);
        assert_eq!(reader.poll(), Poll::Ready(Some(":\n".into())));
    }
}

/// Hazard G9.
#[test]
fn it_never_falls_inside_an_event() {
    let clock = Clock::new();
    let (events, mut reader) = open(&clock, |sse| sse.keep_alive(MS));
    let (mut received, mut beats) = (String::new(), 0);
    for n in 0..20_000 {
        // An event every other millisecond.
        if n % 2 == 0 {
            events.try_send((n.to_string(), format!("line\n{n}"))).unwrap();
        }
        clock.advance(MS);
        while let Poll::Ready(Some(chunk)) = reader.poll() {
            match &chunk[..] {
                b":\n" => beats += 1,
                block => received.push_str(std::str::from_utf8(block).unwrap()),
            }
        }
    }
    let sent = (0..20_000).step_by(2).map(|n| format!("event: {n}\ndata: line\ndata: {n}\n\n"));
    assert!(received == sent.collect::<String>(), "an event was broken");
    assert_eq!(beats, 10_000);
}

proptest! {
    /// A task that polls only when it is woken, as a server does, under random writes.
    /// Hazard E4.
    #[test]
    fn the_gap_between_bytes_is_never_over_the_interval(
        interval in 1_u32..50,
        waits in prop::collection::vec(0_u32..120, 1..40),
    ) {
        let clock = Clock::new();
        let (events, mut reader) = open(&clock, |sse| sse.keep_alive(MS * interval));
        let (mut seen, mut gap, mut beats) = (reader.wakes(), 0, 0);
        let mut expected_beats = 0;
        for (n, wait) in waits.iter().enumerate() {
            for _ in 0..*wait {
                clock.advance(MS);
                gap += 1;
                if reader.wakes() > seen {
                    seen = reader.wakes();
                    let bytes = reader.bytes();
                    prop_assert_eq!(&bytes[..], b":\n");
                    prop_assert_eq!(gap, interval, "a comment before it was due");
                    beats += 1;
                    gap = 0;
                }
                prop_assert!(gap <= interval, "silent for {} ms", gap);
            }
            expected_beats += wait / interval;
            events.try_send(n.to_string()).unwrap();
            prop_assert!(reader.wakes() > seen);
            prop_assert_eq!(reader.text(), format!("data: {n}\n\n"));
            (seen, gap) = (reader.wakes(), 0);
        }
        prop_assert_eq!(beats, expected_beats);
    }
}
