//! Nodes of several logs over the same two connections.

use crate::model::{Client, Node};
use crate::server::Server;
use sse_core::Event;
use sse_redis::{NodeState, NotStored, Problem};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

/// The number of connections of nodes.
pub(crate) fn connections(server: &Server) -> usize {
    server.cli(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("name=sse-redis-")).count()
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A log that cannot be read, a stopped node and a restart of the server do not disturb the other logs.
pub(crate) async fn logs(_: bool) -> String {
    let mut server = Server::start(true);
    let first = Node::start(&server.url());
    first.ready().await;
    // Each new log interrupts the read that waits for the others.
    let mut nodes = Vec::new();
    for number in 0..5 {
        let node = Node::build(first.redis.with_log(&format!("log{number}")));
        node.ready().await;
        nodes.push(node);
    }
    assert!(server.cli(&["INFO", "commandstats"]).contains("cmdstat_client|unblock"));
    server.cli(&["SET", "{bad}:log", "text"]);
    let bad = Node::build(first.redis.with_log("bad"));
    until(
        "the log is no stream",
        || matches!(bad.redis.problem(), Some(Problem::Server(text)) if text.contains("WRONGTYPE")),
    )
    .await;
    let clients: Vec<_> =
        nodes.iter().map(|node| Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None)).collect();
    let publish = async |range: std::ops::RangeInclusive<u64>| {
        let last = *range.end();
        for number in range {
            for node in &nodes {
                node.publish_surely("news", &number.to_string()).await;
            }
        }
        for client in &clients {
            client.wait_for(last, SOON).await;
        }
    };
    publish(1..=50).await;
    assert!(nodes.iter().all(|node| node.redis.state() == NodeState::Ready && node.redis.problem().is_none()));
    server.cli(&["DEL", "{bad}:log"]);
    bad.ready().await;

    first.redis.stop();
    let stopped = first.redis.publish("news", Event::data("x")).await;
    assert_eq!(stopped, Err(NotStored::Stopped.into()));
    publish(51..=100).await;
    server.kill();
    server.run();
    publish(101..=150).await;
    for client in &clients {
        let seen = client.check();
        assert_eq!((seen.events(), seen.gaps()), (150, 0), "{seen:?}");
    }
    assert_eq!(connections(&server), 2);

    let publisher = nodes[0].redis.with_log("log1").publisher().expect("it starts");
    publisher.publish("news", "151").await.expect("it is stored");
    clients[1].wait_for(151, SOON).await;
    nodes.iter().chain([&bad]).for_each(|node| node.redis.stop());
    until("one connection remains", || connections(&server) == 1).await;
    publisher.publish("news", "152").await.expect("it is stored");
    // A stopped node still makes builders, and its connections open again.
    let again = Node::build(nodes[0].redis.with_log("log1"));
    again.ready().await;
    assert_eq!(again.hub.stats().held_events, 152);
    again.redis.stop();
    drop(publisher);
    until("no connection remains", || connections(&server) == 0).await;
    "5 logs over 2 connections, 150 events each, 0 gaps".to_owned()
}
