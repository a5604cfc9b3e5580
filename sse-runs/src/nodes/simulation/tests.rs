//! The simulation, and single cases of it.

use super::node::{Shared, SimNode};
use super::world;
use crate::{OutputError, RunEnd, RunOutput, StartRunError};
use sse_core::hub::Heard;
use sse_core::{Hub, Policy, Replay, Request, Sse, Tokio};
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const MOST: Duration = Duration::from_secs(60);

/// All events of a topic until its end, each as `type data`.
async fn read(hub: &Hub, topic: &str) -> Vec<String> {
    let mut listener = hub.listen(topic).unwrap().replay(Replay::All);
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

fn nodes<const N: usize>(shared: &Shared) -> [SimNode; N] {
    std::array::from_fn(|number| SimNode::start(shared, number as u64, |runs| runs))
}

/// A client that follows a topic until the value is dropped.
fn subscribe(hub: &Hub, topic: &str) -> impl Sized + use<> {
    let request = Request::new("GET", None, [("accept", &b"text/event-stream"[..])]);
    Sse::new(Tokio, Policy::default().check(&request).unwrap()).subscribe(hub, topic).into_response()
}

async fn forever(output: RunOutput) -> Result<(), Infallible> {
    let _ = output.send("begun");
    pending().await
}

#[test]
fn ten_thousand_random_faults_lose_double_and_reorder_nothing_and_every_client_ends() {
    let run = |seed, faults, shown| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(world::run(seed, faults, shown))
    };
    if let Some(seed) = std::env::var("SSE_RUNS_SEED").ok().and_then(|seed| seed.parse().ok()) {
        println!("{:?}", run(seed, 100, true));
        return;
    }
    let mut all = world::Counts::default();
    for seed in 0..100 {
        println!("seed {seed}");
        let counts = run(seed, 100, false);
        all.faults += counts.faults;
        all.runs += counts.runs;
        all.events += counts.events;
        all.fenced += counts.fenced;
    }
    println!("{all:?}");
    assert_eq!(all.faults, 10_000);
    // The faults did happen.
    assert!(all.runs > 800 && all.events > 40_000 && all.fenced > 100, "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_killed_node_ends_its_runs_as_failed_within_5_seconds_at_one_entry() {
    let shared = Shared::new();
    let [first, second, third] = nodes(&shared);
    for id in 0..300 {
        first.runs.start(format!("{id}"), forever).await.unwrap();
    }
    for node in [&second, &third] {
        assert!(node.runs.get("7").await.unwrap().unwrap().is_active());
    }
    sleep(Duration::from_millis(1_700)).await;
    first.link.kill();
    let killed = Instant::now();
    for id in 0..300 {
        for node in [&second, &third] {
            let events = read(&node.hub, &format!("run/{id}")).await;
            assert_eq!(events, ["message begun", r#"failed {"reason":"lost"}"#]);
        }
    }
    assert!(killed.elapsed() <= Duration::from_secs(5), "{:?}", killed.elapsed());
    sleep(Duration::from_secs(10)).await;
    let ends = shared.server.lock().unwrap().log.iter().filter(|(.., change)| change.is_end()).count();
    assert_eq!(ends, 300);
    assert!(!second.runs.get("7").await.unwrap().unwrap().is_active());
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_returns_is_fenced_and_its_events_get_into_no_run() {
    let shared = Shared::new();
    let ends = Arc::new(Mutex::new(Vec::new()));
    let noted = ends.clone();
    let stale = SimNode::start(&shared, 1, |runs| {
        runs.stop_grace(MOST).on_end(move |id, end| noted.lock().unwrap().push((id.to_owned(), end.clone())))
    });
    let [other] = nodes(&shared);
    let (send, result) = tokio::sync::oneshot::channel();
    let work = async |output: RunOutput| {
        output.send("1")?;
        let first = output.flush().await;
        while output.send("stale").is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
        output.stopped().await;
        let _ = send.send((first, output.send("stale"), output.flush().await));
        Ok::<_, OutputError>(())
    };
    stale.runs.start("a", work).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    stale.link.pause(Duration::from_secs(20));
    let failed = read(&other.hub, "run/a").await;
    assert_eq!(failed.last().unwrap(), r#"failed {"reason":"lost"}"#);
    assert!(other.runs.remove("a").await.unwrap());
    let work = async |output: RunOutput| {
        for number in 0..40 {
            output.send(format!("{number}"))?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok::<_, OutputError>(())
    };
    other.runs.start("a", work).await.unwrap();
    assert_eq!(result.await.unwrap(), (Ok(()), Err(OutputError::Lost), Err(OutputError::Lost)));
    let expected = (0..40).map(|number| format!("message {number}")).chain(["done {}".to_owned()]);
    assert_eq!(read(&other.hub, "run/a").await, expected.collect::<Vec<_>>());
    assert_eq!(*ends.lock().unwrap(), [("a".to_owned(), RunEnd::Lost)]);
    assert_eq!(stale.runs.active(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_and_removed_from_another_node() {
    let shared = Shared::new();
    let [first, second] = nodes(&shared);
    first.runs.start("a", forever).await.unwrap();
    let run = second.runs.get("a").await.unwrap().unwrap();
    let begun = Instant::now();
    assert!(run.stop().await.unwrap());
    assert!(!second.runs.stop("a").await.unwrap());
    assert_eq!(read(&second.hub, "run/a").await, ["message begun", r#"stopped {"reason":"requested"}"#]);
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(!first.runs.stop("a").await.unwrap() && !second.runs.stop("unknown").await.unwrap());

    first.runs.start("b", forever).await.unwrap();
    assert!(second.runs.remove("b").await.unwrap() && !second.runs.remove("b").await.unwrap());
    assert!(second.runs.get("b").await.unwrap().is_none());
    let ended = async {
        while first.runs.active() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(MOST, ended).await.expect("the work is dropped");
    second.runs.start("b", async |output: RunOutput| output.send("again")).await.unwrap();
    assert_eq!(read(&second.hub, "run/b").await, ["message again", "done {}"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_found_is_the_newest_of_its_id() {
    let shared = Shared::new();
    let [first, second] = nodes(&shared);
    second.link.lag(300);
    for round in 0..50 {
        let work = async move |output: RunOutput| output.send(round.to_string());
        first.runs.start("a", work).await.unwrap();
        let run = second.runs.get("a").await.unwrap().unwrap();
        assert_eq!(read(&second.hub, run.topic()).await, [format!("message {round}"), "done {}".to_owned()]);
        assert!(first.runs.remove("a").await.unwrap());
        // Without the wait the second node may use what it found less than 20 ms ago.
        sleep(Duration::from_millis(20)).await;
    }
    assert!(second.runs.get("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn one_id_on_two_nodes_at_once_is_an_error_or_the_same_run() {
    let shared = Shared::new();
    let [first, second] = nodes(&shared);
    for id in 0..50 {
        let id = format!("{id}");
        let (one, other) = tokio::join!(first.runs.start(&id, forever), second.runs.start(&id, forever));
        assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|started| **started).count(), 1);
        assert_eq!(one.err().or(other.err()), Some(StartRunError::Exists));
        let (one, other) = tokio::join!(first.runs.start_or_get(&id, forever), second.runs.start_or_get(&id, forever));
        assert!(!one.unwrap().1 && !other.unwrap().1);
    }
    assert_eq!(first.runs.active() + second.runs.active(), 50);
}

#[tokio::test(start_paused = true)]
async fn runs_of_one_id_replace_each_other_and_of_two_nodes_at_once_one_starts() {
    let shared = Shared::new();
    let [first, second] = nodes(&shared);
    for round in 0..50 {
        let work = async move |output: RunOutput| {
            output.send(format!("{round}"))?;
            // The other start does not come after this run.
            sleep(Duration::from_secs(10)).await;
            Ok::<_, OutputError>(())
        };
        let (one, other) =
            tokio::join!(first.runs.start_or_replace("chat", work), second.runs.start_or_replace("chat", work));
        assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|started| **started).count(), 1, "round {round}");
        assert_eq!(one.err().or(other.err()), Some(StartRunError::Exists));
        for node in [&first, &second] {
            let run = node.runs.get("chat").await.unwrap().unwrap();
            assert_eq!(read(&node.hub, run.topic()).await, [format!("message {round}"), "done {}".to_owned()]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_tokens_a_second_are_at_most_50_commands_a_second() {
    let shared = Shared::new();
    let [first, second] = nodes(&shared);
    let work = async |output: RunOutput| {
        for number in 0..2_000 {
            output.send(format!("{number}"))?;
            sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, OutputError>(())
    };
    let before = shared.server.lock().unwrap().commands;
    first.runs.start("a", work).await.unwrap();
    let begun = Instant::now();
    assert_eq!(read(&second.hub, "run/a").await.len(), 2_001);
    let seconds = begun.elapsed().as_secs();
    // Two of them are the beats of the two nodes.
    let commands = shared.server.lock().unwrap().commands - before;
    assert!(seconds >= 10 && commands <= 52 * (seconds + 1), "{commands} commands in {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn the_first_event_is_written_at_once_and_the_others_together() {
    let shared = Shared::new();
    let node = SimNode::start(&shared, 1, |runs| runs.batch(Duration::from_secs(1)));
    let work = async |output: RunOutput| {
        for number in ["1", "2", "3"] {
            output.send(number)?;
            sleep(Duration::from_millis(200)).await;
        }
        pending::<Result<(), OutputError>>().await
    };
    node.runs.start("a", work).await.unwrap();
    let begun = Instant::now();
    let mut listener = node.hub.listen("run/a").unwrap().replay(Replay::All);
    let mut times = Vec::new();
    for _ in 0..3 {
        let _ = timeout(MOST, listener.next()).await.expect("an event");
        times.push(begun.elapsed());
    }
    assert!(times[0] < Duration::from_millis(200) && times[1] >= Duration::from_secs(1), "{times:?}");
    assert!(times[1] == times[2] && times[2] < Duration::from_millis(1_200), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_as_long_as_any_node_has_a_client() {
    let shared = Shared::new();
    let build = |runs: crate::RunsBuilder| runs.stop_abandoned(Duration::from_secs(20));
    let [first, second] = [1, 2].map(|seed| SimNode::start(&shared, seed, build));
    first.runs.start("a", forever).await.unwrap();
    let run = second.runs.get("a").await.unwrap().unwrap();
    let client = subscribe(&second.hub, run.topic());
    sleep(Duration::from_secs(300)).await;
    assert!(run.is_active());
    drop(client);
    let left = Instant::now();
    assert_eq!(read(&second.hub, "run/a").await[1], r#"stopped {"reason":"abandoned"}"#);
    assert!(
        left.elapsed() > Duration::from_secs(18) && left.elapsed() < Duration::from_secs(42),
        "{:?}",
        left.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_server_ends_no_run_and_the_queue_has_a_bound() {
    let shared = Shared::new();
    let [_first, other] = nodes(&shared);
    let node = SimNode::start(&shared, 9, |runs| runs.max_unsent(1_000));
    let (send, full) = tokio::sync::oneshot::channel();
    let work = async |output: RunOutput| {
        let mut sent = 0;
        let error = loop {
            match output.send(format!("{sent}")) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            sleep(Duration::from_millis(100)).await;
        };
        let _ = send.send((sent, error));
        output.flush().await
    };
    node.runs.start("a", work).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    shared.server.lock().unwrap().is_down = true;
    let (sent, error) = full.await.unwrap();
    assert_eq!(error, OutputError::Full(1_000));
    sleep(Duration::from_secs(30)).await;
    shared.server.lock().unwrap().is_down = false;
    let expected = (0..sent).map(|number| format!("message {number}")).chain(["done {}".to_owned()]);
    assert_eq!(read(&other.hub, "run/a").await, expected.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lost_the_claims_ends_the_runs_as_failed() {
    let shared = Shared::new();
    let [first, dead, other] = nodes(&shared);
    first.runs.start("a", forever).await.unwrap();
    dead.runs.start("b", forever).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    let attached = other.runs.get("b").await.unwrap().unwrap();
    let _client = subscribe(&other.hub, attached.topic());
    dead.link.kill();
    shared.server.lock().unwrap().wipe();
    for run in ["run/a", "run/b"] {
        assert_eq!(read(&other.hub, run).await, ["message begun", r#"failed {"reason":"lost"}"#]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lost_an_acknowledged_write_ends_the_run_as_failed() {
    let shared = Shared::new();
    let [first, other] = nodes(&shared);
    let work = async |output: RunOutput| {
        for number in ["1", "2", "3"] {
            output.send(number)?;
            sleep(Duration::from_secs(1)).await;
        }
        pending::<Result<(), OutputError>>().await
    };
    first.runs.start("a", work).await.unwrap();
    sleep(Duration::from_millis(1_500)).await;
    shared.server.lock().unwrap().lose_write("run/a");
    let events = read(&other.hub, "run/a").await;
    assert_eq!(events, ["message 1", "message 2", r#"failed {"reason":"lost"}"#]);
    let ended = async {
        while first.runs.active() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(MOST, ended).await.expect("the work is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_dropped_leaves_no_run_without_its_end() {
    let shared = Shared::new();
    let [first, other] = nodes(&shared);
    let dropped = timeout(Duration::from_micros(100), first.runs.start("a", forever)).await;
    assert!(dropped.is_err() && first.runs.active() == 0);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(read(&other.hub, "run/a").await, [r#"failed {"reason":"lost"}"#]);
    assert_eq!(first.runs.start("a", forever).await.unwrap_err(), StartRunError::Exists);
}

#[tokio::test(start_paused = true)]
async fn the_tasks_end_with_the_runs() {
    let shared = Shared::new();
    let [node] = nodes(&shared);
    sleep(Duration::from_secs(2)).await;
    drop(node.runs);
    sleep(Duration::from_secs(1)).await;
    let commands = shared.server.lock().unwrap().commands;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(shared.server.lock().unwrap().commands, commands);
}
