//! The server is unreachable for a while and keeps its data: no client misses an event, and no client receives a gap.

use crate::model::{Client, Node, Publisher};
use crate::server::{Server, url_over};
use crate::shared::until;
use sse_core::Event;
use sse_redis::{NodeState, Redis, RedisPublishError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Two nodes, one client of each node, and a publisher at the first node.
struct Scene {
    nodes: Vec<Node>,
    clients: Vec<Client>,
    publisher: Publisher,
}

impl Scene {
    async fn set(url: &str) -> Self {
        let nodes: Vec<Node> = (0..2).map(|_| Node::start(url)).collect();
        for node in &nodes {
            node.ready().await;
        }
        let alone = |node: &Node| Arc::new(Mutex::new(vec![node.clone()]));
        let clients = nodes.iter().map(|node| Client::start(alone(node), "news", 0, None)).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let publisher = Publisher::start(nodes[0].clone(), "news", Duration::from_millis(1));
        Self { nodes, clients, publisher }
    }

    /// The time until every client receives a new event.
    async fn live_again(&self) -> Duration {
        let begun = Instant::now();
        let wanted = self.publisher.stored() + 1;
        for client in &self.clients {
            client.wait_for(wanted, Duration::from_secs(30)).await;
        }
        begun.elapsed()
    }

    /// Checks that every client received every event once, without a gap.
    async fn whole(self) -> String {
        let (last, outcomes) = self.publisher.stop().await;
        for client in &self.clients {
            client.wait_for(last, Duration::from_secs(20)).await;
        }
        let seen: Vec<_> = self.clients.iter().map(Client::check).collect();
        assert!(seen.iter().all(|seen| seen.gaps() == 0 && seen.events() == last), "{seen:?}");
        assert_eq!(seen[0].ids, seen[1].ids);
        self.nodes.iter().for_each(|node| node.redis.stop());
        format!("{last} events, 0 gaps, {} maybe stored, {} refused", outcomes.maybe, outcomes.refused)
    }
}

/// T1.
pub(crate) async fn killed_and_kept(long: bool) -> String {
    let mut server = Server::start(true);
    server.cli(&["CONFIG", "SET", "appendfsync", "always"]);
    let scene = Scene::set(&server.url()).await;
    let mut slowest = Duration::ZERO;
    let rounds = if long { 20 } else { 3 };
    for _ in 0..rounds {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.run();
        slowest = slowest.max(scene.live_again().await);
    }
    format!("{rounds} kills, live again after {slowest:.0?} at most, {}", scene.whole().await)
}

/// T4: `FAILOVER`, and the address moves to the new leader, as a virtual address or a DNS name does.
pub(crate) async fn graceful_failover(long: bool) -> String {
    let (one, other) = (Server::start(false), Server::start(false));
    other.follow(&one);
    let cable = one.cable().await;
    let scene = Scene::set(&url_over(&cable)).await;
    let mut slowest = Duration::ZERO;
    let rounds = if long { 10 } else { 2 };
    let (mut master, mut replica) = (&one, &other);
    for _ in 0..rounds {
        tokio::time::sleep(Duration::from_millis(300)).await;
        master.cli(&["FAILOVER"]);
        replica.wait_for("role:master", || replica.cli(&["INFO", "replication"]));
        master.wait_for("role:slave", || master.cli(&["INFO", "replication"]));
        cable.lead_to(replica.address());
        cable.pull();
        cable.plug();
        slowest = slowest.max(scene.live_again().await);
        (master, replica) = (replica, master);
        master.wait_for("state=online", || master.cli(&["INFO", "replication"]));
    }
    format!("{rounds} failovers, live again after {slowest:.0?} at most, {}", scene.whole().await)
}

/// T6: the server is stopped for less and for more than the deadline of a publish, of a reply and of a probe.
pub(crate) async fn stands_still(long: bool) -> String {
    let server = Server::start(false);
    let scene = Scene::set(&server.url()).await;
    let mut slowest = Duration::ZERO;
    let stops: &[u64] = if long { &[500, 1_500, 3_000, 7_000, 12_000, 22_000] } else { &[500, 3_000] };
    for stop in stops {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.signal("-STOP");
        tokio::time::sleep(Duration::from_millis(*stop)).await;
        server.signal("-CONT");
        slowest = slowest.max(scene.live_again().await);
    }
    format!("stopped for {stops:?} ms, live again after {slowest:.0?} at most, {}", scene.whole().await)
}

/// T7: bytes to the server, bytes from the server, or both are lost.
pub(crate) async fn cut_off(long: bool) -> String {
    let server = Server::start(false);
    let cable = server.cable().await;
    let far = Node::start(&url_over(&cable));
    let scene = Scene::set(&server.url()).await;
    far.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![far.clone()])), "news", 0, None);
    scene.live_again().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut noticed = Duration::ZERO;
    let ways: &[(bool, bool)] = if long { &[(true, true), (true, false), (false, true)] } else { &[(true, true)] };
    for (to, from) in ways {
        let begun = Instant::now();
        cable.swallow(*to, *from);
        while far.redis.state() != NodeState::Stale {
            assert!(begun.elapsed() < Duration::from_secs(20), "it was not noticed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        noticed = noticed.max(begun.elapsed());
        assert!(!far.redis.is_ready());
        // The stream of the client stays open, and other clients resume.
        assert_eq!(far.hub.stats().streams, 1);
        cable.swallow(false, false);
        // The connections miss bytes in the middle, so they must be replaced.
        cable.pull();
        cable.plug();
        far.ready().await;
    }
    let wanted = scene.publisher.stored();
    client.wait_for(wanted, Duration::from_secs(20)).await;
    assert_eq!(client.check().gaps(), 0);
    let whole = scene.whole().await;
    format!("noticed within {noticed:.1?}, {whole}")
}

/// T8: 200 ms and 1 MB/s between a node and the server, and few publishes in flight.
pub(crate) async fn slow(long: bool) -> String {
    let server = Server::start(false);
    let cable = server.cable().await;
    let builder = Redis::builder(&url_over(&cable)).in_flight(8).deadline(Duration::from_millis(1_000));
    let node = Node::build(builder);
    node.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None);
    tokio::time::sleep(Duration::from_millis(200)).await;
    cable.slow(Duration::from_millis(200), 1_000_000);
    let many = if long { 2_000 } else { 200 };
    let burst = (0..many).map(|_| {
        let node = node.clone();
        tokio::spawn(async move { node.redis.publish("burst", Event::data("x".repeat(2_000))).await })
    });
    let burst: Vec<_> = burst.collect();
    let (mut stored, mut overloaded, mut other) = (0, 0, 0);
    for one in burst {
        match one.await.expect("it publishes") {
            Ok(_) => stored += 1,
            Err(RedisPublishError::Overloaded) => overloaded += 1,
            Err(_) => other += 1,
        }
    }
    assert!(overloaded > 0 && stored > 0, "{stored} stored, {overloaded} overloaded, {other} other");
    for number in 1..=10 {
        node.publish_surely("news", &number.to_string()).await;
    }
    client.wait_for(10, Duration::from_secs(30)).await;
    assert_eq!(client.check().gaps(), 0);
    format!("of {many} at once {stored} stored, {overloaded} overloaded, {other} maybe stored or refused")
}

/// The connection that carried a publish is replaced, and its bytes reach the server after the repetition.
pub(crate) async fn late_first_attempt(_: bool) -> String {
    let server = Server::start(false);
    let cable = server.cable().await;
    let near = Node::build(Redis::builder(&url_over(&cable)).deadline(Duration::from_millis(300)));
    let far = Node::start(&server.url());
    near.ready().await;
    far.ready().await;
    let clients = [&near, &far].map(|node| Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None));
    near.publish_surely("news", "1").await;
    cable.hold();
    let first = near.redis.publish("news", "2").await;
    let Err(RedisPublishError::MaybeStored(id)) = first else { panic!("{first:?}") };
    let begun = Instant::now();
    while near.redis.publish_again(id, "news", "2").await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", near.redis.last_error());
    }
    for client in &clients {
        client.wait_for(2, Duration::from_secs(30)).await;
    }
    let before = [&near, &far].map(|node| node.redis.stats().repetitions);
    cable.release();
    // The repetition has the field `r`, and the first attempt has not.
    until("the first attempt arrives", || {
        let log = server.cli(&["XRANGE", "{sse}:log", "-", "+"]);
        log.split(&id.to_string()).skip(1).any(|entry| !entry.contains("\r\nr\r\n"))
    })
    .await;
    far.publish_surely("news", "3").await;
    for (client, (node, before)) in clients.iter().zip([&near, &far].into_iter().zip(before)) {
        client.wait_for(3, Duration::from_secs(30)).await;
        let seen = client.check();
        assert_eq!((seen.events(), seen.gaps()), (3, 0), "{seen:?}");
        assert!(node.redis.stats().repetitions > before, "{:?}", node.redis.stats());
    }
    "3 events, each once".to_owned()
}
