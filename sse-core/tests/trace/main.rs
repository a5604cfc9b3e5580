//! The events for `tracing`: exactly the names and fields of `docs/observing.md`, without data of the application.

mod collector;

use collector::Collector;
use sse_core::testing::Clock;
use sse_core::{Event, Hub, LastEventId, SendError};
use sse_test_support::observing::documented_events;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use tracing::Level;
use tracing::subscriber::with_default;

/// Polls once.
fn poll<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// Causes every recorded event. The texts here must not appear in any record.
fn everything(clock: &Clock, hub: &Hub) {
    let publish = || hub.publish("news", Event::data("secret").event("secret")).unwrap();

    // Opened, resumed, a gap of a lagging subscriber, ended.
    let first = publish();
    let mut reader = clock.read(
        clock
            .sse_after(LastEventId::Text(first.to_string().into()))
            .key("secret")
            .unwrap()
            .subscribe(hub, ["news"])
            .into_response(),
    );
    reader.text();
    for _ in 0..3 {
        publish();
    }
    assert!(reader.text().contains("event: gap"));
    drop(reader);
    // An unknown ID.
    drop(clock.sse_after(LastEventId::Text("secret".into())).subscribe(hub, ["news"]));
    // A failing source, and a send that waits.
    clock.read(clock.sse().stream(futures_util::stream::iter([Event::data("secret").event("a\nb")]))).text();
    let (events, response) = clock.sse().buffer(1).channel();
    events.try_send("secret").unwrap();
    assert!(poll(events.send("secret")).is_none());
    drop(response);
    drop(clock.sse().subscribe(hub, ["secret".repeat(100)]));
    sse_core::__handler_failed(&sse_core::SendError::Closed);
    // A drain, and a request during the drain.
    let (_events, _of_no_hub) = clock.sse().channel();
    assert_eq!(poll(hub.drain(Duration::ZERO)), Some(0));
    drop(clock.sse().subscribe(hub, ["news"]));
}

fn small_hub(clock: &Clock) -> Hub {
    Hub::builder().topic_events(1).gap_on_lag().drain_grace(Duration::ZERO).build_on(clock.clone())
}

fn everything_at_once() {
    let clock = Clock::new();
    everything(&clock, &small_hub(&clock));
}

#[test]
fn recorded_events_equal_the_table_of_the_document() {
    let collector = Collector::down_to(Level::TRACE);
    with_default(collector.clone(), everything_at_once);
    let told = collector.told();
    assert!(told.iter().all(|told| told.target == "sse_core"), "{told:?}");
    let told: BTreeSet<_> = told
        .into_iter()
        .map(|told| {
            let fields = told.fields.into_iter().map(str::to_owned).collect();
            (told.name.to_owned(), told.level.to_string().to_lowercase(), fields)
        })
        .collect();
    assert_eq!(told, documented_events("sse_core"));
}

/// A subscriber is foreign code, which may call the hub.
#[test]
fn no_event_is_recorded_under_a_lock() {
    let clock = Clock::new();
    let hub = small_hub(&clock);
    let asked = hub.clone();
    let collector = Collector::down_to(Level::TRACE).asking(move || {
        // The locks of the history, of the topic and of the streams.
        drop(asked.topic("news"));
        asked.close_by_key("nobody");
    });
    // A held lock would cause a deadlock and not a panic.
    let (done, waits) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        with_default(collector, || everything(&clock, &hub));
        done.send(()).unwrap();
    });
    waits.recv_timeout(Duration::from_secs(20)).expect("no lock is held");
}

#[test]
fn no_event_contains_data_of_the_application() {
    let collector = Collector::down_to(Level::TRACE);
    with_default(collector.clone(), everything_at_once);
    for told in collector.told() {
        assert!(told.values.values().all(|value| !value.contains("secret")), "{told:?}");
    }
}

#[test]
fn a_stream_has_one_span_from_its_response_to_its_end() {
    let collector = Collector::down_to(Level::DEBUG);
    with_default(collector.clone(), || {
        let clock = Clock::new();
        let (events, response) = clock.sse().channel();
        let id = events.id().to_string();
        let mut reader = clock.read(response);
        let span = collector.named("stream").pop().expect("a span");
        assert_eq!(span.values["id"], id);

        events.try_send("hello").unwrap();
        let bytes = reader.bytes().len();
        assert!(!collector.is_closed(span.span.unwrap()));
        events.close();
        assert!(reader.has_ended());
        assert!(collector.is_closed(span.span.unwrap()), "although the body is still there");

        let [opened, ended] = ["stream.opened", "stream.ended"].map(|name| collector.named(name).remove(0));
        assert_eq!([opened.span, ended.span], [span.span; 2]);
        assert_eq!(opened.values["id"], id);
        assert!(!opened.values.contains_key("resumption"));
        assert_eq!([&*ended.values["id"], &*ended.values["reason"]], [&*id, "closed"]);
        assert_eq!(ended.values["bytes"], bytes.to_string());
        let span = collector.named("stream").remove(0);
        assert_eq!([&*span.values["reason"], &*span.values["bytes"]], ["closed", &*bytes.to_string()]);
    });
}

#[test]
fn events_of_a_source_are_recorded_in_the_span_of_its_stream() {
    let collector = Collector::down_to(Level::DEBUG);
    with_default(collector.clone(), || {
        let clock = Clock::new();
        let events = futures_util::stream::poll_fn(|_| {
            tracing::info!(name: "own", "a token");
            std::task::Poll::Ready(None::<Event<'_>>)
        });
        clock.read(clock.sse().stream(events)).text();
    });
    let span = collector.named("stream").remove(0).span;
    assert!(span.is_some());
    assert_eq!(collector.named("own").remove(0).span, span);
}

#[test]
fn gap_event_has_its_topic_and_whether_the_subscriber_lagged() {
    let collector = Collector::down_to(Level::TRACE);
    with_default(collector.clone(), everything_at_once);
    let gaps: Vec<_> = collector.named("gap").into_iter().map(|gap| gap.values).collect();
    let text = |at: usize, field: &str| gaps[at].get(field).map(String::as_str);
    assert_eq!(gaps.len(), 2);
    assert_eq!([text(0, "reason"), text(0, "topic"), text(0, "lagged")], [Some("trimmed"), Some("news"), Some("true")]);
    assert_eq!([text(1, "reason"), text(1, "topic"), text(1, "lagged")], [Some("unknown"), None, Some("false")]);
}

#[test]
fn retry_later_event_has_its_reason() {
    let collector = Collector::down_to(Level::INFO);
    with_default(collector.clone(), || {
        let clock = Clock::new();
        let hub = Hub::builder().max_streams(1).max_topics(1).build_on(clock.clone());
        let one = clock.sse().subscribe(&hub, ["one"]);
        drop(clock.sse().subscribe(&hub, ["one"]));
        drop(one);
        let _held = hub.topic("one").unwrap();
        drop(clock.sse().subscribe(&hub, ["two"]));
        drop(hub.drain(Duration::ZERO));
        drop(clock.sse().subscribe(&hub, ["one"]));
    });
    let why: Vec<_> = collector.named("stream.refused").into_iter().map(|told| told.values["why"].clone()).collect();
    assert_eq!(why, ["full", "topics", "draining"]);
}

#[test]
fn drain_is_recorded_once_with_the_streams_that_did_not_end() -> Result<(), SendError> {
    let collector = Collector::down_to(Level::INFO);
    let clock = Clock::new();
    with_default(collector.clone(), || {
        let hub = Hub::builder().drain_grace(Duration::ZERO).build_on(clock.clone());
        let (_events, _unread) = clock.sse().attach(&hub).channel();
        assert_eq!(poll(hub.drain(Duration::ZERO)), Some(1));
        drop(hub.drain(Duration::from_secs(9)));
    });
    let [began, over] = ["drain.began", "drain.over"].map(|name| collector.named(name));
    assert_eq!((began.len(), over.len()), (1, 1));
    assert_eq!([&*began[0].values["streams"], &*began[0].values["window_ms"]], ["1", "0"]);
    assert_eq!(over[0].values["left"], "1");
    Ok(())
}

#[test]
fn above_debug_an_ordinary_stream_records_nothing() {
    let collector = Collector::down_to(Level::INFO);
    with_default(collector.clone(), || {
        let clock = Clock::new();
        let (events, response) = clock.sse().channel();
        events.close();
        clock.read(response).text();
    });
    assert!(collector.told().is_empty(), "{:?}", collector.told());
}

#[test]
fn a_drain_reports_streams_without_a_hub() {
    let collector = Collector::down_to(Level::WARN);
    with_default(collector.clone(), || {
        let clock = Clock::new();
        let hub = Hub::builder().drain_grace(Duration::ZERO).build_on(clock.clone());
        let (_events, _unread) = clock.sse().channel();
        assert_eq!(poll(hub.drain(Duration::ZERO)), Some(0));
    });
    let leaves = collector.named("drain.leaves");
    assert_eq!(leaves.len(), 1);
    // Other tests of this process also have such streams.
    assert!(leaves[0].values["streams"].parse::<usize>().is_ok_and(|streams| streams >= 1), "{leaves:?}");
}
