//! Runs in the memory of one process.

use sse_core::hub::{EventId, Heard, log};
use sse_core::testing::Clock;
use sse_core::{Event, Hub, Random, Replay, Runtime};
use sse_runs::{OutputError, RunEnd, RunOutput, Runs, StartRunError};
use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;
use tokio::time::timeout;

const MOST: Duration = Duration::from_secs(30);

/// All events of a topic until its end, each as `type data`.
async fn read(hub: &Hub, topic: &str, after: Option<EventId>) -> Vec<String> {
    let listener = hub.listen(topic).unwrap();
    let mut listener = match after {
        Some(id) => listener.after(id),
        None => listener.replay(Replay::All),
    };
    let mut events = Vec::new();
    while let Some(heard) = timeout(MOST, listener.next()).await.expect("the run ends") {
        match heard {
            Heard::Event(_, event) => events.push(format!("{} {}", event.event_type, event.data)),
            Heard::End(_) => {}
            other => events.push(format!("{other:?}")),
        }
    }
    events
}

/// The ID of the first event of a topic.
async fn id_of(hub: &Hub, topic: &str) -> EventId {
    let mut listener = hub.listen(topic).unwrap().replay(Replay::All);
    match timeout(MOST, listener.next()).await.expect("an event") {
        Some(Heard::Event(_, event)) => EventId::parse(&event.last_event_id).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The result of a future that does not wait, as all of runs in one process.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the future waits"),
    }
}

/// Returns when no work continues.
async fn idle(runs: &Runs) {
    let ended = async {
        while runs.active() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(MOST, ended).await.expect("the work ends");
}

async fn three(output: RunOutput) -> Result<(), OutputError> {
    for n in ["1", "2", "3"] {
        output.send(n)?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn forever(output: RunOutput) -> Result<(), Infallible> {
    let _ = output.send("begun");
    pending().await
}

#[tokio::test]
async fn a_run_goes_on_without_clients_and_every_client_sees_all_of_it() {
    let hub = Hub::new();
    let runs = Runs::new(&hub);
    let run = runs.start("a", three).await.unwrap();
    let tabs = tokio::join!(read(&hub, run.topic(), None), read(&hub, run.topic(), None));
    let all = ["message 1", "message 2", "message 3", "done {}"];
    assert_eq!((&tabs.0[..], &tabs.1[..]), (&all.map(String::from)[..], &all.map(String::from)[..]));
    assert_eq!(read(&hub, run.topic(), None).await, all);
    assert!(!run.is_active() && runs.get("a").await.unwrap().is_some() && runs.get("b").await.unwrap().is_none());
    assert_eq!((runs.active(), runs.stop("a").await.unwrap()), (0, false));
}

#[tokio::test]
async fn a_client_attaches_after_its_last_event() {
    let hub = Hub::new();
    let (send, first) = oneshot::channel();
    let run = Runs::new(&hub)
        .start("a", async |output: RunOutput| {
            let _ = send.send(output.send("1"));
            output.send("2")
        })
        .await
        .unwrap();
    first.await.unwrap().unwrap();
    let first = id_of(&hub, run.topic()).await;
    assert_eq!(read(&hub, run.topic(), Some(first)).await, ["message 2", "done {}"]);
}

#[tokio::test]
async fn a_stop_drops_the_work_and_clients_see_it() {
    let hub = Hub::new();
    let runs = Runs::new(&hub);
    let (held, dropped) = oneshot::channel::<()>();
    let run = runs
        .start("a", async move |output| {
            let _held = held;
            forever(output).await
        })
        .await
        .unwrap();
    tokio::task::yield_now().await;
    assert!(run.is_active() && runs.stop("a").await.unwrap() && !runs.stop("a").await.unwrap());
    assert!(timeout(MOST, dropped).await.expect("the work is dropped").is_err());
    assert_eq!(read(&hub, run.topic(), None).await, ["message begun", r#"stopped {"reason":"requested"}"#]);
    assert!(!runs.stop("unknown").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn work_with_a_grace_learns_of_the_stop_and_sends_nothing_more() {
    let hub = Hub::new();
    let runs = Runs::builder(&hub).stop_grace(Duration::from_secs(20)).build();
    let (send, after) = oneshot::channel();
    let run = runs
        .start("a", async |output: RunOutput| {
            output.stopped().await;
            let _ = send.send(output.send("too late"));
            Ok::<_, OutputError>(())
        })
        .await
        .unwrap();
    let slow = runs.start("slow", forever).await.unwrap();
    tokio::task::yield_now().await;
    assert!(run.stop().await.unwrap() && slow.stop().await.unwrap());
    assert_eq!(after.await.unwrap(), Err(OutputError::Stopped));
    let begun = tokio::time::Instant::now();
    assert_eq!(read(&hub, run.topic(), None).await, [r#"stopped {"reason":"requested"}"#]);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(read(&hub, slow.topic(), None).await.len(), 2);
    assert!(begun.elapsed() >= Duration::from_secs(20));
}

#[tokio::test]
async fn an_error_and_a_panic_end_the_run_as_failed_and_clients_see_no_text() {
    let hub = Hub::new();
    let ends = Arc::new(Mutex::new(Vec::new()));
    let noted = ends.clone();
    let runs =
        Runs::builder(&hub).on_end(move |id, end| noted.lock().unwrap().push((id.to_owned(), end.clone()))).build();
    let failed = runs.start("error", async |_| Err("the password is hunter2")).await.unwrap();
    assert_eq!(read(&hub, failed.topic(), None).await, [r#"failed {"reason":"error"}"#]);
    let panicked = runs
        .start("panic", async |output: RunOutput| {
            output.send("1")?;
            assert!(output.is_stopped(), "a deliberate panic");
            Ok::<_, OutputError>(())
        })
        .await
        .unwrap();
    assert_eq!(read(&hub, panicked.topic(), None).await, ["message 1", r#"failed {"reason":"panic"}"#]);
    // The function is called after the last event.
    tokio::task::yield_now().await;
    let ends = ends.lock().unwrap().clone();
    let text = "the password is hunter2".to_owned();
    assert_eq!(ends, [("error".to_owned(), RunEnd::Failed(text)), ("panic".to_owned(), RunEnd::Panicked)]);
}

#[test]
fn a_runtime_that_shuts_down_ends_its_runs_as_failed() {
    let hub = Hub::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (run, begun) = runtime.block_on(async {
        let (send, begun) = oneshot::channel();
        let runs = Runs::new(&hub);
        let run = runs.start("a", async |output| {
            let _ = send.send(());
            forever(output).await
        });
        (run.await.unwrap(), begun.await)
    });
    assert!(begun.is_ok());
    drop(runtime);
    let reader = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let events = reader.block_on(read(&hub, run.topic(), None));
    assert_eq!(events, ["message begun", r#"failed {"reason":"dropped"}"#]);
}

#[tokio::test]
async fn the_same_id_is_an_error_or_the_same_run() {
    let hub = Hub::new();
    let runs = Runs::new(&hub);
    let run = runs.start("a", forever).await.unwrap();
    assert_eq!(runs.start("a", three).await.unwrap_err(), StartRunError::Exists);
    let (same, is_new) = runs.start_or_get("a", three).await.unwrap();
    assert!(!is_new && same.topic() == run.topic());
    assert!(run.stop().await.unwrap());
    read(&hub, run.topic(), None).await;
    // Also after its end, as long as the hub knows the run.
    assert_eq!(runs.start("a", three).await.unwrap_err(), StartRunError::Exists);
    let (one, other) = (runs.start_new(three).await.unwrap(), runs.start_new(three).await.unwrap());
    assert_ne!(one.id(), other.id());
}

/// The answers of a chat. A client that has read the end of one starts the next at once, and a second request comes with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_one_id_replace_each_other_and_of_two_starts_at_once_one_starts() {
    let hub = Hub::new();
    let runs = Runs::new(&hub);
    for round in 0..500 {
        let work = async move |output: RunOutput| output.send(format!("{round}"));
        let start = || {
            tokio::spawn({
                let runs = runs.clone();
                async move { runs.start_or_replace("chat", work).await }
            })
        };
        let (one, other) = tokio::join!(start(), start());
        let started = [one.unwrap(), other.unwrap()].into_iter().filter_map(|result| match result {
            Ok(_) => Some(()),
            Err(error) => {
                assert_eq!(error, StartRunError::Exists);
                None
            }
        });
        // The second start may also come after the first run, and replaces it.
        assert!(started.count() > 0);
        assert_eq!(read(&hub, "run/chat", None).await, [format!("message {round}"), "done {}".to_owned()]);
    }
    runs.start_or_replace("chat", forever).await.unwrap();
    assert_eq!(runs.start_or_replace("chat", forever).await.unwrap_err(), StartRunError::Exists);
    assert_eq!(runs.start("chat", forever).await.unwrap_err(), StartRunError::Exists);
}

#[tokio::test]
async fn a_stale_producer_writes_nothing_into_the_run_that_has_its_id_now() {
    let hub = Hub::new();
    let runs = Runs::builder(&hub).stop_grace(MOST).build();
    let (send, stale) = oneshot::channel();
    runs.start("a", async |output: RunOutput| {
        let _ = send.send(output.clone());
        pending::<Result<(), Infallible>>().await
    })
    .await
    .unwrap();
    let stale = stale.await.unwrap();
    let mut client = hub.listen("run/a").unwrap();
    assert!(runs.remove("a").await.unwrap() && !runs.remove("a").await.unwrap());
    assert!(matches!(client.next().await, Some(Heard::Removed(_))));
    let run = runs.start("a", three).await.unwrap();
    assert_eq!(stale.send("stale"), Err(OutputError::Stopped));
    assert_eq!(read(&hub, run.topic(), None).await, ["message 1", "message 2", "message 3", "done {}"]);
    // An output that outlives its work.
    let (send, late) = oneshot::channel();
    let run = runs
        .start("b", async |output: RunOutput| {
            let _ = send.send(output);
            Ok::<_, Infallible>(())
        })
        .await
        .unwrap();
    let late = late.await.unwrap();
    assert_eq!(read(&hub, run.topic(), None).await, ["done {}"]);
    assert_eq!(late.send("late"), Err(OutputError::Over));
}

#[tokio::test]
async fn a_removed_run_counts_until_its_work_has_ended() {
    let runs = Runs::builder(&Hub::new()).stop_grace(MOST).max_active(1).build();
    let (send, cleaned) = oneshot::channel::<()>();
    let run = runs.start("a", async |output: RunOutput| {
        output.stopped().await;
        cleaned.await
    });
    run.await.unwrap();
    tokio::task::yield_now().await;
    assert!(runs.remove("a").await.unwrap() && runs.get("a").await.unwrap().is_none());
    for _ in 0..3 {
        tokio::task::yield_now().await;
        assert_eq!((runs.active(), runs.start("a", three).await.unwrap_err()), (1, StartRunError::TooMany));
    }
    send.send(()).unwrap();
    idle(&runs).await;
    runs.start("a", three).await.unwrap();
}

/// A clock that calls a function, until that returns `true`, as another thread between two steps of a call.
#[derive(Clone)]
struct Interrupting(Clock, Arc<Mutex<Option<Interruption>>>);

type Interruption = Box<dyn FnMut() -> bool + Send>;

impl Runtime for Interrupting {
    type Timer = <Clock as Runtime>::Timer;

    fn now(&self) -> Instant {
        let call = self.1.lock().unwrap().take();
        if let Some(mut call) = call
            && !call()
        {
            *self.1.lock().unwrap() = Some(call);
        }
        Runtime::now(&self.0)
    }

    fn wall(&self) -> SystemTime {
        self.0.wall()
    }

    fn timer(&self) -> Self::Timer {
        self.0.timer()
    }

    fn random(&self) -> &Random {
        self.0.random()
    }
}

#[tokio::test]
async fn a_run_that_is_removed_while_it_starts_writes_nothing_into_the_next_run() {
    let runtime = Interrupting(Clock::new(), Arc::default());
    let hub = Hub::builder().ended_topic_age(MOST).build_on(runtime.clone());
    let runs = Runs::new(&hub);
    let other = runs.clone();
    *runtime.1.lock().unwrap() = Some(Box::new(move || {
        let has_begun = other.active() > 0;
        if has_begun {
            assert!(ready(other.remove("a")).unwrap());
            ready(other.start("a", three)).unwrap();
        }
        has_begun
    }));
    runs.start("a", forever).await.unwrap();
    assert_eq!(read(&hub, "run/a", None).await, ["message 1", "message 2", "message 3", "done {}"]);
    assert!(runtime.1.lock().unwrap().is_none());
    idle(&runs).await;
}

#[tokio::test]
async fn a_run_that_loses_its_topic_to_a_second_removal_is_removed() {
    let runtime = Interrupting(Clock::new(), Arc::default());
    let hub = Hub::builder().ended_topic_age(MOST).build_on(runtime.clone());
    let runs = Runs::new(&hub);
    let ended = runs.start("a", three).await.unwrap();
    read(&hub, ended.topic(), None).await;
    idle(&runs).await;
    let other = runs.clone();
    *runtime.1.lock().unwrap() = Some(Box::new(move || {
        assert!(ready(other.remove("a")).unwrap());
        ready(other.start("a", forever)).unwrap();
        true
    }));
    assert!(runs.remove("a").await.unwrap());
    assert!(runs.get("a").await.unwrap().is_none());
    idle(&runs).await;
}

#[tokio::test]
async fn a_function_of_the_builder_that_panics_leaves_no_run_without_its_end() {
    let hub = Hub::new();
    let runs = Runs::builder(&hub)
        .last_event(|_| panic!("a deliberate panic"))
        .on_end(|_, _| panic!("a deliberate panic"))
        .build();
    let done = runs.start("done", three).await.unwrap();
    assert_eq!(read(&hub, done.topic(), None).await.last().unwrap(), "done {}");
    let panicked =
        runs.start("panic", async |_| -> Result<(), Infallible> { panic!("a deliberate panic") }).await.unwrap();
    assert_eq!(read(&hub, panicked.topic(), None).await, [r#"failed {"reason":"panic"}"#]);
    idle(&runs).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_follows_is_stopped() {
    let hub = Hub::new();
    let runs = Runs::builder(&hub).stop_abandoned(Duration::from_secs(20)).build();
    let sse = sse_core::Sse::new(
        sse_core::Tokio,
        sse_core::Policy::default()
            .check(&sse_core::Request::new("GET", None, [("accept", &b"text/event-stream"[..])]))
            .unwrap(),
    );
    let client = sse.subscribe(&hub, "run/a").into_response();
    let run = runs.start("a", forever).await.unwrap();
    let alone = runs.start("alone", forever).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(read(&hub, alone.topic(), None).await[1], r#"stopped {"reason":"abandoned"}"#);
    assert!(begun.elapsed() >= Duration::from_secs(20));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(run.is_active());
    drop(client);
    let left = tokio::time::Instant::now();
    assert_eq!(read(&hub, run.topic(), None).await[1], r#"stopped {"reason":"abandoned"}"#);
    assert!(left.elapsed() >= Duration::from_secs(20) && left.elapsed() < Duration::from_secs(25));
}

#[tokio::test]
async fn a_start_that_cannot_be_is_a_typed_error() {
    let runs = Runs::builder(&Hub::new()).max_active(1).build();
    runs.start("a", forever).await.unwrap();
    assert_eq!(runs.start("b", forever).await.unwrap_err(), StartRunError::TooMany);
    assert_eq!(runs.start("x".repeat(300), forever).await.unwrap_err(), StartRunError::IdTooLong(304));
    runs.remove("a").await.unwrap();
    idle(&runs).await;
    runs.start("b", forever).await.unwrap();
    let (follower, _feed) = log::follow(Hub::builder());
    assert_eq!(Runs::new(&follower).start("a", forever).await.unwrap_err(), StartRunError::Followed);
    let full = Runs::new(&Hub::builder().max_topics(0).build());
    assert_eq!(full.start("a", forever).await.unwrap_err(), StartRunError::TooMany);
    assert_eq!(full.active(), 0);
    let outside = std::thread::spawn(move || ready(runs.start("c", forever)).unwrap_err());
    assert_eq!(outside.join().unwrap(), StartRunError::NoRuntime);
}

#[tokio::test]
async fn the_last_event_can_be_that_of_another_protocol() {
    let hub = Hub::new();
    let runs = Runs::builder(&hub)
        .last_event(|end| match end {
            RunEnd::Done => Event::data("[DONE]"),
            // Invalid, so the default replaces it.
            _ => Event::data("x").event("a\nb"),
        })
        .build();
    let done = runs.start("done", three).await.unwrap();
    assert_eq!(read(&hub, done.topic(), None).await.last().unwrap(), "message [DONE]");
    let failed = runs.start("failed", async |_| Err("no")).await.unwrap();
    assert_eq!(read(&hub, failed.topic(), None).await, [r#"failed {"reason":"error"}"#]);
}
