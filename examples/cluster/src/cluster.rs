//! The cluster: starts and kills nodes, and publishes numbers through them.

use crate::node::{self, App, Node};
use crate::redis_server::RedisServer;
use sse_core::Event;
use sse_redis::{Redis, RedisPublishError};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub(crate) struct Cluster {
    pub(crate) redis_server: RedisServer,
    pub(crate) nodes: Vec<Node>,
    /// Each run has its own log, so that the numbers start at one.
    log: String,
    /// The result of the last publish, as a text for the page.
    published: Mutex<String>,
    stopping: watch::Sender<bool>,
}

impl Cluster {
    pub(crate) fn start(redis_server: RedisServer, first: SocketAddr) -> io::Result<Arc<Self>> {
        let mut listeners = Vec::new();
        for n in 0..3 {
            let port = match first.port() {
                0 => 0,
                port => port
                    .checked_add(n)
                    .ok_or_else(|| io::Error::other("the first port must leave room for two more ports"))?,
            };
            listeners.push(TcpListener::bind((first.ip(), port))?);
        }
        let nodes = listeners.iter().map(|listener| listener.local_addr().map(Node::at)).collect::<Result<_, _>>()?;
        let log = format!("cluster-{}", std::process::id());
        let published = Mutex::new("nothing yet".to_owned());
        let cluster = Arc::new(Self { redis_server, nodes, log, published, stopping: watch::Sender::new(false) });
        for (index, listener) in listeners.into_iter().enumerate() {
            cluster.start_on(index, listener)?;
        }
        Ok(cluster)
    }

    /// Starts a node again, on its address.
    pub(crate) fn start_node(self: &Arc<Self>, index: usize) -> io::Result<()> {
        match self.nodes.get(index) {
            Some(node) if !node.runs() => self.start_on(index, TcpListener::bind(node.address)?),
            _ => Ok(()),
        }
    }

    fn start_on(self: &Arc<Self>, index: usize, listener: TcpListener) -> io::Result<()> {
        let Some(node) = self.nodes.get(index) else { return Ok(()) };
        let mut stop = self.stopping.subscribe();
        let stop = async move {
            // An error is impossible, because the cluster owns the sender and the nodes.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        node.start(listener, Redis::builder(&self.redis_server.url).log(&self.log), stop, |redis, hub| {
            node::routes(App { cluster: self.clone(), redis, hub })
        })
    }

    pub(crate) fn kill_node(&self, index: usize) {
        if let Some(node) = self.nodes.get(index) {
            node.kill();
        }
    }

    /// Publishes one number per second, each through another node, and repeats a publish until the log has stored the number.
    /// A client can thus detect a missing or a repeated number.
    pub(crate) async fn count(&self) {
        for number in 1_usize.. {
            sleep(Duration::from_secs(1)).await;
            let mut unconfirmed = None;
            for turn in number.. {
                let Some(redis) = self.nodes.get(turn % self.nodes.len()).and_then(Node::redis) else {
                    sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let event = Event::data(number.to_string()).event("count");
                let stored = match unconfirmed {
                    None => redis.publish("cluster", event).await,
                    // With the same ID each client receives the event once, also if the first publish is in the log.
                    Some(id) => redis.publish_again(id, "cluster", event).await,
                };
                self.report(match &stored {
                    Ok(_) => format!("{number}: stored"),
                    Err(error) => format!("{number}: {error}"),
                });
                match stored {
                    Ok(_) => break,
                    Err(RedisPublishError::MaybeStored(id)) => unconfirmed = Some(id),
                    Err(_) => sleep(Duration::from_millis(200)).await,
                }
            }
        }
    }

    fn report(&self, text: String) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// Returns the result of the last publish.
    pub(crate) fn published(&self) -> String {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Drains and ends every node, and then ends the Redis server.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        for server in self.nodes.iter().filter_map(Node::server) {
            let _ = timeout(Duration::from_secs(5), server).await;
        }
        self.nodes.iter().for_each(Node::kill);
        self.redis_server.kill();
    }
}
