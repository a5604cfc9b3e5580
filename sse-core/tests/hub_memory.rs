//! The memory of a hub and its subscribers, by a counting allocator, so this is a test binary of its own. `--nocapture`
//! prints the figures.

use bytes::Bytes;
use futures_core::Stream;
use sse_core::hub::EventId;
use sse_core::testing::Clock;
use sse_core::{Event, EventStream, Hub, LastEventId, Subscription, Tokio};
use sse_test_support::alloc::{self, Counting};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The bytes that this thread holds, compared with the moment of `from_now`. The number can be negative.
struct Held(usize);

impl Held {
    fn from_now() -> Self {
        Self(alloc::live())
    }

    fn bytes(&self) -> isize {
        alloc::live().wrapping_sub(self.0) as isize
    }

    fn at_most(&self, bound: usize, what: &str) {
        let held = self.bytes();
        assert!(held <= bound as isize, "{what}: {held} bytes are more than {bound}");
    }
}

type Body = Pin<Box<EventStream<Clock>>>;

fn body(subscription: Subscription<Clock>) -> Body {
    Box::pin(subscription.into_response().into_body())
}

fn poll(body: &mut Body, waker: &Waker) -> Poll<Option<Bytes>> {
    body.as_mut().poll_next(&mut Context::from_waker(waker))
}

/// Reads to the end, and returns the number of bytes.
fn read(body: &mut Body) -> usize {
    let mut bytes = 0;
    while let Poll::Ready(Some(chunk)) = poll(body, Waker::noop()) {
        bytes += chunk.len();
    }
    bytes
}

/// Publishes an event whose block has about this many bytes.
fn publish(hub: &Hub, topic: &str, bytes: usize) -> EventId {
    let overhead = "data: \nid: 123456-12345678\n\n".len();
    hub.publish(topic, Event::data("x".repeat(bytes - overhead))).unwrap()
}

fn hub_on(clock: &Clock) -> Hub {
    Hub::builder().build_on(clock.clone())
}

/// The index of a ring: 16 bytes for each event, in a list that may have twice the capacity.
const fn index(events: usize) -> usize {
    32 * events + 4 * KIB
}

/// Hazard B1.
#[test]
fn ten_thousand_stalled_subscribers_cost_their_ring_and_a_kibibyte_each() {
    const STREAMS: usize = 10_000;
    const TOPIC: usize = 4 * MIB;
    let held = Held::from_now();
    let clock = Clock::new();
    let hub = hub_on(&clock);
    let mut bodies: Vec<Body> = (0..STREAMS).map(|_| body(clock.sse().subscribe(&hub, ["busy"]))).collect();
    // Half of them are read until they wait, and then stall.
    for body in bodies.iter_mut().step_by(2) {
        read(body);
    }
    println!("an idle stream before anything was published: {} B", held.bytes() / STREAMS as isize);
    let mut most = 0;
    for second in 0..60 {
        for _ in 0..1_024 {
            publish(&hub, "busy", KIB);
            clock.advance(Duration::from_secs(1) / 1_024);
        }
        held.at_most(TOPIC + STREAMS * KIB, &format!("after {second} s"));
        most = most.max(held.bytes());
    }
    println!(
        "10,000 stalled readers, 60 MiB published: at most {most} B, {} beyond the bound of the ring",
        most - TOPIC as isize
    );
    assert_eq!(hub.stats().published, 60 * 1_024);
    // Each of them ends at its next poll.
    assert!(bodies.iter_mut().all(|body| read(body) > 0 || matches!(poll(body, Waker::noop()), Poll::Ready(None))));
    assert_eq!(hub.stats().lagged, STREAMS as u64);
}

/// Hazards B9 and B12.
#[test]
fn five_thousand_subscribers_at_a_thousand_positions_cost_two_mebibytes_beyond_the_ring() {
    const PLACES: u64 = 1_000;
    const EVENTS: u64 = 2_000;
    let clock = Clock::new();
    let hub = hub_on(&clock);
    let ids: Vec<_> = (0..EVENTS).map(|_| publish(&hub, "news", 118)).collect();
    let mut bodies = Vec::new();
    for n in 0..5 * PLACES {
        let id = LastEventId::Text(ids[(n % PLACES) as usize].to_string().into());
        bodies.push(body(clock.sse_after(id).subscribe(&hub, ["news"])));
    }
    // Every chunk, as a transport would hold it.
    let mut chunks: Vec<Bytes> = Vec::with_capacity(50 * bodies.len());
    let held = Held::from_now();
    for body in &mut bodies {
        while let Poll::Ready(Some(chunk)) = poll(body, Waker::noop()) {
            chunks.push(chunk);
        }
    }
    let bytes: usize = chunks.iter().map(Bytes::len).sum();
    println!(
        "5,000 readers at 1,000 places: {} B beyond the ring for {bytes} B in {} chunks",
        held.bytes(),
        chunks.len()
    );
    assert_eq!(hub.stats().delivered, 5 * (0..PLACES).map(|place| EVENTS - place - 1).sum::<u64>());
    assert!(bytes > 500 * MIB);
    held.at_most(2 * MIB, "chunks of 5,000 readers");
}

/// A waker that can be counted.
struct Flag;

impl Wake for Flag {
    fn wake(self: Arc<Self>) {}
}

/// Hazard B6.
#[test]
fn ended_streams_hold_no_memory() {
    const STREAMS: usize = 30_000;
    let clock = Clock::new();
    let hub = hub_on(&clock);
    let topics: Vec<String> = (0..100).map(|n| format!("topic {n}")).collect();
    for topic in &topics {
        publish(&hub, topic, 100);
    }
    let flag = Arc::new(Flag);
    let waker = Waker::from(flag.clone());
    // Memory that is allocated once, by the first stream.
    drop(body(clock.sse().subscribe(&hub, ["topic 0"])));
    let held = Held::from_now();
    for n in 0..STREAMS {
        // Every fifth stream has a topic of its own, which is dropped with the stream.
        let own = format!("own {n}");
        let names = [&topics[n % 100], &topics[n * 7 % 100], if n % 5 == 0 { &own } else { &topics[0] }];
        let mut stream = body(clock.sse().subscribe(&hub, names));
        if n % 2 == 0 {
            assert!(poll(&mut stream, &waker).is_ready() && poll(&mut stream, &waker).is_pending());
        }
    }
    println!("{STREAMS} streams one after another left {} B", held.bytes());
    held.at_most(16 * KIB, "one after another");

    let mut open: Vec<_> = (0..STREAMS).map(|n| body(clock.sse().subscribe(&hub, [&topics[n % 100]]))).collect();
    open.iter_mut().step_by(2).for_each(|stream| while poll(stream, &waker).is_ready() {});
    assert_eq!(hub.stats().streams, STREAMS);
    assert!(Arc::strong_count(&flag) > STREAMS / 2, "they are parked");
    println!("{STREAMS} streams at once: {} B each", held.bytes() / STREAMS as isize);
    // In another order than they were opened.
    while let Some(last) = open.len().checked_sub(1) {
        drop(open.swap_remove(last * 7 % (last + 1)));
    }
    drop(open);
    println!("{STREAMS} streams at once left {} B", held.bytes());
    held.at_most(16 * KIB, "at once");
    assert_eq!((hub.stats().streams, hub.stats().topics), (0, 100));
    assert_eq!(Arc::strong_count(&flag), 2, "no waker is parked");
    assert_eq!(hub.stats().ended(sse_core::CloseReason::ClientLeft), 2 * STREAMS as u64 + 1);
}

/// Hazard B5.
#[test]
fn a_million_subscribed_names_hold_no_memory() {
    let clock = Clock::new();
    let hub = Hub::builder().max_topics(10).build_on(clock.clone());
    drop(clock.sse().subscribe(&hub, ["x"]));
    let held = Held::from_now();
    for n in 0..1_000_000 {
        drop(hub.topic(n.to_string()).unwrap());
        // A complete stream is slower, so only for every tenth name.
        if n % 10 == 0 {
            assert!(clock.sse().subscribe(&hub, [n.to_string()]).id().is_some());
        }
    }
    assert_eq!((hub.stats().topics, hub.stats().streams), (0, 0));
    held.at_most(4 * KIB, "a million names");
}

#[test]
fn trimmed_topics_cost_a_bounded_table_and_their_clients_receive_a_gap() {
    let clock = Clock::new();
    let held = Held::from_now();
    let hub = Hub::builder().topic_age(Duration::from_secs(1)).build_on(clock.clone());
    let zero = hub.publish("zero", "x").unwrap().to_string();
    hub.publish("first", "x").unwrap();
    let mut most = 0;
    for n in 0..200_000 {
        clock.advance(Duration::from_millis(1));
        hub.publish(n.to_string(), "x").unwrap();
        if n % 1_000 == 0 {
            most = most.max(held.bytes());
        }
    }
    println!("200,000 names published to, each forgotten after 1,000 more: at most {most} B");
    assert!(most < 16 * MIB as isize, "{most}");
    assert!(hub.stats().topics < 1_100);
    let is_gap = |name: String| {
        let id = LastEventId::Text(zero.as_str().into());
        clock.sse_after(id).subscribe(&hub, [name]).resumption().is_gap()
    };
    assert!(is_gap("first".into()));
    // Topics that are remembered one by one, and topics that are not.
    assert!((0..198_000).step_by(397).all(|n| is_gap(n.to_string())));
}

/// Hazard B15.
#[test]
fn topics_beyond_max_topics_replace_each_other() {
    const TOPICS: usize = 20_000;
    let clock = Clock::new();
    let held = Held::from_now();
    let hub = Hub::builder().max_topics(TOPICS).build_on(clock.clone());
    for n in 0..TOPICS {
        hub.publish(n.to_string(), "x").unwrap();
    }
    let each = held.bytes() / TOPICS as isize;
    for n in TOPICS..200_000 {
        hub.publish(n.to_string(), "x").unwrap();
    }
    assert_eq!((hub.stats().topics, hub.stats().dropped_topics), (TOPICS, 180_000));
    // The memory of the dropped topics.
    held.at_most(TOPICS * KIB + 12 * MIB, "20,000 topics");
    drop(hub);
    assert_eq!(held.bytes(), 0);
    println!("a topic with one short event: {each} B");
}

/// Hazard B19.
#[test]
fn tables_shrink_after_a_crowd_left_although_a_few_streams_stay() {
    const CROWD: usize = 50_000;
    let clock = Clock::new();
    let hub = hub_on(&clock);
    let open = |n: usize| body(clock.sse().key(n.to_string()).unwrap().subscribe(&hub, [n.to_string()]));
    let few: Vec<Body> = (0..10).map(open).collect();
    let one = Held::from_now();
    drop(open(10));
    let held = Held::from_now();
    let mut crowd: Vec<Body> = (10..CROWD).map(open).collect();
    println!("a stream with a key and a topic of its own: {} B", held.bytes() / CROWD as isize);
    let mut n = 0;
    crowd.retain(|_| {
        n += 1;
        n % 5_000 == 0
    });
    crowd.shrink_to_fit();
    assert_eq!((hub.stats().streams, hub.stats().topics), (19, 19));
    println!("{} B left of a crowd of {CROWD}, 9 of whom stayed", held.bytes());
    held.at_most(9 * 3 * KIB + 16 * KIB, "the tables of a crowd");
    drop((few, crowd, one));
}

/// Hazard B18.
#[test]
fn chunks_in_flight_hold_little_more_memory_than_their_bytes() {
    let clock = Clock::new();
    let hub = Hub::builder().topic_bytes(256 * KIB).build_on(clock.clone());
    let mut chunks = Vec::with_capacity(2_000);
    let held = Held::from_now();
    for round in 0..2_000 {
        for _ in 0..331 {
            publish(&hub, "a", 90);
        }
        let mut body = body(clock.sse().keep_alive(None).subscribe(&hub, ["a"]));
        let _ = poll(&mut body, Waker::noop());
        // From one event to a run just below the shared size.
        for _ in 0..=round % 22 {
            publish(&hub, "a", 90);
        }
        match poll(&mut body, Waker::noop()) {
            Poll::Ready(Some(chunk)) => chunks.push(chunk),
            other => panic!("{other:?}"),
        }
    }
    let bytes: usize = chunks.iter().map(Bytes::len).sum();
    println!("{bytes} B in flight in {} chunks: {} B held beside the hub", chunks.len(), held.bytes());
    let of_hub = 256 * KIB + 2 * 33 * KIB + index(256 * KIB / 90);
    held.at_most(of_hub + bytes + chunks.len() * 128, "chunks in flight");
}

#[test]
fn a_ring_costs_its_bound_one_segment_and_its_index() {
    const TOPIC: usize = MIB;
    for bytes in [60, 118, 1_000, 5_000, 33_000, 200_000] {
        for readers in [0, 1, 2] {
            let clock = Clock::new();
            let hub = Hub::builder().topic_bytes(TOPIC).build_on(clock.clone());
            // One subscriber reads each event. The other reads three at a time, which joins the tail.
            let mut bodies: Vec<_> = (0..readers).map(|_| body(clock.sse().subscribe(&hub, ["news"]))).collect();
            bodies.iter_mut().for_each(|body| _ = read(body));
            let held = Held::from_now();
            let (mut most, events) = (0, TOPIC / bytes);
            for n in 0..3 * events {
                publish(&hub, "news", bytes);
                for (every, body) in [1, 3].iter().zip(&mut bodies) {
                    if n % every == 0 {
                        read(body);
                    }
                }
                // Without the memory of the publisher of this test.
                most = most.max(held.bytes());
            }
            println!("{events} events of {bytes} B, {readers} readers: {} B beyond {TOPIC}", most - TOPIC as isize);
            // A segment is one event longer than 32 KiB. The oldest segment may be trimmed up to its last event.
            let segment = 32 * KIB + bytes;
            assert!(most <= (TOPIC + 2 * segment + index(events)) as isize, "{most}");
        }
    }
}

#[test]
fn trimmed_events_of_many_topics_hold_no_memory() {
    const HUB: usize = MIB;
    const TOPICS: usize = 500;
    let clock = Clock::new();
    let hub = Hub::builder().hub_bytes(HUB).build_on(clock.clone());
    let names: Vec<_> = (0..TOPICS).map(|n| n.to_string()).collect();
    let mut bodies: Vec<_> = names.iter().map(|name| body(clock.sse().subscribe(&hub, [name]))).collect();
    bodies.iter_mut().for_each(|body| _ = read(body));
    let held = Held::from_now();
    for (name, body) in names.iter().zip(&mut bodies) {
        // Less than a segment, joined for a slow subscriber.
        for _ in 0..30 {
            publish(&hub, name, KIB);
        }
        assert!(read(body) > 29 * KIB);
    }
    println!("500 topics, each 30 KiB once: {} B for {} held", held.bytes(), hub.stats().held_bytes);
    held.at_most(2 * HUB + TOPICS * 2 * KIB, "forgotten tails");
}

#[test]
fn a_key_that_is_set_and_removed_again_and_again_holds_no_memory() {
    let hub = hub_on(&Clock::new());
    let state = hub.state_topic("state").unwrap();
    let cycle = |n: usize| {
        state.set("key", n.to_string()).unwrap();
        state.remove("key").unwrap();
    };
    (0..1_000).for_each(cycle);
    let held = Held::from_now();
    (0..100_000).for_each(cycle);
    held.at_most(4 * KIB, "superseded events");
}

/// The bytes of an idle subscription of this many topics, without the timer of its runtime.
fn idle(topics: usize) -> usize {
    const STREAMS: usize = 1_024;
    let clock = Clock::new();
    let hub = hub_on(&clock);
    let names: Vec<_> = (0..topics).map(|n| format!("topic {n}")).collect();
    let _kept: Vec<_> = names.iter().map(|name| hub.topic(name).unwrap()).collect();
    let mut bodies: Vec<Body> = Vec::with_capacity(STREAMS);
    let held = Held::from_now();
    for _ in 0..STREAMS {
        let mut stream = body(clock.sse().keep_alive(None).subscribe(&hub, &names));
        read(&mut stream);
        bodies.push(stream);
    }
    held.bytes() as usize / STREAMS
}

/// Hazard B5.
#[test]
fn an_idle_subscription_costs_at_most_512_bytes_and_48_for_each_further_topic() {
    let sizes = (size_of::<EventStream<Tokio>>(), size_of::<EventStream<Clock>>());
    println!("EventStream<Tokio>: {} B, EventStream<Clock>: {} B", sizes.0, sizes.1);
    let one = idle(1) + sizes.0 - sizes.1;
    let eleven = idle(11) + sizes.0 - sizes.1;
    let further = (eleven - one) as f64 / 10.0;
    println!("an idle subscription on tokio: {one} B, {further} B for each further topic");
    assert!(one <= 512, "{one}");
    assert!(further <= 48.0, "{further}");
}

/// Hazard B9.
#[test]
fn an_unknown_id_allocates_less_than_256_bytes_more_than_no_id() {
    let clock = Clock::new();
    let hub = hub_on(&clock);
    let first = publish(&hub, "news", 500);
    let mut last = first;
    for _ in 0..10_000 {
        last = publish(&hub, "news", 500);
    }
    let cost = |id: LastEventId| {
        let before = alloc::ever();
        let mut stream = body(clock.sse_after(id).subscribe(&hub, ["news"]));
        assert!(poll(&mut stream, Waker::noop()).is_ready());
        alloc::ever() - before
    };
    cost(LastEventId::Absent);
    let none = cost(LastEventId::Absent);
    let text = |id: String| LastEventId::Text(id.into());
    let future = EventId::new((u64::MAX, 0), last.tag()).to_string();
    let foreign = EventId::new(last.position(), !last.tag()).to_string();
    let forged = [text("x".repeat(128)), text("\n".repeat(128)), text(future), text(foreign), LastEventId::TooLong];
    for id in forged.into_iter().chain([LastEventId::NotUtf8, LastEventId::Repeated]) {
        let more = cost(id.clone()) as isize - none as isize;
        println!("{more} B more than the {none} of none: {id:?}");
        assert!(more < 256, "{more} for {id:?}");
    }
    // A replay of all events allocates no more either: its bytes are slices of the ring.
    let more = cost(text(first.to_string())) as isize - none as isize;
    assert!(more < 256, "{more}");
}
