//! State topics of a hub that follows a log.

use sse_core::hub::log::{self, LogChange, LogFeed, LogFeedError};
use sse_core::hub::{EventId, PublishError};
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, Hub, LastEventId, Resumption};

type Client = Reader<EventStream<Clock>>;

struct World {
    clock: Clock,
    hub: Hub,
    feed: LogFeed,
}

fn id(ms: u64) -> EventId {
    EventId::new((ms, 0), 7)
}

/// The block of an event with this data and ID.
fn block(data: &str, ms: u64) -> String {
    format!("data: {data}\nid: {}\n\n", id(ms))
}

impl World {
    fn new() -> Self {
        Self::of(Hub::builder())
    }

    fn of(builder: sse_core::hub::HubBuilder) -> Self {
        let clock = Clock::new();
        let (hub, feed) = log::follow_on(builder, clock.clone());
        Self { clock, hub, feed }
    }

    fn set(&mut self, ms: u64, topic: &str, key: &str, data: &str) {
        assert_eq!(self.feed.append_all([(id(ms), LogChange::Set(topic, key, data))]), Ok(Vec::new()));
    }

    fn unset(&mut self, ms: u64, topic: &str, key: &str) {
        let gone = format!("no {key}");
        assert_eq!(self.feed.append_all([(id(ms), LogChange::Unset(topic, key, &*gone))]), Ok(Vec::new()));
    }

    fn open(&self, topics: &[&str], last: Option<EventId>) -> (Resumption, Client) {
        let last = last.map_or(LastEventId::Absent, |id| LastEventId::Text(id.to_string().into()));
        let subscription = self.clock.sse_after(last).subscribe(&self.hub, topics);
        (subscription.resumption(), self.clock.read(subscription.into_response()))
    }

    /// A new client that has read everything.
    fn client(&self, topics: &[&str]) -> Client {
        let mut client = self.open(topics, None).1;
        client.text();
        client
    }
}

/// The events of a text, without the opening block and positions.
fn events(text: &str) -> String {
    text.split_inclusive("\n\n").filter(|block| !block.contains("event: sse-")).collect()
}

#[test]
fn entries_of_the_log_change_keys_and_a_client_resumes() {
    let mut world = World::new();
    world.set(1, "prices", "a", "a1");
    world.set(2, "prices", "b", "b1");
    world.set(3, "prices", "a", "a2");
    let mut client = world.open(&["prices"], None).1;
    assert_eq!(events(&client.text()), block("b1", 2) + &block("a2", 3));
    world.unset(4, "prices", "b");
    world.set(5, "prices", "c", "c1");
    assert_eq!(client.text(), block("no b", 4) + &block("c1", 5));
    let (resumption, mut client) = world.open(&["prices"], Some(id(2)));
    assert_eq!(resumption, Resumption::Resumed);
    assert_eq!(events(&client.text()), block("a2", 3) + &block("no b", 4) + &block("c1", 5));
}

#[test]
fn the_hub_sends_the_removal_of_a_key_that_it_does_not_have() {
    let mut world = World::new();
    world.set(1, "prices", "a", "a1");
    let mut client = world.client(&["prices"]);
    world.unset(2, "prices", "b");
    assert_eq!(client.text(), block("no b", 2));
}

#[test]
fn a_loaded_state_comes_first_and_its_ids_are_unknown() {
    let mut world = World::new();
    let skipped = world.feed.load_state([(id(1), "prices", "a", "a1"), (id(2), "prices", "b", "b1")]);
    assert_eq!(skipped, []);
    world.feed.advance(id(10)).unwrap();
    world.set(11, "prices", "a", "a2");
    let mut client = world.open(&["prices"], None).1;
    assert_eq!(events(&client.text()), block("b1", 2) + &block("a2", 11));
    // The node does not know the removals between 2 and 10.
    for old in [1, 2] {
        let (resumption, mut client) = world.open(&["prices"], Some(id(old)));
        assert_eq!(resumption, Resumption::Gap);
        let text = client.text();
        assert!(text.contains("event: gap\n"), "{text}");
        assert!(text.contains(&(block("b1", 2) + &block("a2", 11))), "{text}");
    }
    let (resumption, mut client) = world.open(&["prices"], Some(id(10)));
    assert_eq!(resumption, Resumption::Resumed);
    assert_eq!(events(&client.text()), block("a2", 11));
}

#[test]
fn a_key_that_cannot_be_sent_is_skipped() {
    let mut world = World::new();
    let long = "k".repeat(257);
    let skipped = world.feed.load_state([(id(1), "prices", &*long, "1"), (id(2), &*long, "a", "1")]);
    assert_eq!(skipped, [(id(1), LogFeedError::StateKey(257)), (id(2), LogFeedError::TopicName(257))]);
    let entries = [(id(3), LogChange::Set("prices", &long, "1")), (id(4), LogChange::Set("prices", "a", "1"))];
    assert_eq!(world.feed.append_all(entries), Ok(vec![(id(3), LogFeedError::StateKey(257))]));
    assert_eq!(world.hub.stats().held_events, 1);
}

#[test]
fn after_a_reset_clients_receive_a_gap_and_the_whole_state() {
    let mut world = World::new();
    world.set(1, "prices", "a", "a1");
    world.set(2, "prices", "gone", "x");
    let mut client = world.client(&["prices", "news"]);
    world.feed.reset(id(20));
    world.feed.load_state([(id(15), "prices", "b", "b1"), (id(19), "prices", "a", "a2")]);
    world.set(21, "prices", "a", "a3");
    let text = client.text();
    assert_eq!(text.matches("event: gap\n").count(), 2, "{text}");
    assert!(text.ends_with(&format!("id: {}\n\ndata: b1\n\n{}", id(20), block("a3", 21))), "{text}");
    // The events that were loaded have no ID, so a client that leaves there resumes with the ID of the gap.
    let (resumption, mut client) = world.open(&["prices"], Some(id(20)));
    assert_eq!(resumption, Resumption::Resumed);
    assert_eq!(events(&client.text()), "data: b1\n\n".to_owned() + &block("a3", 21));
    assert_eq!(events(&world.open(&["prices"], None).1.text()), "data: b1\n\n".to_owned() + &block("a3", 21));
}

#[test]
fn a_truncation_is_a_gap_for_the_state_topics_that_lost_changes() {
    let mut world = World::new();
    world.set(1, "prices", "a", "a1");
    world.set(2, "rooms", "r", "r1");
    world.set(3, "prices", "b", "b1");
    world.feed.append(id(4), "news", "n1").unwrap();
    let mut behind = world.open(&["prices"], Some(id(3))).1;
    behind.text();
    let mut rooms = world.client(&["rooms"]);
    world.set(5, "prices", "a", "a2");
    world.unset(6, "prices", "b");
    let mut ahead = world.client(&["prices"]);
    world.feed.truncate(id(4)).unwrap();
    // The server has the state as it was at 4.
    let state = [(id(1), "prices", "a", "a1"), (id(2), "rooms", "r", "r1"), (id(3), "prices", "b", "b1")];
    world.feed.load_state(state);
    for client in [&mut ahead, &mut behind] {
        let text = client.text();
        assert_eq!(text.matches("event: gap\n").count(), 1, "{text}");
        // Without an ID: another node may still have what was lost.
        assert!(text.ends_with("}\n\ndata: a1\n\ndata: b1\n\n"), "{text}");
    }
    assert_eq!(rooms.text(), "");
    for (last, expected) in [(id(3), Resumption::Gap), (id(5), Resumption::Gap)] {
        let (resumption, mut client) = world.open(&["prices"], Some(last));
        assert_eq!(resumption, expected);
        assert!(client.text().ends_with("data: a1\n\ndata: b1\n\n"));
    }
    assert_eq!(world.open(&["rooms"], Some(id(2))).0, Resumption::Resumed);
    world.feed.append_all([(EventId::new((5, 0), 8), LogChange::Set("prices", "a", "a3"))]).unwrap();
    assert_eq!(ahead.text(), "data: a3\nid: 5-00000008\n\n");
}

#[test]
fn a_topic_is_of_one_kind() {
    let mut world = World::new();
    world.set(1, "prices", "a", "a1");
    world.feed.append(id(2), "news", "n1").unwrap();
    assert_eq!(world.feed.append(id(3), "prices", "x"), Err(LogFeedError::State));
    assert_eq!(world.feed.end(id(3), "prices", "x"), Err(LogFeedError::State));
    let entries = [(id(3), LogChange::Set("news", "a", "x")), (id(4), LogChange::Unset("news", "a", "x"))];
    let skipped = vec![(id(3), LogFeedError::NotState), (id(4), LogFeedError::NotState)];
    assert_eq!(world.feed.append_all(entries), Ok(skipped));
    assert!(world.hub.topic_stats("prices").unwrap().is_state && !world.hub.topic_stats("news").unwrap().is_state);
    assert_eq!(world.hub.state_topic("prices").map(drop), Err(PublishError::Followed));
    // A removed topic is free again.
    world.feed.remove(id(5), "prices").unwrap();
    world.feed.append(id(6), "prices", "x").unwrap();
    assert!(!world.hub.topic_stats("prices").unwrap().is_state);
}

#[test]
fn a_state_topic_needs_no_room_in_the_hub() {
    let mut world = World::of(Hub::builder().max_topics(1).topic_bytes(40).hub_bytes(60));
    let mut client = world.client(&["news"]);
    for (ms, key) in (1..).zip(["a", "b", "c", "d"]) {
        world.set(ms, "prices", key, key);
    }
    world.feed.append(id(5), "news", "n1").unwrap();
    assert_eq!(client.text(), block("n1", 5));
    assert_eq!(world.hub.topic_stats("prices").unwrap().held_events, 4);
    // Removals are forgotten at the bounds, and keys never.
    world.unset(6, "prices", "a");
    assert_eq!(world.hub.topic_stats("prices").unwrap().held_events, 3);
    assert_eq!(world.open(&["prices"], Some(id(5))).0, Resumption::Gap);
    assert_eq!(world.open(&["prices"], Some(id(6))).0, Resumption::Resumed);
}

/// The hub remembers 65,536 IDs. An older one is found by its place among the events of the topic.
#[test]
fn an_old_id_resumes_at_its_key() {
    let mut world = World::new();
    for ms in 1..=6 {
        world.set(ms, "prices", ["a", "b", "c"][ms as usize % 3], &ms.to_string());
    }
    world.set(7, "prices", "b", "7");
    for ms in 10..70_000 {
        world.feed.advance(id(ms)).unwrap();
    }
    // The newest values are 5, 6 and 7. An ID of a replaced value has the same place.
    for (last, expected) in [(4, [5, 6, 7].as_slice()), (5, &[6, 7]), (6, &[7]), (7, &[])] {
        let (resumption, mut client) = world.open(&["prices"], Some(id(last)));
        assert_eq!(resumption, Resumption::Resumed);
        let expected: String = expected.iter().map(|ms| block(&ms.to_string(), *ms)).collect();
        assert_eq!(events(&client.text()), expected);
    }
}
