//! Every interleaving of the parts of a hub, with at most two or three preemptions.
//!
//! `cargo test -p sse-core --no-default-features --features __loom --test loom_hub --release`
#![cfg(feature = "__loom")]

use futures_core::Stream;
use loom::future::block_on;
use loom::thread;
use sse_core::hub::{EventId, log};
use sse_core::testing::Clock;
use sse_core::{EventStream, Hub, LastEventId, Random, Runtime, WakeTask};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant, SystemTime};

fn model(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(test);
}

struct Body(Pin<Box<EventStream<Clock>>>);

fn open(clock: &Clock, hub: &Hub, id: LastEventId, topics: &[&str]) -> Body {
    let sse = clock.sse_after(id).keep_alive(None);
    Body(Box::pin(sse.subscribe(hub, topics).into_response().into_body()))
}

impl Body {
    /// All available bytes.
    fn text(&mut self) -> String {
        let mut text = String::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(chunk)) = self.0.as_mut().poll_next(&mut cx) {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        text
    }

    /// Reads until this text, or the end of the stream. A lost wake is a deadlock, which loom reports.
    fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            match block_on(poll_fn(|cx| self.0.as_mut().poll_next(cx))) {
                Some(chunk) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
                None => break,
            }
        }
        text
    }
}

/// The IDs in a text, each gap as `gap` and its ID.
fn received(text: &str) -> Vec<String> {
    let blocks = text.split_terminator("\n\n").filter(|block| block.contains("data:") && !block.contains("sse-"));
    let id =
        |block: &str| block.lines().find_map(|line| line.strip_prefix("id: ")?.split('-').next().map(str::to_owned));
    blocks
        .map(|block| {
            (if block.starts_with("event: gap") { "gap " } else { "" }).to_owned() + &id(block).unwrap_or_default()
        })
        .collect()
}

#[test]
fn a_publish_wakes_a_parked_subscriber() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        body.text();
        let publisher = thread::spawn(move || hub.publish("a", "x").unwrap());
        assert_eq!(received(&body.read_until("\n\n")), ["1"]);
        publisher.join().unwrap();
    });
}

#[test]
fn a_subscriber_of_two_topics_receives_their_events_in_order() {
    model(2, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a", "b"]);
        body.text();
        let other = hub.clone();
        let publishers = [
            thread::spawn(move || hub.publish("a", "x").unwrap()),
            thread::spawn(move || other.publish("b", "x").unwrap()),
        ];
        let mut text = String::new();
        while received(&text).len() < 2 {
            text += &body.read_until("\n\n");
        }
        assert_eq!(received(&text), ["1", "2"]);
        for publisher in publishers {
            publisher.join().unwrap();
        }
    });
}

#[test]
fn the_end_of_a_topic_wakes_and_finishes_a_parked_subscriber() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        body.text();
        let other = hub.clone();
        let ends =
            [thread::spawn(move || hub.end("a", "x").is_ok()), thread::spawn(move || other.end("a", "x").is_ok())];
        let text = body.read_until("id: end\ndata: {}\n\n");
        assert_eq!(received(&text), ["1"]);
        assert!(text.ends_with("event: sse-end\nid: end\ndata: {}\n\n"));
        assert_eq!(ends.map(|end| end.join().unwrap()).into_iter().filter(|ended| *ended).count(), 1);
    });
}

#[test]
fn a_removal_that_comes_while_a_subscriber_parks_closes_it() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        body.text();
        let remover = thread::spawn(move || hub.remove("a").unwrap());
        assert_eq!(body.read_until("\n\n"), "");
        assert!(remover.join().unwrap());
    });
}

#[test]
fn a_removal_wakes_and_closes_a_parked_subscriber_before_later_events() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a", "b"]);
        body.text();
        let remover = thread::spawn(move || {
            hub.remove("a").unwrap();
            hub.publish("b", "x").unwrap();
        });
        assert_eq!(body.read_until("\n\n"), "");
        remover.join().unwrap();
    });
}

#[test]
fn a_listener_hears_an_end_that_comes_while_it_parks() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock);
        let mut listener = hub.listen("a").unwrap();
        let publisher = thread::spawn(move || hub.end("a", "x").unwrap());
        let mut heard = 0;
        while block_on(poll_fn(|cx| Pin::new(&mut listener).poll_next(cx))).is_some() {
            heard += 1;
        }
        assert_eq!(heard, 2);
        publisher.join().unwrap();
    });
}

#[test]
fn the_last_subscriber_that_leaves_wakes_a_task_that_waits_for_this() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let topic = hub.topic("a").unwrap();
        let body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        let leaves = thread::spawn(move || drop(body));
        block_on(topic.abandoned(Duration::ZERO));
        leaves.join().unwrap();
        assert_eq!(topic.subscribers(), 0);
    });
}

#[test]
fn events_trimmed_while_they_are_read_cause_a_gap() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().topic_events(2).gap_on_lag().build_on(clock.clone());
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        body.text();
        hub.publish_all([("a", "x"), ("a", "x")]).unwrap();
        let publisher = thread::spawn(move || hub.publish("a", "x").unwrap());
        let mut text = String::new();
        while received(&text).last().is_none_or(|last| last != "3") {
            text += &body.read_until("\n\n");
        }
        let told = received(&text);
        assert!(told == ["1", "2", "3"] || told == ["gap 1", "2", "3"], "{told:?}");
        publisher.join().unwrap();
    });
}

#[test]
fn a_subscription_starts_at_the_position_that_it_sends() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let other = hub.clone();
        let publisher = thread::spawn(move || drop(other.publish_all([("a", "x"), ("b", "x")]).unwrap()));
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a", "b"]);
        let mut text = body.text();
        publisher.join().unwrap();
        text += &body.text();
        let from = text.split_once("\nid: ").unwrap().1.split('-').next().unwrap().to_owned();
        match &*from {
            "0" => assert_eq!(received(&text), ["1", "2"]),
            from => assert_eq!((from, received(&text).len()), ("2", 0)),
        }
    });
}

#[test]
fn no_stream_stays_open_after_a_drain() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let other = hub.clone();
        let drain = thread::spawn(move || block_on(other.drain(Duration::ZERO)));
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        // The stream ends, as drained or as rejected.
        body.read_until("\0");
        assert_eq!(drain.join().unwrap(), 0);
        drop(body);
        assert_eq!((hub.stats().streams, hub.stats().topics), (0, 0));
    });
}

#[test]
fn a_position_update_never_passes_an_undelivered_event() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().position_updates(true).build_on(clock.clone());
        let feed = clock.sse().subscribe(&hub, ["a"]);
        let mut body = Body(Box::pin(feed.into_response().into_body()));
        body.text();
        clock.advance(Duration::from_secs(15));
        let publisher = thread::spawn(move || hub.publish_all([("b", "x"), ("a", "x")]).unwrap());
        let mut text = body.text();
        publisher.join().unwrap();
        text += &body.text();
        let (before, _) = text.split_once("data: x\nid: 2-").unwrap();
        assert!(!before.contains("id: 2-"), "{text}");
    });
}

struct Counted;

impl Wake for Counted {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_subscriber_that_leaves_holds_nothing() {
    model(3, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        // A topic with a subscriber that stays.
        hub.publish("b", "x").unwrap();
        let counted = Arc::new(Counted);
        let waker = Waker::from(counted.clone());
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a", "b"]);
        body.text();
        assert!(body.0.as_mut().poll_next(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let other = hub.clone();
        let publisher = thread::spawn(move || other.publish("a", "x").unwrap());
        drop(body);
        publisher.join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1, "a waker is still held");
        assert_eq!(hub.stats().topics, 2);
    });
}

#[test]
fn a_subscriber_that_received_a_truncated_event_receives_a_gap() {
    model(3, || {
        let clock = Clock::new();
        let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
        feed.append(EventId::new((1, 0), 1), "a", "x").unwrap();
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        feed.append(EventId::new((2, 0), 2), "a", "x").unwrap();
        assert_eq!(received(&body.text()), ["2"]);
        let log = thread::spawn(move || {
            feed.truncate(EventId::new((1, 0), 1)).unwrap();
            feed.append(EventId::new((3, 0), 3), "a", "x").unwrap();
        });
        assert_eq!(received(&body.read_until("\n\n")), ["gap "]);
        assert_eq!(received(&body.read_until("00000003\n\n")), ["3"]);
        log.join().unwrap();
    });
}

#[test]
fn a_truncation_wakes_a_parked_subscriber() {
    model(3, || {
        let clock = Clock::new();
        let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
        feed.append(EventId::new((1, 0), 1), "a", "x").unwrap();
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        feed.append(EventId::new((2, 0), 2), "a", "x").unwrap();
        assert_eq!(received(&body.text()), ["2"]);
        let log = thread::spawn(move || feed.truncate(EventId::new((1, 0), 1)).unwrap());
        assert_eq!(received(&body.read_until("\n\n")), ["gap "]);
        log.join().unwrap();
    });
}

#[test]
fn a_reset_sends_one_gap() {
    model(3, || {
        let clock = Clock::new();
        let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
        feed.append(EventId::new((1, 0), 1), "a", "x").unwrap();
        let mut body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        body.text();
        let log = thread::spawn(move || {
            feed.reset(EventId::new((2, 0), 2));
            feed.append(EventId::new((3, 0), 3), "a", "x").unwrap();
        });
        assert_eq!(received(&body.read_until("00000003\n\n")), ["gap 2", "3"]);
        log.join().unwrap();
    });
}

/// Hazard B15.
#[test]
fn a_topic_whose_last_subscriber_leaves_makes_room_exactly_once() {
    model(2, || {
        let clock = Clock::new();
        let hub = Hub::builder().max_topics(1).build_on(clock.clone());
        hub.publish("a", "x").unwrap();
        let body = open(&clock, &hub, LastEventId::Absent, &["a"]);
        let (other, one) = (hub.clone(), hub.clone());
        let leaves = thread::spawn(move || drop(body));
        let again = thread::spawn(move || other.publish("a", "y").is_ok());
        // There is room only after the subscriber left.
        let published = one.publish("b", "x").is_ok();
        leaves.join().unwrap();
        let again = again.join().unwrap();
        let stats = hub.stats();
        assert_eq!(stats.topics, 1);
        assert!(stats.held_events >= 1);
        assert_eq!(stats.published, 1 + u64::from(published) + u64::from(again));
        hub.publish("c", "x").unwrap();
        let stats = hub.stats();
        assert_eq!((stats.topics, stats.held_events), (1, 1));
    });
}

/// Hazard B19.
#[test]
fn streams_of_a_key_that_leave_at_the_same_time_leave_no_entry() {
    model(2, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let open = || clock.sse().keep_alive(None).key("ann").unwrap().attach(&hub).channel();
        let (one, two, three) = (open(), open(), open());
        let threads = [thread::spawn(move || drop(one)), thread::spawn(move || drop(three))];
        let cut = hub.close_by_key("ann");
        assert!((1..=3).contains(&cut));
        for thread in threads {
            thread.join().unwrap();
        }
        drop(two);
        assert_eq!((hub.stats().streams, hub.close_by_key("ann")), (0, 0));
    });
}

/// Two subscribers that are parked by two threads. Under loom a topic of two cursors has two shards.
fn parked_by_two_threads(clock: &Clock, hub: &Hub) -> [Body; 2] {
    let mut bodies = [(); 2].map(|()| open(clock, hub, LastEventId::Absent, &["a"]));
    bodies[0].text();
    let [one, mut other] = bodies;
    let other = thread::spawn(move || {
        other.text();
        other
    });
    [one, other.join().unwrap()]
}

#[test]
fn a_subscriber_that_a_second_thread_parks_during_a_publish_is_woken() {
    model(2, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let mut bodies = [(); 2].map(|()| open(&clock, &hub, LastEventId::Absent, &["a"]));
        bodies[0].text();
        let [mut one, mut other] = bodies;
        let subscriber = thread::spawn(move || {
            let mut text = String::new();
            while received(&text).is_empty() {
                text += &other.read_until("\n\n");
            }
            assert_eq!(received(&text), ["1"]);
        });
        let publisher = thread::spawn(move || hub.publish("a", "x").unwrap());
        assert_eq!(received(&one.read_until("\n\n")), ["1"]);
        publisher.join().unwrap();
        subscriber.join().unwrap();
    });
}

#[test]
fn two_subscribers_parked_by_two_threads_are_both_woken() {
    model(2, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let [mut one, mut other] = parked_by_two_threads(&clock, &hub);
        // Each of them now has another waker, and another thread.
        let subscriber = thread::spawn(move || assert_eq!(received(&one.read_until("\n\n")), ["1"]));
        let publisher = thread::spawn(move || hub.publish("a", "x").unwrap());
        assert_eq!(received(&other.read_until("\n\n")), ["1"]);
        publisher.join().unwrap();
        subscriber.join().unwrap();
    });
}

#[test]
fn a_subscriber_in_a_shard_receives_two_events_of_two_publishers() {
    model(2, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let [one, mut other] = parked_by_two_threads(&clock, &hub);
        let second = hub.clone();
        let publishers = [
            thread::spawn(move || hub.publish("a", "x").unwrap()),
            thread::spawn(move || second.publish("a", "x").unwrap()),
        ];
        let mut text = String::new();
        while received(&text).len() < 2 {
            text += &other.read_until("\n\n");
        }
        assert_eq!(received(&text), ["1", "2"]);
        for publisher in publishers {
            publisher.join().unwrap();
        }
        drop(one);
    });
}

#[test]
fn a_subscriber_that_arrives_while_the_last_one_in_a_shard_leaves_is_woken() {
    model(2, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let bodies = parked_by_two_threads(&clock, &hub);
        let publisher = hub.clone();
        let leave = thread::spawn(move || drop(bodies));
        let mut new = open(&clock, &hub, LastEventId::Absent, &["a"]);
        new.text();
        let publisher = thread::spawn(move || publisher.publish("a", "x").unwrap());
        assert_eq!(received(&new.read_until("\n\n")), ["1"]);
        publisher.join().unwrap();
        leave.join().unwrap();
    });
}

#[test]
fn a_subscriber_in_a_shard_that_leaves_during_a_publish_holds_nothing() {
    model(2, || {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let [one, mut other] = parked_by_two_threads(&clock, &hub);
        let counted = Arc::new(Counted);
        let waker = Waker::from(counted.clone());
        assert!(other.0.as_mut().poll_next(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let publisher = thread::spawn(move || hub.publish("a", "x").unwrap());
        drop(other);
        publisher.join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1, "a waker is still held");
        drop(one);
    });
}

#[test]
fn a_truncation_wakes_a_subscriber_in_a_shard() {
    model(2, || {
        let clock = Clock::new();
        let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
        feed.append(EventId::new((1, 0), 1), "a", "x").unwrap();
        let mut bodies = [(); 2].map(|()| open(&clock, &hub, LastEventId::Absent, &["a"]));
        feed.append(EventId::new((2, 0), 2), "a", "x").unwrap();
        assert_eq!(received(&bodies[0].text()), ["2"]);
        let [one, mut other] = bodies;
        let other = thread::spawn(move || {
            assert_eq!(received(&other.text()), ["2"]);
            other
        });
        let mut other = other.join().unwrap();
        let log = thread::spawn(move || feed.truncate(EventId::new((1, 0), 1)).unwrap());
        assert_eq!(received(&other.read_until("\n\n")), ["gap "]);
        log.join().unwrap();
        drop(one);
    });
}

/// A runtime that runs each [`WakeTask`] in a thread, or drops the task.
#[derive(Clone)]
struct Spawning {
    clock: Clock,
    drops: bool,
    threads: Arc<Mutex<Vec<thread::JoinHandle<()>>>>,
}

impl Runtime for Spawning {
    type Timer = <Clock as Runtime>::Timer;

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn wall(&self) -> SystemTime {
        self.clock.wall()
    }

    fn timer(&self) -> Self::Timer {
        self.clock.timer()
    }

    fn random(&self) -> &Random {
        self.clock.random()
    }

    fn spawn(&self, task: WakeTask) {
        let drops = self.drops;
        let run = move || if drops { drop(task) } else { block_on(task) };
        self.threads.lock().unwrap().push(thread::spawn(run));
    }
}

/// A publish wakes one subscriber under loom, and the task the other. `leaves` drops the first one meanwhile.
fn crowd(drops: bool, leaves: bool) {
    model(2, move || {
        let clock = Clock::new();
        let runtime = Spawning { clock: clock.clone(), drops, threads: Arc::default() };
        let hub = Hub::builder().build_on(runtime.clone());
        let mut bodies = [(); 2].map(|()| open(&clock, &hub, LastEventId::Absent, &["a"]));
        bodies.iter_mut().for_each(|body| drop(body.text()));
        let [one, mut other] = bodies;
        let publisher = thread::spawn(move || hub.publish("a", "x").unwrap());
        // A dropped subscriber may be the one that the publish wakes.
        let mut one = Some(one).filter(|_| !leaves);
        assert_eq!(received(&other.read_until("\n\n")), ["1"]);
        if let Some(one) = &mut one {
            assert_eq!(received(&one.read_until("\n\n")), ["1"]);
        }
        publisher.join().unwrap();
        let threads = std::mem::take(&mut *runtime.threads.lock().unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_task_wakes_the_subscribers_that_the_publish_left() {
    crowd(false, false);
}

#[test]
fn a_task_that_a_runtime_drops_wakes_the_subscribers_that_the_publish_left() {
    crowd(true, false);
}

#[test]
fn a_subscriber_that_leaves_takes_no_wake_from_another_one() {
    crowd(false, true);
    crowd(true, true);
}
