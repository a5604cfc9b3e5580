//! Subscribers of one topic that threads poll in turn, as the tasks of a runtime that steals work: each receives every
//! event once and in order, and no wake is lost.

use sse_core::testing::Clock;
use sse_core::{Decoder, EventStream, Hub, LastEventId, RESERVED_TYPES};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::Stream;

const WORKERS: usize = 4;
const CLIENTS: usize = 40;
const PUBLISHERS: usize = 2;
const EVENTS: usize = 2_000;

/// A test that hangs ends after this time.
const FOR_EVER: Duration = Duration::from_secs(30);

/// The clients that were woken.
#[derive(Default)]
struct Queue {
    woken: Mutex<VecDeque<usize>>,
    any: Condvar,
}

struct Woken {
    queue: Arc<Queue>,
    client: usize,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.queue.woken.lock().unwrap().push_back(self.client);
        self.queue.any.notify_one();
    }
}

struct Client {
    /// The same waker in every poll, as the task of a runtime has it.
    waker: Waker,
    body: Pin<Box<EventStream<Clock>>>,
    decoder: Decoder,
    /// The number of the next event of each publisher.
    next: [usize; PUBLISHERS],
    received: usize,
}

struct Load {
    clock: Clock,
    hub: Hub,
    topics: &'static [&'static str],
    /// Every fourth client disconnects and resumes, after this many polls.
    reconnects: usize,
    clients: Vec<Mutex<Client>>,
    queue: Arc<Queue>,
    received: AtomicUsize,
}

impl Load {
    fn connect(&self, id: LastEventId) -> Pin<Box<EventStream<Clock>>> {
        let sse = self.clock.sse_after(id).keep_alive(None);
        Box::pin(sse.subscribe(&self.hub, self.topics).into_response().into_body())
    }

    /// Polls one client until it waits.
    fn poll(&self, number: usize) {
        let client = &mut *self.clients[number].lock().unwrap();
        for poll in 1.. {
            if number.is_multiple_of(4) && usize::is_multiple_of(poll, self.reconnects) {
                let id = client.decoder.last_event_id().to_owned();
                client.body = self.connect(LastEventId::Text(id.clone().into()));
                client.decoder = Decoder::with_last_event_id(&id);
            }
            let chunk = match client.body.as_mut().poll_next(&mut Context::from_waker(&client.waker)) {
                Poll::Pending => return,
                Poll::Ready(None) => panic!("the stream has ended"),
                Poll::Ready(Some(chunk)) => chunk,
            };
            let mut input = &chunk[..];
            while let Some(event) = client.decoder.decode(&mut input) {
                let event = event.unwrap();
                if RESERVED_TYPES.contains(&&*event.event_type) {
                    continue;
                }
                assert_eq!(event.event_type, "message", "{}", event.data);
                let (publisher, event) = event.data.split_once(' ').unwrap();
                let next = &mut client.next[publisher.parse::<usize>().unwrap()];
                assert_eq!(event.parse::<usize>().unwrap(), *next);
                *next += 1;
                client.received += 1;
                self.received.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.received.load(Ordering::SeqCst) == CLIENTS * PUBLISHERS * EVENTS
    }

    fn work(&self) {
        let since = Instant::now();
        while !self.is_over() {
            let next = {
                let mut woken = self.queue.woken.lock().unwrap();
                if woken.is_empty() {
                    woken = self.queue.any.wait_timeout(woken, Duration::from_millis(20)).unwrap().0;
                }
                woken.pop_front()
            };
            match next {
                Some(client) => self.poll(client),
                None => assert!(since.elapsed() < FOR_EVER, "a wake was lost"),
            }
        }
    }

    /// Publishes, and waits now and then until every client has everything, so that all of them park.
    fn publish(&self, publisher: usize) {
        for event in 0..EVENTS {
            let topic = self.topics[event % self.topics.len()];
            self.hub.publish(topic, format!("{publisher} {event}")).unwrap();
            if event % 50 == 0 {
                let since = Instant::now();
                let has = |client: &Mutex<Client>| client.lock().unwrap().next[publisher] > event;
                while !self.clients.iter().all(has) {
                    assert!(since.elapsed() < FOR_EVER, "a wake was lost");
                    thread::yield_now();
                }
            }
        }
    }
}

fn run(topics: &'static [&'static str], reconnects: usize) {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let mut load = Load {
        clock,
        hub,
        topics,
        reconnects,
        clients: Vec::new(),
        queue: Arc::default(),
        received: AtomicUsize::new(0),
    };
    for client in 0..CLIENTS {
        let waker = Waker::from(Arc::new(Woken { queue: load.queue.clone(), client }));
        let body = load.connect(LastEventId::Absent);
        load.clients.push(Mutex::new(Client {
            waker,
            body,
            decoder: Decoder::new(),
            next: [0; PUBLISHERS],
            received: 0,
        }));
    }
    load.queue.woken.lock().unwrap().extend(0..CLIENTS);
    thread::scope(|scope| {
        (0..WORKERS).for_each(|_| drop(scope.spawn(|| load.work())));
        let load = &load;
        (0..PUBLISHERS).for_each(|publisher| drop(scope.spawn(move || load.publish(publisher))));
    });
    assert!(load.clients.iter().all(|client| client.lock().unwrap().received == PUBLISHERS * EVENTS));
    let stats = load.hub.stats();
    assert_eq!((stats.delivered, stats.lagged, stats.gaps), ((CLIENTS * PUBLISHERS * EVENTS) as u64, 0, 0));
    let hub = load.hub.clone();
    drop(load);
    assert_eq!(hub.stats().streams, 0);
    assert!(topics.iter().all(|topic| hub.subscribers(topic) == 0));
}

#[test]
fn subscribers_that_threads_poll_in_turn_receive_every_event() {
    run(&["a"], usize::MAX);
}

#[test]
fn subscribers_of_two_topics_that_threads_poll_in_turn_receive_every_event() {
    run(&["a", "b"], usize::MAX);
}

#[test]
fn subscribers_that_reconnect_on_any_thread_receive_every_event() {
    run(&["a"], 3);
}
