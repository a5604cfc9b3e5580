//! Publishers that number their events, and clients that check the numbers.

use futures_util::StreamExt;
use sse_core::{Event, Hub, LastEventId, Policy, Request, Sse, Tokio};
use sse_redis::{PublishId, Redis, RedisPublishError};
use sse_test_support::ledger::{Course, Wrong};
use sse_test_support::reader::{Habits, Reader};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A node. One process can contain several nodes.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) redis: Redis,
    pub(crate) hub: Hub,
}

impl Node {
    pub(crate) fn start(url: &str) -> Self {
        Self::build(Redis::builder(url))
    }

    pub(crate) fn build(builder: sse_redis::RedisBuilder) -> Self {
        let (redis, hub) = builder.ready_grace(Duration::ZERO).start().expect("it starts");
        Self { redis, hub }
    }

    pub(crate) async fn ready(&self) {
        let begun = Instant::now();
        while self.redis.state() != sse_redis::NodeState::Ready {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}: {:?}", self.redis, self.redis.last_error());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Publishes until the event is stored.
    pub(crate) async fn publish_surely(&self, topic: &str, data: &str) -> Outcomes {
        let mut outcomes = Outcomes::default();
        let mut id: Option<PublishId> = None;
        loop {
            let event = Event::data(data);
            let done = match id {
                None => self.redis.publish(topic, event).await,
                Some(id) => self.redis.publish_again(id, topic, event).await,
            };
            match done {
                Ok(_) => return outcomes,
                Err(RedisPublishError::MaybeStored(maybe)) => {
                    id = Some(maybe);
                    outcomes.maybe += 1;
                }
                Err(RedisPublishError::Overloaded) => outcomes.overloaded += 1,
                Err(RedisPublishError::NotStored(_)) => {
                    outcomes.refused += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Outcomes {
    pub(crate) maybe: u64,
    pub(crate) refused: u64,
    pub(crate) overloaded: u64,
}

/// Publishes 1, 2, 3, .. to a topic until `stop` is called.
pub(crate) struct Publisher {
    stop: Arc<AtomicBool>,
    stored: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Outcomes>,
}

impl Publisher {
    pub(crate) fn start(node: Node, topic: &str, pause: Duration) -> Self {
        let (stop, stored) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (topic, stopped, counted) = (topic.to_owned(), stop.clone(), stored.clone());
        let task = tokio::spawn(async move {
            let mut all = Outcomes::default();
            while !stopped.load(Ordering::SeqCst) {
                let number = counted.load(Ordering::SeqCst) + 1;
                let outcomes = node.publish_surely(&topic, &number.to_string()).await;
                all.maybe += outcomes.maybe;
                all.refused += outcomes.refused;
                all.overloaded += outcomes.overloaded;
                counted.store(number, Ordering::SeqCst);
                tokio::time::sleep(pause).await;
            }
            all
        });
        Self { stop, stored, task }
    }

    pub(crate) fn stored(&self) -> u64 {
        self.stored.load(Ordering::SeqCst)
    }

    /// Stops, and returns the number of published events.
    pub(crate) async fn stop(self) -> (u64, Outcomes) {
        self.stop.store(true, Ordering::SeqCst);
        let outcomes = self.task.await.expect("it publishes");
        (self.stored.load(Ordering::SeqCst), outcomes)
    }
}

pub(crate) fn sse(id: &str) -> Sse<Tokio> {
    let headers = [("accept", b"text/event-stream".as_slice()), ("last-event-id", id.as_bytes())];
    let admitted = Policy::default().check(&Request::new("GET", None, headers)).expect("it is eligible");
    debug_assert!(id.is_empty() || admitted.last_event_id == LastEventId::Text(id.into()));
    Sse::new(Default::default(), admitted)
}

/// The events that a client received.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) id: String,
    /// The numbers of the topic.
    pub(crate) course: Course,
    pub(crate) ids: Vec<String>,
    /// The numbers that broke a promise.
    pub(crate) wrong: Vec<(u64, Wrong)>,
}

impl Seen {
    fn take(&mut self, event_type: &str, data: &str, id: &str) {
        if event_type == "gap" {
            return self.course.receive_gap();
        }
        self.ids.push(id.to_owned());
        let number = data.parse().expect("a number");
        if let Err(wrong) = self.course.receive(number) {
            self.wrong.push((number, wrong));
        }
    }

    pub(crate) const fn events(&self) -> u64 {
        self.course.tally().received
    }

    pub(crate) const fn gaps(&self) -> u64 {
        self.course.tally().gaps
    }
}

/// A client of one topic. It reconnects to any of the nodes when its stream ends.
pub(crate) struct Client {
    pub(crate) seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

impl Client {
    /// `hop`: the longest time at one node.
    pub(crate) fn start(nodes: Arc<Mutex<Vec<Node>>>, topic: &str, seed: u64, hop: Option<Duration>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (topic, shared) = (topic.to_owned(), seen.clone());
        let open = move |turn: u64, id: &str| {
            let hub = {
                let nodes = nodes.lock().unwrap();
                nodes[turn as usize * 7 % nodes.len()].hub.clone()
            };
            let subscription = sse(id).keep_alive(Duration::from_millis(300)).subscribe(&hub, [&topic]);
            Box::pin(subscription.into_response().into_body())
        };
        // Before the task runs, so that no event that the caller publishes afterwards comes before the subscription.
        let mut first = Some(open(seed, ""));
        let task = tokio::spawn(async move {
            let mut reader = Reader::with(Habits::BROWSERS[seed as usize % Habits::BROWSERS.len()]);
            for turn in seed.. {
                let id = shared.lock().unwrap().id.clone();
                let mut body = first.take().unwrap_or_else(|| open(turn, &id));
                let leaves = tokio::time::sleep(hop.unwrap_or(Duration::MAX / 4).min(Duration::from_secs(1 << 30)));
                tokio::pin!(leaves);
                loop {
                    let chunk = tokio::select! {
                        chunk = body.next() => chunk,
                        () = &mut leaves => None,
                    };
                    let Some(chunk) = chunk else { break };
                    let mut seen = shared.lock().unwrap();
                    for event in reader.dispatched(&chunk).into_iter().filter(|event| !event.is_reserved()) {
                        seen.take(&event.event_type, &event.data, &event.id);
                    }
                    reader.last_event_id().unwrap_or_default().clone_into(&mut seen.id);
                }
                reader.reconnect();
                drop(body);
                tokio::time::sleep(Duration::from_millis(if hop.is_some() { 2 } else { 100 })).await;
            }
        });
        Self { seen, task }
    }

    /// Waits until the client has this number, and returns the time that this took.
    pub(crate) async fn wait_for(&self, number: u64, most: Duration) -> Duration {
        let begun = Instant::now();
        loop {
            if self.seen.lock().unwrap().course.last() >= Some(number) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < most, "{number} did not come: {:?}", self.seen.lock().unwrap().clone());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Fails if the client received a wrong number.
    pub(crate) fn check(&self) -> Seen {
        let seen = self.seen();
        assert!(seen.wrong.is_empty(), "{:?}", &seen.wrong[..seen.wrong.len().min(5)]);
        seen
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}
