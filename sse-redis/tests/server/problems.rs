//! What an operator sees: the problem of a node, and entries that no node can send.

use crate::model::{Client, Node};
use crate::server::Server;
use crate::shared::until;
use sse_redis::{NodeState, Problem, Redis};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

/// Waits until the node has a problem that the closure accepts.
async fn problem(node: &Node, accept: impl Fn(&Problem) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let problem = node.redis.problem();
        if let Some(problem) = problem.as_ref().filter(|problem| accept(problem)) {
            assert_eq!(node.redis.last_error(), Some(problem.to_string()));
            return problem.to_string();
        }
        assert!(begun.elapsed() < SOON, "{problem:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn loaded(node: &Node) -> Result<(), Problem> {
    tokio::time::timeout(SOON, node.redis.loaded()).await.expect("it returns")
}

/// A client that changes between these nodes, or stays on the only one.
fn client(node: &Node) -> Client {
    Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None)
}

fn add(server: &Server, fields: &[&str]) -> String {
    let answer = server.cli(&[&["XADD", "{sse}:log", "*"], fields].concat());
    let id = answer.lines().nth(1).expect("an ID").to_owned();
    assert!(id.contains('-'), "{answer}");
    id
}

/// The node delivers every event before the entry, stays stale, and goes on after the entry is gone.
pub(crate) async fn later_format(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    node.ready().await;
    let client = client(&node);
    node.publish_surely("news", "1").await;
    client.wait_for(1, SOON).await;
    // In one transaction, so that one batch has all three.
    server.cli(&["EVAL", "for i, v in ipairs({'1', '2', '1'}) do redis.call('XADD', KEYS[1], '*', 'v', v, 't', 'news', 'd', ARGV[i]) end", "1", "{sse}:log", "2", "x", "3"]);
    client.wait_for(2, SOON).await;
    let is_newer = |problem: &Problem| matches!(problem, Problem::NewerFormat { version: 2, .. });
    let text = problem(&node, is_newer).await;
    assert!(text.contains("format version 2"), "{text}");
    // A node that starts does not load either.
    let fresh = Node::start(&server.url());
    problem(&fresh, is_newer).await;
    let begun = Instant::now();
    // Longer than the wait before the node reads the entry again.
    while begun.elapsed() < Duration::from_secs(3) {
        assert_eq!(node.redis.state(), NodeState::Stale);
        assert_eq!(fresh.redis.state(), NodeState::Loading);
        assert!(node.redis.problem().is_some_and(|problem| is_newer(&problem)), "{:?}", node.redis.problem());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(client.seen().course.last(), Some(2), "nothing after the entry");
    assert_eq!(node.redis.stats().lag, 2, "this entry, and the entry after it");
    // As `MAXLEN` does after a while.
    server.cli(&["XTRIM", "{sse}:log", "MAXLEN", "1"]);
    node.ready().await;
    fresh.ready().await;
    node.publish_surely("news", "4").await;
    client.wait_for(4, SOON).await;
    assert_eq!(client.check().gaps(), 1);
    assert!(node.redis.stats().lost_trimmed >= 1, "{:?}", node.redis.stats());
    until("the node has read everything", || node.redis.stats().lag == 0).await;
    text
}

/// Such an entry is skipped, and the node stays ready.
pub(crate) async fn unknown_entry(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    node.ready().await;
    let client = client(&node);
    node.publish_surely("news", "1").await;
    add(&server, &["colour", "green"]);
    add(&server, &["t", "news", "d", "2", "trace", "x"]);
    client.wait_for(2, SOON).await;
    assert_eq!(client.check().gaps(), 0);
    assert_eq!(node.redis.stats().skipped, 1);
    assert!(matches!(node.redis.problem(), Some(Problem::UnknownEntry(_))), "{:?}", node.redis.problem());
    assert_eq!(node.redis.state(), NodeState::Ready);
    "the event before and the event after".to_owned()
}

pub(crate) async fn of_each_kind(_: bool) -> String {
    let mut leader = Server::start(false);
    let replica = Server::start(false);
    replica.follow(&leader);
    let node = Node::start(&replica.url());
    problem(&node, |problem| *problem == Problem::NotLeader).await;
    assert_eq!(loaded(&node).await, Err(Problem::NotLeader));
    node.redis.stop();
    assert_eq!(loaded(&node).await, Err(Problem::Stopped));

    let stranger = Node::build(Redis::builder(&format!("redis://:wrong@{}", leader.address())));
    leader.cli(&["CONFIG", "SET", "requirepass", "right"]);
    let denied = problem(&stranger, |problem| matches!(problem, Problem::AccessDenied(_))).await;
    assert!(matches!(loaded(&stranger).await, Err(Problem::AccessDenied(_))));
    leader.cli(&["CONFIG", "SET", "requirepass", ""]);

    leader.kill();
    let node = Node::start(&leader.url());
    problem(&node, |problem| matches!(problem, Problem::Unreachable(_))).await;
    leader.run();
    node.ready().await;
    assert_eq!(node.redis.problem(), None);
    denied
}

/// A log that was quiet for days: more probes than the window after the last event.
pub(crate) async fn many_probes(_: bool) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    node.ready().await;
    node.publish_surely("news", "1").await;
    server.cli(&[
        "EVAL",
        "for i = 1, 3000 do redis.call('XADD', KEYS[1], '*', 'c', string.format('%024x', i)) end",
        "1",
        "{sse}:log",
    ]);
    let fresh = Node::build(Redis::builder(&server.url()).window(1_000));
    fresh.ready().await;
    assert_eq!(fresh.hub.stats().held_events, 1);
    "1 event before 3,000 probes, in a window of 1,000".to_owned()
}
