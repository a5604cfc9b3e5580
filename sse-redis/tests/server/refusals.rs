//! The server refuses publishes: the node or the publisher has a problem with a type, until the server accepts them again.

use crate::model::{Client, Node};
use crate::server::Server;
use crate::services::opened;
use crate::shared::until;
use futures_util::future::join_all;
use sse_redis::{NodeState, NotStored, Problem, Redis, RedisPublishError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

fn is_refused(result: &Result<impl Sized, RedisPublishError>, why: &str) -> bool {
    matches!(result, Err(RedisPublishError::NotStored(NotStored::Refused(text))) if text.contains(why))
}

/// The connection that publishes cannot log in again. The node follows the log over its other connection.
pub(crate) async fn denied_login(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    node.ready().await;
    node.publish_surely("news", "1").await;
    assert_eq!(node.redis.problem(), None);
    server.cli(&["ACL", "SETUSER", "sse", "resetpass", ">other"]);
    let list = server.cli(&["CLIENT", "LIST"]);
    let publishes = list.lines().find(|line| line.contains("name=sse-redis-publish")).expect("its connection");
    let id = publishes.split(' ').find_map(|word| word.strip_prefix("id=")).expect("an ID");
    assert!(server.cli(&["CLIENT", "KILL", "ID", id]).starts_with(":1"));
    until("access is denied", || matches!(node.redis.problem(), Some(Problem::AccessDenied(_)))).await;
    assert_eq!(node.redis.state(), NodeState::Ready);
    server.cli(&["ACL", "SETUSER", "sse", "resetpass", ">secret"]);
    until("no problem", || node.redis.problem().is_none()).await;
    node.publish_surely("news", "2").await;
    node.redis.stop();
    "a node that follows reports the connection that publishes".to_owned()
}

/// The user may read the log, and may not write entries.
pub(crate) async fn denied_command(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    node.ready().await;
    server.cli(&["ACL", "SETUSER", "few", "on", ">x", "~*", "+@all", "-xadd"]);
    let url = format!("redis://few:x@{}", server.address());
    let few = Node::start(&url);
    few.ready().await;
    assert_eq!(few.redis.problem(), None);
    let publisher = Redis::builder(&url).publisher().expect("it starts");
    assert!(is_refused(&few.redis.publish("news", "1").await, "no permissions"));
    // The server names no code for a command that a script may not call.
    assert!(is_refused(&publisher.publish_all([("news", "1")]).await, "script"));
    for problem in [few.redis.problem(), publisher.problem()] {
        assert!(matches!(problem, Some(Problem::AccessDenied(_))), "{problem:?}");
    }
    assert_eq!(few.redis.state(), NodeState::Ready);
    server.cli(&["ACL", "SETUSER", "few", "+xadd"]);
    few.redis.publish("news", "1").await.expect("it is stored");
    publisher.publish_all([("news", "2")]).await.expect("it is stored");
    assert_eq!((few.redis.problem(), publisher.problem()), (None, None));
    few.redis.stop();
    assert_eq!(few.redis.problem(), Some(Problem::Stopped));
    "denied until the user may write".to_owned()
}

/// Without `ROLE` only rejected publishes, and probes that do not come back, show that the server is a replica.
pub(crate) async fn replica_without_role(_: bool) -> String {
    let leader = Server::start(false);
    let replica = Server::with(|_| ["--rename-command", "ROLE", ""].map(str::to_owned).to_vec());
    replica.follow(&leader);
    let right = Node::start(&leader.url());
    right.ready().await;
    let wrong = Node::start(&replica.url());
    wrong.ready().await;
    let client = Client::start(Arc::new(Mutex::new(vec![wrong.clone()])), "news", 0, None);
    right.publish_surely("news", "1").await;
    client.wait_for(1, SOON).await;

    // Each refusal closes the connection, and each connection waits longer than the one before.
    let before = opened(&replica);
    let refused = join_all((0..200).map(|_| wrong.redis.publish("news", "x"))).await;
    // A publish that comes while no connection is open has no answer of the server.
    let is_away = |result: &Result<_, _>| matches!(result, Err(RedisPublishError::NotStored(NotStored::Away)));
    let other = refused.iter().find(|result| !is_refused(result, "read only replica") && !is_away(result));
    assert!(other.is_none(), "{other:?}");
    assert!(!refused.iter().all(is_away));
    let connections = opened(&replica) - before;
    assert!((2..=8).contains(&connections), "{connections} connections for 200 publishes within a second");
    assert_eq!(wrong.redis.problem(), Some(Problem::NotLeader));

    // The probes of a node at the leader would arrive here.
    right.redis.stop();
    // A probe is written after 10 to 15 s without entries, and is lost 10 s later. Reads of 3.5 s lie between.
    let begun = Instant::now();
    while wrong.redis.problem() != Some(Problem::ProbeLost) {
        assert!(begun.elapsed() < Duration::from_secs(30) + SOON, "{:?}", wrong.redis.problem());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    wrong.ready().await;
    assert_eq!(wrong.redis.problem(), Some(Problem::ProbeLost));
    let publisher = Redis::builder(&leader.url()).publisher().expect("it starts");
    publisher.publish("news", "2").await.expect("it is stored");
    client.wait_for(2, SOON).await;
    // Entries arrive, and publishes are still rejected.
    until("the earlier problem", || wrong.redis.problem() == Some(Problem::NotLeader)).await;
    assert_eq!(client.check().gaps(), 0);
    wrong.redis.stop();
    format!("200 publishes refused over {connections} connections, and a lost probe")
}
