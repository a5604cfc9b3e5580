//! Listening to topics inside the process.

use super::{SECOND, World};
use sse_core::hub::{EventId, Heard, ListenError, Listener, MAX_TOPIC_BYTES, log};
use sse_core::testing::Clock;
use sse_core::{Hub, Replay};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The next items, each as a short text, until the listener waits.
fn heard(listener: &mut Listener) -> Vec<String> {
    let mut items = Vec::new();
    loop {
        match pin!(listener.next()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => return items,
            Poll::Ready(None) => {
                items.push("over".to_owned());
                return items;
            }
            Poll::Ready(Some(item)) => items.push(match item {
                Heard::Event(topic, event) => format!("{topic}: {}", event.data),
                Heard::Gap(topic) => format!("gap {}", topic.as_deref().unwrap_or("?")),
                Heard::End(topic) => format!("end {topic}"),
                Heard::Removed(topic) => format!("removed {topic}"),
                other => panic!("{other:?}"),
            }),
        }
    }
}

#[test]
fn a_listener_hears_events_in_order_and_each_end_after_the_last_event() {
    let world = World::new();
    world.publish("a", ["before"]);
    let mut all = world.hub.listen(["a", "b", "a"]).unwrap();
    assert_eq!(heard(&mut all), [""; 0]);
    world.publish("a", ["1"]);
    world.publish("b", ["2"]);
    world.hub.end("a", "3").unwrap();
    world.publish("b", ["4"]);
    assert_eq!(heard(&mut all), ["a: 1", "b: 2", "a: 3", "end a", "b: 4"]);
    world.hub.end("b", "5").unwrap();
    assert_eq!(heard(&mut all), ["b: 5", "end b", "over"]);
}

#[test]
fn names_beyond_max_topics_are_an_error_and_are_not_collected() {
    let world = World::with(|bounds| bounds.max_topics(2));
    let mut read = 0;
    let names = ["a", "b", "a", "b"].into_iter().map(String::from).chain((0..1_000).map(|n| n.to_string()));
    let listened = world.hub.listen(names.inspect(|_| read += 1)).map(drop);
    assert_eq!((listened.unwrap_err(), read), (ListenError::TooManyTopics, 5));
}

#[test]
fn a_listener_hears_ends_and_removals_in_the_order_of_its_topics() {
    let world = World::new();
    let mut all = world.hub.listen(["a", "b", "c", "d"]).unwrap();
    world.hub.end("d", "1").unwrap();
    world.hub.remove("b").unwrap();
    world.hub.end("a", "2").unwrap();
    assert_eq!(heard(&mut all), ["d: 1", "removed b", "end d", "a: 2", "end a"]);
    world.publish("c", ["3"]);
    assert_eq!(heard(&mut all), ["c: 3"]);
}

#[test]
fn a_listener_is_no_subscriber_and_keeps_its_topics() {
    let world = World::with(|bounds| bounds.max_topics(1));
    let listener = world.hub.listen("a").unwrap();
    assert_eq!((world.hub.subscribers("a"), world.hub.stats().topics), (0, 1));
    assert_eq!(world.hub.listen("b").map(drop).unwrap_err(), ListenError::TooManyTopics);
    let long = "x".repeat(MAX_TOPIC_BYTES + 1);
    assert_eq!(world.hub.listen(&long).map(drop).unwrap_err(), ListenError::TopicName(MAX_TOPIC_BYTES + 1));
    drop(listener);
    assert_eq!(world.hub.stats().topics, 0);
    assert_eq!(heard(&mut world.hub.listen([""; 0]).unwrap()), ["over"]);
}

#[test]
fn a_listener_starts_at_the_beginning_or_after_an_event() {
    let world = World::new();
    let [first, _, _] = world.publish("a", ["1", "2", "3"]);
    assert_eq!(heard(&mut world.hub.listen("a").unwrap().replay(Replay::All)), ["a: 1", "a: 2", "a: 3"]);
    assert_eq!(heard(&mut world.hub.listen("a").unwrap().replay(Replay::Last(1))), ["a: 3"]);
    assert_eq!(heard(&mut world.hub.listen("a").unwrap().after(first)), ["a: 2", "a: 3"]);
    let unknown = EventId::new((1, 0), 1);
    let mut listener = world.hub.listen("a").unwrap().after(unknown);
    world.publish("a", ["4"]);
    assert_eq!(heard(&mut listener), ["gap ?", "a: 4"]);
    world.hub.end("a", "5").unwrap();
    assert_eq!(heard(&mut world.hub.listen("a").unwrap()), ["end a", "over"]);
}

#[test]
fn a_slow_listener_hears_a_gap() {
    let world = World::with(|bounds| bounds.topic_events(1));
    let mut listener = world.hub.listen(["a", "b"]).unwrap();
    world.publish("a", ["1", "2"]);
    world.publish("b", ["3"]);
    assert_eq!(heard(&mut listener), ["gap a", "a: 2", "b: 3"]);
}

#[test]
fn a_listener_hears_a_removal_and_goes_on_with_the_other_topics() {
    let world = World::new();
    let mut listener = tokio_test::task::spawn(world.hub.listen(["a", "b"]).unwrap());
    assert!(listener.poll_next().is_pending());
    world.hub.remove("a").unwrap();
    assert!(listener.is_woken());
    let mut listener = listener.into_inner();
    assert_eq!(heard(&mut listener), ["removed a"]);
    world.publish("a", ["of the next topic"]);
    world.publish("b", ["1"]);
    assert_eq!(heard(&mut listener), ["b: 1"]);
    world.hub.remove("b").unwrap();
    assert_eq!(heard(&mut listener), ["removed b", "over"]);
}

#[test]
fn a_publish_wakes_a_listener_and_a_drain_does_not_end_it() {
    let world = World::new();
    let mut listener = tokio_test::task::spawn(world.hub.listen("a").unwrap());
    assert!(listener.poll_next().is_pending());
    drop(world.hub.drain(SECOND));
    assert!(!listener.is_woken());
    world.publish("a", ["1"]);
    assert!(listener.is_woken());
    assert!(listener.poll_next().is_ready());
}

#[test]
fn a_listener_of_a_follower_hears_truncations_and_resets() {
    let (hub, mut feed) = log::follow_on(Hub::builder(), Clock::new());
    let id = |ms| EventId::new((ms, 0), 7);
    let mut listener = hub.listen("a").unwrap();
    feed.append(id(1), "a", "1").unwrap();
    feed.append(id(2), "a", "2").unwrap();
    assert_eq!(heard(&mut listener), ["a: 1", "a: 2"]);
    feed.truncate(id(1)).unwrap();
    feed.append(id(3), "a", "3").unwrap();
    assert_eq!(heard(&mut listener), ["gap ?", "a: 3"]);
    feed.reset(EventId::new((9, 0), 8));
    feed.end(EventId::new((10, 0), 8), "a", "last").unwrap();
    assert_eq!(heard(&mut listener), ["gap a", "a: last", "end a", "over"]);
}
