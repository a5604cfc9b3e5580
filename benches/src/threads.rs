//! One topic on several threads, and a publish to a crowd.

use crate::hub::{Body, parked, poll};
use crate::report::Targets;
use crate::still::Still;
use futures_util::StreamExt;
use sse_core::{Event, Hub, Tokio};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

/// The subscribers of one topic, over all threads.
const SUBSCRIBERS: usize = 1_000;

/// The parked subscribers of a crowd.
pub const CROWD: usize = 100_000;

/// All that this file measures.
pub struct Threads {
    pub rates: Rates,
    pub crowd: Crowd,
}

impl Threads {
    /// Medians of this many runs, and of four times as many publishes to the crowd.
    pub fn measure(runs: usize) -> std::io::Result<Self> {
        Ok(Self { rates: rates(runs), crowd: crowd(4 * runs)? })
    }

    pub fn targets(&self, targets: &mut Targets) {
        let (events, lockstep) = self.rates.of_one_thread;
        targets.at_least("two threads, one topic, 1,000 subscribers, deliveries of one thread", 1.8, Some(events));
        targets.at_least("the same with one publish at a time", 1.6, Some(lockstep));
        targets.at_most("a publish to 100,000 parked subscribers returns, ms", 1.0, Some(self.crowd.publish));
    }
}

/// Deliveries of one topic, in millions per second.
pub struct Rates {
    pub rows: Vec<(&'static str, f64)>,
    /// Two threads, of one: all deliveries of events, and taking and parking alone.
    pub of_one_thread: (f64, f64),
}

/// Medians of this many runs, which take turns.
pub fn rates(runs: usize) -> Rates {
    let cases: [(&str, fn() -> f64); 7] = [
        ("1 thread, 16 cursors", || publishing(1, 16, true)),
        ("2 threads, a topic and 16 cursors each", || publishing(2, 16, false)),
        ("2 threads, one topic, 16 cursors each", || publishing(2, 16, true)),
        ("1 thread, one topic, 1,000 cursors", || publishing(1, SUBSCRIBERS, true)),
        ("2 threads, one topic, 1,000 cursors in all", || publishing(2, SUBSCRIBERS / 2, true)),
        ("1 thread, one publish at a time, 1,000 cursors", || lockstep(1)),
        ("2 threads, one publish at a time, 1,000 cursors in all", || lockstep(2)),
    ];
    let mut measured = cases.map(|_| Vec::new());
    for _ in 0..runs.max(1) {
        for ((_, run), all) in cases.iter().zip(&mut measured) {
            all.push(run());
        }
    }
    let medians = measured.map(|mut all| median(&mut all));
    let rows = cases.iter().map(|(name, _)| *name).zip(medians).collect();
    Rates { rows, of_one_thread: (medians[4] / medians[3], medians[6] / medians[5]) }
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn drain(bodies: &mut [Body]) {
    for body in bodies {
        while poll(body, Waker::noop()).is_some() {}
    }
}

/// Every thread publishes, and polls its own cursors after each publish. Counts the events that cursors received.
fn publishing(threads: usize, cursors: usize, shared: bool) -> f64 {
    let runtime = Still::new();
    let hub = Hub::builder().build_on(runtime.clone());
    let rounds = 320_000 / cursors;
    let (start, end) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    let elapsed = thread::scope(|scope| {
        for thread in 0..threads {
            let (hub, runtime, start, end) = (&hub, &runtime, &start, &end);
            scope.spawn(move || {
                let topic = if shared { "feed".to_owned() } else { format!("feed-{thread}") };
                let mut bodies = parked(hub, runtime, cursors, |_| topic.clone());
                let text = "x".repeat(100);
                start.wait();
                for _ in 0..rounds {
                    hub.publish(&topic, Event::data(text.as_str())).expect("an event");
                    drain(&mut bodies);
                }
                end.wait();
                // The last events of the other threads, which are not counted.
                drop(bodies);
            });
        }
        start.wait();
        let start = Instant::now();
        end.wait();
        start.elapsed()
    });
    hub.stats().delivered as f64 / elapsed.as_secs_f64() / 1e6
}

/// One thread publishes, then all threads poll their cursors, and then the next round starts.
fn lockstep(threads: usize) -> f64 {
    let runtime = Still::new();
    let hub = Hub::builder().build_on(runtime.clone());
    let rounds = 400;
    let (ready, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Barrier::new(threads);
    let polls = |round: usize, bodies: &mut [Body]| {
        wait_until(|| ready.load(Ordering::Acquire) >= round);
        drain(bodies);
        done.fetch_add(1, Ordering::AcqRel);
    };
    let elapsed = thread::scope(|scope| {
        let (hub, runtime, start, polls) = (&hub, &runtime, &start, &polls);
        for _ in 1..threads {
            scope.spawn(move || {
                let mut bodies = parked(hub, runtime, SUBSCRIBERS / threads, |_| "feed".to_owned());
                start.wait();
                for round in 1..=rounds {
                    polls(round, &mut bodies);
                }
            });
        }
        let mut bodies = parked(hub, runtime, SUBSCRIBERS / threads, |_| "feed".to_owned());
        let text = "x".repeat(100);
        start.wait();
        let begun = Instant::now();
        for round in 1..=rounds {
            hub.publish("feed", Event::data(text.as_str())).expect("an event");
            ready.store(round, Ordering::Release);
            polls(round, &mut bodies);
            wait_until(|| done.load(Ordering::Acquire) == round * threads);
        }
        begun.elapsed()
    });
    hub.stats().delivered as f64 / elapsed.as_secs_f64() / 1e6
}

/// Spins, and gives the processor away if another program has the processor of the other thread.
fn wait_until(is_so: impl Fn() -> bool) {
    let mut spins = 0;
    while !is_so() {
        spins += 1;
        if spins % 10_000 == 0 {
            thread::yield_now();
        }
        spin_loop();
    }
}

async fn wait_for(counted: &AtomicUsize, count: usize) {
    while counted.load(Ordering::Relaxed) < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A publish to a crowd of tasks, in ms.
pub struct Crowd {
    /// Until the publish returns.
    pub publish: f64,
    pub longest_publish: f64,
    /// Until the last subscriber has the event.
    pub last: f64,
}

/// Medians of this many publishes to a crowd of tasks on two workers.
pub fn crowd(publishes: usize) -> std::io::Result<Crowd> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let measured = runtime.block_on(async {
        let hub = Hub::new();
        let counted = Arc::new(AtomicUsize::new(0));
        for _ in 0..CROWD {
            let counted = counted.clone();
            let sse = sse_core::Sse::new(Tokio, crate::still::admitted()).keep_alive(None);
            let mut body = Box::pin(sse.subscribe(&hub, ["feed"]).into_response().into_body());
            tokio::spawn(async move {
                while body.next().await.is_some() {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let publisher = tokio::spawn(async move {
            // Each stream has an opening block.
            wait_for(&counted, CROWD).await;
            let (mut times, mut last) = (Vec::new(), Vec::new());
            for round in 1..=publishes.max(1) {
                // The last subscriber parks.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let start = Instant::now();
                hub.publish("feed", "x".repeat(100)).expect("an event");
                times.push(start.elapsed().as_secs_f64() * 1e3);
                wait_for(&counted, (round + 1) * CROWD).await;
                last.push(start.elapsed().as_secs_f64() * 1e3);
            }
            (times, last)
        });
        publisher.await
    });
    runtime.shutdown_background();
    let (mut times, mut last) = measured?;
    let longest_publish = times.iter().copied().fold(0.0, f64::max);
    Ok(Crowd { publish: median(&mut times), longest_publish, last: median(&mut last) })
}
