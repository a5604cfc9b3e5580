//! Publishing without following, and in batches.

use crate::model::{Client, Node};
use crate::server::Server;
use sse_core::Event;
use sse_redis::{NotStored, Problem, PublishId, Redis, RedisPublishError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

fn client(node: &Node) -> Client {
    Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None)
}

/// The names of the connections that the server has now.
fn names(server: &Server) -> Vec<String> {
    let list = server.cli(&["CLIENT", "LIST"]);
    let words = list.split_ascii_whitespace().filter_map(|word| word.strip_prefix("name="));
    words.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// One connection publishes. A publisher creates no log.
pub(crate) async fn publisher(_: bool) -> String {
    let mut server = Server::start(true);
    let publisher = Redis::builder(&server.url()).publisher().expect("it starts");
    let early = publisher.publish("news", Event::data("1")).await;
    assert_eq!(early, Err(RedisPublishError::NotStored(NotStored::NoLog)));
    let batch = publisher.publish_all([("news", Event::data("1"))]).await;
    assert_eq!(batch, Err(RedisPublishError::NotStored(NotStored::NoLog)));
    assert!(server.cli(&["EXISTS", "{sse}:log"]).starts_with(":0"));
    assert_eq!(names(&server), ["sse-redis-publish"]);

    let node = Node::start(&server.url());
    node.ready().await;
    let client = client(&node);
    let id = publisher.publish("news", Event::data("1")).await.expect("it is stored");
    node.redis.wait_for(id).await;
    client.wait_for(1, SOON).await;
    let own = PublishId::parse("00112233445566778899aabb").expect("an ID");
    for _ in 0..2 {
        publisher.publish_again(own, "news", Event::data("2")).await.expect("it is stored");
    }
    publisher.publish("news", Event::data("3")).await.expect("it is stored");
    client.wait_for(3, SOON).await;
    assert_eq!(client.check().gaps(), 0);
    assert!(names(&server).contains(&"sse-redis-follow".to_owned()));

    server.kill();
    let begun = Instant::now();
    while !matches!(publisher.problem(), Some(Problem::Unreachable(_))) {
        assert!(begun.elapsed() < SOON, "{publisher:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.run();
    node.publish_surely("news", "4").await;
    client.wait_for(4, SOON).await;
    drop((publisher, node));
    "1 connection, 4 events, no log without a node".to_owned()
}

/// All events of a batch are consecutive, and a batch that is published twice arrives once.
pub(crate) async fn batch(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    node.ready().await;
    let client = client(&node);
    let events = |from: u32, to: u32| (from..=to).map(|number| ("news", Event::data(number.to_string())));
    let ids = node.redis.publish_all(events(1, 500)).await.expect("it is stored");
    assert!(ids.len() == 500 && ids.is_sorted());
    let own = PublishId::parse("ffffffff445566778899aabb").expect("an ID");
    for _ in 0..2 {
        node.redis.publish_all_again(own, events(501, 1_000)).await.expect("it is stored");
    }
    // Nothing of a batch with an invalid event is stored.
    let invalid = [("news", Event::data("0")), ("news", Event::data("0").event("a\nb"))];
    assert!(matches!(node.redis.publish_all(invalid).await, Err(RedisPublishError::Invalid(_))));
    assert_eq!(node.redis.publish_all(events(1, 1_025)).await, Err(RedisPublishError::TooMany));
    assert_eq!(node.redis.publish_all(events(1, 0)).await, Ok(Vec::new()));
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = node.redis.publish_all(events(1, 2)).await;
    assert!(
        matches!(&full, Err(RedisPublishError::NotStored(NotStored::Refused(text))) if text.contains("OOM")),
        "{full:?}"
    );
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    node.publish_surely("news", "1001").await;
    client.wait_for(1_001, SOON).await;
    let stats = node.redis.stats();
    assert_eq!((stats.published, stats.not_stored, stats.repetitions), (1_501, 3, 500), "{stats:?}");
    assert_eq!((stats.maybe_stored, stats.overloaded, stats.in_flight, stats.connections), (0, 0, 0, 2), "{stats:?}");
    assert!(stats.publish_time > Duration::ZERO, "{stats:?}");
    assert_eq!(stats.publish_latency.iter().sum::<u64>(), 4, "the calls that stored events: {stats:?}");
    for number in 1_002..=1_101 {
        node.publish_surely("news", &number.to_string()).await;
    }
    // A publish, and at most a read and a question for the uid for each of them.
    let commands = node.redis.stats().commands - stats.commands;
    assert!((100..=350).contains(&commands), "{commands} commands for 100 publishes");
    assert_eq!(client.check().gaps(), 0);
    "2 batches of 500 events, one of them twice: each event once".to_owned()
}
