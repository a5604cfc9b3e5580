//! Replicas that acknowledge, and limits of the log by age and size.

use crate::model::{Client, Node};
use crate::server::{Server, url_over};
use crate::shared::until;
use futures_util::future::join_all;
use sse_core::Event;
use sse_redis::{Problem, Redis, RedisPublishError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

fn length(server: &Server) -> u64 {
    let answer = server.cli(&["XLEN", "{sse}:log"]);
    answer.lines().next().and_then(|line| line.strip_prefix(':')?.parse().ok()).expect("a number")
}

/// A publish returns when a replica has the event. A replica that stands still acknowledges nothing.
pub(crate) async fn acknowledged(_: bool) -> String {
    let (leader, replica) = (Server::start(false), Server::start(false));
    replica.follow(&leader);
    // The replica acknowledges within a millisecond, if the machine is not busy.
    let node = Node::build(Redis::builder(&leader.url()).replicas(1).deadline(Duration::from_secs(4)));
    node.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None);
    node.redis.publish("news", "1").await.expect("the replica has it");
    assert!(replica.cli(&["XREVRANGE", "{sse}:log", "+", "-"]).contains("news"));
    // Many publishes share one wait.
    let many = (0..300).map(|_| node.redis.publish("other", "x"));
    assert!(join_all(many).await.into_iter().all(|result| result.is_ok()));
    let batch = [("news", Event::data("2")), ("news", Event::data("3"))];
    node.redis.publish_all(batch).await.expect("the replica has them");

    replica.signal("-STOP");
    let late = node.redis.publish("news", "4").await;
    let Err(RedisPublishError::NotReplicated { id, replicas: 0 }) = late else { panic!("{late:?}") };
    node.redis.wait_for(id).await;
    client.wait_for(4, SOON).await;
    let late = node.redis.publish_all([("news", "5")]).await;
    assert!(matches!(late, Err(RedisPublishError::NotReplicated { replicas: 0, .. })), "{late:?}");
    replica.signal("-CONT");
    node.redis.publish("news", "6").await.expect("the replica is back");
    client.wait_for(6, SOON).await;
    assert_eq!(client.check().gaps(), 0);
    let stats = node.redis.stats();
    assert_eq!((stats.published, stats.not_replicated, stats.connections), (304, 2, 2), "{stats:?}");
    node.redis.stop();

    "304 publishes acknowledged, 2 not".to_owned()
}

/// Old entries are trimmed, and the newest 1,024 remain. Clients of a running node receive no gap.
pub(crate) async fn age_and_size(_: bool) -> String {
    let server = Server::start(false);
    let old = "local t = redis.call('TIME')[1] - 7200
        for i = 1, 3000 do redis.call('XADD', KEYS[1], string.format('%d-%d', t * 1000 + i, 0), 't', 'old', 'd', i) end";
    let first = Node::start(&server.url());
    first.ready().await;
    first.redis.stop();
    // Entries of two hours ago. Their log has been there for longer.
    server.cli(&["DEL", "{sse}:log"]);
    server.cli(&["EVAL", old, "1", "{sse}:log"]);
    let limited = Redis::builder(&server.url()).max_age(Duration::from_secs(3_600));
    let node = Node::build(limited.clone());
    until("all but the newest", || (1_024..1_224).contains(&length(&server))).await;
    node.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None);
    for number in 1..=20 {
        node.publish_surely("news", &number.to_string()).await;
    }
    client.wait_for(20, SOON).await;
    assert_eq!(client.check().gaps(), 0);
    assert_eq!(node.redis.problem(), None);
    node.redis.stop();

    // Larger entries, and a limit on the memory.
    let large = "for i = 1, 3000 do redis.call('XADD', KEYS[1], '*', 't', 'large', 'd', string.rep('x', 1000)) end";
    server.cli(&["EVAL", large, "1", "{sse}:log"]);
    let before = length(&server);
    let sized = Node::build(Redis::builder(&server.url()).max_bytes(2_000_000));
    until("the log has about 2 MB", || length(&server) < before * 3 / 4).await;
    assert!(length(&server) >= 1_024);
    sized.ready().await;
    sized.redis.stop();

    // A user that may not ask for the memory.
    server.cli(&["ACL", "SETUSER", "few", "on", ">x", "~*", "+@all", "-memory"]);
    let denied = Node::build(Redis::builder(&format!("redis://few:x@{}", server.address())).max_bytes(1));
    until("the problem", || matches!(denied.redis.problem(), Some(Problem::Retention(_)))).await;
    denied.ready().await;
    denied.redis.stop();
    "3,020 entries trimmed to the newest 1,024 by age, and to 2 MB by size".to_owned()
}

/// A script of sse-runs that keeps a node alive does not wait for publishes, however many wait for each other.
pub(crate) async fn reserved(_: bool) -> String {
    let server = Server::start(false);
    let cable = server.cable().await;
    let node = Node::build(Redis::builder(&url_over(&cable)).in_flight(1));
    node.ready().await;
    cable.hold();
    let stored = Arc::new(Mutex::new(0));
    let publish = || {
        let (redis, stored) = (node.redis.clone(), stored.clone());
        tokio::spawn(async move {
            redis.publish("news", "1").await.expect("it is stored");
            *stored.lock().unwrap() += 1;
        })
    };
    let publishes: Vec<_> = (0..100).map(|_| publish()).collect();
    until("a publish is in flight", || node.redis.stats().in_flight == 1).await;
    let script = tokio::spawn({
        let redis = node.redis.clone();
        async move { redis.run_reserved_script("return {'ok'}", &[], []).await }
    });
    cable.release();
    assert_eq!(script.await.unwrap().expect("it ran"), ["ok"]);
    let before = *stored.lock().unwrap();
    assert!(before < 50, "the script waited for {before} publishes");
    for publish in publishes {
        publish.await.unwrap();
    }
    node.redis.stop();
    String::new()
}
