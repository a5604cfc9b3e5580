//! Ends and removals of topics on a hub that follows a log.

use sse_core::hub::log::{self, LogChange, LogFeed, LogFeedError};
use sse_core::hub::{EventId, HubBuilder, PublishError};
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, Hub, LastEventId};
use std::time::Duration;

const FINISHED: &str = "event: sse-end\nid: end\ndata: {}\n\n";

fn id(position: u64) -> EventId {
    EventId::new((position, 0), 7)
}

fn follower(bounds: impl FnOnce(HubBuilder) -> HubBuilder) -> (Clock, Hub, LogFeed) {
    let clock = Clock::new();
    let (hub, feed) = log::follow_on(bounds(Hub::builder().retry(Duration::ZERO)), clock.clone());
    (clock, hub, feed)
}

fn read(clock: &Clock, hub: &Hub, topic: &str) -> Reader<EventStream<Clock>> {
    clock.read(clock.sse().subscribe(hub, topic).into_response())
}

#[test]
fn entries_after_the_end_are_skipped_until_the_topic_is_removed() {
    let (clock, hub, mut feed) = follower(|bounds| bounds);
    let mut client = read(&clock, &hub, "a");
    client.text();
    let entries = [
        (id(1), LogChange::Event("a", "1")),
        (id(2), LogChange::End("a", "last")),
        (id(3), LogChange::Event("a", "late")),
        (id(4), LogChange::Event("b", "of another topic")),
        (id(5), LogChange::End("a", "a second end")),
    ];
    assert_eq!(feed.append_all(entries).unwrap(), [(id(3), LogFeedError::Ended), (id(5), LogFeedError::Ended)]);
    let text = client.text();
    assert!(text.contains("data: 1\n") && text.contains("data: last\n") && text.ends_with(FINISHED), "{text}");
    assert_eq!((hub.stats().published, hub.stats().held_events, feed.newest()), (3, 3, Some(id(5))));
    assert_eq!(hub.ended("a"), Some(id(2)));
    assert_eq!((hub.end("a", "x"), hub.remove("a")), (Err(PublishError::Followed), Err(PublishError::Followed)));

    feed.append_all([(id(6), LogChange::Remove("a")), (id(7), LogChange::Event("a", "again"))]).unwrap();
    assert_eq!(hub.ended("a"), None);
    let back = clock.sse_after(LastEventId::Text(id(2).to_string().into())).subscribe(&hub, "a");
    let text = clock.read(back.into_response()).text();
    let gap = format!("event: gap\ndata: {{\"reason\":\"trimmed\",\"topic\":\"a\"}}\nid: {}\n\n", id(6));
    assert!(text.ends_with(&format!("{gap}data: again\nid: {}\n\n", id(7))), "{text}");
}

#[test]
fn an_end_without_room_for_its_topic_is_forgotten_after_the_age() {
    let (clock, hub, mut feed) = follower(|bounds| bounds.max_topics(1).ended_topic_age(Duration::from_secs(60)));
    let _client = read(&clock, &hub, "a");
    feed.end(id(1), "b", "last").unwrap();
    assert_eq!(hub.ended("b"), Some(id(1)));
    clock.advance(Duration::from_secs(60));
    assert_eq!(hub.ended("b"), None);
    // A truncation before the end, when the end is forgotten.
    feed.truncate(id(1)).unwrap();
    feed.append(id(2), "b", "again").unwrap();
}

#[test]
fn a_truncation_before_the_end_opens_the_topic_again() {
    let (clock, hub, mut feed) = follower(|bounds| bounds);
    feed.append(id(1), "a", "1").unwrap();
    let mut client = read(&clock, &hub, "a");
    client.text();
    feed.end(id(2), "a", "lost").unwrap();
    feed.truncate(id(1)).unwrap();
    assert_eq!((hub.ended("a"), hub.stats().ended_topics), (None, 0));
    feed.append(id(3), "a", "instead").unwrap();
    assert_eq!(client.text(), format!("data: instead\nid: {}\n\n", id(3)));
    feed.end(id(4), "a", "last").unwrap();
    assert!(client.text().ends_with(FINISHED));
    feed.append(id(5), "b", "x").unwrap();
    feed.truncate(id(4)).unwrap();
    assert_eq!(hub.ended("a"), Some(id(4)));
}

#[test]
fn a_truncation_opens_a_dropped_topic_again_and_a_reset_opens_all() {
    let (_, hub, mut feed) = follower(|bounds| bounds.max_topics(1));
    feed.append(id(1), "a", "1").unwrap();
    feed.end(id(2), "a", "lost").unwrap();
    feed.append(id(3), "b", "makes room").unwrap();
    assert_eq!(feed.append(id(4), "a", "late"), Err(LogFeedError::Ended));
    feed.truncate(id(1)).unwrap();
    feed.append(id(5), "a", "instead").unwrap();
    feed.end(id(6), "a", "last").unwrap();
    feed.reset(id(7));
    assert_eq!(hub.ended("a"), None);
    feed.append(id(8), "a", "of another log").unwrap();
}

#[test]
fn an_end_without_room_for_its_topic_is_remembered() {
    let (clock, hub, mut feed) = follower(|bounds| bounds.max_topics(1));
    let mut other = read(&clock, &hub, "b");
    other.text();
    feed.end(id(1), "a", "last").unwrap();
    assert_eq!(feed.append(id(2), "a", "late"), Err(LogFeedError::Ended));
    assert_eq!(hub.ended("a"), Some(id(1)));
}
