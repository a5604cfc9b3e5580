//! The hub alone, without sockets: the cost of a publish and of a poll, and the memory of a replay storm.

use crate::measure::{Case, anonymous, thread_ns};
use crate::still::Still;
use bytes::Bytes;
use sse_core::testing::Clock;
use sse_core::{Event, EventStream, Hub, Policy, Replay, Request, Sse};
use std::fmt;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The least number of publishes or polls in one run: more than one segment holds.
const EVENTS: usize = 1_024;

pub type Body = Pin<Box<EventStream<Still>>>;

fn subscribe(hub: &Hub, runtime: &Still, topic: &str) -> Body {
    Box::pin(runtime.sse().keep_alive(None).subscribe(hub, [topic]).into_response().into_body())
}

pub fn poll(body: &mut Body, waker: &Waker) -> Option<usize> {
    match body.as_mut().poll_chunk(body_now(), &mut Context::from_waker(waker)) {
        Poll::Ready(chunk) => chunk.map(|chunk| chunk.len()),
        Poll::Pending => None,
    }
}

/// The bodies have no deadline, so every moment gives the same result.
fn body_now() -> Instant {
    static NOW: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *NOW
}

pub fn parked(hub: &Hub, runtime: &Still, readers: usize, topic: impl Fn(usize) -> String) -> Vec<Body> {
    let waker = Waker::noop();
    let open = |at| {
        let mut body = subscribe(hub, runtime, &topic(at));
        while poll(&mut body, waker).is_some() {}
        body
    };
    (0..readers).map(open).collect()
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let task = "hub: publish, 100 B";
    for (contender, readers, topics) in [
        ("no cursor", 0, 1),
        ("1,000 parked on one other topic", 1_000, 1),
        ("100,000 parked on one other topic", 100_000, 1),
        ("100,000 parked on 1,000 other topics", 100_000, 1_000),
    ] {
        cases.push(publish(task, contender, readers, move |at| format!("other-{}", at % topics)));
    }
    for (contender, keys) in [
        ("set a key of 1,000 in a state topic", 1_000),
        ("set a key of 10,000 in a state topic", 10_000),
    ] {
        cases.push(set(task, contender, keys));
    }
    let task = "hub: publish, take and park, for each parked cursor of the topic";
    for (contender, readers) in
        [("1 cursor", 1), ("16 cursors", 16), ("1,000 cursors", 1_000), ("100,000 cursors", 100_000)]
    {
        cases.push(deliver(task, contender, readers, 1));
    }
    let task = "hub: publish N events and take them in one poll, 1 cursor, for each poll";
    for (contender, behind) in [("N = 1", 1), ("N = 2", 2), ("N = 8", 8), ("N = 16", 16)] {
        cases.push(deliver(task, contender, 1, behind));
    }
    let task = "hub: publish to a new topic, 100 B";
    for (contender, max_topics) in [("at a bound of 1,000 topics", 1_000), ("at a bound of 100,000 topics", 100_000)] {
        cases.push(new_topics(task, contender, max_topics));
    }
    let task = "hub: a replay of 10,240 events, for each event";
    for (contender, topics) in [("of 1 topic", 1), ("of 16 topics in turn", 16), ("of 256 topics in turn", 256)] {
        cases.push(replay(task, contender, topics));
    }
    let task = "hub: streams open and leave, for each stream";
    for (contender, streams, keyed) in [
        ("1,000 streams without a key", 1_000, false),
        ("1,000 streams of one key", 1_000, true),
        ("40,000 streams of one key", 40_000, true),
    ] {
        cases.push(leave(task, contender, streams, keyed));
    }
    cases
}

fn set(task: &str, contender: &'static str, keys: usize) -> Case {
    let mut made = None;
    let text = "x".repeat(100);
    Case::new(task, contender, EVENTS, move || {
        let (state, names, next) = made.get_or_insert_with(|| {
            let names: Vec<String> = (0..keys).map(|key| format!("key-{key}")).collect();
            let state = Hub::builder().build_on(Still::new()).state_topic("prices").expect("a topic");
            for name in &names {
                state.set(name.as_str(), Event::data(text.as_str())).expect("room");
            }
            (state, names, 0_usize)
        });
        for _ in 0..EVENTS {
            // Not in the order of the keys.
            *next = (*next + 7_919) % names.len();
            black_box(state.set(names[*next].as_str(), Event::data(text.as_str())).expect("room"));
        }
    })
    .not_peer()
}

fn new_topics(task: &str, contender: &'static str, max_topics: usize) -> Case {
    let mut made = None;
    let text = "x".repeat(100);
    Case::new(task, contender, EVENTS, move || {
        let (hub, next) = made.get_or_insert_with(|| {
            let hub = Hub::builder().max_topics(max_topics).build_on(Still::new());
            for topic in 0..max_topics {
                hub.publish(topic.to_string(), Event::data(text.as_str())).expect("an event");
            }
            (hub, max_topics)
        });
        for _ in 0..EVENTS {
            *next += 1;
            black_box(hub.publish(next.to_string(), Event::data(text.as_str())).expect("room"));
        }
    })
    .not_peer()
}

fn replay(task: &str, contender: &'static str, topics: usize) -> Case {
    let events = 10 * EVENTS;
    let mut made = None;
    let text = "x".repeat(100);
    Case::new(task, contender, events, move || {
        let (hub, runtime, names) = made.get_or_insert_with(|| {
            let runtime = Still::new();
            let hub = Hub::builder().build_on(runtime.clone());
            let names: Vec<String> = (0..topics).map(|topic| topic.to_string()).collect();
            for name in names.iter().cycle().take(events) {
                hub.publish(name, Event::data(text.as_str())).expect("an event");
            }
            (hub, runtime, names)
        });
        let feed = runtime.sse().keep_alive(None).subscribe(hub, &*names).replay(Replay::All);
        let mut body: Body = Box::pin(feed.into_response().into_body());
        while let Some(len) = poll(&mut body, Waker::noop()) {
            black_box(len);
        }
    })
    .not_peer()
}

fn leave(task: &str, contender: &'static str, streams: usize, keyed: bool) -> Case {
    let mut made = None;
    Case::new(task, contender, streams, move || {
        let (hub, runtime) = made.get_or_insert_with(|| {
            let runtime = Still::new();
            (Hub::builder().build_on(runtime.clone()), runtime)
        });
        let open = |_| {
            let sse = runtime.sse();
            (if keyed { sse.key("tenant").expect("a short key") } else { sse }).attach(hub).channel()
        };
        let crowd: Vec<_> = (0..streams).map(open).collect();
        drop(black_box(crowd));
    })
    .not_peer()
}

/// The longest publish while events expire by age, in µs of the thread's CPU time.
pub fn longest() -> Vec<(&'static str, f64)> {
    const TOPICS: usize = 5_000;
    let age = Duration::from_secs(600);
    let names: Vec<String> = (0..TOPICS).map(|topic| topic.to_string()).collect();
    let timed = |hub: &Hub, name: &String| {
        let start = thread_ns();
        hub.publish(name, "0123456789").expect("an event");
        (thread_ns() - start) as f64 / 1000.0
    };
    let at_once = {
        let clock = Clock::new();
        let hub = Hub::builder().topic_age(age).build_on(clock.clone());
        for name in names.iter().cycle().take(1_600_000) {
            hub.publish(name, "0123456789").expect("an event");
        }
        clock.advance(2 * age);
        names.iter().map(|name| timed(&hub, name)).fold(0.0, f64::max)
    };
    let steady = {
        let clock = Clock::new();
        let hub = Hub::builder().topic_age(age).build_on(clock.clone());
        let mut longest: f64 = 0.0;
        for step in 0..160 {
            clock.advance(age / 64);
            let of_step = names.iter().cycle().take(20_000).map(|name| timed(&hub, name)).fold(0.0, f64::max);
            // The first 70 steps fill the hub.
            longest = longest.max(if step < 70 { 0.0 } else { of_step });
        }
        longest
    };
    vec![
        ("1,600,000 events of 5,000 topics grow old at once", at_once),
        ("2,100 events/s of 5,000 topics, each kept for 600 s", steady),
    ]
}

fn publish(task: &str, contender: &'static str, readers: usize, topic: impl Fn(usize) -> String + 'static) -> Case {
    // Built at the first run, because each process counts only one of these cases.
    let mut made = None;
    let text = "x".repeat(100);
    Case::new(task, contender, EVENTS, move || {
        let (hub, _) = made.get_or_insert_with(|| {
            let runtime = Still::new();
            let hub = Hub::builder().build_on(runtime.clone());
            let bodies = parked(&hub, &runtime, readers, &topic);
            (hub, bodies)
        });
        for _ in 0..EVENTS {
            black_box(hub.publish("feed", Event::data(text.as_str())).expect("an event"));
        }
    })
    .not_peer()
}

/// Each reader polls when it is so many events behind.
fn deliver(task: &str, contender: &'static str, readers: usize, behind: usize) -> Case {
    let mut made = None;
    let text = "x".repeat(100);
    let rounds = EVENTS.div_ceil(readers);
    Case::new(task, contender, rounds * readers, move || {
        let (hub, bodies) = made.get_or_insert_with(|| {
            let runtime = Still::new();
            let hub = Hub::builder().build_on(runtime.clone());
            let bodies = parked(&hub, &runtime, readers, |_| "feed".to_owned());
            (hub, bodies)
        });
        for _ in 0..rounds {
            for _ in 0..behind {
                hub.publish("feed", Event::data(text.as_str())).expect("an event");
            }
            for body in &mut *bodies {
                while let Some(len) = poll(body, Waker::noop()) {
                    black_box(len);
                }
            }
        }
    })
    .not_peer()
}

/// The measurements of a replay storm.
pub struct Storm {
    pub streams: usize,
    pub events: usize,
    /// Time until all streams are live, in ms.
    pub ms: f64,
    /// Memory beyond the streams themselves, in bytes, with every chunk held as a stalled connection holds it.
    pub bytes: f64,
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { streams, events, ms, bytes } = self;
        write!(
            f,
            "without sockets, {streams} streams come back, each {STORM_BEHIND} events behind. All {events} events are handed \
             out in {ms:.1} ms; with every chunk held they take {:.0} KiB beyond the streams.",
            bytes / 1024.0
        )
    }
}

/// How many events each stream of a storm has missed.
const STORM_BEHIND: usize = 1_000;

/// This many streams reconnect at once.
pub fn storm(streams: usize) -> std::io::Result<Storm> {
    let runtime = Still::new();
    let hub = Hub::builder().build_on(runtime.clone());
    let text = "x".repeat(100);
    let publish = || hub.publish("feed", Event::data(text.as_str())).expect("an event");
    let seen = publish().to_string();
    for _ in 0..STORM_BEHIND {
        publish();
    }
    let waker = Waker::noop();
    let policy = Policy::default();
    let mut bodies: Vec<Body> = (0..streams)
        .map(|_| {
            let request = Request::new("GET", None, [("last-event-id", seen.as_bytes())]);
            let admitted = policy.check(&request).expect("a request that may open a stream");
            let sse = Sse::new(runtime.clone(), admitted).keep_alive(None);
            let mut body: Body = Box::pin(sse.subscribe(&hub, ["feed"]).into_response().into_body());
            // Each stream has an opening block of its own.
            poll(&mut body, waker);
            body
        })
        .collect();
    // Allocates the list of chunks before the measurement.
    let mut chunks = vec![Bytes::from_static(b"-"); streams * 16];
    let mut places = chunks.iter_mut();
    let (before, start) = (anonymous("self")?, Instant::now());
    for body in &mut bodies {
        let mut cx = Context::from_waker(waker);
        while let Poll::Ready(Some(chunk)) = body.as_mut().poll_chunk(body_now(), &mut cx) {
            if let Some(place) = places.next() {
                *place = chunk;
            }
        }
    }
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    let bytes = (anonymous("self")? - before).max(0.0);
    let events = hub.stats().delivered as usize;
    black_box((chunks, bodies));
    Ok(Storm { streams, events, ms, bytes })
}
