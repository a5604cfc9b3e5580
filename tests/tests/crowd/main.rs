//! A thousand streams on each adapter, half of them channels and half subscriptions, while the server shuts down.
//!
//! The adapters run one after another in a binary of their own, because the test measures time and nothing else may use
//! the processor.

mod client;

use client::{Client, StreamEnd};
use sse_conformance::client::Request;
use sse_conformance::process::Server;
use sse_conformance::server::Adapter;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const EACH: usize = 500;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn start(adapter: Adapter, options: &[&str]) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-server"));
    Server::start(command.args(["--adapter", adapter.as_str()]).args(options)).unwrap()
}

/// Each of a thousand clients needs a file on either side. Many systems have a lower default.
#[cfg(unix)]
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.unwrap_or(8192).min(8192);
    if limit.current.is_some_and(|current| current < enough) {
        limit.current = Some(enough);
        setrlimit(Resource::Nofile, limit).unwrap();
    }
}

#[cfg(not(unix))]
fn allow_many_files() {}

fn subscription() -> Request {
    Request::get("/topics?name=crowd").header("accept", "text/event-stream")
}

/// Opens all streams, a hundred at a time, so that the backlog of the listener suffices.
fn crowd(runtime: &Runtime, server: &Server, request: impl Fn() -> Request) -> Vec<Client> {
    let address = server.target().address();
    let mut clients = Vec::new();
    runtime.block_on(async {
        for _ in 0..EACH / 100 {
            let opening: Vec<_> = (0..100).map(|_| tokio::spawn(client::open(address, request()))).collect();
            for client in opening {
                clients.push(client.await.unwrap().unwrap());
            }
        }
    });
    clients
}

fn ends(runtime: &Runtime, clients: Vec<Client>) -> Vec<StreamEnd> {
    clients.into_iter().map(|client| runtime.block_on(client).unwrap().unwrap()).collect()
}

/// Opens both kinds of streams and sends SIGTERM. Returns the times of the channels, of the subscriptions, and of the
/// process's end.
fn go_down(adapter: Adapter, options: &[&str], within: Duration) -> (Vec<Duration>, Vec<Duration>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut server = start(adapter, options);
    let channels = crowd(&runtime, &server, || Request::script(r#"[{"send":{"data":"x"}}]"#));
    let subscriptions = crowd(&runtime, &server, subscription);
    assert_eq!(server.target().stats().unwrap()["streams"], 2 * EACH);

    let asked = Instant::now();
    server.terminate().unwrap();
    let status = server.wait(within + Duration::from_secs(20)).unwrap();
    let took = asked.elapsed();
    println!("{}: down after {took:?}", adapter.as_str());
    assert!(status.success(), "{status}");
    assert!(took < within, "down after {took:?}, not {within:?}\n{}", server.log());
    let (channels, subscriptions) = (ends(&runtime, channels), ends(&runtime, subscriptions));
    jittered(channels.iter().chain(&subscriptions));
    let after = |ended: &StreamEnd| ended.at.duration_since(asked);
    (channels.iter().map(after).collect(), subscriptions.iter().map(after).collect())
}

/// Every client must receive a reconnection time from 1 to 5 s, and the times must be spread.
fn jittered<'e>(ended: impl Iterator<Item = &'e StreamEnd>) {
    let retries: Vec<u64> =
        ended.map(|ended| ended.retry().unwrap_or_else(|| panic!("no retry: {}", ended.text))).collect();
    assert!(retries.iter().all(|retry| (1000..=5000).contains(retry)), "{retries:?}");
    for second in 1..5 {
        let of_it = retries.iter().filter(|retry| **retry / 1000 == second || (second == 4 && **retry == 5000)).count();
        // A quarter of a thousand each, with a slack of eight standard deviations.
        assert!((140..=360).contains(&of_it), "{of_it} of {} come back in second {second}", retries.len());
    }
}

fn at_once(adapter: Adapter) {
    go_down(adapter, &[], Duration::from_secs(1));
}

fn over_a_window(adapter: Adapter) {
    let options = ["--drain-window-ms", "5000"];
    let (channels, subscriptions) = go_down(adapter, &options, Duration::from_secs(6));
    let early = channels.iter().filter(|end| **end < Duration::from_millis(4900)).count();
    assert_eq!(early, 0, "channels that ended before the window did: {channels:?}");
    for second in 0..5 {
        let of_it = subscriptions.iter().filter(|end| end.as_secs() == second).count();
        assert!((40..=160).contains(&of_it), "{of_it} of {} ended in second {second}", subscriptions.len());
    }
}

fn with_stalled_readers(adapter: Adapter) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut server = start(adapter, &["--drain-deadline-ms", "2500"]);
    let address = server.target().address();
    // Channels only: a subscription ends at the next poll of the framework, even if bytes are still unsent.
    let text = "s".repeat(100_000);
    let steps: Vec<_> = (0..75).map(|_| format!(r#"{{"send":{{"data":"{text}"}}}}"#)).collect();
    let script = format!("[{}]", steps.join(","));
    let mut stalled = Vec::new();
    runtime.block_on(async {
        for _ in 0..10 {
            stalled.push(client::stall(address, Request::fetch(script.clone())).await.unwrap());
        }
    });
    // The system enlarges the buffers for a while. Then no byte moves.
    std::thread::sleep(Duration::from_secs(1));
    let readers = crowd(&runtime, &server, subscription);
    let asked = Instant::now();
    server.terminate().unwrap();
    let status = server.wait(Duration::from_secs(20)).unwrap();
    let took = asked.elapsed();
    println!("{}: with stalled readers down after {took:?}", adapter.as_str());
    assert!(status.success(), "{status}");
    let in_time = (Duration::from_millis(2400)..Duration::from_millis(3500)).contains(&took);
    assert!(in_time, "down after {took:?} of a deadline of 2.5 s\n{}", server.log());
    assert!(server.log().contains("drained; 10 streams left"), "{}", server.log());
    for end in ends(&runtime, readers) {
        let after = end.at.duration_since(asked);
        assert!(after < Duration::from_secs(1), "a healthy reader was kept for {after:?} by the stalled ones");
    }
    drop(stalled);
}

fn all(adapter: Adapter) {
    // The failure of another adapter must not fail this one.
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    allow_many_files();
    at_once(adapter);
    over_a_window(adapter);
    with_stalled_readers(adapter);
}

#[test]
fn axum() {
    all(Adapter::Axum);
}

#[test]
fn actix() {
    all(Adapter::Actix);
}

#[test]
fn warp() {
    all(Adapter::Warp);
}

#[test]
fn core() {
    all(Adapter::Core);
}

#[test]
fn serve() {
    all(Adapter::Serve);
}
