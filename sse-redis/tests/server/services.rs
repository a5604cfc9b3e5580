//! Servers with restrictions: without `ROLE`, with full memory, without replicas, or with a user of few rights.

use crate::model::{Client, Node, sse};
use crate::server::{Server, url_over, user_line};
use futures_util::StreamExt;
use futures_util::future::join_all;
use sse_core::Event;
use sse_core::hub::EventId;
use sse_redis::{NodeState, NotStored, Problem, Redis, RedisPublishError, StartError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);

/// Checks that a node loads, publishes and receives the event.
async fn works(node: &Node) {
    node.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for number in 1..=10 {
        node.publish_surely("news", &number.to_string()).await;
    }
    client.wait_for(10, SOON).await;
    assert_eq!(client.check().gaps(), 0);
}

/// The number of connections that the server has accepted.
pub(crate) fn opened(server: &Server) -> u64 {
    let info = server.cli(&["INFO", "stats"]);
    let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|number| number.trim().parse().ok()).expect("a number")
}

/// Several services do not offer `ROLE`.
pub(crate) async fn without_role(_: bool) -> String {
    let server = Server::with(|_| ["--rename-command", "ROLE", ""].map(str::to_owned).to_vec());
    works(&Node::start(&server.url())).await;
    let server = Server::with(|_| ["--rename-command", "EVAL_RO", ""].map(str::to_owned).to_vec());
    works(&Node::start(&server.url())).await;
    "10 events without ROLE, and 10 without EVAL_RO".to_owned()
}

/// A server with full memory rejects publishes. Nodes still follow, and new nodes start.
pub(crate) async fn full_memory(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    works(&node).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let result = node.redis.publish("news", Event::data("11")).await;
    assert!(
        matches!(&result, Err(RedisPublishError::NotStored(NotStored::Refused(text))) if text.contains("OOM")),
        "{result:?}"
    );
    assert!(matches!(node.redis.problem(), Some(Problem::Server(text)) if text.contains("OOM")));
    let fresh = Node::start(&server.url());
    fresh.ready().await;
    assert_eq!(fresh.hub.stats().held_events, 10);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert_eq!(node.redis.state(), NodeState::Ready, "{:?}", node.redis.last_error());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    node.publish_surely("news", "11").await;
    assert_eq!(node.redis.problem(), None);
    "a new node loads 10 events, and a running node stays ready".to_owned()
}

/// The user of `docs/scaling.md` can do everything that a node does.
pub(crate) async fn documented_user(_: bool) -> String {
    let server = Server::start(false);
    // In place of the user of the other cases, who may use logs of every name.
    assert!(server.cli(&["ACL", "DELUSER", "sse"]).starts_with(":1"));
    let line = user_line().replace("NAME", "sse");
    let answer = server.cli(&line.split(' ').collect::<Vec<_>>());
    assert!(answer.starts_with("+OK"), "{answer}");
    let url = format!("redis://sse:secret@127.0.0.1:{}/0", server.port);
    let node = Node::build(Redis::builder(&url).max_age(Duration::from_secs(3_600)).max_bytes(1_000_000));
    works(&node).await;
    // Without a reader beside it, a connection sends a ping each second.
    let publisher =
        Redis::builder(&url).replicas(1).deadline(Duration::from_millis(300)).publisher().expect("it starts");
    let stored = publisher.publish("news", "11").await;
    assert!(matches!(stored, Err(RedisPublishError::NotReplicated { replicas: 0, .. })), "{stored:?}");
    assert_eq!(node.redis.problem(), None);
    let before = opened(&server);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    drop(publisher);
    // The test itself opens a connection for each question.
    let opened = opened(&server) - before - 1;
    let denied = server.cli(&["ACL", "LOG"]);
    assert!(opened == 0 && denied.starts_with("*0"), "{opened} connections, {denied}");
    "10 events, no denied command, no reconnect".to_owned()
}

/// An error that another connection would also get does not close the connection.
pub(crate) async fn no_replicas(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    works(&node).await;
    server.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let before = opened(&server);
    let mut rejected = 0;
    for _ in 0..300 {
        match node.redis.publish("news", Event::data("x")).await {
            Err(RedisPublishError::NotStored(NotStored::Refused(text))) if text.contains("NOREPLICAS") => rejected += 1,
            other => panic!("{other:?}"),
        }
    }
    let opened = opened(&server) - before - 1;
    assert_eq!(opened, 0);
    server.cli(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    node.publish_surely("news", "11").await;
    format!("{rejected} publishes rejected, {opened} new connections")
}

/// A publish waits for the connection, so it succeeds as soon as the node is loaded.
pub(crate) async fn publish_after_loaded(_: bool) -> String {
    let server = Server::start(false);
    // The waits between attempts grow to 2 s, so each node is at another point of its wait when the server appears.
    let starts = (0..10).map(async |round| {
        let cable = server.cable().await;
        cable.pull();
        let node = Node::start(&url_over(&cable));
        tokio::time::sleep(Duration::from_millis(200 * round)).await;
        cable.plug();
        node.redis.loaded().await.expect("it loads");
        let begun = Instant::now();
        node.redis.publish("news", Event::data("1")).await.expect("the event is stored");
        let took = begun.elapsed();
        node.redis.stop();
        took
    });
    let slowest = join_all(starts).await.into_iter().max().unwrap_or_default();
    format!("10 starts, the first publish takes {slowest:.0?} at most")
}

/// Extreme settings start a node that works, and a stopped node publishes nothing.
pub(crate) async fn settings(_: bool) -> String {
    let server = Server::start(false);
    let first = Node::start(&server.url());
    works(&first).await;
    for builder in [
        Redis::builder(&server.url()).log("a").window(0),
        Redis::builder(&server.url()).log("b").window(usize::MAX).in_flight(usize::MAX).max_entries(usize::MAX),
        Redis::builder(&server.url()).log("c").deadline(Duration::MAX).in_flight(0),
        Redis::builder(&server.url()).prefix("myapp:").log("d"),
        Redis::builder(&server.url()).prefix("myapp:").hash_tag("app").log("e"),
        Redis::builder(&server.url()).log("f").max_age(Duration::MAX).max_bytes(usize::MAX).deadline(Duration::MAX),
        Redis::builder(&server.url()).log("g").max_age(Duration::ZERO).max_bytes(0).ready_grace(Duration::MAX),
    ] {
        works(&Node::build(builder)).await;
    }
    assert!(server.cli(&["EXISTS", "myapp:{d}:log", "myapp:{app}:e:log", "myapp:{app}:e:meta"]).starts_with(":3"));
    // No replica acknowledges, and the smallest deadline passes.
    let never = Node::build(Redis::builder(&server.url()).log("h").replicas(usize::MAX).deadline(Duration::ZERO));
    never.ready().await;
    let late = never.redis.publish("news", "1").await;
    assert!(
        matches!(
            &late,
            Err(RedisPublishError::NotReplicated { replicas: 0, .. }
                | RedisPublishError::MaybeStored(_)
                | RedisPublishError::NotStored(NotStored::Away))
        ),
        "{late:?}"
    );
    let long = "x".repeat(129);
    for (prefix, name, wrong) in
        [("{myapp}", "d", "{myapp}"), ("", "{d}", "{d}"), ("", "", ""), ("", &*long, &*long), (&*long, "d", &*long)]
    {
        let result = Redis::builder(&server.url()).prefix(prefix).log(name).start().map(drop);
        assert_eq!(result, Err(StartError::Log(wrong.into())));
    }
    for wrong in ["", "{app}", &long] {
        let result = Redis::builder(&server.url()).hash_tag(wrong).start().map(drop);
        assert_eq!(result, Err(StartError::Log(wrong.into())));
    }
    let (redis, _) = Redis::start(&server.url()).expect("the node starts");
    redis.loaded().await.expect("it loads");
    assert!(redis.is_ready());
    redis.stop();
    assert!(!redis.is_ready());
    assert_eq!(redis.publish("news", Event::data("x")).await, Err(NotStored::Stopped.into()));
    assert_eq!(redis.problem(), Some(Problem::Stopped));
    // A publish that waits for a connection ends at once.
    let (redis, _) = Redis::builder("redis://127.0.0.1:1").deadline(Duration::MAX).start().expect("the node starts");
    let (waiting, ()) = tokio::join!(redis.publish("news", Event::data("x")), async { redis.stop() });
    assert_eq!(waiting, Err(NotStored::Stopped.into()));
    "windows, limits and prefixes at their ends; no publish after stop".to_owned()
}

/// A loaded node stays ready without its server.
pub(crate) async fn readiness(_: bool) -> String {
    let mut server = Server::start(true);
    let (redis, hub) = Redis::start(&server.url()).expect("the node starts");
    redis.loaded().await.expect("it loads");
    server.kill();
    while redis.state() != NodeState::Stale {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(redis.is_ready());
    // A client with an ID that no node knows receives a gap, and its stream stays open, although the server is away.
    let unknown = EventId::new((9_000_000_000_000, 0), 1);
    let begun = Instant::now();
    let subscription = loop {
        let subscription = sse(&unknown.to_string()).subscribe(&hub, ["news"]);
        if subscription.id().is_some() {
            break subscription;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "asked to retry later for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(subscription.resumption().is_gap() && redis.state() == NodeState::Stale);
    let mut body = Box::pin(subscription.into_response().into_body());
    tokio::time::timeout(Duration::from_secs(30), redis.wait_for(unknown)).await.expect("the ID never arrives");
    server.run();
    while redis.state() != NodeState::Ready {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    redis.publish("news", Event::data("after")).await.expect("it is stored");
    let mut text = String::new();
    while !text.contains("data: after") {
        text += &String::from_utf8_lossy(&body.next().await.expect("the stream stays open"));
    }
    assert!(text.contains("event: gap"), "{text}");
    "a stale node is ready, and a client with an unknown ID keeps its stream".to_owned()
}
