//! Clients resume on any node.

use crate::model::{Client, Node, Publisher, sse};
use crate::server::Server;
use sse_core::hub::EventId;
use sse_core::{Event, Resumption};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// T10.
pub(crate) async fn hops(long: bool) -> String {
    let server = Server::start(false);
    let nodes: Vec<Node> = (0..3).map(|_| Node::start(&server.url())).collect();
    for node in &nodes {
        node.ready().await;
    }
    let shared = Arc::new(Mutex::new(nodes.clone()));
    let hop = Some(Duration::from_millis(4));
    let clients: Vec<Client> = (0..8).map(|n| Client::start(shared.clone(), "news", n, hop)).collect();
    let steady = Client::start(shared.clone(), "news", 0, None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let publisher = Publisher::start(nodes[0].clone(), "news", Duration::from_millis(1));
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(if long { 30 } else { 2 })).await;
    let cycles = begun.elapsed().as_millis() / 7 * clients.len() as u128;
    let (last, _) = publisher.stop().await;
    steady.wait_for(last, Duration::from_secs(10)).await;
    let mut refused = 0;
    for client in &clients {
        client.wait_for(last, Duration::from_secs(10)).await;
        let seen = client.check();
        assert_eq!(seen.gaps(), 0);
    }
    for node in &nodes {
        refused += node.hub.stats().ended(sse_core::CloseReason::Drained);
    }
    format!("about {cycles} hops, {last} events, 0 gaps; {refused} asked to retry later")
}

/// T11: old, foreign, future and malformed IDs. None of them is resumed silently.
pub(crate) async fn foreign_ids(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    node.ready().await;
    let id = node.redis.publish("news", Event::data("1")).await.expect("it is stored");
    let begun = Instant::now();
    loop {
        // Until the node has read the entry, the client is asked to retry later. It never receives a gap.
        let subscription = sse(&id.to_string()).subscribe(&node.hub, ["news"]);
        match subscription.id() {
            None => assert!(begun.elapsed() < Duration::from_secs(5)),
            Some(_) => {
                assert_eq!(subscription.resumption(), Resumption::Resumed);
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (ms, seq) = id.position();
    let strange = [
        format!("{ms}.{seq}-{:08x}", id.tag() ^ 1),
        format!("1-{:08x}", id.tag()),
        "0-00000000".to_owned(),
        "5".to_owned(),
        "../../etc".to_owned(),
        "p0.1-2".to_owned(),
        "x".repeat(128),
    ];
    // A well-formed ID may belong to an entry that is not read yet. Its client is asked to retry later, and receives a gap
    // after two rounds.
    let future = format!("{}-00000001", ms + 3_600_000);
    let begun = Instant::now();
    let ids: Vec<_> = strange.iter().chain([&future]).collect();
    // The two rounds of all IDs begin now.
    ids.iter().for_each(|id| drop(sse(id).subscribe(&node.hub, ["news"])));
    for id in ids {
        loop {
            let subscription = sse(id).subscribe(&node.hub, ["news"]);
            if subscription.id().is_some() {
                assert_eq!(subscription.resumption(), Resumption::Gap, "{id}");
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{id}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    format!("{} unknown IDs, a gap each, within {:.1?}", strange.len() + 1, begun.elapsed())
}

/// `wait_for` returns once the node knows the ID, so the client resumes at once on any node. It also returns for an ID that
/// no node knows, whose client then receives a gap.
pub(crate) async fn waited_for(long: bool) -> String {
    let server = Server::start(false);
    let nodes = [Node::start(&server.url()), Node::start(&server.url())];
    for node in &nodes {
        node.ready().await;
    }
    let events = if long { 10_000 } else { 200 };
    for number in 0..events {
        let id = nodes[0].redis.publish("news", Event::data(number.to_string())).await.expect("it is stored");
        for node in &nodes {
            node.redis.wait_for(id).await;
            assert_eq!(sse(&id.to_string()).subscribe(&node.hub, ["news"]).resumption(), Resumption::Resumed);
        }
    }
    let unknown = EventId::new((9_000_000_000_000, 0), 1);
    let begun = Instant::now();
    nodes[0].redis.wait_for(unknown).await;
    let subscription = sse(&unknown.to_string()).subscribe(&nodes[0].hub, ["news"]);
    assert!(subscription.id().is_some());
    assert_eq!(subscription.resumption(), Resumption::Gap);
    format!("{events} events, no client was asked to retry later; an unknown ID after {:.1?}", begun.elapsed())
}

/// T13: a busy topic trims the only event of a quiet topic. Position updates keep the ID of the client recent.
pub(crate) async fn quiet_topic(_: bool) -> String {
    let server = Server::start(false);
    let hub = sse_core::Hub::builder().hub_bytes(64 * 1024);
    let node = Node::build(sse_redis::Redis::builder(&server.url()).hub(hub));
    node.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![node.clone()])), "quiet", 0, None);
    tokio::time::sleep(Duration::from_millis(200)).await;
    node.publish_surely("quiet", "1").await;
    client.wait_for(1, Duration::from_secs(5)).await;
    let before = client.seen().id;
    for number in 0..2_000 {
        node.publish_surely("busy", &format!("{number} {}", "x".repeat(100))).await;
    }
    // The keep-alive of 300 ms sends a position update.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let id = client.seen().id;
    assert_ne!(id, before);
    let resumed = sse(&id).subscribe(&node.hub, ["quiet"]);
    assert_eq!(resumed.resumption(), Resumption::Resumed);
    node.publish_surely("quiet", "2").await;
    client.wait_for(2, Duration::from_secs(5)).await;
    assert_eq!(client.check().gaps(), 0);
    "2,000 events beside it, 0 gaps".to_owned()
}
