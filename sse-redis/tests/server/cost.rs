//! The cost of idle nodes: connections, commands and bytes, as the server counts them.

use crate::model::Node;
use crate::server::Server;
use crate::shared::connections;
use sse_core::Event;
use sse_redis::{Redis, RedisBuilder};
use std::time::Duration;

/// The counters of the server.
#[derive(Clone, Copy)]
struct Counted {
    commands: f64,
    bytes: f64,
}

fn counted(server: &Server) -> Counted {
    let info = server.cli(&["INFO", "stats"]);
    let number = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)).expect("a counter");
        line.trim().parse::<f64>().expect("a number")
    };
    Counted { commands: number("total_commands_processed:"), bytes: number("total_net_output_bytes:") }
}

/// Waits without events, and returns the connections of nodes, and commands and bytes per second. A script counts as all of
/// its commands.
async fn idle(server: &Server, seconds: u64) -> (usize, f64, f64) {
    // The inspection after the start is no part of the idle time.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (own, before) = (counted(server), counted(server));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = counted(server);
    let per_second = |own: f64, before: f64, after: f64| (after - before - (before - own)) / seconds as f64;
    (
        connections(server),
        per_second(own.commands, before.commands, after.commands),
        per_second(own.bytes, before.bytes, after.bytes),
    )
}

/// A log whose newest entries have 1 MB costs no more than another log.
async fn one_log(seconds: u64) -> String {
    let server = Server::start(false);
    let node = Node::start(&server.url());
    node.ready().await;
    for _ in 0..3 {
        node.redis.publish("news", Event::data("x".repeat(1_000_000))).await.expect("it is stored");
    }
    let (connections, commands, bytes) = idle(&server, seconds).await;
    assert_eq!(node.hub.stats().held_events, 3);
    let found = format!("{connections} connections, {commands:.1} commands/s, {bytes:.0} B/s");
    assert!(connections <= 2 && commands <= 2.0 && bytes <= 1_024.0, "{found}");
    found
}

/// 200 logs over one pair of connections.
async fn many_logs(server: &Server, first: RedisBuilder, seconds: u64) -> String {
    let first = Node::build(first);
    let others = (1..200).map(|number| Node::build(first.redis.with_log(&format!("log{number}"))));
    let nodes: Vec<_> = [first.clone()].into_iter().chain(others).collect();
    for node in &nodes {
        node.ready().await;
    }
    let (connections, commands, bytes) = idle(server, seconds).await;
    let found = format!("{connections} connections, {commands:.1} commands/s, {bytes:.0} B/s");
    assert!(connections <= 2 && commands <= 40.0, "{found}");
    for (number, node) in nodes.iter().enumerate() {
        let id = node.redis.publish("news", number.to_string()).await.expect("it is stored");
        node.redis.wait_for(id).await;
        assert_eq!(node.hub.stats().held_events, 1);
    }
    assert_eq!(first.redis.stats().connections, 2);
    found
}

pub(crate) async fn idle_nodes(long: bool) -> String {
    let seconds = if long { 60 } else { 15 };
    let (server, cluster) = (Server::start(false), cluster());
    let shared = many_logs(&server, Redis::builder(&server.url()), seconds);
    let url = cluster.url().replacen("redis", "redis+cluster", 1);
    let of_cluster = many_logs(&cluster, Redis::builder(&url).hash_tag("app"), seconds);
    // Only a figure for comparison, so not in the short form.
    let apart = async { if long { logs_apart(seconds).await } else { "not counted".to_owned() } };
    let (one, many, of_cluster, apart) = tokio::join!(one_log(seconds), shared, of_cluster, apart);
    format!(
        "one log: {one}; 200 logs: {many}; 200 logs in a Cluster: {of_cluster}; 200 nodes without `with_log`: {apart}"
    )
}

/// A Cluster of one server.
fn cluster() -> Server {
    let (server, _) = Server::of_cluster();
    server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    server.wait_for("cluster_state:ok", || server.cli(&["CLUSTER", "INFO"]));
    server
}

/// 200 logs with two connections each.
async fn logs_apart(seconds: u64) -> String {
    let server = Server::start(false);
    let nodes = (0..200).map(|number| Node::build(Redis::builder(&server.url()).log(&format!("log{number}"))));
    let nodes: Vec<_> = nodes.collect();
    for node in &nodes {
        node.ready().await;
    }
    let (connections, commands, bytes) = idle(&server, seconds).await;
    format!("{connections} connections, {commands:.1} commands/s, {bytes:.0} B/s")
}
