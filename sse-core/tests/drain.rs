//! Draining: every stream ends in time, and its client receives a reconnection time.

use futures_util::stream;
use sse_core::hub::HubBuilder;
use sse_core::testing::{Clock, Reader};
use sse_core::{CloseReason, Event, EventStream, Hub, LastEventId, Policy, Request, SendError, Sender, Sse};
use std::task::Poll;
use std::time::Duration;
use tokio_test::{assert_pending, assert_ready, assert_ready_eq, task};

const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(10);

fn hub_with(configure: impl FnOnce(HubBuilder) -> HubBuilder) -> (Clock, Hub) {
    let clock = Clock::new();
    let hub = configure(Hub::builder()).build_on(clock.clone());
    (clock, hub)
}

fn hub() -> (Clock, Hub) {
    hub_with(|hub| hub)
}

/// A stream of this hub. Its opening block is already read.
fn open(clock: &Clock, hub: &Hub) -> (Sender, Reader<EventStream<Clock>>) {
    let (events, response) = clock.sse().keep_alive(None).attach(hub).channel();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    (events, reader)
}

fn post(clock: &Clock) -> Sse<Clock> {
    let policy = Policy::default().methods(["POST"]);
    Sse::new(clock.clone(), policy.check(&Request::new("POST", None, [])).unwrap())
}

/// The reconnection time in a whole "retry later" answer.
fn retry_later_ms(text: &str) -> u64 {
    let block = text.strip_prefix(":\nevent: sse-open\n").unwrap_or_else(|| panic!("{text:?}"));
    // The answer also has the ID that the client brought.
    let block = block.replace("id: 7\n", "");
    let reasons = ["draining", "full"].map(|reason| format!("event: sse-later\ndata: {{\"reason\":\"{reason}\"}}\n\n"));
    retry_ms(reasons.iter().find_map(|reason| block.strip_suffix(&**reason)).unwrap_or_else(|| panic!("{text:?}")))
}

/// The reconnection time in a block that has no other field.
fn retry_ms(block: &str) -> u64 {
    let ms = block.strip_prefix("retry: ").and_then(|rest| rest.strip_suffix("\n\n"));
    ms.unwrap_or_else(|| panic!("no retry alone: {block:?}")).parse().unwrap()
}

// The streams.

/// Hazard D1.
#[test]
fn a_channel_notices_a_drain_at_once_and_ends_with_the_window() {
    let (clock, hub) = hub();
    let (events, mut reader) = open(&clock, &hub);
    let mut draining = [task::spawn(events.draining()), task::spawn(events.clone().draining())];
    for draining in &mut draining {
        assert_pending!(draining.poll());
    }
    let mut drained = task::spawn(hub.drain(WINDOW));
    for draining in &mut draining {
        assert!(draining.is_woken());
        assert_ready!(draining.poll());
    }
    assert_ready!(task::spawn(events.draining()).poll());
    assert_pending!(drained.poll());

    // Until then the stream continues.
    events.try_send("goodbye").unwrap();
    assert_eq!(reader.text(), "data: goodbye\n\n");
    clock.advance(WINDOW - Duration::from_millis(1));
    assert_eq!(reader.text(), "");
    assert!(events.is_active());
    let wakes = reader.wakes();
    clock.advance(Duration::from_millis(1));
    assert_eq!(reader.wakes(), wakes + 1, "the window is over, and nobody told the reader");
    let ms = retry_ms(&reader.text());
    assert!((1_000..=5_000).contains(&ms), "{ms}");
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Drained));
    assert_eq!(events.try_send("late"), Err(SendError::Closed));
    assert!(drained.is_woken());
    assert_ready_eq!(drained.poll(), 0);
    assert_eq!(hub.stats().ended(CloseReason::Drained), 1);
}

#[test]
fn a_stream_of_events_ends_with_the_window_too() {
    let (clock, hub) = hub();
    let mut reader = clock.read(clock.sse().attach(&hub).keep_alive(None).stream(stream::pending::<&str>()));
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    let _draining = hub.drain(WINDOW);
    assert_eq!(reader.wakes(), 1, "it has a deadline now");
    assert_eq!(reader.text(), "");
    clock.advance(WINDOW);
    assert_eq!(reader.wakes(), 2);
    retry_ms(&reader.text());
    assert!(reader.has_ended());
    assert_eq!(hub.stats().ended(CloseReason::Drained), 1);
}

#[test]
fn pending_events_are_sent_before_the_end() {
    let (clock, hub) = hub();
    let (events, mut reader) = open(&clock, &hub);
    let _draining = hub.drain(WINDOW);
    events.try_send("pending").unwrap();
    clock.advance(WINDOW);
    let text = reader.text();
    retry_ms(text.strip_prefix("data: pending\n\n").unwrap());
}

#[test]
fn a_drain_with_an_empty_window_ends_streams_at_once() {
    let (clock, hub) = hub();
    let (events, mut reader) = open(&clock, &hub);
    let mut drained = task::spawn(hub.drain(Duration::ZERO));
    assert_pending!(drained.poll());
    assert_eq!(reader.wakes(), 1);
    retry_ms(&reader.text());
    assert!(reader.has_ended());
    assert_ready_eq!(drained.poll(), 0);
    assert_eq!(events.close_reason(), Some(CloseReason::Drained));
}

#[test]
fn close_during_a_drain_sends_the_reconnection_time_of_the_drain() {
    let (clock, hub) = hub();
    let (closed, mut reader) = open(&clock, &hub);
    let (dropped, mut other) = open(&clock, &hub);
    let mut drained = task::spawn(hub.drain(WINDOW));
    assert_pending!(drained.poll());
    closed.try_send("goodbye").unwrap();
    closed.close();
    drop(dropped);
    retry_ms(reader.text().strip_prefix("data: goodbye\n\n").unwrap());
    retry_ms(&other.text());
    assert!(reader.has_ended() && other.has_ended());
    assert_eq!(closed.close_reason(), Some(CloseReason::Closed));
    assert_ready_eq!(drained.poll(), 0, "no need to wait for the window");
}

#[test]
fn finish_during_a_drain_stops_the_client() {
    let (clock, hub) = hub();
    let (events, mut reader) = open(&clock, &hub);
    let _draining = hub.drain(WINDOW);
    events.finish();
    assert_eq!(reader.text(), "event: sse-end\nid: end\ndata: {}\n\n");
    assert_eq!(reader.poll(), Poll::Ready(None));
}

#[test]
fn a_lifetime_that_ends_during_a_drain_sends_the_reconnection_time_too() {
    let (clock, hub) = hub();
    let (events, response) = clock.sse().attach(&hub).max_lifetime(20 * SECOND).channel();
    let mut reader = clock.read(response);
    reader.bytes();
    let _draining = hub.drain(WINDOW);
    clock.advance(20 * SECOND);
    retry_ms(&reader.text());
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Expired));
}

/// Hazard D4.
#[test]
fn reconnection_times_are_spread_evenly_for_every_window() {
    for window in [Duration::ZERO, WINDOW] {
        let (clock, hub) = hub();
        let mut streams: Vec<_> = (0..4_000).map(|_| open(&clock, &hub)).collect();
        let _draining = hub.drain(window);
        clock.advance(window);
        let mut eighths = [0; 8];
        for (_, reader) in &mut streams {
            let ms = retry_ms(&reader.text());
            assert!((1_000..=5_000).contains(&ms), "{ms}");
            eighths[((ms - 1_000) / 500).min(7) as usize] += 1;
        }
        assert!(eighths.iter().all(|count| (400..600).contains(count)), "{eighths:?}");
    }
}

#[test]
fn drain_retry_sets_the_range_of_reconnection_times() {
    let (clock, hub) = hub_with(|hub| hub.drain_retry(SECOND / 4..=SECOND / 2));
    let (_events, mut reader) = open(&clock, &hub);
    let _draining = hub.drain(Duration::ZERO);
    assert!((250..=500).contains(&retry_ms(&reader.text())));
}

#[test]
fn streams_of_no_hub_or_of_another_hub_continue() {
    let (clock, hub) = hub();
    let other = Hub::builder().build_on(clock.clone());
    let (of_other, mut its_reader) = open(&clock, &other);
    let (of_none, response) = clock.sse().keep_alive(None).channel();
    let mut reader = clock.read(response);
    reader.bytes();
    assert_ready_eq!(task::spawn(hub.drain(WINDOW)).poll(), 0);
    clock.advance(WINDOW);
    assert_eq!((its_reader.text(), reader.text()), Default::default());
    assert!(of_other.is_active() && of_none.is_active());
    assert!(hub.is_draining());
    assert!(!other.is_draining());
}

// The future.

#[test]
fn the_drain_is_over_when_the_last_stream_ends() {
    let (clock, hub) = hub();
    let (_first, mut ends) = open(&clock, &hub);
    let (_second, leaves) = open(&clock, &hub);
    let mut drained = task::spawn(hub.drain(WINDOW));
    assert_pending!(drained.poll());
    clock.advance(WINDOW);
    assert!(ends.has_ended());
    assert!(!drained.is_woken(), "one is left");
    assert_pending!(drained.poll());
    drop(leaves);
    assert!(drained.is_woken());
    assert_ready_eq!(drained.poll(), 0);
    assert_eq!(hub.stats().ended(CloseReason::Drained), 1);
    assert_eq!(hub.stats().ended(CloseReason::ClientLeft), 1);
}

/// Hazard D2.
#[test]
fn the_drain_returns_the_number_of_open_streams_after_window_and_grace() {
    let (clock, hub) = hub();
    let unpolled: Vec<_> = (0..3).map(|_| clock.sse().attach(&hub).channel()).collect();
    let (_events, mut reader) = open(&clock, &hub);
    let mut drained = task::spawn(hub.drain(WINDOW));
    assert_pending!(drained.poll());
    clock.advance(WINDOW);
    assert!(reader.has_ended());
    assert_pending!(drained.poll());
    clock.advance(GRACE - Duration::from_millis(1));
    assert_pending!(drained.poll());
    clock.advance(Duration::from_millis(1));
    assert!(drained.is_woken());
    assert_ready_eq!(drained.poll(), 3);
    drop(unpolled);
    assert_ready_eq!(task::spawn(hub.drain(WINDOW)).poll(), 0);
}

#[test]
fn drain_grace_sets_the_wait_after_the_window() {
    let (clock, hub) = hub_with(|hub| hub.drain_grace(Duration::ZERO));
    let _unpolled = clock.sse().attach(&hub).channel();
    let mut drained = task::spawn(hub.drain(SECOND));
    assert_pending!(drained.poll());
    clock.advance(SECOND);
    assert_ready_eq!(drained.poll(), 1);
}

#[test]
fn the_drain_continues_without_its_future() {
    let (clock, hub) = hub();
    let (events, mut reader) = open(&clock, &hub);
    drop(hub.drain(WINDOW));
    clock.advance(WINDOW);
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Drained));
}

#[test]
fn draining_returns_when_the_drain_starts() {
    let (_clock, hub) = hub();
    let mut waiting = [task::spawn(hub.draining()), task::spawn(hub.clone().draining())];
    for waiting in &mut waiting {
        assert_pending!(waiting.poll());
    }
    let mut dropped = task::spawn(hub.draining());
    assert_pending!(dropped.poll());
    drop(dropped.into_inner());
    assert!(waiting.iter().all(|waiting| !waiting.is_woken()));
    let _drain = hub.drain(WINDOW);
    for waiting in &mut waiting {
        assert!(waiting.is_woken());
        assert_ready!(waiting.poll());
    }
    assert_ready!(task::spawn(hub.draining()).poll());
}

#[test]
fn draining_polled_by_another_task_wakes_only_that_task() {
    let (_clock, hub) = hub();
    let mut first = task::spawn(());
    let mut second = task::spawn(());
    let mut draining = Box::pin(hub.draining());
    first.enter(|cx, _| assert!(draining.as_mut().poll(cx).is_pending()));
    second.enter(|cx, _| assert!(draining.as_mut().poll(cx).is_pending()));
    let _drain = hub.drain(WINDOW);
    assert!(second.is_woken() && !first.is_woken());
}

#[test]
fn a_panic_of_one_waker_skips_no_other_waker_and_no_stream() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a waker");
        }
    }
    let (clock, hub) = hub();
    let (_events, mut reader) = open(&clock, &hub);
    let mut panics = Box::pin(hub.draining());
    let waker = std::sync::Arc::new(Panics).into();
    assert!(panics.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let mut waiting = task::spawn(hub.draining());
    assert_pending!(waiting.poll());
    let drain = std::panic::AssertUnwindSafe(|| drop(hub.drain(Duration::ZERO)));
    assert!(std::panic::catch_unwind(drain).is_err());
    assert!(waiting.is_woken());
    assert_ready!(waiting.poll());
    retry_ms(&reader.text());
    assert!(reader.has_ended());
}

#[test]
fn a_second_drain_changes_nothing() {
    let (clock, hub) = hub();
    let (events, mut reader) = open(&clock, &hub);
    let _unpolled = clock.sse().attach(&hub).channel();
    let mut first = task::spawn(hub.drain(WINDOW));
    clock.advance(SECOND);
    let mut second = task::spawn(hub.clone().drain(Duration::ZERO));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    assert_eq!(reader.text(), "");
    assert!(events.is_active(), "the first window holds");
    clock.advance(WINDOW - SECOND);
    let text = reader.text();
    assert_eq!(text.matches("retry").count(), 1, "{text}");
    assert_pending!(first.poll());
    assert_pending!(second.poll(), "its own window would be over");
    clock.advance(GRACE);
    assert!(first.is_woken() && second.is_woken());
    assert_ready_eq!(first.poll(), 1);
    assert_ready_eq!(second.poll(), 1);
}

#[test]
fn a_drain_with_an_endless_window_still_notifies_channels() {
    let (clock, hub) = hub();
    let (events, mut reader) = open(&clock, &hub);
    let mut drained = task::spawn(hub.drain(Duration::MAX));
    assert_pending!(drained.poll());
    assert_ready!(task::spawn(events.draining()).poll());
    clock.advance(1_000_000 * SECOND);
    assert_eq!(reader.text(), "");
    events.close();
    retry_ms(&reader.text());
    assert!(reader.has_ended());
    assert_ready_eq!(drained.poll(), 0);
}

// New requests.

/// Hazard H2.
#[test]
fn a_request_during_a_drain_is_answered_retry_later() {
    let (clock, hub) = hub();
    let _draining = hub.drain(WINDOW);
    let (events, response) = clock.sse().attach(&hub).header("x-own", "1").unwrap().welcome().prelude(["x"]).channel();
    assert_eq!(response.status(), 200);
    assert_eq!(response.id(), None);
    assert_eq!(response.headers().next(), Some(("content-type", "text/event-stream")));
    assert!(!events.is_active());
    assert!(!events.open());
    assert_eq!(events.try_send("x"), Err(SendError::Closed));
    let mut reader = clock.read(response);
    let ms = retry_later_ms(&reader.text());
    assert!((1_000..=5_000).contains(&ms));
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Drained));
    assert_eq!(hub.stats().streams, 0);
    assert_eq!(hub.stats().ended(CloseReason::Drained), 0, "it was never one of the hub's");
}

#[test]
fn a_request_with_an_id_during_a_drain_is_answered_retry_later() {
    let (clock, hub) = hub();
    let _draining = hub.drain(WINDOW);
    let sse = clock.sse_after(LastEventId::Text("7".into()));
    let response = sse.attach(&hub).stream(stream::iter(["never polled"]));
    retry_later_ms(&clock.read(response).text());
}

#[test]
fn a_request_with_an_invalid_prelude_during_a_drain_is_answered_retry_later() {
    let (clock, hub) = hub();
    let _draining = hub.drain(WINDOW);
    let (_events, response) = clock.sse().attach(&hub).prelude([("bad\ntype", "x")]).channel();
    retry_later_ms(&clock.read(response).text());
    let (_events, response) = post(&clock).attach(&hub).prelude([("bad\ntype", "x")]).channel();
    assert_eq!(clock.read(response).text(), "");
}

#[test]
fn a_request_other_than_get_during_a_drain_is_answered_503() {
    let (clock, hub) = hub();
    let _draining = hub.drain(WINDOW);
    for _ in 0..100 {
        let (events, response) = post(&clock).attach(&hub).channel();
        assert_eq!(response.status(), 503);
        let headers: Vec<_> = response.headers().collect();
        let [("cache-control", "no-store"), ("retry-after", seconds)] = headers[..] else { panic!("{headers:?}") };
        assert!((1..=5).contains(&seconds.parse::<u32>().unwrap()), "{seconds}");
        assert!(!events.is_active());
        let mut reader = clock.read(response);
        assert_eq!(reader.text(), "");
        assert!(reader.has_ended());
    }
}

/// Hazards B5 and H2.
#[test]
fn a_stream_beyond_the_limit_is_answered_retry_later() {
    let (clock, hub) = hub_with(|hub| hub.max_streams(2));
    let _one = open(&clock, &hub);
    let (_events, two) = open(&clock, &hub);
    let (events, response) = clock.sse().attach(&hub).channel();
    assert_eq!((response.status(), response.id()), (200, None));
    retry_later_ms(&clock.read(response).text());
    assert!(!events.is_active());
    assert_eq!(post(&clock).attach(&hub).channel().1.status(), 503);
    assert_eq!(hub.stats().streams, 2);
    assert!(!hub.is_draining());
    drop(two);
    let _three = clock.sse().attach(&hub).channel();
    assert_eq!(hub.stats().streams, 2);
}

/// The text with which a channel of this hub opens.
fn opening(clock: &Clock, hub: &Hub) -> String {
    let (_events, response) = clock.sse().attach(hub).channel();
    clock.read(response).text()
}

#[test]
fn a_channel_replaces_the_wait_of_retry_later() {
    const OPENING: &str = ":\nevent: sse-open\n\n";
    let minute = Duration::from_secs(60);
    let (clock, hub) = hub_with(|hub| hub.max_streams(1).drain_retry(minute..=minute));
    let (_events, reader) = open(&clock, &hub);
    assert_eq!(retry_later_ms(&opening(&clock, &hub)), 60_000);
    drop(reader);

    let replaced = opening(&clock, &hub);
    assert!((2000..=4000).contains(&retry_ms(replaced.strip_prefix(OPENING).unwrap())), "{replaced:?}");
    // The block goes before every event, and the time of the application comes later and wins.
    let (events, response) = clock.sse().attach(&hub).welcome().prelude([Event::data("x").retry(SECOND)]).channel();
    let text = clock.read(response).text();
    let blocks: Vec<_> = text.strip_prefix(OPENING).unwrap().split("\n\n").collect();
    assert!(blocks[0].starts_with("retry: ") && blocks[1].starts_with("event: welcome"), "{text:?}");
    assert!(blocks[2].contains("retry: 1000"), "{text:?}");
    events.close();
    // A POST has no reconnection time.
    assert_eq!(clock.read(post(&clock).attach(&hub).channel().1).text(), ":\n");

    clock.advance(minute + 10 * minute);
    assert_eq!(opening(&clock, &hub), OPENING);
}

// Counts.

/// Hazard C7.
#[test]
fn streams_that_were_never_polled_leave_the_hub_when_dropped() {
    let (clock, hub) = hub();
    for _ in 0..1_000 {
        drop(clock.sse().attach(&hub).channel());
        drop(clock.sse().attach(&hub).stream(stream::iter(["x"])));
    }
    let held: Vec<_> = (0..1_000).map(|_| clock.sse().attach(&hub).channel()).collect();
    assert_eq!(hub.stats().streams, 1_000);
    drop(held);
    assert_eq!(hub.stats().streams, 0);
    assert_eq!(hub.stats().ended(CloseReason::ClientLeft), 3_000);
}

#[test]
fn a_stream_leaves_the_hub_when_it_ends() {
    let (clock, hub) = hub();
    let (events, mut reader) = open(&clock, &hub);
    events.close();
    assert_eq!(hub.stats().streams, 1);
    assert!(reader.has_ended());
    assert_eq!(hub.stats().streams, 0);
}

#[test]
fn a_sender_does_not_keep_a_stream_in_the_hub() {
    let (clock, hub) = hub();
    let (events, reader) = open(&clock, &hub);
    drop(reader);
    assert_eq!(hub.stats().streams, 0);
    assert!(!events.is_active());
}

/// Hazard C8.
#[test]
fn every_end_is_counted_once_with_its_reason() {
    let (clock, hub) = hub();
    let mut streams: Vec<_> = (0..6).map(|_| open(&clock, &hub)).collect();
    streams[0].0.close();
    streams[1].0.close();
    streams[2].0.finish();
    for (_, reader) in &mut streams[..3] {
        assert!(reader.has_ended());
    }
    let (_kept, left) = streams.pop().unwrap();
    drop(left);
    let mut failed = clock.read(clock.sse().attach(&hub).stream(stream::iter([Err::<&str, _>("no")])));
    assert!(failed.has_ended());
    let _draining = hub.drain(Duration::ZERO);
    for (_, reader) in &mut streams {
        assert!(reader.has_ended());
    }
    drop(streams);
    let stats = hub.stats();
    let ends = [
        (CloseReason::Closed, 2),
        (CloseReason::Finished, 1),
        (CloseReason::ClientLeft, 1),
        (CloseReason::Lagged, 0),
        (CloseReason::Drained, 2),
        (CloseReason::Expired, 0),
        (CloseReason::Failed, 1),
    ];
    for (reason, count) in ends {
        assert_eq!(stats.ended(reason), count, "{reason}");
    }
    assert_eq!(stats.streams, 0);
}
