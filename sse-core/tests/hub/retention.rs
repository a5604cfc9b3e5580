//! The events that a topic and the hub store, and for how long.

use super::*;

#[test]
fn a_topic_keeps_its_newest_events_by_count() {
    let world = World::with(|bounds| bounds.topic_events(3));
    let ids = world.publish("news", ["1", "2", "3", "4", "5"]);
    assert_eq!(world.hub.stats().held_events, 3);
    let kept = block("3", ids[2]) + &block("4", ids[3]) + &block("5", ids[4]);
    assert_eq!(text(world.fresh(["news"]).replay(Replay::All)), opening(ids[1]) + &kept);
}

#[test]
fn a_topic_keeps_its_newest_events_by_bytes() {
    let size = block("x", EventId::new((10, 0), 0)).len();
    let world = World::with(|bounds| bounds.topic_bytes(3 * size));
    for _ in 0..20 {
        world.publish("news", ["x"]);
        assert!(world.hub.stats().held_bytes <= 3 * size);
    }
    assert_eq!((world.hub.stats().held_events, world.hub.stats().held_bytes), (3, 3 * size));
}

#[test]
fn the_newest_event_is_stored_whatever_its_size() {
    let world = World::with(|bounds| bounds.topic_bytes(10).hub_bytes(10).topic_events(0));
    let large = "x".repeat(100_000);
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let [id] = world.publish("news", [&large]);
    assert_eq!(reader.text(), block(&large, id));
    let [next] = world.publish("news", ["y"]);
    assert_eq!(world.hub.stats().held_events, 1);
    assert_eq!(text(world.after(id, ["news"])), opening(id) + &block("y", next));
}

#[test]
fn a_topic_stores_an_event_for_its_age_and_at_most_a_64th_longer() {
    let world = World::with(|bounds| bounds.topic_age(64 * SECOND));
    let [one] = world.publish("news", ["1"]);
    world.clock.advance(32 * SECOND);
    let [two] = world.publish("news", ["2"]);
    world.clock.advance(32 * SECOND - Duration::from_nanos(1));
    assert_eq!(world.hub.stats().held_events, 2, "not early");
    world.clock.advance(SECOND);
    assert_eq!(world.hub.stats().held_events, 1);
    assert_eq!(text(world.after(at(0, one), ["news"])), opening(at(0, one)) + &trimmed("news", one) + &block("2", two));
    world.clock.advance(32 * SECOND);
    assert_eq!((world.hub.stats().held_events, world.hub.stats().held_bytes), (0, 0));
    assert_eq!(text(world.after(two, ["news"])), opening(two), "who has seen it misses nothing");
    assert_eq!(text(world.after(one, ["news"])), opening(one) + &trimmed("news", two));
}

#[test]
fn events_that_expire_after_they_were_read_are_no_lag() {
    let world = World::with(|bounds| bounds.topic_age(SECOND));
    let mut reader = read(world.fresh(["news"]));
    world.publish("news", ["1"]);
    reader.text();
    world.clock.advance(10 * SECOND);
    let [id] = world.publish("news", ["2"]);
    assert_eq!(reader.text(), block("2", id));
}

#[test]
fn at_hub_bytes_the_oldest_event_of_any_topic_is_trimmed() {
    let size = block("x", EventId::new((1, 0), 0)).len();
    let world = World::with(|bounds| bounds.hub_bytes(4 * size));
    let [a] = world.publish("a", ["x"]);
    let [b] = world.publish("b", ["x"]);
    let c = world.publish("c", ["x", "x", "x"]);
    assert_eq!(world.hub.stats().held_bytes, 4 * size);
    let zero = at(0, a);
    assert_eq!(text(world.after(zero, ["a"])), opening(zero) + &trimmed("a", a), "it had the oldest");
    assert_eq!(text(world.after(zero, ["b"])), opening(zero) + &block("x", b));
    assert_eq!(text(world.after(b, ["c"])), opening(b) + &c.map(|id| block("x", id)).concat());
    world.publish("c", ["x"]);
    assert_eq!(text(world.after(zero, ["b"])), opening(zero) + &trimmed("b", b));
    world.publish("d", ["x"]);
    let left = trimmed("c", c[0]) + &block("x", c[1]) + &block("x", c[2]) + &block("x", at(6, a));
    assert_eq!(text(world.after(zero, ["c"])), opening(zero) + &left);
}

#[test]
fn a_topic_trimmed_by_its_own_bound_no_longer_has_the_oldest_event() {
    let size = block("x", EventId::new((1, 0), 0)).len();
    let world = World::with(|bounds| bounds.topic_events(1).hub_bytes(2 * size));
    let [first] = world.publish("a", ["x"]);
    let [b] = world.publish("b", ["x"]);
    let [a] = world.publish("a", ["x"]);
    let [c] = world.publish("c", ["x"]);
    assert_eq!(text(world.after(b, ["a", "b", "c"])), opening(b) + &block("x", a) + &block("x", c));
    assert_eq!(text(world.after(first, ["b"])), opening(first) + &trimmed("b", b));
}

/// Hazard B1.
#[test]
fn bounds_hold_with_and_without_subscribers() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    for _ in 0..10 {
        world.publish("news", ["x"]);
        world.publish("nobody reads this", ["x"]);
        reader.text();
    }
    assert_eq!(world.hub.stats().held_events, 4);
}

/// Hazard B17.
#[test]
fn one_call_trims_few_expired_events_and_a_replay_starts_with_none() {
    let world = World::with(|bounds| bounds.topic_age(64 * SECOND));
    for topic in 0..1_000 {
        world.publish(&topic.to_string(), ["old", "old"]);
    }
    world.clock.advance(65 * SECOND);
    let [new] = world.publish("999", ["new"]);
    assert!(world.hub.stats().held_events > 1_800, "one publish does not trim them all");
    let feed = world.fresh(["998", "999"]).replay(Replay::All);
    let told = text(feed);
    assert!(told.ends_with(&block("new", new)) && !told.contains("old"), "{told}");
    let mut held = world.hub.stats().held_events;
    while held > 1 {
        let before = std::mem::replace(&mut held, world.hub.stats().held_events);
        assert!(held < before, "each use trims some");
    }
    assert_eq!((world.hub.stats().topics, world.hub.stats().held_bytes), (1, block("new", new).len()));
}

#[test]
fn replay_last_counts_across_segments() {
    let world = World::new();
    for n in 0..2_000 {
        world.publish(["a", "b"][n % 2], [&*format!("{n} {}", "x".repeat(100))]);
    }
    for last in [1, 2, 3, 333, 1_000, 1_999, 2_000, 5_000] {
        let mut reader = read(world.fresh(["a", "b"]).replay(Replay::Last(last)));
        let text = reader.text();
        let events = text.split_once("\n\n").unwrap().1.matches("data: ").count(); // after the opening
        assert_eq!(events, last.min(2_000));
    }
}
