//! Publishing: single events, batches, and the handle of a topic.

use super::*;

#[test]
fn the_events_of_a_batch_are_consecutive() {
    let world = World::new();
    let mut reader = read(world.fresh(["a", "b"]));
    reader.text();
    let ids = world.hub.publish_all([("a", "1"), ("b", "2"), ("a", "3")]).unwrap();
    assert_eq!(reader.text(), block("1", ids[0]) + &block("2", ids[1]) + &block("3", ids[2]));
    assert_eq!(ids.iter().map(|id| id.position().0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(world.hub.publish_all([("a", "x"); 0]), Ok(Vec::new()));
}

#[test]
fn a_batch_is_published_completely_or_not_at_all() {
    let world = World::with(|bounds| bounds.max_topics(2));
    let long = "x".repeat(MAX_TOPIC_BYTES + 1);
    let batch = |topics: [&str; 3], last: Event<'static>| {
        let events = [Event::data("1"), Event::data("2"), last];
        world.hub.publish_all(topics.into_iter().zip(events)).map(|_| ())
    };
    let fine = || Event::data("3");
    let break_in_type = FrameError::LineBreak(sse_core::Field::Event);
    assert_eq!(batch(["a", "b", "a"], fine().event("x\ny")), Err(break_in_type.into()));
    assert_eq!(batch(["a", "b", "a"], fine().id("7")), Err(FrameError::IdNotAllowed.into()));
    assert_eq!(batch(["a", "b", &long], fine()), Err(PublishError::TopicName(257)));
    let readers = read(world.fresh(["a", "b"]));
    assert_eq!(batch(["a", "b", "c"], fine()), Err(PublishError::TooManyTopics));
    assert_eq!((world.hub.stats().held_events, world.hub.stats().published), (0, 0));
    assert_eq!(batch(["a", "b", "a"], fine()), Ok(()));
    assert_eq!((world.hub.stats().topics, world.hub.stats().published), (2, 3));
    drop(readers);
}

#[test]
fn a_batch_larger_than_its_topic_is_a_gap_for_every_subscriber() {
    let world = World::with(|bounds| bounds.topic_events(2).gap_on_lag());
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let ids = world.hub.publish_all(["1", "2", "3"].map(|data| ("news", data))).unwrap();
    assert_eq!(reader.text(), trimmed("news", ids[0]) + &block("2", ids[1]) + &block("3", ids[2]));
}

#[test]
fn a_topic_name_is_any_text_up_to_256_bytes() {
    let world = World::new();
    let (longest, long) = ("é".repeat(128), "é".repeat(128) + "x");
    for name in ["", "a b\n\"\0", &longest] {
        let mut reader = read(world.fresh([name]));
        reader.text();
        let [id] = world.publish(name, ["a"]);
        assert_eq!(reader.text(), block("a", id));
        assert_eq!(world.hub.topic(name).unwrap().name(), name);
    }
    assert_eq!(world.hub.publish(&long, "x"), Err(PublishError::TopicName(257)));
    assert_eq!(world.hub.topic(&long).err(), Some(PublishError::TopicName(257)));
    let feed = world.fresh(["news", &long]);
    assert_eq!((feed.id(), feed.error()), (None, Some(&sse_core::hub::SubscribeError::TopicName(257))));
    let response = feed.into_response();
    assert_eq!((response.status(), world.hub.stats().streams), (400, 0));
    let mut reader = world.clock.read(response);
    assert_eq!((reader.text().as_str(), reader.has_ended()), ("", true));
}

#[test]
fn a_topic_handle_publishes_to_the_same_history() {
    let world = World::with(|bounds| bounds.max_topics(1));
    let topic = world.hub.topic("news").unwrap();
    assert_eq!(topic.name(), "news");
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let one = topic.publish("1").unwrap();
    let two = world.hub.publish("news", "2").unwrap();
    let three = topic.clone().publish("3").unwrap();
    assert_eq!(reader.text(), block("1", one) + &block("2", two) + &block("3", three));
}

#[test]
fn a_topic_exists_as_long_as_it_has_a_handle() {
    let world = World::with(|bounds| bounds.max_topics(1));
    let topic = world.hub.topic("news").unwrap();
    let other = topic.clone();
    drop(topic);
    assert_eq!(world.hub.topic("sport").err(), Some(PublishError::TooManyTopics));
    drop(other);
    assert_eq!(world.hub.stats().topics, 0);
    assert!(world.hub.topic("sport").is_ok());
}
