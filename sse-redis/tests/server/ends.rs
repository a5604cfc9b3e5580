//! Topics that end and are removed, on every node.

use crate::model::Node;
use crate::server::Server;
use sse_core::hub::Heard;
use sse_core::{Event, Replay};
use sse_redis::RedisPublishError;
use std::time::Duration;
use tokio::time::timeout;

const MOST: Duration = Duration::from_secs(30);

/// One of several ends is the end, on every node and on one that starts later. Nothing is published after it, until a removal.
pub(crate) async fn one_end(_long: bool) -> String {
    let server = Server::start(false);
    let nodes: Vec<Node> = (0..3).map(|_| Node::start(&server.url())).collect();
    for node in &nodes {
        node.ready().await;
    }
    for round in 0..10 {
        let topic = format!("run/{round}");
        let mut listener = nodes[2].redis.hub().listen(&topic).unwrap();
        nodes[0].redis.publish(&topic, "1").await.unwrap();
        let ends = futures_util::future::join_all(nodes.iter().map(|node| node.redis.end(&topic, ("done", "x")))).await;
        let ids: Vec<_> = ends.iter().filter_map(|end| end.as_ref().ok()).collect();
        assert_eq!(ids.len(), 1, "{ends:?}");
        assert!(ends.iter().all(|end| matches!(end, Ok(_) | Err(RedisPublishError::Ended))), "{ends:?}");
        let mut heard = Vec::new();
        while let Some(item) = timeout(MOST, listener.next()).await.unwrap() {
            heard.push(match item {
                Heard::Event(_, event) => event.data.into_owned(),
                other => format!("{other:?}"),
            });
        }
        assert_eq!(heard, ["1".to_owned(), "x".to_owned(), format!("End({topic:?})")]);
        for node in &nodes {
            assert_eq!(node.redis.hub().ended(&topic).as_ref(), Some(ids[0]));
            assert_eq!(node.redis.publish(&topic, "late").await, Err(RedisPublishError::Ended));
            let batch = [("other", Event::data("x")), (&*topic, Event::data("late"))];
            assert_eq!(node.redis.publish_all(batch).await, Err(RedisPublishError::Ended));
        }
    }
    // A program without a node does not know of the end, and the nodes skip its entry.
    let publisher = nodes[0].redis.with_log("sse").publisher().unwrap();
    let late = publisher.publish("run/0", "late").await.unwrap();
    let later = Node::start(&server.url());
    later.ready().await;
    later.redis.wait_for(late).await;
    for node in nodes.iter().chain([&later]) {
        node.redis.wait_for(late).await;
        assert_eq!(node.redis.hub().topic_stats("run/0").unwrap().held_events, 2);
        assert!(node.redis.hub().ended("run/0").is_some());
    }
    assert_eq!(later.redis.end("run/0", "late").await, Err(RedisPublishError::Ended));

    let removed = later.redis.remove("run/0").await.unwrap();
    for node in &nodes {
        node.redis.wait_for(removed).await;
        assert!(node.redis.hub().topic_stats("run/0").is_none());
    }
    let again = nodes[1].redis.publish("run/0", "again").await.unwrap();
    later.redis.wait_for(again).await;
    let mut listener = later.redis.hub().listen("run/0").unwrap().replay(Replay::All);
    assert!(matches!(listener.next().await, Some(Heard::Event(_, event)) if event.data == "again"));
    "10 ends, each by 3 nodes at once".to_owned()
}
