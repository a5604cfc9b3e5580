//! Several nodes at one log.

use crate::model::{Client, Node, Publisher, sse};
use crate::server::Server;
use futures_util::StreamExt;
use sse_redis::Redis;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// All nodes send all events once and in one order, whichever node published them.
pub(crate) async fn one_order(long: bool) -> String {
    let server = Server::start(false);
    let nodes: Vec<Node> = (0..3).map(|_| Node::start(&server.url())).collect();
    for node in &nodes {
        node.ready().await;
    }
    let clients: Vec<Client> =
        nodes.iter().map(|node| Client::start(Arc::new(Mutex::new(vec![node.clone()])), "one", 0, None)).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let each = if long { 20_000 } else { 300 };
    // One publisher numbers the topic. Other publishers on every node keep the log busy.
    let others: Vec<Publisher> = nodes
        .iter()
        .enumerate()
        .map(|(n, node)| Publisher::start(node.clone(), &format!("other{n}"), Duration::ZERO))
        .collect();
    for number in 1..=each {
        nodes[number % 3].publish_surely("one", &number.to_string()).await;
    }
    for client in &clients {
        client.wait_for(each as u64, Duration::from_secs(10)).await;
    }
    let mut beside = 0;
    for other in others {
        beside += other.stop().await.0;
    }
    let seen: Vec<_> = clients.iter().map(Client::check).collect();
    assert!(seen.iter().all(|one| one.ids == seen[0].ids && one.gaps() == 0));
    format!("{each} events on 3 nodes in one order, {beside} beside them")
}

/// T12: the log is empty when the node starts. Events are published during the start and between two reads.
pub(crate) async fn empty_log(long: bool) -> String {
    let server = Server::start(false);
    let mut events = 0;
    for round in 0..if long { 50 } else { 4 } {
        server.cli(&["FLUSHALL"]);
        let node = Node::start(&server.url());
        let publisher = Publisher::start(node.clone(), "news", Duration::from_millis(7));
        node.ready().await;
        let client = Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", round, None);
        // Longer than a read waits at the server.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let (last, _) = publisher.stop().await;
        client.wait_for(last, Duration::from_secs(5)).await;
        let seen = client.check();
        assert_eq!(seen.gaps(), 0);
        events += seen.events();
        node.redis.stop();
    }
    format!("{events} events")
}

/// T14: nodes end one after the other and are replaced, while clients read.
pub(crate) async fn rolling_restart(long: bool) -> String {
    let server = Server::start(false);
    let nodes: Vec<Node> = (0..3).map(|_| Node::start(&server.url())).collect();
    for node in &nodes {
        node.ready().await;
    }
    let publisher_node = Node::build(Redis::builder(&server.url()));
    publisher_node.ready().await;
    let nodes = Arc::new(Mutex::new(nodes));
    let many = if long { 2_000 } else { 60 };
    let clients: Vec<Client> = (0..many).map(|n| Client::start(nodes.clone(), "news", n, None)).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let publisher = Publisher::start(publisher_node, "news", Duration::from_millis(5));
    for which in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let fresh = Node::start(&server.url());
        fresh.ready().await;
        let old = std::mem::replace(&mut nodes.lock().unwrap()[which], fresh);
        let left = old.hub.drain(Duration::from_millis(500)).await;
        assert_eq!(left, 0);
        old.redis.stop();
    }
    let (last, _) = publisher.stop().await;
    let mut events = 0;
    for client in &clients {
        client.wait_for(last, Duration::from_secs(20)).await;
        let seen = client.check();
        assert_eq!(seen.gaps(), 0);
        events += seen.events();
    }
    format!("{many} clients, {events} events, 0 gaps, 3 nodes replaced")
}

/// The time from a publish on one node to a client of another node: the median and the 99th percentile.
pub(crate) async fn latency(long: bool) -> String {
    let server = Server::start(false);
    let (one, other) = (Node::start(&server.url()), Node::start(&server.url()));
    one.ready().await;
    other.ready().await;
    let mut body = Box::pin(sse("").subscribe(&other.hub, ["news"]).into_response().into_body());
    body.next().await;
    let mut took = Vec::new();
    for number in 0..if long { 20_000 } else { 300 } {
        let begun = Instant::now();
        one.redis.publish("news", number.to_string()).await.expect("it is stored");
        body.next().await;
        took.push(begun.elapsed());
    }
    took.sort();
    let at = |share: f64| took[(took.len() as f64 * share) as usize];
    format!("from a publish to a client of another node: p50 {:.0?}, p99 {:.0?}", at(0.5), at(0.99))
}
