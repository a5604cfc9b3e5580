//! The end of a topic, its removal, and its bounds.

use super::{SECOND, World, read};
use sse_core::hub::{PublishError, TopicBounds};
use sse_core::{CloseReason, Replay, Resumption};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const FINISHED: &str = "event: sse-end\nid: end\ndata: {}\n\n";

#[test]
fn subscribers_receive_the_last_event_and_finish() {
    let world = World::new();
    let mut client = read(world.fresh(["run"]));
    client.text();
    let id = world.hub.end("run", ("done", "ok")).unwrap();
    assert_eq!(client.text(), format!("event: done\ndata: ok\nid: {id}\n\n{FINISHED}"));
    assert!(client.has_ended());
    assert_eq!(world.hub.stats().ended(CloseReason::Finished), 1);
    assert_eq!((world.hub.stats().ended_topics, world.hub.ended("run")), (1, Some(id)));
}

#[test]
fn a_publish_after_the_end_is_an_error_and_publishes_nothing() {
    let world = World::new();
    let handle = world.hub.topic("run").unwrap();
    world.hub.end("run", "last").unwrap();
    assert_eq!(world.hub.publish("run", "late"), Err(PublishError::Ended));
    assert_eq!(world.hub.end("run", "late"), Err(PublishError::Ended));
    assert_eq!(handle.publish("late"), Err(PublishError::Ended));
    assert_eq!(handle.end("late"), Err(PublishError::Ended));
    assert_eq!(world.hub.publish_all([("other", "x"), ("run", "late")]), Err(PublishError::Ended));
    assert_eq!((world.hub.stats().published, world.hub.stats().held_events), (1, 1));
}

#[test]
fn a_late_client_receives_what_is_kept_and_finishes() {
    let world = World::new();
    let [first, _] = world.publish("run", ["1", "2"]);
    world.hub.end("run", "last").unwrap();
    for late in [world.fresh(["run"]), world.fresh(["run"]).replay(Replay::All), world.after("7", ["run"])] {
        let mut late = read(late);
        let text = late.text();
        assert!(text.contains("data: 1\n") && text.contains("data: last\n") && text.ends_with(FINISHED), "{text}");
        assert!(late.has_ended());
    }
    let text = read(world.fresh(["run"]).replay(Replay::Last(1))).text();
    assert!(!text.contains("data: 2\n") && text.contains("data: last\n") && text.ends_with(FINISHED));
    let text = read(world.after(first, ["run"])).text();
    assert!(!text.contains("data: 1\n") && text.contains("data: 2\n") && text.ends_with(FINISHED));
}

#[test]
fn a_client_with_the_last_id_is_answered_204() {
    let world = World::new();
    let last = world.hub.end("run", "last").unwrap();
    let subscription = world.after(last, ["run"]);
    assert!(subscription.is_rejected() && subscription.id().is_none());
    assert_eq!(subscription.resumption(), Resumption::Resumed);
    let response = subscription.into_response();
    assert_eq!(response.status(), 204);
    assert_eq!((world.hub.subscribers("run"), world.hub.stats().streams), (0, 0));
    let stats = world.hub.stats();
    assert_eq!((stats.resumed, stats.ended(CloseReason::Finished)), (0, 0));
    // Another topic goes on, so the client waits.
    assert_eq!(world.after(last, ["run", "news"]).into_response().status(), 200);
}

#[test]
fn a_stream_of_several_topics_finishes_when_all_have_ended_and_all_is_delivered() {
    let world = World::new();
    let mut client = read(world.fresh(["a", "b"]));
    client.text();
    world.hub.end("a", "last of a").unwrap();
    assert!(!client.text().contains("sse-end"));
    assert!(!client.has_ended());
    world.publish("b", ["1"]);
    world.hub.end("b", "last of b").unwrap();
    let text = client.text();
    assert!(text.contains("data: 1\n") && text.contains("data: last of b\n") && text.ends_with(FINISHED));
    // A stream without topics waits for its sender.
    let mut none = read(world.fresh([]));
    none.text();
    assert!(!none.has_ended());
}

#[test]
fn a_paced_stream_finishes_at_the_end_of_its_window() {
    let world = World::new();
    let mut client = read(world.clock.sse().pace(SECOND).subscribe(&world.hub, "run"));
    world.publish("run", ["1"]);
    assert!(client.text().contains("data: 1\n"));
    let id = world.hub.end("run", "last").unwrap();
    assert_eq!(client.text(), "");
    world.clock.advance(SECOND);
    assert_eq!(client.text(), format!("data: last\nid: {id}\n\n{FINISHED}"));
    assert!(client.has_ended());
}

#[test]
fn over_post_the_end_closes_the_stream() {
    let world = World::new();
    let policy = sse_core::Policy::default().methods(["POST"]);
    let request = sse_core::Request::new("POST", None, [("accept", &b"text/event-stream"[..])]);
    let sse = sse_core::Sse::new(world.clock.clone(), policy.check(&request).unwrap());
    let mut client = read(sse.subscribe(&world.hub, "run"));
    client.text();
    let id = world.hub.end("run", "last").unwrap();
    assert_eq!(client.text(), format!("data: last\nid: {id}\n\n"));
    assert!(client.has_ended());
}

#[test]
fn a_removed_topic_closes_its_subscribers_and_leaves_a_gap() {
    let world = World::new();
    let handle = world.hub.topic("run").unwrap();
    let [first, last] = world.publish("run", ["1", "2"]);
    let mut clients = [read(world.fresh(["run"])), read(world.fresh(["run", "news"]))];
    clients.iter_mut().for_each(|client| drop(client.text()));
    assert_eq!(world.hub.remove("run"), Ok(true));
    for client in &mut clients {
        assert_eq!(client.text(), "");
        assert!(client.has_ended());
    }
    let stats = world.hub.stats();
    assert_eq!((stats.held_events, stats.held_bytes, stats.ended(CloseReason::Closed)), (0, 0, 2));
    assert_eq!(handle.publish("late"), Err(PublishError::Removed));
    assert_eq!(world.hub.remove("run"), Ok(false));
    // Also the client with the newest ID.
    for id in [first, last] {
        let subscription = world.after(id, ["run"]);
        assert_eq!(subscription.resumption(), Resumption::Gap);
        let mut client = read(subscription);
        assert!(client.text().contains("data: {\"reason\":\"trimmed\",\"topic\":\"run\"}\n"));
        let again = world.hub.publish("run", "again").unwrap();
        assert_eq!(client.text(), format!("data: again\nid: {again}\n\n"));
        world.hub.remove("run").unwrap();
    }
}

#[test]
fn a_removed_topic_that_had_ended_can_be_used_again() {
    let world = World::with(|bounds| bounds.max_topics(1));
    world.hub.end("run", "last").unwrap();
    world.hub.remove("run").unwrap();
    world.hub.publish("run", "again").unwrap();
    world.hub.end("run", "last again").unwrap();
    // Makes room: the hub still knows that the topic had ended.
    world.hub.publish("other", "x").unwrap();
    assert_eq!(world.hub.publish("run", "late"), Err(PublishError::Ended));
    assert_eq!(world.hub.remove("run"), Ok(true));
    world.hub.publish("run", "again").unwrap();
}

#[test]
fn the_hub_remembers_the_end_of_a_topic_that_made_room_or_whose_events_were_trimmed() {
    let world = World::with(|bounds| bounds.max_topics(1).topic_age(SECOND * 64));
    let [first] = world.publish("run", ["1"]);
    let last = world.hub.end("run", "last").unwrap();
    world.publish("other", ["x"]);
    assert_eq!((world.hub.stats().dropped_topics, world.hub.stats().ended_topics), (1, 0));
    assert_eq!(world.hub.ended("run"), Some(last));
    let text = read(world.after(first, ["run"])).text();
    assert!(text.contains("data: {\"reason\":\"trimmed\",\"topic\":\"run\"}\n") && text.ends_with(FINISHED), "{text}");
    assert_eq!(world.after(last, ["run"]).into_response().status(), 204);

    world.hub.end("other", "last").unwrap();
    world.clock.advance(SECOND * 66);
    assert_eq!(world.hub.stats().topics, 0);
    assert_eq!(world.hub.publish("other", "late"), Err(PublishError::Ended));
    assert!(read(world.fresh(["other"])).text().ends_with(FINISHED));
}

#[test]
fn a_topic_is_forgotten_an_age_after_its_end() {
    let world = World::with(|bounds| bounds.ended_topic_age(SECOND * 60).gap_on_lag());
    let mut behind = read(world.fresh(["run"]));
    let mut done = read(world.fresh(["run", "news"]));
    behind.text();
    done.text();
    world.publish("run", ["1"]);
    world.hub.end("run", "last").unwrap();
    done.text();
    world.clock.advance(SECOND * 59);
    assert_eq!(world.hub.stats().topics, 2);
    world.clock.advance(SECOND);
    let stats = world.hub.stats();
    assert_eq!((stats.topics, stats.ended_topics, stats.held_events, stats.held_bytes), (1, 0, 0, 0));
    let text = behind.text();
    assert!(text.contains("data: {\"reason\":\"trimmed\",\"topic\":\"run\"}\n") && text.ends_with(FINISHED), "{text}");
    world.hub.end("news", "last").unwrap();
    assert!(done.text().ends_with(FINISHED));
    assert_eq!(world.hub.ended("run"), None);
    world.publish("run", ["again"]);
}

#[test]
fn a_topic_that_made_room_is_forgotten_an_age_after_its_end() {
    let world = World::with(|bounds| bounds.max_topics(1).ended_topic_age(SECOND * 60));
    let [first] = world.publish("run", ["1"]);
    world.hub.end("run", "last").unwrap();
    world.publish("other", ["x"]);
    world.clock.advance(SECOND * 59);
    assert_eq!(world.hub.publish("run", "late"), Err(PublishError::Ended));
    world.clock.advance(SECOND);
    assert_eq!(world.hub.ended("run"), None);
    world.publish("run", ["again"]);
    // The client from before still receives a gap.
    assert_eq!(world.after(first, ["run"]).resumption(), Resumption::Gap);
}

#[test]
fn a_topic_that_made_room_and_has_a_handle_is_forgotten_an_age_after_its_end() {
    let world = World::with(|bounds| bounds.max_topics(1).ended_topic_age(SECOND * 60));
    world.hub.end("run", "last").unwrap();
    world.publish("other", ["x"]);
    world.hub.remove("other").unwrap();
    let _handle = world.hub.topic("run").unwrap();
    assert_eq!(world.hub.stats().ended_topics, 1);
    world.clock.advance(SECOND * 60);
    assert_eq!(world.hub.stats().ended_topics, 0);
    world.publish("run", ["again"]);
}

#[test]
fn every_use_of_the_hub_forgets_a_topic_an_age_after_its_end() {
    let world = World::with(|bounds| bounds.ended_topic_age(SECOND * 60));
    let end = || {
        world.hub.end("run", "last").unwrap();
        world.clock.advance(SECOND * 60);
    };
    end();
    assert_eq!(world.hub.ended("run"), None);
    end();
    let handle = world.hub.topic("run").unwrap();
    assert!(handle.publish("again").is_ok());
    end();
    assert!(world.hub.listen("run").is_ok());
    assert_eq!(world.hub.stats().topics, 0);
    world.hub.publish("run", "again").unwrap();
}

#[test]
fn an_ended_topic_does_not_outlive_a_drain_differently() {
    let world = World::new();
    let mut client = read(world.fresh(["run"]));
    client.text();
    drop(world.hub.drain(SECOND * 60));
    world.hub.end("run", "last").unwrap();
    assert!(client.text().ends_with(FINISHED));
    assert!(client.has_ended());
    assert_eq!(world.hub.stats().ended(CloseReason::Finished), 1);
}

#[test]
fn bounds_of_one_topic_replace_those_of_the_hub() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let long = world.hub.topic_with("long", TopicBounds::new().events(5)).unwrap();
    for n in 0..9 {
        world.publish("short", ["x"]);
        long.publish(n.to_string()).unwrap();
    }
    let held = |topic| world.hub.topic_stats(topic).unwrap().held_events;
    assert_eq!((held("short"), held("long")), (2, 5));
    let bytes = world.hub.topic_with("long", TopicBounds::new().bytes(1)).unwrap();
    bytes.publish("only this").unwrap();
    assert_eq!(held("long"), 1);
    drop((long, bytes));
    world.hub.remove("long").unwrap();
    world.publish("long", ["1", "2", "3"]);
    assert_eq!(held("long"), 2);
}

#[test]
fn a_topic_is_abandoned_after_a_time_without_a_subscriber() {
    let world = World::new();
    let topic = world.hub.topic("run").unwrap();
    let mut abandoned = pin!(topic.abandoned(SECOND * 60));
    let mut cx = Context::from_waker(Waker::noop());
    let mut pending = |()| assert_eq!(abandoned.as_mut().poll(&mut cx), Poll::Pending);
    pending(());
    world.clock.advance(SECOND * 59);
    let client = world.fresh(["run"]);
    pending(());
    world.clock.advance(SECOND * 100);
    pending(());
    drop(client);
    pending(());
    world.clock.advance(SECOND * 59);
    // A client that comes and leaves between two polls.
    drop(world.fresh(["run"]));
    pending(());
    world.clock.advance(SECOND * 59);
    pending(());
    world.clock.advance(SECOND);
    assert_eq!(abandoned.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}

#[test]
fn the_last_subscriber_that_leaves_wakes_the_task_that_waits() {
    let world = World::new();
    let topic = world.hub.topic("run").unwrap();
    let clients = [world.fresh(["run"]), world.fresh(["run"])];
    let mut abandoned = tokio_test::task::spawn(topic.abandoned(SECOND));
    let mut other = tokio_test::task::spawn(topic.abandoned(SECOND * 2));
    assert!(abandoned.poll().is_pending() && other.poll().is_pending());
    let [one, two] = clients;
    drop(one);
    assert!(!abandoned.is_woken());
    drop(two);
    assert!(abandoned.is_woken() && other.is_woken());
    assert!(abandoned.poll().is_pending() && other.poll().is_pending());
    drop(abandoned);
    world.clock.advance(SECOND * 2);
    assert!(other.is_woken() && other.poll().is_ready());
    drop((other, topic));
    assert_eq!(world.hub.stats().topics, 0);
}
