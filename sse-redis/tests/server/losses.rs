//! The server loses entries: each client that is affected receives one gap and continues.

use crate::model::{Client, Node};
use crate::server::{Server, url_over};
use crate::shared::until;
use sse_redis::{NodeState, Redis, StartError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

async fn numbers(node: &Node, range: std::ops::RangeInclusive<u64>) {
    for number in range {
        node.publish_surely("news", &number.to_string()).await;
    }
}

/// T2: `FLUSHALL`, `DEL`, a restart without data, and a log with lower IDs.
pub(crate) async fn wiped(_: bool) -> String {
    let mut server = Server::start(false);
    let nodes: Vec<Node> = (0..2).map(|_| Node::start(&server.url())).collect();
    for node in &nodes {
        node.ready().await;
    }
    let clients: Vec<Client> =
        nodes.iter().map(|node| Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None)).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut number = 0;
    for round in 1..=4 {
        numbers(&nodes[0], number + 1..=number + 20).await;
        number += 20;
        for client in &clients {
            client.wait_for(number, SOON).await;
        }
        match round {
            1 => drop(server.cli(&["FLUSHALL"])),
            2 => drop(server.cli(&["DEL", "{sse}:log"])),
            3 => {
                server.kill();
                server.run();
            }
            // Another log, whose IDs are lower than those that were read.
            _ => {
                server.cli(&["MULTI"]);
                server.cli(&["FLUSHALL"]);
                server.cli(&["HSET", "{sse}:meta", "uid", "another"]);
                server.cli(&["XADD", "{sse}:log", "5-0", "g", "another"]);
            }
        }
        // The gap arrives before any new event, and every new event arrives.
        for client in &clients {
            until("the gap", || client.seen().gaps() == round).await;
        }
        for node in &nodes {
            node.ready().await;
        }
    }
    numbers(&nodes[1], number + 1..=number + 20).await;
    for client in &clients {
        client.wait_for(number + 20, SOON).await;
        let seen = client.check();
        assert_eq!((seen.events(), seen.gaps()), (100, 4), "{seen:?}");
    }
    "4 losses, 1 gap each, every later event".to_owned()
}

/// T3: the replica stops following, the leader stores more events and dies, and the replica is promoted.
pub(crate) async fn lost_tail(_: bool) -> String {
    let (mut one, other) = (Server::start(false), Server::start(false));
    other.follow(&one);
    let cable = one.cable().await;
    let nodes: Vec<Node> = (0..2).map(|_| Node::start(&url_over(&cable))).collect();
    for node in &nodes {
        node.ready().await;
    }
    let clients: Vec<Client> =
        nodes.iter().map(|node| Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None)).collect();
    // This client subscribes to a topic without truncated events, so it loses nothing.
    let quiet = Client::start(Arc::new(Mutex::new(nodes.clone())), "quiet", 0, None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    nodes[0].publish_surely("quiet", "1").await;
    numbers(&nodes[0], 1..=50).await;
    other.wait_for(":51", || other.cli(&["XLEN", "{sse}:log"]).replace(":52", ":51"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    other.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    numbers(&nodes[0], 51..=70).await;
    for client in &clients {
        client.wait_for(70, SOON).await;
    }
    cable.pull();
    one.kill();
    other.cli(&["REPLICAOF", "NO", "ONE"]);
    cable.lead_to(other.address());
    cable.plug();
    numbers(&nodes[1], 71..=90).await;
    nodes[1].publish_surely("quiet", "2").await;
    for client in &clients {
        client.wait_for(90, SOON).await;
        let seen = client.check();
        assert_eq!((seen.events(), seen.gaps()), (90, 1), "{seen:?}");
    }
    quiet.wait_for(2, SOON).await;
    let quiet = quiet.check();
    assert_eq!(clients[0].seen().ids, clients[1].seen().ids);
    format!(
        "20 acknowledged events lost by the server, one gap; a client of another topic received {} gaps",
        quiet.gaps()
    )
}

/// T3 for clients that change between a node that has noticed the failover and a node that cannot notice it.
pub(crate) async fn lost_tail_unknown_to_one(long: bool) -> String {
    let (mut one, other) = (Server::start(false), Server::start(false));
    other.follow(&one);
    let (to_near, to_far) = (one.cable().await, one.cable().await);
    let nodes = vec![Node::start(&url_over(&to_near)), Node::start(&url_over(&to_far))];
    let (near, far) = (&nodes[0], &nodes[1]);
    near.ready().await;
    far.ready().await;
    let hop = Some(Duration::from_millis(20));
    let clients: Vec<Client> =
        (0..8).map(|n| Client::start(Arc::new(Mutex::new(nodes.clone())), "news", n, hop)).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    numbers(near, 1..=50).await;
    other.wait_for("news", || other.cli(&["XREVRANGE", "{sse}:log", "+", "-", "COUNT", "1"]));
    tokio::time::sleep(Duration::from_millis(200)).await;
    other.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    numbers(near, 51..=70).await;
    for client in &clients {
        client.wait_for(70, SOON).await;
    }
    to_near.pull();
    to_far.pull();
    one.kill();
    other.cli(&["REPLICAOF", "NO", "ONE"]);
    to_near.lead_to(other.address());
    to_far.lead_to(other.address());
    to_near.plug();
    near.ready().await;
    // There are no new events yet. The only position is that of the remaining entries.
    tokio::time::sleep(Duration::from_millis(if long { 5_000 } else { 500 })).await;
    assert!(far.redis.state() == NodeState::Stale && clients.iter().all(|client| client.seen().gaps() > 0));
    numbers(near, 71..=90).await;
    for client in &clients {
        client.wait_for(90, SOON).await;
    }
    assert_eq!(far.redis.state(), NodeState::Stale);
    to_far.plug();
    far.ready().await;
    numbers(far, 91..=100).await;
    let mut gaps = 0;
    for client in &clients {
        client.wait_for(100, SOON).await;
        let seen = client.check();
        assert_eq!(seen.events(), 100, "{seen:?}");
        gaps = gaps.max(seen.gaps());
    }
    format!("8 clients back and forth, 100 events each, once; up to {gaps} gaps")
}

/// T9: other nodes publish more than the log keeps, while a node is cut off. A log that is too short is rejected.
pub(crate) async fn trimmed(_: bool) -> String {
    let server = Server::start(false);
    let short = Redis::builder(&server.url()).max_entries(1_023).start().map(drop);
    assert_eq!(short, Err(StartError::TooShort(1_023)));
    let cable = server.cable().await;
    let near = Node::build(Redis::builder(&server.url()).max_entries(1_024));
    let far = Node::build(Redis::builder(&url_over(&cable)).max_entries(1_024));
    near.ready().await;
    far.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![far.clone()])), "news", 0, None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    numbers(&near, 1..=10).await;
    client.wait_for(10, SOON).await;
    cable.pull();
    while far.redis.state() == NodeState::Ready {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    numbers(&near, 11..=3_010).await;
    cable.plug();
    far.ready().await;
    numbers(&near, 3_011..=3_020).await;
    client.wait_for(3_020, SOON).await;
    let seen = client.check();
    assert_eq!(seen.gaps(), 1, "{:?}", seen.wrong);
    // A second cut that is shorter than the log: no gap.
    cable.pull();
    while far.redis.state() == NodeState::Ready {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    numbers(&near, 3_021..=3_900).await;
    cable.plug();
    client.wait_for(3_900, SOON).await;
    let seen = client.check();
    assert_eq!(seen.gaps(), 1, "{:?}", seen.wrong);
    format!("{} events, 1 gap", seen.events())
}
