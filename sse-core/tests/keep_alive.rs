//! An idle stream sends a comment every 15 s by default, and only between events.

use proptest::prelude::*;
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, Sender, Sse};
use std::task::Poll;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A stream whose opening block was read and whose body waits.
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
    clock.advance(15 * SECOND / 2 - MS);
    assert_eq!(reader.wakes(), 0, "the first comes from half an interval on");
    while reader.wakes() == 0 {
        clock.advance(MS);
    }
    assert_eq!(reader.text(), ":\n");
    for n in 2..=4 {
        clock.advance(15 * SECOND - MS);
        assert_eq!(reader.wakes(), n - 1, "woken early");
        assert_eq!(reader.text(), "");
        clock.advance(MS);
        assert_eq!(reader.wakes(), n, "not woken");
        assert_eq!(reader.poll(), Poll::Ready(Some(":\n".into())));
        assert_eq!(reader.poll(), Poll::Pending);
    }
}

/// The time until the next keep-alive of each stream, in milliseconds.
fn moments(clock: &Clock, readers: &mut [Reader<EventStream<Clock>>]) -> Vec<usize> {
    let mut moments = vec![None; readers.len()];
    for ms in 1..=15_000 {
        clock.advance(MS);
        for (reader, moment) in readers.iter_mut().zip(&mut moments) {
            if moment.is_none() && reader.text() == ":\n" {
                *moment = Some(ms);
            }
        }
    }
    moments.into_iter().map(|moment| moment.expect("within an interval")).collect()
}

/// Hazard H7.
#[test]
fn keep_alives_stay_spread_after_an_event_to_all_streams() {
    let clock = Clock::new();
    let hub = sse_core::Hub::builder().build_on(clock.clone());
    let open = |_| clock.read(clock.sse().subscribe(&hub, ["news"]).into_response());
    let mut readers: Vec<_> = (0..200).map(open).collect();
    let together = |moments: &[usize]| {
        let near = |at: &usize| moments.iter().filter(|other| at.abs_diff(**other) <= 50).count();
        moments.iter().map(near).max().unwrap_or_default()
    };
    for (from, most) in [(7_500, 15), (13_500, 40)] {
        readers.iter_mut().for_each(|reader| drop(reader.text()));
        let moments = moments(&clock, &mut readers);
        assert!(moments.iter().all(|ms| (from..=15_000).contains(ms)), "{moments:?}");
        assert!(together(&moments) <= most, "{} of 200 within 100 ms", together(&moments));
        hub.publish("news", "to all in one moment").unwrap();
    }
    // The keep-alives stay spread while nothing is published.
    readers.iter_mut().for_each(|reader| drop(reader.text()));
    let first = moments(&clock, &mut readers);
    let second = moments(&clock, &mut readers);
    assert!(together(&second) <= 40 && first != second[..].iter().map(|ms| ms + 1).collect::<Vec<_>>());
}

#[test]
fn every_write_postpones_the_keep_alive() {
    let clock = Clock::new();
    let (events, mut reader) = open(&clock, |sse| sse.keep_alive(20 * SECOND));
    for _ in 0..5 {
        clock.advance(9 * SECOND);
        events.try_send("x").unwrap();
        assert_eq!(reader.text(), "data: x\n\n");
    }
    clock.advance(9 * SECOND);
    assert_eq!(reader.text(), "");
    clock.advance(11 * SECOND);
    assert_eq!(reader.text(), ":\n");
}

#[test]
fn event_at_the_deadline_replaces_the_keep_alive() {
    let clock = Clock::new();
    let (events, mut reader) = open(&clock, |sse| sse.keep_alive(10 * SECOND));
    clock.advance(10 * SECOND);
    events.try_send("x").unwrap();
    assert_eq!(reader.text(), "data: x\n\n");
    clock.advance(4 * SECOND);
    assert_eq!(reader.text(), "");
}

#[test]
fn late_poll_sends_one_keep_alive() {
    let clock = Clock::new();
    let (_events, mut reader) = open(&clock, |sse| sse.keep_alive(SECOND));
    clock.advance(100 * SECOND);
    assert_eq!(reader.text(), ":\n");
}

#[test]
fn none_and_zero_turn_keep_alives_off() {
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
fn keep_alives_end_with_the_stream() {
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
fn source_without_events_does_not_stop_keep_alives() {
    let clock = Clock::new();
    // Each item is ready at once and has no bytes.
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
fn keep_alive_is_never_inside_an_event() {
    let clock = Clock::new();
    let (events, mut reader) = open(&clock, |sse| sse.keep_alive(MS));
    let (mut received, mut beats) = (String::new(), 0);
    for n in 0..20_000 {
        // An event every two milliseconds.
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
    /// A task that polls only after a wake, as a server does, with random writes.
    /// Hazard E4.
    #[test]
    fn the_gap_between_bytes_is_never_over_the_interval(
        interval in 1_u32..50,
        waits in prop::collection::vec(0_u32..120, 1..40),
    ) {
        let clock = Clock::new();
        let (events, mut reader) = open(&clock, |sse| sse.keep_alive(MS * interval));
        let (mut seen, mut gap, mut after_data) = (reader.wakes(), 0, true);
        for (n, wait) in waits.iter().enumerate() {
            for _ in 0..*wait {
                clock.advance(MS);
                gap += 1;
                if reader.wakes() > seen {
                    seen = reader.wakes();
                    let bytes = reader.bytes();
                    prop_assert_eq!(&bytes[..], b":\n");
                    prop_assert!(2 * gap >= interval && (after_data || gap == interval), "before it was due");
                    (gap, after_data) = (0, false);
                }
                prop_assert!(gap <= interval, "silent for {} ms", gap);
            }
            events.try_send(n.to_string()).unwrap();
            prop_assert!(reader.wakes() > seen);
            prop_assert_eq!(reader.text(), format!("data: {n}\n\n"));
            (seen, gap, after_data) = (reader.wakes(), 0, true);
        }
    }
}
