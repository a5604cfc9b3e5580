//! The bound on topics: which topic makes room, what its clients receive, and when there is no room.

use super::*;
use sse_core::hub::{SubscribeError, log};

/// Hazard B15.
#[test]
fn the_idle_topic_whose_newest_event_is_the_oldest_makes_room() {
    let world = World::with(|bounds| bounds.max_topics(3));
    let [a, _] = world.publish("a", ["1", "2"]);
    world.publish("b", ["1"]);
    world.publish("c", ["1"]);
    let [again] = world.publish("a", ["3"]);
    world.publish("d", ["1"]);
    holds(&world, ["a", "c", "d"]);
    // A subscription makes room too, and takes none from a topic that it follows.
    drop(world.fresh(["c", "e"]));
    holds(&world, ["c", "d"]);
    let stats = world.hub.stats();
    assert_eq!((stats.topics, stats.dropped_topics, stats.held_events), (2, 2, 2));
    assert_eq!(text(world.after(a, ["a"])), opening(a) + &trimmed("a", again));
}

/// Hazard B15.
#[test]
fn a_topic_with_a_subscriber_or_a_handle_makes_no_room_until_they_leave() {
    let world = World::with(|bounds| bounds.max_topics(3));
    world.publish("a", ["1"]);
    world.publish("b", ["1"]);
    world.publish("c", ["1"]);
    let (reader, handle) = (read(world.fresh(["a"])), world.hub.topic("b").unwrap());
    world.publish("d", ["1"]);
    world.publish("e", ["1"]);
    holds(&world, ["a", "b", "e"]);
    let newest = world.hub.topic("e").unwrap();
    assert_eq!(world.hub.publish("f", "x"), Err(PublishError::TooManyTopics));
    assert_eq!(world.hub.publish_all([("a", "x"), ("f", "x")]), Err(PublishError::TooManyTopics));
    assert_eq!(world.hub.topic("f").unwrap_err(), PublishError::TooManyTopics);
    assert_eq!(world.fresh(["f"]).id(), None);
    assert_eq!((world.hub.stats().topics, world.hub.stats().dropped_topics), (3, 2));
    // Topics without subscribers again make room in the order of their newest events.
    drop((newest, handle.clone(), reader));
    assert_eq!(world.fresh(["f", "g", "h"]).id(), None, "the other handle keeps its topic");
    drop(handle);
    world.publish("f", ["1"]);
    holds(&world, ["b", "e", "f"]);
    for (new, left) in [("g", ["e", "f", "g"]), ("h", ["f", "g", "h"])] {
        world.publish(new, ["1"]);
        holds(&world, left);
    }
}

/// Hazard B15.
#[test]
fn a_client_of_a_dropped_topic_receives_a_gap_and_then_new_events() {
    let world = World::with(|bounds| bounds.max_topics(1));
    let [one, two] = world.publish("a", ["1", "2"]);
    let [other] = world.publish("b", ["1"]);
    let [three] = world.publish("a", ["3"]);
    assert_eq!(text(world.after(one, ["a"])), opening(one) + &trimmed("a", two) + &block("3", three));
    assert_eq!(text(world.after(two, ["a"])), opening(two) + &block("3", three), "it missed nothing");
    assert_eq!(text(world.after(one, ["b"])), opening(one) + &trimmed("b", other));
}

/// Hazard B15.
#[test]
fn a_hub_with_default_limits_accepts_a_new_topic_for_each_user_forever() {
    let world = World::new();
    for user in 0..100_010 {
        world.hub.publish(format!("user/{user}"), ("note", "you have mail")).unwrap();
    }
    assert!(world.fresh(["another"]).id().is_some());
    let stats = world.hub.stats();
    assert_eq!((stats.topics, stats.dropped_topics), (100_000 - 1, 11));
}

#[test]
fn a_batch_at_max_topics_is_published_completely() {
    let world = World::with(|bounds| bounds.max_topics(2));
    world.publish("a", ["1"]);
    let ids = world.hub.publish_all([("b", "1"), ("c", "1"), ("a", "2"), ("d", "1")]).unwrap();
    assert_eq!(ids.len(), 4);
    holds(&world, ["a", "d"]);
    assert_eq!(World::with(|bounds| bounds.max_topics(0)).hub.publish("a", "1"), Err(PublishError::TooManyTopics));
}

/// Hazard B15.
#[test]
fn a_hub_that_follows_a_log_drops_idle_topics_too() {
    let clock = Clock::new();
    let (hub, mut feed) = log::follow_on(Hub::builder().max_topics(1), clock.clone());
    let id = |n: u64| EventId::new((n, 0), n as u32);
    feed.append(id(1), "a", "1").unwrap();
    feed.append(id(2), "b", "1").unwrap();
    assert_eq!((hub.stats().topics, hub.stats().dropped_topics, hub.stats().held_events), (1, 1, 1));
    let world = World { clock, hub };
    let mut reader = read(world.fresh(["b"]).replay(Replay::All));
    assert!(reader.text().ends_with(&block("1", id(2))));
    // Now there is no room: the event is trimmed at once, and its topic's clients receive a gap.
    feed.append(id(3), "c", "1").unwrap();
    drop(reader);
    assert!(text(world.after(id(2), ["c"])).ends_with(&trimmed("c", id(3))));
}

/// Hazard B16.
#[test]
fn a_stream_follows_a_bounded_number_of_topics() {
    let world = World::with(|bounds| bounds.max_topics_per_stream(3));
    assert!(world.fresh(["a", "b", "a", "c", "b"]).id().is_some(), "a name that comes twice counts once");
    let feed = world.fresh(["a", "b", "c", "d"]);
    assert_eq!((feed.error(), feed.id()), (Some(&SubscribeError::TooManyTopics(3)), None));
    let response = feed.replay(Replay::All).prelude(["snapshot"]).into_response();
    assert_eq!(response.status(), 400);
    let mut reader = Reader::new(response.into_body());
    assert_eq!(reader.text(), "");
    assert!(reader.has_ended());
    let stats = world.hub.stats();
    assert_eq!((stats.topics, stats.streams, stats.ended(CloseReason::Failed)), (0, 0, 0), "it was never a stream");

    let defaults = World::new();
    let names = |n: usize| (0..n).map(|name| name.to_string()).collect::<Vec<_>>();
    let feed = |n| defaults.clock.sse().subscribe(&defaults.hub, names(n));
    assert_eq!((feed(256).error(), feed(257).error()), (None, Some(&SubscribeError::TooManyTopics(256))));
}

#[test]
fn an_invalid_topic_name_opens_no_stream() {
    let world = World::new();
    let (longest, longer) = ("x".repeat(MAX_TOPIC_BYTES), "x".repeat(MAX_TOPIC_BYTES + 1));
    assert!(world.fresh([&longest]).id().is_some());
    let feed = world.fresh(["a", &longer]);
    assert_eq!(feed.error(), Some(&SubscribeError::TopicName(257)));
    assert_eq!(feed.into_response().status(), 400);
    assert_eq!(world.hub.stats().topics, 0);
}

/// The hub's topics are exactly these: a stream of them all changes neither their number nor drops one.
#[track_caller]
fn holds<const N: usize>(world: &World, names: [&str; N]) {
    let before = world.hub.stats();
    assert!(world.fresh(names).id().is_some());
    let now = world.hub.stats();
    assert_eq!((now.topics, now.dropped_topics), (N, before.dropped_topics), "{names:?}");
}
