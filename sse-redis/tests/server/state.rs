//! State topics on several nodes.

use crate::model::{Node, sse};
use crate::server::Server;
use futures_util::StreamExt;
use sse_core::hub::{EventId, StateChange, TopicBounds};
use sse_core::{Event, EventStream, Tokio};
use sse_redis::{Redis, RedisPublishError};
use sse_test_support::reader::{Habits, Reader};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

const MOST: Duration = Duration::from_secs(30);

/// A client of topics at one node. The data of an event are a key and a number.
struct Page {
    topics: Vec<&'static str>,
    node: Node,
    body: Pin<Box<EventStream<Tokio>>>,
    reader: Reader,
    values: BTreeMap<String, u64>,
    /// The events in their order: the data, `-KEY` for a removal, and `gap`.
    log: Vec<String>,
}

impl Page {
    fn open(node: &Node, topics: &[&'static str]) -> Self {
        let reader = Reader::with(Habits::BROWSERS[0]);
        let body = Box::pin(sse("").subscribe(&node.hub, topics).into_response().into_body());
        let (topics, node) = (topics.to_vec(), node.clone());
        Self { topics, node, body, reader, values: BTreeMap::new(), log: Vec::new() }
    }

    fn id(&self) -> String {
        self.reader.last_event_id().unwrap_or_default().to_owned()
    }

    /// Disconnects, and connects to this node.
    async fn move_to(&mut self, node: &Node) {
        self.node = node.clone();
        self.reader.reconnect();
        if let Some(id) = EventId::parse(&self.id()) {
            node.redis.wait_for(id).await;
        }
        self.body = Box::pin(sse(&self.id()).subscribe(&node.hub, &self.topics).into_response().into_body());
    }

    /// Reads the next chunk, or reconnects to the same node.
    async fn read(&mut self) {
        let Some(chunk) = self.body.next().await else { return self.move_to(&self.node.clone()).await };
        for event in self.reader.dispatched(&chunk).into_iter().filter(|event| !event.is_reserved()) {
            match &*event.event_type {
                "gap" => {
                    self.values.clear();
                    self.log.push("gap".to_owned());
                }
                "removed" => {
                    let key = event.data.split('"').nth(3).expect("a key").to_owned();
                    self.values.remove(&key);
                    self.log.push(format!("-{key}"));
                }
                _ => {
                    let (key, number) = event.data.split_once(' ').expect("a key and a number");
                    let number = number.parse().expect("a number");
                    let before = self.values.insert(key.to_owned(), number);
                    assert!(before.is_none_or(|before| before <= number), "{key}: {number} after {before:?}");
                    self.log.push(event.data.clone());
                }
            }
        }
    }

    /// Reads until the page has these values.
    async fn until(&mut self, expected: &BTreeMap<String, u64>) {
        let reads = async {
            while self.values != *expected {
                self.read().await;
            }
        };
        let result = timeout(MOST, reads).await;
        assert!(result.is_ok(), "{:?}, not {expected:?}: {:?}", self.values, self.log);
    }
}

fn values<const N: usize>(values: [(&str, u64); N]) -> BTreeMap<String, u64> {
    values.map(|(key, number)| (key.to_owned(), number)).into()
}

fn event(key: &str, number: u64) -> Event<'static> {
    Event::data(format!("{key} {number}"))
}

async fn two_nodes(server: &Server) -> (Node, Node) {
    let (one, other) = (Node::start(&server.url()), Node::start(&server.url()));
    one.ready().await;
    other.ready().await;
    (one, other)
}

/// A key that one node sets is seen on every node, and a client resumes on any node by one ID.
pub(crate) async fn every_node(_: bool) -> String {
    let server = Server::start(false);
    let (one, other) = two_nodes(&server).await;
    let prices = one.redis.state_topic("prices");
    let mut page = Page::open(&other, &["prices"]);
    let first = prices.set("a", event("a", 1)).await.unwrap();
    let second = prices.set("b", event("b", 1)).await.unwrap();
    assert!(first < second);
    page.until(&values([("a", 1), ("b", 1)])).await;
    other.redis.state_topic("prices").set("a", event("a", 2)).await.unwrap();
    page.until(&values([("a", 2), ("b", 1)])).await;
    let mut fresh = Page::open(&other, &["prices"]);
    fresh.until(&values([("a", 2), ("b", 1)])).await;
    assert_eq!(fresh.log, ["b 1", "a 2"]);

    assert_eq!(prices.remove("x").await, Ok(None));
    prices.remove("b").await.unwrap().expect("an ID");
    page.until(&values([("a", 2)])).await;

    // Changes while the client is away, and another node.
    let away = page.log.len();
    prices.set("a", event("a", 3)).await.unwrap();
    prices.set("c", event("c", 1)).await.unwrap();
    let last = prices.set("a", event("a", 4)).await.unwrap();
    one.redis.wait_for(last).await;
    page.move_to(&one).await;
    page.until(&values([("a", 4), ("c", 1)])).await;
    assert_eq!(page.log[away..], ["c 1", "a 4"]);

    // Topics of both kinds on one stream, changes of several topics, and a publisher without a node.
    let mut both = Page::open(&other, &["left", "news", "right"]);
    let set = |key: &str, number| StateChange::set(key, event(key, number));
    let ids = one.redis.change_all([("left", set("ann", 1)), ("right", StateChange::remove("ann"))]).await.unwrap();
    assert!(ids[0].is_some() && ids[1].is_none());
    both.until(&values([("ann", 1)])).await;
    one.redis.publish("news", event("news", 7)).await.unwrap();
    let publisher = Redis::builder(&server.url()).publisher().unwrap();
    publisher.change_all([("left", StateChange::remove("ann")), ("right", set("ann", 2))]).await.unwrap();
    publisher.state_topic("right").set("bob", event("bob", 1)).await.unwrap();
    both.until(&values([("ann", 2), ("news", 7), ("bob", 1)])).await;
    assert_eq!(both.log, ["ann 1", "news 7", "-ann", "ann 2", "bob 1"]);

    // A program in another language runs the same script.
    let change = |changes: &[&str]| {
        let script = include_str!("../../src/change.lua");
        let keys = ["{sse}:log", "{sse}:state", "{sse}:state:left", "{sse}:state:right"];
        server.cli(&[&["EVAL", script, "4"], &keys[..], &["100000", "67108864"], changes].concat())
    };
    let reply =
        change(&["10", "4000", "right", "bob", "set", "2", "d", "bob 2", "10", "4000", "left", "x", "unset", "0"]);
    assert!(reply.starts_with("*3\r\n$2\r\nok\r\n"), "{reply}");
    both.until(&values([("ann", 2), ("news", 7), ("bob", 2)])).await;
    let reply = change(&["1", "4000", "right", "eve", "set", "2", "d", "eve 1"]);
    assert!(reply.starts_with("*2\r\n$4\r\nkeys\r\n:1\r\n"), "{reply}");

    // The kinds are kept apart, and a removed topic is free again.
    assert_eq!(one.redis.publish("prices", "x").await, Err(RedisPublishError::State));
    assert_eq!(one.redis.publish_all([("prices", "x")]).await, Err(RedisPublishError::State));
    one.redis.wait_for(one.redis.publish("news", event("news", 8)).await.unwrap()).await;
    assert_eq!(one.redis.state_topic("news").set("a", "1").await, Err(RedisPublishError::NotState));
    let removed = one.redis.remove("prices").await.unwrap();
    assert!(!server.cli(&["HKEYS", "{sse}:state"]).contains(":prices"));
    assert!(server.cli(&["EXISTS", "{sse}:state:prices"]).starts_with(":0"));
    other.redis.wait_for(removed).await;
    let late = Node::start(&server.url());
    late.ready().await;
    assert!(late.hub.topic_stats("prices").is_none());
    let last = one.redis.publish("prices", event("prices", 9)).await.unwrap();
    late.redis.wait_for(last).await;
    assert!(!late.hub.topic_stats("prices").unwrap().is_state);
    "sets, removals, batches and kinds of topics on 2 nodes".to_owned()
}

/// A node that starts after the log was trimmed has every key, and knows the removals since the oldest entry that it has loaded.
pub(crate) async fn late_node(long: bool) -> String {
    let server = Server::start(false);
    let (one, _) = two_nodes(&server).await;
    let keys = if long { 20_000 } else { 1_000 };
    let set = |key: u64, number| {
        let name = format!("k{key}");
        ("many", StateChange::set(&*name, event(&name, number)))
    };
    let (mut expected, mut early) = (BTreeMap::new(), None);
    for from in (0..keys).step_by(500) {
        let changes = (from..from + 500).map(|key| set(key, 1));
        let ids = one.redis.change_all(changes).await.unwrap();
        assert!(ids.iter().all(Option::is_some));
        early = early.or(ids[1]);
        expected.extend((from..from + 500).map(|key| (format!("k{key}"), 1)));
    }
    let removed: Vec<_> = (0..keys).step_by(3).map(|key| ("many", StateChange::remove(format!("k{key}")))).collect();
    for removals in removed.chunks(500) {
        one.redis.change_all(removals.to_vec()).await.unwrap();
    }
    expected.retain(|key, _| !key[1..].parse::<u64>().is_ok_and(|key| key.is_multiple_of(3)));
    let mut page = Page::open(&one, &["many", "few"]);
    let few = one.redis.state_topic("few");
    few.set("first", event("first", 1)).await.unwrap();
    expected.insert("first".to_owned(), 1);
    page.until(&expected).await;
    // What the page misses: a change, a removal, a new key, and many events of other topics.
    page.reader.reconnect();
    one.redis.change_all([set(1, 2), ("many", StateChange::remove("k2"))]).await.unwrap();
    few.set("second", event("second", 1)).await.unwrap();
    expected.insert("k1".to_owned(), 2);
    expected.remove("k2");
    expected.insert("second".to_owned(), 1);
    let mut last = None;
    for _ in 0..8 {
        last = one.redis.publish_all((0..200).map(|_| ("other", "x"))).await.unwrap().pop();
    }
    server.cli(&["XTRIM", "{sse}:log", "MAXLEN", "=", "1700"]);

    let late = Node::build(Redis::builder(&server.url()).window(1_690));
    late.ready().await;
    let mut fresh = Page::open(&late, &["few", "many"]);
    fresh.until(&expected).await;
    assert_eq!(fresh.log.len(), expected.len());
    let before = page.log.len();
    page.move_to(&late).await;
    page.until(&expected).await;
    assert_eq!(page.log[before..], ["k1 2", "-k2", "second 1"]);

    // A client with an ID from before the window may have missed removals, as far as this node knows.
    expected.retain(|key, _| key.starts_with('k'));
    let small = Node::build(Redis::builder(&server.url()).window(10));
    small.ready().await;
    let id = last.expect("an ID");
    small.redis.wait_for(id).await;
    assert_eq!(small.hub.topic_stats("many").unwrap().held_events, expected.len());
    let old = early.expect("an ID");
    timeout(MOST, small.redis.wait_for(old)).await.expect("it is known that the ID never arrives");
    let mut page = Page::open(&small, &["many"]);
    page.body = Box::pin(sse(&old.to_string()).subscribe(&small.hub, ["many"]).into_response().into_body());
    page.until(&expected).await;
    assert_eq!((page.log.len(), &*page.log[0]), (expected.len() + 1, "gap"));
    format!("{keys} keys, {} of them left, in a log of 1,700 entries", expected.len())
}

/// At a bound nothing is changed, and the error names the bound.
pub(crate) async fn bounds(_: bool) -> String {
    let server = Server::start(false);
    let hub = || sse_core::Hub::builder().topic_bytes(10_000).hub_bytes(15_000);
    let node = Node::build(Redis::builder(&server.url()).hub(hub()));
    node.ready().await;
    let few = node.redis.state_topic_with("few", TopicBounds::new().events(2));
    few.set("a", event("a", 1)).await.unwrap();
    few.set("b", event("b", 1)).await.unwrap();
    assert_eq!(few.set("c", event("c", 1)).await, Err(RedisPublishError::StateKeys(2)));
    few.set("a", event("a", 2)).await.unwrap();
    few.remove("b").await.unwrap();
    few.set("c", event("c", 1)).await.unwrap();

    let big = node.redis.state_topic("big");
    let text = |len: usize| Event::data("x".repeat(len));
    big.set("a", text(6_000)).await.unwrap();
    assert_eq!(big.set("b", text(4_000)).await, Err(RedisPublishError::StateBytes(10_000)));
    let too_much = [("big", StateChange::remove("a")), ("other", StateChange::set("a", text(11_000)))];
    assert_eq!(node.redis.change_all(too_much).await, Err(RedisPublishError::StateBytes(10_000)));
    let moved = [("big", StateChange::set("a", text(8_000))), ("other", StateChange::set("a", text(8_000)))];
    // All states together have more than `hub_bytes`.
    assert_eq!(node.redis.change_all(moved).await, Err(RedisPublishError::StateBytes(10_000)));
    let long = "k".repeat(257);
    assert_eq!(big.set(&long, "x").await, Err(RedisPublishError::StateKey(257)));
    let many = (0..1_025).map(|key| ("many", StateChange::set(key.to_string(), "x")));
    assert_eq!(node.redis.change_all(many).await, Err(RedisPublishError::TooMany));

    // Nothing of the failed calls was stored, and the sizes return to 0 with the keys.
    let last = big.set("a", text(6_000)).await.unwrap();
    node.redis.wait_for(last).await;
    assert_eq!(node.hub.stats().published, 7);
    let all = [("big", "a"), ("few", "a"), ("few", "c")].map(|(topic, key)| (topic, StateChange::remove(key)));
    node.redis.change_all(all).await.unwrap();
    assert!(server.cli(&["EXISTS", "{sse}:state", "{sse}:state:big", "{sse}:state:few"]).starts_with(":0"));
    "keys, bytes of a topic, bytes of all topics".to_owned()
}

/// A restart that keeps the data keeps the state, and a loss of the data is a gap and an empty state.
pub(crate) async fn restarts(_: bool) -> String {
    // By default the server can lose what it stored while it writes to the disk.
    let mut server = Server::with(|_| ["--appendonly", "yes", "--appendfsync", "always"].map(str::to_owned).to_vec());
    let (one, other) = two_nodes(&server).await;
    let prices = one.redis.state_topic("prices");
    prices.set("a", event("a", 1)).await.unwrap();
    prices.set("b", event("b", 1)).await.unwrap();
    let mut page = Page::open(&other, &["prices"]);
    page.until(&values([("a", 1), ("b", 1)])).await;
    server.kill();
    server.run();
    set_surely(&one, "a", 2).await;
    page.until(&values([("a", 2), ("b", 1)])).await;
    let late = Node::build(Redis::builder(&server.url()).window(1));
    late.ready().await;
    Page::open(&late, &["prices"]).until(&values([("a", 2), ("b", 1)])).await;
    assert!(!page.log.contains(&"gap".to_owned()));

    server.cli(&["FLUSHALL"]);
    set_surely(&one, "c", 1).await;
    page.until(&values([("c", 1)])).await;
    assert_eq!(page.log.iter().filter(|event| *event == "gap").count(), 1);
    // Without its log the state is lost too.
    server.cli(&["DEL", "{sse}:log"]);
    set_surely(&one, "d", 1).await;
    page.until(&values([("d", 1)])).await;
    for node in [&one, &other, &late] {
        Page::open(node, &["prices"]).until(&values([("d", 1)])).await;
    }
    "2 keys over a restart, 1 gap for each of 2 losses".to_owned()
}

/// Sets a key of the topic `prices` until it is stored.
async fn set_surely(node: &Node, key: &str, number: u64) {
    let prices = node.redis.state_topic("prices");
    let sets = async {
        while let Err(error) = prices.set(key, event(key, number)).await {
            let is_expected = matches!(error, RedisPublishError::NotStored(_) | RedisPublishError::MaybeStored(_));
            assert!(is_expected, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(MOST, sets).await.expect("it is stored");
}

/// Clients change nodes all the time, and nodes are replaced, while keys are set and removed on every node.
pub(crate) async fn hops(long: bool) -> String {
    let server = Server::start(false);
    let mut nodes: Vec<Node> = (0..3).map(|_| Node::start(&server.url())).collect();
    for node in &nodes {
        node.ready().await;
    }
    let mut pages: Vec<Page> = (0..6).map(|page| Page::open(&nodes[page % 3], &["prices", "news"])).collect();
    let mut expected = BTreeMap::new();
    let rounds = if long { 2_000 } else { 60 };
    for round in 1..=rounds {
        let node = &nodes[round % 3];
        let key = format!("k{}", round * 7 % 12);
        if round % 5 == 0 {
            node.redis.state_topic("prices").remove(&key).await.unwrap();
            expected.remove(&key);
        } else {
            node.redis.state_topic("prices").set(&key, event(&key, round as u64)).await.unwrap();
            expected.insert(key, round as u64);
        }
        let page = &mut pages[round % 6];
        // A part of what has arrived, so that some clients leave within the state.
        let _ = timeout(Duration::from_millis(1), page.read()).await;
        page.move_to(&nodes[(round + round / 6) % 3]).await;
        if round % (rounds / 6) == 0 {
            let fresh = Node::build(Redis::builder(&server.url()).window(if long { 500 } else { 20 }));
            fresh.ready().await;
            let old = std::mem::replace(&mut nodes[round % 3], fresh);
            for page in &mut pages {
                page.move_to(&nodes[round % 3]).await;
            }
            old.redis.stop();
        }
    }
    let mut gaps = 0;
    for page in &mut pages {
        page.until(&expected).await;
        gaps += page.log.iter().filter(|event| *event == "gap").count();
    }
    format!("{rounds} changes, 6 clients that change nodes with each, {gaps} gaps")
}
