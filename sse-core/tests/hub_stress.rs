//! A hub with threads: publishers, subscribers of several topics, small rings, and no lost wake.

use sse_core::hub::{EventId, log};
use sse_core::testing::Clock;
use sse_core::{Decoder, EventStream, Hub, LastEventId, RESERVED_TYPES, Replay};
use sse_test_support::ledger::Ledger;
use std::collections::{BTreeMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_util::Stream;

const TOPICS: [&str; 4] = ["a", "b", "c", "d"];

/// Ends a test that hangs. Every test is much faster.
const FOR_EVER: Duration = Duration::from_secs(60);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[derive(Debug, PartialEq)]
enum Received {
    Event { topic: String, id: String },
    Gap { topic: String, id: String },
    Unknown,
}

/// A client on a thread of its own, over all of its connections.
struct Client {
    clock: Clock,
    hub: Hub,
    topics: Vec<&'static str>,
    body: Pin<Box<EventStream<Clock>>>,
    decoder: Decoder,
    waker: Option<Waker>,
}

impl Client {
    fn new(clock: &Clock, hub: &Hub, topics: &[&'static str]) -> Self {
        let body = connect(clock, hub, topics, LastEventId::Absent);
        let (decoder, topics) = (Decoder::new(), topics.to_vec());
        Self { clock: clock.clone(), hub: hub.clone(), topics, body, decoder, waker: None }
    }

    /// Waits for the next chunk, and reconnects at the end of the stream.
    fn read(&mut self) -> Vec<Received> {
        let waker = self.waker.get_or_insert_with(|| Waker::from(Arc::new(Unpark(thread::current())))).clone();
        let since = Instant::now();
        let chunk = loop {
            match self.body.as_mut().poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(chunk)) => break chunk,
                Poll::Ready(None) => {
                    let id = self.decoder.last_event_id().to_owned();
                    let brings = if id.is_empty() { LastEventId::Absent } else { LastEventId::Text(id.clone().into()) };
                    self.body = connect(&self.clock, &self.hub, &self.topics, brings);
                    self.decoder = Decoder::with_last_event_id(&id);
                }
                Poll::Pending => {
                    thread::park_timeout(FOR_EVER);
                    assert!(since.elapsed() < FOR_EVER, "a wake was lost");
                }
            }
        };
        let mut told = Vec::new();
        let mut input = &chunk[..];
        while let Some(event) = self.decoder.decode(&mut input) {
            let event = event.unwrap();
            if RESERVED_TYPES.contains(&&*event.event_type) {
                continue;
            }
            let id = event.last_event_id.clone().into_owned();
            told.push(match (&*event.event_type, &*event.data) {
                ("gap", r#"{"reason":"unknown"}"#) => Received::Unknown,
                ("gap", data) => {
                    let topic = data.strip_prefix(r#"{"reason":"trimmed","topic":""#).unwrap();
                    Received::Gap { topic: topic.strip_suffix(r#""}"#).unwrap().to_owned(), id }
                }
                (_, data) => Received::Event { topic: data.split(' ').next().unwrap().to_owned(), id },
            });
        }
        told
    }
}

fn connect(clock: &Clock, hub: &Hub, topics: &[&str], id: LastEventId) -> Pin<Box<EventStream<Clock>>> {
    let sse = clock.sse_after(id).keep_alive(None);
    Box::pin(sse.subscribe(hub, topics).replay(Replay::None).into_response().into_body())
}

fn position(id: &str) -> u64 {
    id.split_once('-').unwrap().0.parse().unwrap()
}

/// Publishes from several threads and reads in several: each client receives every event in order, or a gap in its
/// place.
fn publish_and_read(hub: &Hub, clock: &Clock, gaps_allowed: bool) {
    const ROUNDS: usize = 3_000;
    let readers: Vec<_> = [&TOPICS[..1], &TOPICS[..1], &TOPICS[..2], &TOPICS[1..], &TOPICS[..]]
        .map(|topics| {
            let mut client = Client::new(clock, hub, topics);
            thread::spawn(move || {
                let mut all = Vec::new();
                let ends = |all: &[Received]| {
                    all.iter().filter(|told| matches!(told, Received::Event { topic, .. } if topic == "end")).count()
                };
                while ends(&all) < client.topics.len() {
                    let new = client.read();
                    all.extend(new);
                }
                (client.topics, all)
            })
        })
        .into_iter()
        .collect();
    let publishers: Vec<_> = (0..3_usize)
        .map(|publisher| {
            let hub = hub.clone();
            thread::spawn(move || {
                let mut published = Vec::new();
                for n in 0..ROUNDS {
                    let topic = TOPICS[(n + publisher) % TOPICS.len()];
                    let data = format!("{topic} {}", "x".repeat(n % 300));
                    if publisher == 0 {
                        let batch = TOPICS.map(|topic| (topic, format!("{topic} batch")));
                        let ids = hub.publish_all(batch).unwrap();
                        assert!(ids.windows(2).all(|two| two[0].position().0 + 1 == two[1].position().0));
                        published.extend(TOPICS.into_iter().zip(ids));
                    } else {
                        published.push((topic, hub.publish(topic, data).unwrap()));
                    }
                    if n % 64 == 0 {
                        thread::yield_now();
                    }
                }
                published
            })
        })
        .collect();
    let mut published: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for publisher in publishers {
        for (topic, id) in publisher.join().unwrap() {
            published.entry(topic).or_default().push(id.position().0);
        }
    }
    published.values_mut().for_each(|positions| positions.sort_unstable());
    for topic in TOPICS {
        hub.publish(topic, "end").unwrap();
    }
    for reader in readers {
        let (topics, all) = reader.join().unwrap();
        let mut ledgers: BTreeMap<&str, Ledger<u64>> =
            topics.iter().map(|&topic| (topic, Ledger::new(published[topic].iter().copied()))).collect();
        let mut last = 0;
        for told in &all {
            let (topic, id) = match told {
                Received::Event { topic, id } | Received::Gap { topic, id } => (&**topic, position(id)),
                Received::Unknown => panic!("an unknown gap"),
            };
            assert!(id > last, "{id} after {last}");
            last = id;
            if topic == "end" {
                continue;
            }
            let ledger = ledgers.get_mut(topic).unwrap();
            if matches!(told, Received::Event { .. }) {
                ledger.receive(id);
            } else {
                assert!(gaps_allowed);
                let before = ledger.tally().covered;
                ledger.receive_gap_to(&id);
                assert!(ledger.tally().covered > before, "{topic}: a gap where nothing was lost");
            }
        }
        for (topic, ledger) in ledgers {
            ledger.close().unwrap_or_else(|faults| panic!("{topic}: {faults}"));
        }
    }
}

#[test]
fn a_subscriber_that_keeps_up_receives_every_event() {
    let clock = Clock::new();
    publish_and_read(&Hub::builder().build_on(clock.clone()), &clock, false);
}

#[test]
fn a_subscriber_that_lags_receives_a_gap_for_each_hole() {
    let clock = Clock::new();
    let hub = Hub::builder().topic_events(4).gap_on_lag().build_on(clock.clone());
    publish_and_read(&hub, &clock, true);
    let hub = Hub::builder().hub_bytes(3_000).gap_on_lag().build_on(clock.clone());
    publish_and_read(&hub, &clock, true);
}

#[test]
fn a_client_that_lags_and_resumes_receives_a_gap_for_each_hole() {
    let clock = Clock::new();
    let hub = Hub::builder().topic_bytes(1_000).build_on(clock.clone());
    publish_and_read(&hub, &clock, true);
}

/// Publishes one event and waits for the subscriber, again and again.
fn ping_pong(topics: &[&'static str], rounds: usize) {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let mut client = Client::new(&clock, &hub, topics);
    let read = Arc::new(AtomicUsize::new(0));
    let publisher = thread::current();
    let reader = {
        let read = read.clone();
        thread::spawn(move || {
            while read.load(Ordering::Acquire) < rounds {
                let events = client.read().len();
                read.fetch_add(events, Ordering::AcqRel);
                publisher.unpark();
            }
        })
    };
    for round in 0..rounds {
        hub.publish(topics[round % topics.len()], "a").unwrap();
        while read.load(Ordering::Acquire) <= round {
            let since = Instant::now();
            thread::park_timeout(FOR_EVER);
            assert!(since.elapsed() < FOR_EVER, "a wake was lost in round {round}");
        }
    }
    reader.join().unwrap();
}

#[test]
fn no_wake_is_lost() {
    ping_pong(&TOPICS[..1], 20_000);
    ping_pong(&TOPICS[..3], 20_000);
}

#[test]
fn a_client_that_received_truncated_events_receives_a_gap() {
    let clock = Clock::new();
    let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
    let readers: Vec<_> = (1..4)
        .map(|topics| {
            let mut client = Client::new(&clock, &hub, &TOPICS[..topics]);
            thread::spawn(move || {
                let mut all = Vec::new();
                while !matches!(all.last(), Some(Received::Event { topic, .. }) if topic == "end") {
                    let new = client.read();
                    all.extend(new);
                }
                (client.topics, all)
            })
        })
        .collect();
    // The log uses the same positions again, as after a failover, but with other tags.
    let mut log: Vec<(&str, EventId)> = Vec::new();
    for n in 0..20_000_u32 {
        if n % 7 == 6 && log.len() > 3 {
            log.truncate(log.len() - 1 - n as usize % 3);
            feed.truncate(log[log.len() - 1].1).unwrap();
        }
        let topic = TOPICS[n as usize % 3];
        let id = EventId::new((log.last().map_or(0, |(_, id)| id.position().0) + 1, 0), n);
        feed.append(id, topic, topic).unwrap();
        log.push((topic, id));
    }
    let id = EventId::new((1_000_000, 0), 0);
    feed.append(id, TOPICS[0], "end").unwrap();
    for reader in readers {
        let (topics, all) = reader.join().unwrap();
        let of_topics = log.iter().filter(|(topic, _)| topics.contains(topic));
        let remains: HashSet<String> = of_topics.clone().map(|(_, id)| id.to_string()).collect();
        let mut rest = of_topics.map(|(_, id)| id.to_string()).peekable();
        let (mut seen_taken_back, mut told_unknown) = (false, false);
        for told in &all[..all.len() - 1] {
            // After more truncations than are remembered one by one, the gap covers more than the truncated events: it
            // covers all events up to the next one.
            if let Received::Event { id, .. } = told
                && remains.contains(id)
                && std::mem::take(&mut told_unknown)
            {
                while rest.next_if(|next| next != id).is_some() {}
            }
            match told {
                Received::Event { id, .. } if rest.peek() == Some(id) => {
                    assert!(!seen_taken_back, "nobody said that something was taken back");
                    rest.next();
                }
                Received::Event { .. } => seen_taken_back = true,
                Received::Unknown => (seen_taken_back, told_unknown) = (false, true),
                Received::Gap { .. } => panic!("nothing was lost"),
            }
        }
        assert!(told_unknown || rest.next().is_none(), "something is missing and nobody says so");
    }
}
