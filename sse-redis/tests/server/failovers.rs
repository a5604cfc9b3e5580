//! Sentinels, a cluster, and addresses that a function resolves: the node finds the leader again.

use crate::model::{Client, Node, Publisher};
use crate::server::Server;
use crate::shared::{connections, until};
use sse_redis::{Address, NodeState, Problem, Redis, StartError};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

fn client(node: &Node) -> Client {
    Client::start(Arc::new(Mutex::new(vec![node.clone()])), "news", 0, None)
}

async fn numbers(node: &Node, range: std::ops::RangeInclusive<u64>) {
    for number in range {
        node.publish_surely("news", &number.to_string()).await;
    }
}

async fn answers(server: &Server, command: &[&str], wanted: &str) {
    until(wanted, || server.cli(command).contains(wanted)).await;
}

/// Waits until the replica has everything that the leader has.
async fn replicated(leader: &Server, replica: &Server) {
    let offset = |server: &Server| {
        let info = server.cli(&["INFO", "replication"]);
        info.lines().find_map(|line| line.strip_prefix("master_repl_offset:")).map(str::to_owned)
    };
    until("the replica has everything", || offset(leader) == offset(replica)).await;
}

/// Three sentinels. The leader is killed, and the sentinels promote its replica.
pub(crate) async fn sentinels(_: bool) -> String {
    let (mut leader, replica) = (Server::start(false), Server::start(false));
    replica.follow(&leader);
    let configuration = format!(
        "sentinel monitor main 127.0.0.1 {} 2\n\
         sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
        leader.port
    );
    let mut sentinels: Vec<_> = (0..3).map(|_| Server::sentinel(&configuration)).collect();
    let hosts: Vec<_> = sentinels.iter().map(Server::address).collect();
    let node = Node::start(&format!("redis+sentinel://sse:secret@{}/main", hosts.join(",")));
    node.ready().await;
    let client = client(&node);
    numbers(&node, 1..=50).await;
    client.wait_for(50, SOON).await;
    replicated(&leader, &replica).await;
    for sentinel in &sentinels {
        answers(sentinel, &["SENTINEL", "MASTER", "main"], "num-slaves\r\n$1\r\n1").await;
        answers(sentinel, &["SENTINEL", "MASTER", "main"], "num-other-sentinels\r\n$1\r\n2").await;
    }
    let begun = Instant::now();
    leader.kill();
    // One sentinel of three may be away.
    let first = &mut sentinels[0];
    numbers(&node, 51..=51).await;
    let took = begun.elapsed();
    first.kill();
    until("two connections", || connections(&replica) == 2).await;
    replica.cli(&["CLIENT", "KILL", "USER", "sse"]);
    numbers(&node, 52..=100).await;
    client.wait_for(100, SOON).await;
    let seen = client.check();
    assert_eq!((seen.events(), seen.gaps()), (100, 0), "{seen:?}");
    assert!(replica.cli(&["INFO", "replication"]).contains("role:master"));
    node.redis.stop();
    format!("100 events, 0 gaps, published again {took:.1?} after the leader was killed")
}

/// Three leaders and a replica. The leader of the log is killed, and its replica takes over. Then the slot of the log moves.
pub(crate) async fn cluster(_: bool) -> String {
    let servers: Vec<_> = (0..4).map(|_| Server::of_cluster()).collect();
    let (mut servers, buses): (Vec<Server>, Vec<u16>) = servers.into_iter().unzip();
    let ids: Vec<String> = servers.iter().map(|server| text(&server.cli(&["CLUSTER", "MYID"]))).collect();
    for (at, (server, slots)) in servers.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]).enumerate()
    {
        server.cli(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]);
        server.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]);
    }
    for (server, bus) in servers.iter().zip(&buses) {
        servers[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &server.port.to_string(), &bus.to_string()]);
    }
    let slot = text(&servers[0].cli(&["CLUSTER", "KEYSLOT", "{sse}:log"]));
    let number: usize = slot.parse().expect("a number");
    let (leader, replica) = (number / 5_461, 3);
    let other = (leader + 1) % 3;
    for server in &servers {
        answers(server, &["CLUSTER", "INFO"], "cluster_known_nodes:4").await;
    }
    until("the replica follows", || {
        servers[replica].cli(&["CLUSTER", "REPLICATE", &ids[leader]]);
        servers[replica].cli(&["INFO", "replication"]).contains("master_link_status:up")
    })
    .await;
    for server in &servers {
        answers(server, &["CLUSTER", "INFO"], "cluster_state:ok").await;
        until("each server knows the replica", || {
            server.cli(&["CLUSTER", "NODES"]).contains(&format!("slave {}", ids[leader]))
        })
        .await;
    }

    // The server of another slot redirects to the leader.
    let url = format!("redis+cluster://sse:secret@{}/", servers[other].address());
    let node = Node::start(&url);
    node.ready().await;
    let client = client(&node);
    numbers(&node, 1..=50).await;
    client.wait_for(50, SOON).await;
    replicated(&servers[leader], &servers[replica]).await;
    let begun = Instant::now();
    servers[leader].kill();
    numbers(&node, 51..=51).await;
    let took = begun.elapsed();
    numbers(&node, 52..=100).await;
    client.wait_for(100, SOON).await;

    // A log of another slot has connections of its own. Its leader is not the killed server.
    let elsewhere = ["a", "b", "c", "d", "e", "f"].into_iter().find(|name| {
        let slot = text(&servers[other].cli(&["CLUSTER", "KEYSLOT", &format!("{{{name}}}:log")]));
        slot.parse::<usize>().is_ok_and(|slot| slot / 5_461 == (leader + 2) % 3)
    });
    let second = Node::build(node.redis.with_log(elsewhere.expect("a name")));
    second.ready().await;
    numbers(&second, 1..=10).await;
    second.redis.stop();

    // A log of the same hash tag shares the connections.
    let beside = Node::build(node.redis.with_log("beside").hash_tag("sse"));
    beside.ready().await;
    assert_eq!(connections(&servers[replica]), 2);
    let of_beside = Client::start(Arc::new(Mutex::new(vec![beside.clone()])), "news", 0, None);
    numbers(&beside, 1..=20).await;
    of_beside.wait_for(20, SOON).await;

    node.redis.state_topic("prices").set("ACME", ("price", "7")).await.expect("it is stored");

    // The publisher goes on while the slot moves.
    let publisher = Publisher::start(node.clone(), "moving", Duration::from_millis(2));
    let moving = Client::start(Arc::new(Mutex::new(vec![node.clone()])), "moving", 0, None);
    moving.wait_for(20, SOON).await;
    let (source, target) = (&servers[replica], &servers[other]);
    let set = |server: &Server, words: &[&str]| {
        let answer = server.cli(&[&["CLUSTER", "SETSLOT", &slot], words].concat());
        assert!(answer.starts_with("+OK"), "{answer}");
    };
    set(target, &["IMPORTING", &ids[replica]]);
    set(source, &["MIGRATING", &ids[other]]);
    let port = target.port.to_string();
    let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
    let of_state = ["{sse}:state", "{sse}:state:prices"];
    for key in ["{sse}:meta", "{sse}:log", "{sse}:beside:log", "{sse}:beside:meta"].into_iter().chain(of_state) {
        let answer = source.cli(&[&migrate[..], &[key]].concat());
        assert!(answer.starts_with("+OK"), "{answer}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    set(target, &["NODE", &ids[other]]);
    set(source, &["NODE", &ids[other]]);
    let before = publisher.stored();
    moving.wait_for(before + 20, SOON).await;
    let (last, outcomes) = publisher.stop().await;
    moving.wait_for(last, SOON).await;
    let (news, moved) = (client.check(), moving.check());
    assert_eq!((news.events(), news.gaps()), (100, 0), "{news:?}");
    assert_eq!((moved.events(), moved.gaps()), (last, 0), "{moved:?}");
    numbers(&beside, 21..=40).await;
    of_beside.wait_for(40, SOON).await;
    let shared = of_beside.check();
    assert_eq!((shared.events(), shared.gaps()), (40, 0), "{shared:?}");
    assert!(target.cli(&["EXISTS", "{sse}:log", "{sse}:beside:log"]).starts_with(":2"));
    assert_eq!(connections(target), 2);
    // A node that starts now reads the state from the new leader.
    let late = Node::build(Redis::builder(&url).window(1));
    late.ready().await;
    assert!(late.hub.topic_stats("prices").is_some_and(|prices| prices.is_state && prices.held_events == 1));
    let removed = late.redis.state_topic("prices").remove("ACME").await.expect("it is stored");
    assert!(removed.is_some());
    late.redis.stop();
    beside.redis.stop();
    node.redis.stop();
    format!(
        "published again {took:.1?} after the leader was killed, {last} events around a reshard, 0 gaps, {} repeated",
        outcomes.maybe + outcomes.refused
    )
}

/// The text of a reply.
fn text(reply: &str) -> String {
    reply
        .lines()
        .find_map(|line| line.strip_prefix(':').or((!line.starts_with(['$', '+', '*'])).then_some(line)))
        .unwrap_or_default()
        .to_owned()
}

/// A function returns the address and the password for each connection.
pub(crate) async fn resolved(_: bool) -> String {
    let (mut one, other) = (Server::start(false), Server::start(false));
    other.follow(&one);
    // `None`: the service that knows the address is away.
    let now: Arc<Mutex<Option<(String, String)>>> = Arc::default();
    let resolve = now.clone();
    let builder = Redis::builder("redis://127.0.0.1:1").resolve(move || {
        let found = resolve.lock().unwrap().clone();
        let address = found.map(|(url, password)| Address::new(url).login("sse", password));
        async move { address.ok_or_else(|| io::Error::other("the registry is away")) }
    });
    let node = Node::build(builder);
    until("the problem", || {
        node.redis.last_error().is_some_and(|text| text.contains("not resolved: the registry is away"))
    })
    .await;
    assert!(matches!(node.redis.problem(), Some(Problem::Unreachable(_))));
    *now.lock().unwrap() = Some((one.url(), "secret".to_owned()));
    node.ready().await;
    let client = client(&node);
    numbers(&node, 1..=20).await;

    // The password changes, and the server closes the connections.
    for server in [&one, &other] {
        server.cli(&["ACL", "SETUSER", "sse", "resetpass", ">a/b@c"]);
    }
    one.cli(&["CLIENT", "KILL", "USER", "sse"]);
    until("access is denied", || matches!(node.redis.problem(), Some(Problem::AccessDenied(_)))).await;
    *now.lock().unwrap() = Some((one.url(), "a/b@c".to_owned()));
    numbers(&node, 21..=40).await;
    client.wait_for(40, SOON).await;

    // The leader moves to another address.
    replicated(&one, &other).await;
    one.kill();
    other.cli(&["REPLICAOF", "NO", "ONE"]);
    *now.lock().unwrap() = Some((other.url(), "a/b@c".to_owned()));
    numbers(&node, 41..=60).await;
    client.wait_for(60, SOON).await;
    let seen = client.check();
    assert_eq!((seen.events(), seen.gaps()), (60, 0), "{seen:?}");

    // A cluster in place of a server.
    *now.lock().unwrap() = Some(("redis+cluster://127.0.0.1:1".to_owned(), "a/b@c".to_owned()));
    other.cli(&["CLIENT", "KILL", "USER", "sse"]);
    until("the problem", || {
        node.redis.last_error().is_some_and(|text| text.contains("a Cluster in place of a server"))
    })
    .await;
    assert_eq!(node.redis.state(), NodeState::Stale);
    for url in [
        "redis+sentinel://127.0.0.1",
        "redis+sentinel://127.0.0.1/main?x=y",
        "redis+other://127.0.0.1",
        "redis+cluster://",
    ] {
        assert!(matches!(Redis::start(url).map(drop), Err(StartError::Url(_))), "{url}");
    }
    "60 events, 0 gaps, over a new password and a new address".to_owned()
}
