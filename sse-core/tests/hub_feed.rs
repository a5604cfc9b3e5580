//! A hub that follows a log, in cases that the model does not cover.

use sse_core::hub::EventId;
use sse_core::hub::log::{self, LogFeed};
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, Hub, LastEventId};
use std::time::Duration;

const AGE: Duration = Duration::from_secs(64);

fn id(position: u64, tag: u32) -> EventId {
    EventId::new((position, 0), tag)
}

fn read(clock: &Clock, hub: &Hub, brings: LastEventId) -> Reader<EventStream<Clock>> {
    clock.read(clock.sse_after(brings).subscribe(hub, ["a"]).into_response())
}

fn follower(clock: &Clock) -> (Hub, LogFeed) {
    log::follow_on(Hub::builder().retry(Duration::ZERO), clock.clone())
}

#[test]
fn clients_of_more_truncations_than_are_remembered_still_receive_a_gap() {
    let clock = Clock::new();
    let (hub, mut feed) = follower(&clock);
    feed.append(id(1, 0), "a", "1").unwrap();
    let mut before = read(&clock, &hub, LastEventId::Absent);
    before.bytes();
    feed.append(id(2, 0), "a", "2").unwrap();
    let mut after = read(&clock, &hub, LastEventId::Text(id(1, 0).to_string().into()));
    assert!(after.text().ends_with("data: 2\nid: 2-00000000\n\n"));
    for tag in 1..=200 {
        feed.truncate(id(1, 0)).unwrap();
        feed.append(id(2, tag), "a", "again").unwrap();
    }
    assert_eq!(before.text(), "data: again\nid: 2-000000c8\n\n");
    let gap = "event: gap\ndata: {\"reason\":\"unknown\"}\n\n";
    assert_eq!(after.text(), format!("{gap}data: again\nid: 2-000000c8\n\n"));
}

#[test]
fn a_later_subscriber_of_a_topic_without_room_receives_a_gap() {
    let clock = Clock::new();
    let (hub, mut feed) =
        log::follow_on(Hub::builder().retry(Duration::ZERO).max_topics(1).topic_age(AGE), clock.clone());
    feed.append(id(1, 0), "b", "x").unwrap();
    feed.append(id(2, 0), "a", "lost").unwrap();
    clock.advance(AGE);
    feed.append(id(3, 0), "a", "x").unwrap();
    let mut reader = read(&clock, &hub, LastEventId::Text("1-00000000".into()));
    let opening = ":\nevent: sse-position\nretry: 0\nid: 1-00000000\ndata: {}\n\n";
    let gap = "event: gap\ndata: {\"reason\":\"trimmed\",\"topic\":\"a\"}\nid: 2-00000000\n\n";
    assert_eq!(reader.text(), format!("{opening}{gap}data: x\nid: 3-00000000\n\n"));
}

#[test]
fn a_topic_emptied_by_a_truncation_makes_room_for_another() {
    let clock = Clock::new();
    let (hub, mut feed) = log::follow_on(Hub::builder().max_topics(1), clock.clone());
    feed.advance(id(1, 0)).unwrap();
    feed.append(id(2, 0), "b", "x").unwrap();
    feed.truncate(id(1, 0)).unwrap();
    assert_eq!(hub.stats().topics, 0);
}
