//! A stream of events, or of results of them, as a response.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use sse_core::testing::Clock;
use sse_core::{CloseReason, Event, Hub, Policy, Request, Sse};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

#[test]
fn a_source_that_ends_finishes_the_stream() {
    let clock = Clock::new();
    let mut reader = clock.read(clock.sse().stream(stream::iter(["1", "2"])));
    assert_eq!(reader.text(), ":\nevent: sse-open\n\ndata: 1\n\ndata: 2\n\nevent: sse-end\nid: end\ndata: {}\n\n");
    assert!(reader.has_ended());
}

#[test]
fn an_empty_source_finishes_the_stream() {
    let clock = Clock::new();
    let mut reader = clock.read(clock.sse().stream(stream::empty::<Event<'_>>()));
    assert_eq!(reader.text(), ":\nevent: sse-open\n\nevent: sse-end\nid: end\ndata: {}\n\n");
    assert!(reader.has_ended());
}

#[test]
fn over_post_a_source_that_ends_closes_the_stream() {
    let clock = Clock::new();
    let admitted = Policy::default().methods(["POST"]).check(&Request::new("POST", None, [])).unwrap();
    let mut reader = clock.read(Sse::new(clock.clone(), admitted).stream(stream::iter(["1"])));
    assert_eq!(reader.text(), ":\ndata: 1\n\n");
    assert!(reader.has_ended());
}

#[test]
fn stream_opens_before_the_first_item_of_its_source() {
    let clock = Clock::new();
    let mut reader = clock.read(clock.sse().prelude(["first"]).stream(stream::pending::<&str>()));
    assert_eq!(reader.text(), ":\nevent: sse-open\n\ndata: first\n\n");
    assert_eq!(reader.poll(), Poll::Pending);
}

/// The text before the reconnection time at the end of a failed stream.
fn before_retry(text: &str) -> &str {
    let (before, retry) = text.split_at(text.rfind("retry: ").expect("a retry"));
    let ms = retry.strip_prefix("retry: ").and_then(|ms| ms.strip_suffix("\n\n")?.parse().ok());
    assert!(ms.is_some_and(|ms: u64| (10_000..=30_000).contains(&ms)), "{retry:?}");
    before
}

/// Hazard A6.
#[test]
fn error_of_a_source_ends_the_stream_and_sends_no_text() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let items = stream::iter([Ok("1"), Ok("2"), Err("MARKER: password=hunter2"), Ok("3")]);
    let mut reader = clock.read(clock.sse().attach(&hub).stream(items));
    assert_eq!(before_retry(&reader.text()), ":\nevent: sse-open\n\ndata: 1\n\ndata: 2\n\n");
    assert!(reader.has_ended());
    assert_eq!(hub.stats().ended(CloseReason::Failed), 1);
}

#[test]
fn an_event_that_cannot_be_sent_ends_the_stream() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let items = stream::iter([("fine", "1"), ("MARKER\nid: 7", "2"), ("fine", "3")]);
    let mut reader = clock.read(clock.sse().attach(&hub).stream(items));
    assert_eq!(before_retry(&reader.text()), ":\nevent: sse-open\n\nevent: fine\ndata: 1\n\n");
    assert!(reader.has_ended());
    assert_eq!(hub.stats().ended(CloseReason::Failed), 1);
}

#[test]
fn a_source_is_not_polled_after_its_end() {
    let mut ends = 0;
    let source = stream::poll_fn(|_| {
        ends += 1;
        assert_eq!(ends, 1, "polled after its end");
        Poll::Ready(None::<&str>)
    });
    let clock = Clock::new();
    let mut reader = clock.read(clock.sse().stream(source));
    for _ in 0..100 {
        assert!(reader.has_ended());
    }
}

#[test]
fn a_source_is_dropped_with_the_body() {
    let dropped = Rc::new(());
    let held = dropped.clone();
    let clock = Clock::new();
    let reader = clock.read(clock.sse().stream(stream::pending::<&str>().map(move |text| {
        let _held = &held;
        text
    })));
    assert_eq!(Rc::strong_count(&dropped), 2);
    drop(reader);
    assert_eq!(Rc::strong_count(&dropped), 1);
}

/// The chunks of a stream of these events, without the first and the last block.
fn chunks(items: impl IntoIterator<Item = String>) -> Vec<Bytes> {
    let clock = Clock::new();
    let mut reader = clock.read(clock.sse().stream(stream::iter(items)));
    let mut chunks = Vec::new();
    while let Poll::Ready(Some(chunk)) = reader.poll() {
        chunks.push(chunk);
    }
    assert_eq!(chunks.remove(0), ":\nevent: sse-open\n\n");
    assert_eq!(chunks.pop().unwrap(), "event: sse-end\nid: end\ndata: {}\n\n");
    chunks
}

const KIB: usize = 1024;

/// A text whose encoded event has this many bytes.
fn sized(bytes: usize) -> String {
    "x".repeat(bytes - "data: \n\n".len())
}

/// Hazard B3.
#[test]
fn events_that_are_ready_leave_together_in_chunks_of_64_kib() {
    let lens = |items: &[usize]| chunks(items.iter().copied().map(sized)).iter().map(Bytes::len).collect::<Vec<_>>();
    assert_eq!(lens(&[KIB; 64]), [64 * KIB]);
    assert_eq!(lens(&[KIB; 130]), [64 * KIB, 64 * KIB, 2 * KIB]);
    // A chunk is larger only if it is one large event.
    assert_eq!(lens(&[40 * KIB, 40 * KIB]), [40 * KIB, 40 * KIB]);
    assert_eq!(lens(&[10 * KIB, 500 * KIB, 10 * KIB]), [10 * KIB, 500 * KIB, 10 * KIB]);
    assert_eq!(lens(&[500 * KIB, 10 * KIB, 10 * KIB]), [500 * KIB, 20 * KIB]);
}

#[test]
fn chunks_keep_the_order_and_lose_nothing() {
    let texts: Vec<_> = (0..3_000).map(|n| format!("{n}{}", "x".repeat(n * 7919 % 5_000))).collect();
    let expected: String = texts.iter().map(|text| format!("data: {text}\n\n")).collect();
    assert!(chunks(texts).concat() == expected.as_bytes());
}

#[test]
fn events_before_an_error_are_delivered() {
    let clock = Clock::new();
    let large = sized(60 * KIB);
    let items = stream::iter([Ok(large.as_str()), Ok(large.as_str()), Err("no"), Ok("x")]);
    let mut reader = clock.read(clock.sse().stream(items));
    assert_eq!(before_retry(&reader.text()).len(), ":\nevent: sse-open\n\n".len() + 120 * KIB);
    assert!(reader.has_ended());
}

#[test]
fn ready_event_is_sent_without_waiting_for_more() {
    let clock = Clock::new();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<&str>();
    let mut reader = clock.read(clock.sse().stream(stream::poll_fn(move |cx| receiver.poll_recv(cx))));
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    sender.send("1").unwrap();
    assert_eq!(reader.wakes(), 1);
    assert_eq!(reader.text(), "data: 1\n\n");
    drop(sender);
    assert_eq!(reader.text(), "event: sse-end\nid: end\ndata: {}\n\n");
    assert!(reader.has_ended());
}

/// Hazard G10.
#[test]
fn ten_million_empty_events_yield_to_other_tasks_without_recursion() {
    let small_stack = std::thread::Builder::new().stack_size(256 * KIB);
    let done = small_stack.spawn(|| {
        let clock = Clock::new();
        let seen = Cell::new(0);
        let nothing = stream::iter(0..10_000_000).map(|n| {
            seen.set(n);
            Event::new()
        });
        let mut reader = pin!(clock.read(clock.sse().stream(nothing)));
        assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
        let last = loop {
            let before = (seen.get(), reader.wakes());
            if let Poll::Ready(chunk) = reader.poll() {
                break chunk;
            }
            assert!(reader.wakes() > before.1, "it is not over, and nobody will come again");
            assert!(seen.get() - before.0 <= 10_000, "one poll took {}", seen.get() - before.0);
        };
        assert_eq!(last.unwrap(), "event: sse-end\nid: end\ndata: {}\n\n");
        assert_eq!(seen.get(), 9_999_999);
    });
    done.unwrap().join().unwrap();
}

#[test]
fn a_source_need_not_be_send() {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    let clock = Clock::new();
    let items = stream::iter(0..3).map(move |n| {
        counted.set(counted.get() + 1);
        n.to_string()
    });
    let mut reader = clock.read(clock.sse().stream(items));
    assert!(reader.text().ends_with("data: 2\n\nevent: sse-end\nid: end\ndata: {}\n\n"));
    assert_eq!(count.get(), 3);
}
