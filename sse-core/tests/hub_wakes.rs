//! A publish to more subscribers than it wakes by itself: each of them is woken, in whatever runtime.

use sse_core::{EventStream, Hub, Tokio};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const CROWD: usize = 5_000;

/// The subscribers that a publish wakes before it returns.
const WAKES: usize = 512;

/// Counts its wakes, and polls nothing.
#[derive(Default)]
struct Silent(AtomicUsize);

impl Wake for Silent {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Crowd {
    hub: Hub,
    bodies: Vec<Pin<Box<EventStream<Tokio>>>>,
    wakers: Vec<Arc<Silent>>,
}

impl Crowd {
    /// A crowd that is parked by this many threads.
    fn parked_by(threads: usize) -> Self {
        let hub = Hub::new();
        let wakers: Vec<_> = (0..CROWD).map(|_| Arc::new(Silent::default())).collect();
        let open = |wakers: Vec<Arc<Silent>>| {
            let hub = hub.clone();
            move || {
                let open = |silent| {
                    let sse = sse_core::Sse::new(Tokio, accepted()).keep_alive(None);
                    let mut body = Box::pin(sse.subscribe(&hub, ["news"]).into_response().into_body());
                    let waker = Waker::from(silent);
                    let mut cx = Context::from_waker(&waker);
                    while body.as_mut().poll_chunk(Instant::now(), &mut cx).is_ready() {}
                    body
                };
                wakers.into_iter().map(open).collect::<Vec<_>>()
            }
        };
        let parts = wakers.chunks(CROWD.div_ceil(threads)).map(|part| std::thread::spawn(open(part.to_vec())));
        let parts: Vec<_> = parts.collect();
        let bodies = parts.into_iter().flat_map(|part| part.join().unwrap()).collect();
        Self { hub, bodies, wakers }
    }

    fn woken(&self) -> usize {
        self.wakers.iter().filter(|waker| waker.0.load(Ordering::SeqCst) > 0).count()
    }

    fn are_all_woken_once(&self) -> bool {
        self.wakers.iter().all(|waker| waker.0.load(Ordering::SeqCst) == 1)
    }

    /// Waits until every subscriber is woken, although nobody polls one.
    fn wait(&self) {
        let since = Instant::now();
        while self.woken() < CROWD {
            assert!(since.elapsed() < Duration::from_secs(30), "only {} are woken", self.woken());
            std::thread::yield_now();
        }
        assert!(self.are_all_woken_once());
        assert_eq!(self.hub.stats().delivered, 0);
    }
}

fn accepted() -> sse_core::Accepted {
    sse_core::Policy::default().check(&sse_core::Request::new("GET", None, [])).unwrap()
}

fn threads(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).build().unwrap()
}

#[test]
fn every_subscriber_is_woken_although_none_is_ever_polled_again() {
    for parking in [1, 3] {
        let crowd = Crowd::parked_by(parking);
        let (runtime, hub) = (threads(2), crowd.hub.clone());
        runtime.block_on(async { hub.publish("news", "x") }).unwrap();
        crowd.wait();
    }
}

#[test]
fn a_publish_in_a_runtime_of_several_threads_returns_before_all_are_woken() {
    let crowd = Crowd::parked_by(2);
    let runtime = threads(1);
    // The only worker is busy, so the task waits.
    let (release, busy) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = std::sync::mpsc::channel::<()>();
    runtime.spawn(async move {
        begun.send(()).unwrap();
        let _ = busy.recv();
    });
    has_begun.recv().unwrap();
    let hub = crowd.hub.clone();
    runtime.block_on(async { hub.publish("news", "x") }).unwrap();
    assert_eq!(crowd.woken(), WAKES);
    drop(release);
    crowd.wait();
}

#[test]
fn a_publish_without_a_runtime_wakes_all_before_it_returns() {
    let crowd = Crowd::parked_by(2);
    crowd.hub.publish("news", "x").unwrap();
    assert!(crowd.are_all_woken_once());
}

#[test]
fn a_publish_in_block_on_of_a_runtime_of_one_thread_wakes_all_before_it_returns() {
    let crowd = Crowd::parked_by(2);
    let (runtime, hub) = (Builder::new_current_thread().build().unwrap(), crowd.hub.clone());
    runtime.block_on(async { hub.publish("news", "x") }).unwrap();
    // Nothing polls the tasks of this runtime any more.
    assert!(crowd.are_all_woken_once());
}

#[test]
fn a_publish_by_a_task_of_a_runtime_of_one_thread_leaves_the_rest_to_a_task() {
    let crowd = Arc::new(Crowd::parked_by(2));
    let (runtime, publisher) = (Builder::new_current_thread().build().unwrap(), crowd.clone());
    let woken = runtime.spawn(async move {
        publisher.hub.publish("news", "x").unwrap();
        publisher.woken()
    });
    assert_eq!(runtime.block_on(woken).unwrap(), WAKES);
    // The runtime has polled the task meanwhile, or drops it here.
    drop(runtime);
    assert!(crowd.are_all_woken_once());
}

#[test]
fn a_runtime_that_shuts_down_wakes_the_rest() {
    let crowd = Crowd::parked_by(2);
    let runtime = threads(1);
    let hub = crowd.hub.clone();
    let handle = runtime.handle().clone();
    drop(runtime);
    let _entered = handle.enter();
    hub.publish("news", "x").unwrap();
    assert!(crowd.are_all_woken_once());
}

#[test]
fn a_crowd_that_leaves_before_its_wake_holds_no_waker() {
    let Crowd { hub, bodies, wakers } = Crowd::parked_by(2);
    let runtime = threads(1);
    runtime.block_on(async { hub.publish("news", "x") }).unwrap();
    drop(bodies);
    // The task is polled to its end, or dropped.
    drop(runtime);
    assert!(wakers.iter().all(|waker| Arc::strong_count(waker) == 1));
    assert_eq!(hub.stats().streams, 0);
}
