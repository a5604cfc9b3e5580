//! Every limit accepts the largest value of its type: no panic, no overflow, and streams work as with the defaults.

use sse_core::hub::{EventId, HubBuilder};
use sse_core::testing::{Clock, Reader};
use sse_core::{CloseReason, Decoder, Event, EventStream, Hub, LastEventId, Replay, Sse, UnixSeconds};
use std::fmt::Display;
use std::time::Duration;

const FOREVER: Duration = Duration::MAX;

/// A hub with every limit at the largest value.
fn largest(builder: HubBuilder) -> HubBuilder {
    let forever = FOREVER..=FOREVER;
    let builder = builder.topic_bytes(usize::MAX).topic_events(usize::MAX).topic_age(FOREVER).hub_bytes(usize::MAX);
    let builder = builder.max_topics(usize::MAX).max_topics_per_stream(usize::MAX).max_event_bytes(usize::MAX);
    let builder = builder.max_streams(usize::MAX).max_streams_per_key(usize::MAX).position_updates(true);
    builder.retry(FOREVER).drain_grace(FOREVER).drain_retry(forever)
}

/// A stream with every option at the largest value.
fn stream(clock: &Clock, id: LastEventId) -> Sse<Clock> {
    let sse = clock.sse_after(id).buffer(usize::MAX).max_event_bytes(usize::MAX).keep_alive(FOREVER);
    sse.max_lifetime(FOREVER).expires_at(UnixSeconds(u64::MAX)).key("ann").unwrap()
}

fn subscribe(clock: &Clock, hub: &Hub, id: impl Display) -> Reader<EventStream<Clock>> {
    let id = LastEventId::Text(id.to_string().into());
    let subscription = stream(clock, id).subscribe(hub, ["a", "b"]).replay(Replay::Last(usize::MAX));
    Reader::new(subscription.into_response().into_body())
}

/// The data of the events that a page receives.
fn data(text: &str) -> Vec<String> {
    let (mut decoder, mut input) =
        (Decoder::new().max_line_bytes(usize::MAX).max_event_bytes(usize::MAX), text.as_bytes());
    let mut data = Vec::new();
    while let Some(event) = decoder.decode(&mut input) {
        let event = event.unwrap();
        if !sse_core::RESERVED_TYPES.contains(&&*event.event_type) {
            data.push(event.data.into_owned());
        }
    }
    data
}

#[test]
fn a_hub_with_the_largest_limits_resumes_lags_and_drains() {
    let clock = Clock::new();
    let hub = largest(Hub::builder()).build_on(clock.clone());
    let ids = hub.publish_all((0..5_000).map(|n| (["a", "b"][n % 2], Event::data(n.to_string())))).unwrap();
    let expected: Vec<_> = (0..5_000).map(|n| n.to_string()).collect();
    assert_eq!(data(&subscribe(&clock, &hub, "unknown").text())[1..], expected, "a gap, and then every event");
    let mut reader = subscribe(&clock, &hub, ids[0]);
    assert_eq!(data(&reader.text()), expected[1..]);

    // No event is ever too old, and no stream ends by itself.
    clock.advance(Duration::from_secs(1 << 40));
    hub.publish("b", "last").unwrap();
    assert_eq!(data(&reader.text()), ["last"]);
    let stats = hub.stats();
    assert_eq!((stats.held_events, stats.streams, stats.gaps), (5_001, 1, 1));

    let draining = hub.drain(FOREVER);
    assert!(!reader.has_ended());
    assert_eq!(hub.close_by_key("ann"), 1);
    assert!(reader.has_ended());
    drop(draining);
    assert_eq!(hub.stats().ended(CloseReason::Closed), 1);
}

#[test]
fn a_hub_that_follows_a_log_with_the_largest_limits_resumes_truncates_and_resets() {
    let clock = Clock::new();
    let (hub, mut feed) = sse_core::hub::log::follow_on(largest(Hub::builder()), clock.clone());
    let id = |first, second| EventId::new((first, second), u32::MAX);
    feed.append(id(1, u64::MAX), "a", "1").unwrap();
    feed.append(id(u64::MAX, u64::MAX - 1), "b", "2").unwrap();
    feed.append(id(u64::MAX, u64::MAX), "a", "3").unwrap();
    feed.append(id(u64::MAX, u64::MAX), "a", "4").unwrap_err();
    let mut reader = subscribe(&clock, &hub, id(1, u64::MAX));
    assert_eq!(data(&reader.text()), ["2", "3"]);
    feed.caught_up();
    feed.truncate(id(u64::MAX, u64::MAX - 1)).unwrap();
    feed.append(id(u64::MAX, u64::MAX), "a", "5").unwrap();
    assert_eq!(data(&reader.text())[1..], ["5"], "after a gap");
    assert_eq!(data(&subscribe(&clock, &hub, id(u64::MAX, u64::MAX - 1)).text()), ["5"]);
    feed.reset(id(u64::MAX, u64::MAX));
    assert_eq!(data(&reader.text()).len(), 2, "a gap for each topic");
    assert_eq!(hub.stats().held_events, 0);
}

#[test]
fn a_channel_with_the_largest_options_takes_any_event_and_has_a_deadline_that_never_comes() {
    let clock = Clock::new();
    let (events, response) = stream(&clock, LastEventId::Absent).channel();
    let mut reader = clock.read(response);
    reader.text();
    let large = "x".repeat(4 << 20);
    for _ in 0..4 {
        events.try_send(large.as_str()).unwrap();
    }
    assert_eq!(data(&reader.text()), vec![large; 4]);
    clock.advance(Duration::from_secs(1 << 40));
    assert_eq!((reader.text(), events.is_active()), (String::new(), true));
}
