//! A hub with many streams: slow and fast subscribers, wakers that call the hub, and drains.

use bytes::Bytes;
use futures_core::Stream;
use sse_core::testing::{Clock, Reader};
use sse_core::{CloseReason, Event, EventStream, Hub, Sender, Subscription};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

type Body = EventStream<Clock>;

fn read(subscription: Subscription<Clock>) -> Reader<Body> {
    Reader::new(subscription.into_response().into_body())
}

fn subscribe(clock: &Clock, hub: &Hub, topic: &str) -> Reader<Body> {
    read(clock.sse().subscribe(hub, [topic]))
}

/// Runs this on a thread of its own, and fails if the thread does not end in time.
fn within(limit: Duration, run: impl FnOnce() + Send + 'static) {
    let (done, ended) = channel::<()>();
    let thread = std::thread::spawn(move || {
        run();
        drop(done);
    });
    match ended.recv_timeout(limit) {
        Err(RecvTimeoutError::Disconnected) => thread.join().unwrap(),
        _ => panic!("it hangs"),
    }
}

// Slow subscribers.

/// The bytes of 99 subscribers, and how often each was polled and woken, beside this many stalled ones.
fn ninety_nine_fast_subscribers(stalled: usize) -> Vec<(Vec<u8>, usize, usize)> {
    let clock = Clock::new();
    let hub = Hub::builder().retry(Duration::ZERO).topic_bytes(64 * 1024).build_on(clock.clone());
    let mut slow: Vec<_> = (0..stalled).map(|_| subscribe(&clock, &hub, "news")).collect();
    slow.iter_mut().for_each(|reader| assert!(reader.text().starts_with(":\nevent: sse-position\nretry: ")));
    let mut fast: Vec<_> = (0..99).map(|_| (subscribe(&clock, &hub, "news"), Vec::new(), 0)).collect();
    for n in 0..1_000 {
        // Far more than the topic stores.
        hub.publish("news", Event::data(n.to_string().repeat(100))).unwrap();
        for (reader, bytes, polls) in &mut fast {
            loop {
                *polls += 1;
                match reader.poll() {
                    Poll::Ready(Some(chunk)) => bytes.extend_from_slice(&chunk),
                    Poll::Ready(None) => panic!("a healthy reader was ended"),
                    Poll::Pending => break,
                }
            }
        }
    }
    assert!(slow.iter_mut().all(Reader::has_ended), "they fell behind");
    fast.into_iter().map(|(reader, bytes, polls)| (bytes, polls, reader.wakes())).collect()
}

/// Hazard B2.
#[test]
fn a_stalled_subscriber_changes_nothing_for_99_fast_ones() {
    let alone = ninety_nine_fast_subscribers(0);
    assert!(alone.iter().all(|(bytes, polls, wakes)| bytes.len() > 200_000 && *polls == 2_001 && *wakes == 999));
    assert!(ninety_nine_fast_subscribers(1) == alone);
    assert!(ninety_nine_fast_subscribers(50) == alone);
}

/// Hazard B12.
#[test]
fn a_burst_of_5000_events_ends_no_healthy_subscriber_at_the_default_limits() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let mut readers: Vec<_> = (0..200).map(|_| subscribe(&clock, &hub, "news")).collect();
    readers.iter_mut().for_each(|reader| assert!(!reader.has_ended()));
    for _ in 0..5_000 {
        hub.publish("news", "x".repeat(100)).unwrap();
    }
    for reader in &mut readers {
        assert_eq!(reader.wakes(), 1, "woken once, not 5,000 times");
        let text = reader.text();
        assert_eq!(text.matches("data: ").count(), 5_000);
        assert!(!reader.has_ended());
    }
    assert_eq!(hub.stats().lagged, 0);
}

// Wakers that call the hub.

/// A waker that calls the hub when it is woken, and when it is dropped.
struct Meddler {
    hub: Hub,
    clock: Clock,
    calls: Arc<AtomicUsize>,
    /// Dropped by the first waker that is woken or dropped.
    victims: Arc<Mutex<Vec<Pin<Box<Body>>>>>,
}

impl Meddler {
    fn meddle(&self) {
        // Otherwise the waker would wake itself forever.
        if self.calls.fetch_add(1, Ordering::SeqCst) >= 20 {
            return;
        }
        self.hub.publish("news", "from a waker").unwrap();
        self.hub.publish_all([("news", "a"), ("other", "b")]).unwrap();
        let mut reader = subscribe(&self.clock, &self.hub, "news");
        assert!(reader.text().contains("\nretry: "));
        drop(self.hub.topic("news").unwrap());
        assert!(self.hub.stats().published > 0);
        let victim = self.victims.lock().unwrap().pop();
        drop((reader, victim));
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.meddle();
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

fn poll(body: &mut Pin<Box<Body>>, waker: &Waker) -> Poll<Option<Bytes>> {
    body.as_mut().poll_next(&mut Context::from_waker(waker))
}

/// Streams that wait with such a waker.
fn meddlers(count: usize) -> (Clock, Hub, Vec<Pin<Box<Body>>>, Arc<AtomicUsize>) {
    let clock = Clock::new();
    let hub = Hub::builder().topic_events(3).build_on(clock.clone());
    let calls = Arc::new(AtomicUsize::new(0));
    let open = || Box::pin(clock.sse().subscribe(&hub, ["news", "other"]).into_response().into_body());
    let victims: Arc<Mutex<Vec<_>>> = Arc::default();
    let bodies = (0..count).map(|_| {
        let mut victim = open();
        while poll(&mut victim, Waker::noop()).is_ready() {}
        victims.lock().unwrap().push(victim);
        let (hub, clock, victims) = (hub.clone(), clock.clone(), victims.clone());
        let waker = Waker::from(Arc::new(Meddler { hub, clock, calls: calls.clone(), victims }));
        let mut body = open();
        while poll(&mut body, &waker).is_ready() {}
        body
    });
    let bodies = bodies.collect();
    (clock, hub, bodies, calls)
}

/// Hazard G5.
#[test]
fn a_waker_may_use_the_hub_when_a_publish_wakes_it() {
    within(10 * SECOND, || {
        let (_, hub, bodies, calls) = meddlers(3);
        hub.publish("news", "x").unwrap();
        assert!(calls.load(Ordering::SeqCst) >= 3);
        drop(bodies);
    });
}

/// Hazard G5.
#[test]
fn a_waker_may_use_the_hub_when_it_is_dropped() {
    within(10 * SECOND, || {
        let (_, _, bodies, calls) = meddlers(3);
        drop(bodies);
        assert!(calls.load(Ordering::SeqCst) >= 3, "with the stream");

        let (_, _, mut bodies, calls) = meddlers(3);
        for body in &mut bodies {
            // Some are pending, some have events, some lag.
            let _ = poll(body, Waker::noop());
        }
        assert!(calls.load(Ordering::SeqCst) >= 3, "when another takes its place");
    });
}

/// Hazard G5.
#[test]
fn a_waker_may_use_the_hub_when_a_timer_a_drain_or_a_sender_wakes_it() {
    within(10 * SECOND, || {
        let (clock, _, bodies, calls) = meddlers(3);
        clock.advance(60 * SECOND);
        assert!(calls.load(Ordering::SeqCst) >= 3);
        drop(bodies);

        let (_, hub, bodies, calls) = meddlers(3);
        let draining = hub.drain(SECOND);
        assert!(calls.load(Ordering::SeqCst) >= 3);
        drop((bodies, draining));

        let (clock, hub, _bodies, calls) = meddlers(1);
        let (sender, response) = clock.sse().subscribe(&hub, ["news"]).with_sender();
        let mut body = Box::pin(response.into_body());
        let victims = Arc::default();
        let meddler = Meddler { hub: hub.clone(), clock, calls: calls.clone(), victims };
        let waker = Waker::from(Arc::new(meddler));
        while poll(&mut body, &waker).is_ready() {}
        sender.try_send("x").unwrap();
        assert!(calls.load(Ordering::SeqCst) >= 1);
        drop(waker);
    });
}

/// A waker that publishes when it is cloned.
fn cloning() -> RawWaker {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            HUB.with_borrow(|hub| hub.as_ref().map(|hub| hub.publish("other", "from a clone").unwrap()));
            cloning()
        },
        |_| {},
        |_| {},
        |_| {},
    );
    RawWaker::new(std::ptr::null(), &VTABLE)
}

thread_local! {
    static HUB: std::cell::RefCell<Option<Hub>> = const { std::cell::RefCell::new(None) };
}

/// Hazard G5.
#[test]
#[allow(unsafe_code, reason = "only a raw waker can do something when it is cloned")]
fn a_waker_may_use_the_hub_when_it_is_cloned() {
    within(10 * SECOND, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        HUB.set(Some(hub.clone()));
        // SAFETY: the functions of the table use no data.
        let waker = unsafe { Waker::from_raw(cloning()) };
        let mut body = Box::pin(clock.sse().subscribe(&hub, ["news"]).into_response().into_body());
        while poll(&mut body, &waker).is_ready() {}
        let mut draining = pin!(hub.drain(SECOND));
        assert!(draining.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(hub.stats().published > 0);
        HUB.set(None);
    });
}

/// A name that calls the hub in `as_ref`, and when it is dropped.
struct Name(Hub);

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.0.publish("elsewhere", "x").unwrap();
        "news"
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.0.publish("elsewhere", "x").unwrap();
    }
}

/// Hazard G5.
#[test]
fn a_topic_name_may_use_the_hub() {
    within(10 * SECOND, || {
        let clock = Clock::new();
        let hub = Hub::builder().max_topics(3).build_on(clock.clone());
        let name = || Name(hub.clone());
        hub.publish(name(), "x").unwrap();
        hub.publish_all([(name(), "x"), (name(), "y")]).unwrap();
        hub.publish_all([(name(), Event::data("x")), (name(), Event::data("y").id("7"))]).unwrap_err();
        drop(hub.topic(name()).unwrap());
        assert!(read(clock.sse().subscribe(&hub, [name()])).text().starts_with(":\nevent: sse-position\nretry: "));
    });
}

// Drains.

/// The value of the last `retry` line, in milliseconds.
fn retry(text: &str) -> u64 {
    text.rsplit_once("retry: ")
        .and_then(|(_, rest)| rest.lines().next()?.parse().ok())
        .unwrap_or_else(|| panic!("{text:?}"))
}

fn now<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Hazard D4.
#[test]
fn a_drain_of_10000_streams_is_spread_evenly_over_its_window() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let mut readers: Vec<_> = (0..10_000).map(|_| subscribe(&clock, &hub, "news")).collect();
    readers.iter_mut().for_each(|reader| assert!(!reader.has_ended()));
    let id = hub.publish("news", "before the drain").unwrap().to_string();
    readers.iter_mut().for_each(|reader| assert!(reader.text().contains(&id)));
    let mut draining = pin!(hub.drain(30 * SECOND));
    let (mut ends, mut waits) = (Vec::new(), Vec::new());
    for second in 1..=30 {
        assert_eq!(now(draining.as_mut()), None, "in second {second}");
        clock.advance(SECOND);
        let before = readers.len();
        readers.retain_mut(|reader| {
            let text = reader.text();
            let ended = reader.has_ended();
            if ended {
                assert!(reader.wakes() <= 5, "it is not polled in vain");
                waits.push(retry(&text));
            }
            !ended
        });
        ends.push(before - readers.len());
    }
    assert_eq!(now(draining), Some(0));
    println!("ends in each of 30 s: {ends:?}");
    // The mean is 333.
    assert!(ends.iter().all(|&ended| (166..500).contains(&ended)), "{ends:?}");
    assert!(waits.iter().all(|wait| (1_000..=5_000).contains(wait)));
    for range in [1_000..2_000, 2_000..3_000, 3_000..4_000, 4_000..5_001] {
        let share = waits.iter().filter(|&wait| range.contains(wait)).count();
        assert!((2_200..2_800).contains(&share), "{share} waits in {range:?}");
    }
    let stats = hub.stats();
    assert_eq!((stats.streams, stats.ended(CloseReason::Drained)), (0, 10_000));
    assert!(hub.is_draining());
}

/// Hazard D2.
#[test]
fn a_drain_returns_the_open_streams_after_window_and_grace() {
    let clock = Clock::new();
    let hub = Hub::builder().drain_grace(3 * SECOND).build_on(clock.clone());
    let mut live: Vec<_> = (0..90).map(|_| subscribe(&clock, &hub, "news")).collect();
    live.iter_mut().for_each(|reader| assert!(!reader.has_ended()));
    let mut stalled: Vec<_> = (0..10).map(|_| subscribe(&clock, &hub, "news")).collect();
    stalled.iter_mut().step_by(2).for_each(|reader| assert!(!reader.has_ended()));
    let mut draining = pin!(hub.drain(5 * SECOND));
    assert_eq!(now(draining.as_mut()), None);
    clock.advance(5 * SECOND);
    assert!(live.iter_mut().all(Reader::has_ended));
    clock.advance(3 * SECOND - Duration::from_nanos(1));
    assert_eq!(now(draining.as_mut()), None);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(now(draining.as_mut()), Some(10));
    assert_eq!((hub.stats().streams, hub.stats().ended(CloseReason::Drained)), (10, 90));
    drop(stalled);
    assert_eq!((hub.stats().streams, hub.stats().ended(CloseReason::ClientLeft)), (0, 10));
}

#[test]
fn a_drain_is_ready_when_the_last_stream_ends() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let mut reader = subscribe(&clock, &hub, "news");
    reader.text();
    let mut draining = hub.drain(Duration::ZERO);
    let mut second = hub.drain(60 * SECOND);
    assert_eq!(now(Pin::new(&mut draining)), None);
    let text = reader.text();
    assert!((1_000..=5_000).contains(&retry(&text)), "{text:?}");
    assert!(reader.has_ended());
    assert_eq!((now(Pin::new(&mut draining)), now(Pin::new(&mut second))), (Some(0), Some(0)));
    assert_eq!(now(Pin::new(&mut hub.drain(60 * SECOND))), Some(0), "a hub without streams has nothing to wait for");
}

/// Hazards D1 and D3.
#[test]
fn a_channel_notices_the_drain_and_can_send_until_the_window_ends() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let open = || -> (Sender, Reader<Body>) {
        let (sender, response) = clock.sse().attach(&hub).channel();
        (sender, Reader::new(response.into_body()))
    };
    let (polite, mut leaves) = open();
    let (silent, mut is_ended) = open();
    let mut told = pin!(polite.draining());
    assert_eq!(now(told.as_mut()), None);
    let _draining = hub.drain(10 * SECOND);
    assert_eq!(now(told), Some(()));
    assert!(now(pin!(silent.draining())).is_some(), "a state, not an edge");
    polite.try_send("goodbye").unwrap();
    polite.close();
    let text = leaves.text();
    assert!(text.starts_with(":\nevent: sse-open\n\ndata: goodbye\n\nretry: "), "{text:?}");
    assert_eq!((leaves.has_ended(), polite.close_reason()), (true, Some(CloseReason::Closed)));
    clock.advance(10 * SECOND - Duration::from_nanos(1));
    assert!(!is_ended.has_ended());
    clock.advance(Duration::from_nanos(1));
    assert!((1_000..=5_000).contains(&retry(&is_ended.text())));
    assert_eq!((is_ended.has_ended(), silent.close_reason()), (true, Some(CloseReason::Drained)));
}

/// Hazard H2.
#[test]
fn requests_during_a_drain_are_answered_retry_later() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let _draining = hub.drain(SECOND);
    for _ in 0..100 {
        let response = clock.sse().subscribe(&hub, ["news"]).into_response();
        assert_eq!((response.status(), response.id()), (200, None));
        let mut reader = Reader::new(response.into_body());
        let text = reader.text();
        let later = "event: sse-later\ndata: {\"reason\":\"draining\"}\n\n";
        assert_eq!(text, format!(":\nevent: sse-open\nretry: {}\n\n{later}", retry(&text)));
        assert!((1_000..=5_000).contains(&retry(&text)) && reader.has_ended());
    }
    assert_eq!(hub.stats().streams, 0);
    assert!(hub.publish("news", "x").is_ok(), "publishing goes on for who still reads");
}

/// Hazard D3.
#[test]
fn a_stream_opened_while_a_drain_starts_ends_in_every_case() {
    for round in 0..200 {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let barrier = std::sync::Barrier::new(3);
        let mut streams = std::thread::scope(|scope| {
            let openers = [(); 2].map(|()| {
                scope.spawn(|| {
                    barrier.wait();
                    (0..20).map(|_| subscribe(&clock, &hub, "news")).collect::<Vec<_>>()
                })
            });
            barrier.wait();
            (0..round % 50).for_each(|_| std::hint::spin_loop());
            drop(hub.drain(Duration::ZERO));
            openers.map(|opener| opener.join().unwrap()).into_iter().flatten().collect::<Vec<_>>()
        });
        assert!(streams.iter_mut().all(Reader::has_ended), "in round {round}");
        assert_eq!(hub.stats().streams, 0);
    }
}

/// Hazard H1.
#[test]
fn twice_as_many_clients_as_max_streams_do_not_end_each_other() {
    const ROOM: usize = 100;
    let clock = Clock::new();
    let hub = Hub::builder().max_streams(ROOM).build_on(clock.clone());
    let mut held: Vec<_> = (0..ROOM).map(|_| subscribe(&clock, &hub, "news")).collect();
    held.iter_mut().for_each(|reader| assert!(!reader.has_ended()));
    // The others reconnect after their reconnection time, in steps of 100 ms.
    let mut due = vec![0; ROOM];
    let mut attempts = 0;
    for step in 0..6_000 {
        for due in due.iter_mut().filter(|due| **due <= step * 100) {
            attempts += 1;
            let text = subscribe(&clock, &hub, "news").text();
            *due = step * 100 + retry(&text);
        }
        clock.advance(SECOND / 10);
    }
    println!("{attempts} attempts of {ROOM} clients in 10 minutes");
    // The reconnection time is 3 s on average.
    assert!(attempts < ROOM * 600 / 3 + ROOM * 10, "{attempts}");
    assert!(held.iter_mut().all(|reader| !reader.has_ended()), "nobody was evicted for them");
}
