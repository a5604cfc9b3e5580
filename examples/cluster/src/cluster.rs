//! The nodes together: what starts and kills them, and who publishes through them.

use crate::engine::Engine;
use crate::node::{self, App, Node};
use sse_core::Event;
use sse_redis::{PublishError, Redis};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub(crate) struct Cluster {
    pub(crate) engine: Engine,
    pub(crate) nodes: Vec<Node>,
    /// A log of this run's own, so that it begins to count at one.
    log: String,
    /// What became of the last number.
    published: Mutex<String>,
    stopping: watch::Sender<bool>,
}

impl Cluster {
    pub(crate) fn start(engine: Engine, first: SocketAddr) -> io::Result<Arc<Self>> {
        let mut listeners = Vec::new();
        for n in 0..3 {
            let port = match first.port() {
                0 => 0,
                port => {
                    port.checked_add(n).ok_or_else(|| io::Error::other("there are no three ports from there on"))?
                }
            };
            listeners.push(TcpListener::bind((first.ip(), port))?);
        }
        let nodes = listeners.iter().map(|listener| listener.local_addr().map(Node::at)).collect::<Result<_, _>>()?;
        let log = format!("cluster-{}", std::process::id());
        let published = Mutex::new("nothing yet".to_owned());
        let cluster = Arc::new(Self { engine, nodes, log, published, stopping: watch::Sender::new(false) });
        for (which, listener) in listeners.into_iter().enumerate() {
            cluster.start_on(which, listener)?;
        }
        Ok(cluster)
    }

    /// Starts a node again, where it was.
    pub(crate) fn start_node(self: &Arc<Self>, which: usize) -> io::Result<()> {
        match self.nodes.get(which) {
            Some(node) if !node.runs() => self.start_on(which, TcpListener::bind(node.address)?),
            _ => Ok(()),
        }
    }

    fn start_on(self: &Arc<Self>, which: usize, listener: TcpListener) -> io::Result<()> {
        let Some(node) = self.nodes.get(which) else { return Ok(()) };
        let mut stop = self.stopping.subscribe();
        let stop = async move {
            // The sender lives as long as the nodes.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        node.start(listener, Redis::builder(&self.engine.url).log(&self.log), stop, |redis, hub| {
            node::routes(App { cluster: self.clone(), redis, hub })
        })
    }

    pub(crate) fn kill_node(&self, which: usize) {
        if let Some(node) = self.nodes.get(which) {
            node.kill();
        }
    }

    /// Publishes numbers, one a second, each through another node and until it is surely stored. So whoever reads them
    /// sees whether one is missing, or comes twice.
    pub(crate) async fn count(&self) {
        for number in 1_usize.. {
            sleep(Duration::from_secs(1)).await;
            let mut maybe = None;
            for turn in number.. {
                let Some(redis) = self.nodes.get(turn % self.nodes.len()).and_then(Node::redis) else {
                    sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let event = Event::data(number.to_string()).event("count");
                let stored = match maybe {
                    None => redis.publish("cluster", event).await,
                    // Under the same id readers are sent it once, whether or not the first is in the log.
                    Some(id) => redis.publish_again(id, "cluster", event).await,
                };
                self.tell(match &stored {
                    Ok(_) => format!("{number}: stored"),
                    Err(error) => format!("{number}: {error}"),
                });
                match stored {
                    Ok(_) => break,
                    Err(PublishError::MaybeStored(id)) => maybe = Some(id),
                    Err(_) => sleep(Duration::from_millis(200)).await,
                }
            }
        }
    }

    fn tell(&self, what: String) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// What became of the last number.
    pub(crate) fn published(&self) -> String {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends every node with its readers told, and then the engine.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        for server in self.nodes.iter().filter_map(Node::server) {
            let _ = timeout(Duration::from_secs(5), server).await;
        }
        self.nodes.iter().for_each(Node::kill);
        self.engine.kill();
    }
}
