//! State topics: the newest event of each key, without an old value after a new one.

use proptest::prelude::*;
use sse_core::hub::{PublishError, Replay, StateChange, TopicBounds};
use sse_core::testing::{Clock, Reader};
use sse_core::{CloseReason, EventStream, Hub, LastEventId, Resumption};
use std::collections::BTreeMap;

fn hub() -> (Clock, Hub) {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    (clock, hub)
}

type Client = Reader<EventStream<Clock>>;

/// A client of these topics that brings this ID.
fn client(clock: &Clock, hub: &Hub, topics: &[&str], id: Option<&str>) -> Client {
    let id = id.map_or(LastEventId::Absent, |id| LastEventId::Text(id.into()));
    clock.read(clock.sse_after(id).keep_alive(None).subscribe(hub, topics).into_response())
}

/// The data of the application's events, `-` before the key of a removal.
fn data(text: &str) -> Vec<String> {
    text.split("\n\n").filter_map(event).map(|(_, data)| data).collect()
}

/// The ID and the data of an event of the application.
fn event(block: &str) -> Option<(Option<&str>, String)> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = field("data")?;
    match field("event") {
        Some("sse-position" | "sse-open" | "sse-end") => None,
        Some("removed") => Some((field("id"), data.replace("{\"key\":\"", "-").replace("\"}", ""))),
        Some("gap") => Some((field("id"), format!("gap {data}"))),
        _ => Some((field("id"), data.to_owned())),
    }
}

/// The ID that the client sends when it reconnects.
fn last_id(text: &str) -> Option<String> {
    text.lines().rev().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned)
}

#[test]
fn a_new_subscriber_receives_the_newest_event_of_each_key_and_then_changes() {
    let (clock, hub) = hub();
    let state = hub.state_topic("state").unwrap();
    for (key, value) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1"), ("b", "b2")] {
        state.set(key, value).unwrap();
    }
    state.remove("c").unwrap();
    let mut client = client(&clock, &hub, &["state"], None);
    let text = client.text();
    assert_eq!(data(&text), ["a2", "b2"]);
    let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert!(ids.windows(2).all(|pair| pair[0].split('-').next() <= pair[1].split('-').next()), "{ids:?}");
    state.set("a", "a3").unwrap();
    assert_eq!(data(&client.text()), ["a3"]);
    assert_eq!(state.remove("a").unwrap().map(|id| id.to_string()), last_id(&client.text()));
    assert_eq!(state.remove("a").unwrap(), None, "a key that is not there");
    assert_eq!(client.text(), "");
}

#[test]
fn a_client_that_returns_receives_each_changed_key_once() {
    let (clock, hub) = hub();
    let state = hub.state_topic("state").unwrap();
    for key in ["a", "b", "c"] {
        state.set(key, format!("{key}1")).unwrap();
    }
    let id = last_id(&client(&clock, &hub, &["state"], None).text());
    for n in 2..50 {
        state.set("a", format!("a{n}")).unwrap();
    }
    state.remove("b").unwrap();
    let subscription = clock.sse_after(LastEventId::Text(id.clone().unwrap().into())).subscribe(&hub, ["state"]);
    assert_eq!(subscription.resumption(), Resumption::Resumed);
    drop(subscription);
    assert_eq!(data(&client(&clock, &hub, &["state"], id.as_deref()).text()), ["a49", "-b"]);
}

#[test]
fn a_slow_subscriber_skips_values_and_never_lags() {
    let (clock, hub) = hub();
    let state = hub.state_topic("state").unwrap();
    let mut client = client(&clock, &hub, &["state"], None);
    client.text();
    for n in 0..100_000 {
        state.set(format!("key {}", n % 10), format!("{n} {}", "x".repeat(100))).unwrap();
    }
    let seen = data(&client.text());
    assert_eq!(seen.len(), 10);
    assert!(seen.iter().zip(99_990..).all(|(seen, n)| seen.starts_with(&format!("{n} "))), "{seen:?}");
    assert_eq!((hub.stats().lagged, hub.stats().held_events), (0, 10));
}

#[test]
fn the_kind_of_a_topic_is_fixed_by_its_first_event() {
    let (_, hub) = hub();
    let state = hub.state_topic("state").unwrap();
    let handle = hub.topic("state").unwrap();
    assert_eq!(hub.publish("state", "x"), Err(PublishError::State));
    assert_eq!(handle.publish("x"), Err(PublishError::State));
    assert_eq!(hub.end("state", "x"), Err(PublishError::State));
    assert_eq!(hub.publish_all([("news", "x"), ("state", "x")]), Err(PublishError::State));
    hub.publish("news", "x").unwrap();
    assert_eq!(hub.state_topic("news").unwrap_err(), PublishError::NotState);
    let changes = [("state", StateChange::set("a", "1")), ("news", StateChange::set("a", "1"))];
    assert_eq!(hub.change_all(changes), Err(PublishError::NotState));
    assert_eq!(hub.stats().held_events, 1, "all or nothing");
    assert_eq!(state.set("k".repeat(257), "x"), Err(PublishError::StateKey(257)));
    state.set("k".repeat(256), "x").unwrap();
    assert!(hub.remove("state").unwrap());
    assert_eq!(state.set("a", "1"), Err(PublishError::Removed));
    hub.publish("state", "now it is another topic").unwrap();
}

#[test]
fn bounds_are_typed_errors_and_removals_make_room() {
    let (clock, hub) = hub();
    let state = hub.state_topic_with("state", TopicBounds::new().events(2)).unwrap();
    state.set("a", "1").unwrap();
    state.set("b", "1").unwrap();
    let id = last_id(&client(&clock, &hub, &["state"], None).text());
    assert_eq!(state.set("c", "1"), Err(PublishError::StateKeys(2)));
    state.set("b", "2").unwrap();
    state.remove("a").unwrap();
    // The removal of `a` is forgotten for the new key.
    state.set("c", "1").unwrap();
    let mut returned = client(&clock, &hub, &["state"], id.as_deref());
    assert_eq!(
        data(&returned.text()),
        ["gap {\"reason\":\"unknown\"}", "b2", "c1"].map(|text| text.replace("b2", "2").replace("c1", "1"))
    );

    let state = hub.state_topic_with("bytes", TopicBounds::new().bytes(1_000)).unwrap();
    assert_eq!(state.set("a", "x".repeat(1_000)), Err(PublishError::StateBytes(1_000)));
    state.set("a", "x".repeat(800)).unwrap();
    assert_eq!(state.set("b", "x".repeat(300)), Err(PublishError::StateBytes(1_000)));
    state.set("a", "x".repeat(100)).unwrap();
    state.set("b", "x".repeat(300)).unwrap();
}

#[test]
fn the_bound_of_the_hub_holds_and_trims_no_state() {
    let clock = Clock::new();
    let hub = Hub::builder().hub_bytes(10_000).build_on(clock.clone());
    let state = hub.state_topic("state").unwrap();
    state.set("a", "x".repeat(6_000)).unwrap();
    assert_eq!(state.set("b", "x".repeat(6_000)), Err(PublishError::StateBytes(10_000)));
    for _ in 0..100 {
        hub.publish("news", "x".repeat(1_000)).unwrap();
    }
    assert!(hub.stats().held_bytes <= 10_000, "{:?}", hub.stats());
    assert_eq!(data(&client(&clock, &hub, &["state"], None).text()), ["x".repeat(6_000)]);
    // Also one large event, which leaves nothing else to trim.
    hub.publish("news", "x".repeat(9_000)).unwrap();
    assert!(hub.topic_stats("state").is_some_and(|stats| stats.held_events == 1));
}

#[test]
fn a_topic_with_keys_makes_no_room_and_one_without_does() {
    let clock = Clock::new();
    let hub = Hub::builder().max_topics(2).build_on(clock.clone());
    for topic in ["one", "two"] {
        hub.change_all([(topic, StateChange::set("a", "1"))]).unwrap();
    }
    assert_eq!(hub.publish("three", "x"), Err(PublishError::TooManyTopics));
    let id = last_id(&client(&clock, &hub, &["one"], None).text());
    hub.change_all([("one", StateChange::remove("a"))]).unwrap();
    hub.publish("three", "x").unwrap();
    assert!(hub.topic_stats("one").is_none());
    hub.remove("three").unwrap();
    let text = client(&clock, &hub, &["one"], id.as_deref()).text();
    assert!(data(&text)[0].starts_with("gap "), "the removal is forgotten: {text}");
}

#[test]
fn the_removal_of_an_unknown_key_creates_no_topic() {
    let clock = Clock::new();
    let hub = Hub::builder().max_topics(2).build_on(clock.clone());
    for topic in ["one", "two", "three"] {
        assert_eq!(hub.change_all([(topic, StateChange::remove("a"))]), Ok(vec![None]));
    }
    assert_eq!(hub.stats().topics, 0);
    hub.publish("four", "x").unwrap();
    // Also not a state topic out of one that somebody follows.
    let _client = client(&clock, &hub, &["five"], None);
    hub.change_all([("five", StateChange::remove("a"))]).unwrap();
    hub.publish("five", "x").unwrap();
}

#[test]
fn changes_of_more_topics_than_the_hub_has_room_for_change_nothing() {
    let clock = Clock::new();
    let hub = Hub::builder().max_topics(2).build_on(clock.clone());
    let changes = ["one", "two", "three"].map(|topic| (topic, StateChange::set("a", "1")));
    assert_eq!(hub.change_all(changes), Err(PublishError::TooManyTopics));
    assert_eq!((hub.stats().topics, hub.stats().published), (0, 0));
    // A topic of the same call makes no room for another one.
    hub.change_all([("one", StateChange::set("a", "1")), ("one", StateChange::remove("a"))]).unwrap();
    let changes = ["two", "one", "three"].map(|topic| (topic, StateChange::set("a", "1")));
    assert_eq!(hub.change_all(changes), Err(PublishError::TooManyTopics));
    assert_eq!(hub.stats().published, 2);
}

#[test]
fn another_handle_and_a_failed_call_change_no_bounds() {
    let (_, hub) = hub();
    let first = hub.state_topic_with("state", TopicBounds::new().events(1)).unwrap();
    first.set("a", "1").unwrap();
    let second = hub.state_topic("state").unwrap();
    assert_eq!(second.set("b", "1"), Err(PublishError::StateKeys(1)));
    for n in 0..5 {
        hub.publish("news", n.to_string()).unwrap();
    }
    assert_eq!(hub.state_topic_with("news", TopicBounds::new().events(1)).unwrap_err(), PublishError::NotState);
    hub.publish("news", "5").unwrap();
    assert_eq!(hub.topic_stats("news").unwrap().held_events, 6);
}

#[test]
fn a_removal_that_a_subscriber_missed_ends_its_stream() {
    let (clock, hub) = hub();
    let state = hub.state_topic_with("state", TopicBounds::new().events(1)).unwrap();
    let (sender, response) = clock.sse().subscribe(&hub, ["state"]).with_sender();
    let mut slow = clock.read(response);
    state.set("a", "1").unwrap();
    let id = last_id(&slow.text());
    state.remove("a").unwrap();
    state.set("b", "2").unwrap();
    assert!(slow.has_ended());
    assert_eq!(sender.close_reason(), Some(CloseReason::Lagged));
    let text = client(&clock, &hub, &["state"], id.as_deref()).text();
    assert_eq!(data(&text), ["gap {\"reason\":\"unknown\"}", "2"]);
}

#[test]
fn state_and_events_share_a_stream() {
    let (clock, hub) = hub();
    hub.publish("news", "old").unwrap();
    let state = hub.state_topic("state").unwrap();
    state.set("a", "a1").unwrap();
    hub.publish("news", "rain").unwrap();
    state.set("b", "b1").unwrap();
    let mut live = client(&clock, &hub, &["news", "state"], None);
    let text = live.text();
    assert_eq!(data(&text), ["a1", "b1"]);
    hub.publish("news", "sun").unwrap();
    state.set("a", "a2").unwrap();
    assert_eq!(data(&live.text()), ["sun", "a2"]);
    // With a replay of the news the client resumes before it until it has the whole state.
    let subscription = clock.sse().keep_alive(None).subscribe(&hub, ["state", "news"]).replay(Replay::All);
    let mut replayed = clock.read(subscription.into_response());
    let text = replayed.text();
    assert_eq!(data(&text), ["b1", "a2", "old", "rain", "sun"]);
    let state_part = text.split("old").next().unwrap();
    let again = client(&clock, &hub, &["state", "news"], last_id(state_part).as_deref()).text();
    assert!(
        ["b1", "a2", "old", "rain", "sun"].iter().all(|expected| data(&again).iter().any(|data| data == expected)),
        "{again}"
    );
}

#[test]
fn a_listener_hears_the_state() {
    let (_, hub) = hub();
    let state = hub.state_topic("state").unwrap();
    state.set("a", "1").unwrap();
    state.set("a", "2").unwrap();
    let mut listener = hub.listen(["state"]).unwrap().replay(Replay::All);
    let heard = |listener: &mut sse_core::hub::Listener| {
        let mut next = tokio_test::task::spawn(listener.next());
        match next.poll() {
            std::task::Poll::Ready(Some(sse_core::hub::Heard::Event(_, event))) => Some(event.data.into_owned()),
            _ => None,
        }
    };
    assert_eq!(heard(&mut listener).as_deref(), Some("2"));
    state.set("a", "3").unwrap();
    assert_eq!(heard(&mut listener).as_deref(), Some("3"));
    assert_eq!(heard(&mut listener), None);
}

#[test]
fn ten_thousand_keys_reach_a_client_that_was_away_once() {
    let (clock, hub) = hub();
    let state = hub.state_topic("state").unwrap();
    let mut client = client(&clock, &hub, &["state"], None);
    client.text();
    for round in 0..20 {
        for key in 0..10_000 {
            state.set(key.to_string(), format!("{key} {round}")).unwrap();
        }
    }
    let seen = data(&client.text());
    assert_eq!(seen.len(), 10_000);
    assert!(seen.iter().all(|seen| seen.ends_with(" 19")));
}

#[derive(Debug, Clone)]
enum Act {
    Set(u8, bool),
    Remove(u8, bool),
    Publish,
    Read(u8),
    Reconnect(u8, bool),
    Pass,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0_u8..6, any::<bool>()).prop_map(|(key, first)| Act::Set(key, first)),
        2 => (0_u8..6, any::<bool>()).prop_map(|(key, first)| Act::Remove(key, first)),
        1 => Just(Act::Publish),
        3 => (0_u8..4).prop_map(Act::Read),
        2 => (0_u8..4, any::<bool>()).prop_map(|(client, cut)| Act::Reconnect(client, cut)),
        1 => Just(Act::Pass),
    ];
    proptest::collection::vec(act, 1..150)
}

/// What a client believes: the value of each key of each topic, and the last event ID.
#[derive(Debug, Default)]
struct Belief {
    values: BTreeMap<String, u64>,
    id: Option<String>,
    news: Vec<u64>,
}

impl Belief {
    fn read(&mut self, text: &str) {
        for block in text.split_inclusive("\n\n").filter(|block| block.ends_with("\n\n")) {
            if let Some(id) = last_id(block) {
                self.id = Some(id);
            }
            let Some((_, data)) = event(block) else { continue };
            if data.starts_with("gap") {
                // The page loads everything anew.
                self.values.clear();
            } else if let Some(key) = data.strip_prefix('-') {
                self.values.remove(key);
            } else if let Some(number) = data.strip_prefix("news ") {
                self.news.push(number.parse().unwrap());
            } else {
                let (key, value) = data.split_once('=').unwrap();
                let value = value.parse().unwrap();
                let before = self.values.insert(key.to_owned(), value);
                assert!(before.is_none_or(|before| before <= value), "{value} after {before:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whoever has read everything knows the state exactly, after any disconnects, also within the load of the state.
    #[test]
    fn every_client_ends_with_the_state(acts in acts(), small in any::<bool>()) {
        let (clock, hub) = hub();
        let bounds = if small { TopicBounds::new().events(7) } else { TopicBounds::new() };
        let topics = ["one", "two"].map(|name| hub.state_topic_with(name, bounds).unwrap());
        let open = |id: Option<&str>| client(&clock, &hub, &["one", "news", "two"], id);
        let mut clients: Vec<(Client, Belief)> = (0..4).map(|_| (open(None), Belief::default())).collect();
        let mut truth = BTreeMap::new();
        let mut n = 0_u64;
        for act in acts {
            n += 1;
            match act {
                Act::Set(key, first) => {
                    let key = format!("{}{key}", if first { "a" } else { "b" });
                    topics[usize::from(!first)].set(&*key, format!("{key}={n}")).unwrap();
                    truth.insert(key, n);
                }
                Act::Remove(key, first) => {
                    let key = format!("{}{key}", if first { "a" } else { "b" });
                    let id = topics[usize::from(!first)].remove(&*key).unwrap();
                    prop_assert_eq!(id.is_some(), truth.remove(&key).is_some());
                }
                Act::Publish => drop(hub.publish("news", format!("news {n}")).unwrap()),
                Act::Read(index) => {
                    let (reader, belief) = &mut clients[usize::from(index)];
                    belief.read(&reader.text());
                    if reader.has_ended() {
                        *reader = open(belief.id.as_deref());
                    }
                }
                Act::Reconnect(index, cut) => {
                    let (reader, belief) = &mut clients[usize::from(index)];
                    if cut {
                        // The connection breaks within what arrives.
                        let text = reader.text();
                        let blocks: Vec<_> = text.split_inclusive("\n\n").collect();
                        belief.read(&blocks[..blocks.len() / 2].concat());
                    }
                    *reader = open(belief.id.as_deref());
                }
                Act::Pass => {}
            }
        }
        for (reader, belief) in &mut clients {
            for _ in 0..3 {
                belief.read(&reader.text());
                if reader.has_ended() {
                    *reader = open(belief.id.as_deref());
                }
            }
            prop_assert_eq!(&belief.values, &truth);
            prop_assert!(belief.news.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", belief.news);
        }
    }
}
