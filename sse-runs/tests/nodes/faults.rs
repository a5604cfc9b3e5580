//! Random faults on real processes: nodes and the server are killed and paused, and clients change their node.

use crate::client::{check, read, remove, start, stop};
use crate::node::{Work, start_process};
use crate::server::Server;
use sse_test_support::child::Child;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

const NODES: usize = 3;
const IDS: u64 = 3;
const CLIENTS: usize = 2;

/// Each client must see the end of its run within this time.
const MOST: Duration = Duration::from_secs(120);

struct Faults {
    http: reqwest::Client,
    server_url: String,
    nodes: Mutex<Vec<Arc<Child>>>,
    dice: AtomicU64,
    leave: Notify,
    over: AtomicBool,
    runs: AtomicU64,
    events: AtomicU64,
    failed: AtomicU64,
}

impl Faults {
    fn roll(&self, most: u64) -> u64 {
        let mut z = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    fn any(&self) -> Arc<Child> {
        self.nodes.lock().unwrap()[self.roll(NODES as u64) as usize].clone()
    }

    fn any_url(&self) -> String {
        self.any().url().to_owned()
    }

    async fn drive(self: Arc<Self>, id: u64) {
        let id = id.to_string();
        let mut attempt = 0;
        while !self.over.load(Ordering::Relaxed) {
            attempt += 1;
            let tokens = 20 + self.roll(300);
            let work = Work { attempt, tokens, millis: 1 + self.roll(20) };
            let (one, other) = (self.any_url(), self.any_url());
            let (first, second) = tokio::join!(start(&self.http, &one, &id, work), async {
                if self.roll(4) == 0 { start(&self.http, &other, &id, work).await } else { 409 }
            });
            assert!(first != 201 || second != 201, "run {id} was started twice");
            if first != 201 && second != 201 {
                // A start without an answer may have been executed, and nobody follows that attempt.
                self.remove(&id).await;
                continue;
            }
            self.runs.fetch_add(1, Ordering::Relaxed);
            let clients: Vec<_> =
                (0..CLIENTS).map(|_| tokio::spawn(self.clone().follow(id.clone(), attempt))).collect();
            let mut seen = Vec::new();
            for client in clients {
                let events = timeout(MOST, client).await;
                seen.push(events.unwrap_or_else(|_| panic!("run {id}, attempt {attempt}: no end")).unwrap());
            }
            assert!(seen.iter().all(|events| *events == seen[0]), "run {id}: the clients saw {seen:?}");
            let (read, end) = check(&id, attempt, &seen[0]);
            assert!(end != "done {}" || read == tokens, "run {id}: {read} of {tokens} events");
            self.events.fetch_add(read, Ordering::Relaxed);
            self.failed.fetch_add(u64::from(end.starts_with("failed")), Ordering::Relaxed);
            self.remove(&id).await;
        }
    }

    async fn remove(&self, id: &str) {
        while !matches!(remove(&self.http, &self.any_url(), id).await, 204 | 404) {
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn follow(self: Arc<Self>, id: String, attempt: u64) -> Vec<String> {
        let is_stale = |data: &str| data.split_once(':').is_none_or(|(of, _)| of != attempt.to_string());
        read(&self.http, &id, || self.any_url(), &self.leave, is_stale).await
    }
}

fn signal(process: u32, signal: &str) {
    // The process may have been killed meanwhile.
    let _ = Command::new("kill").args([signal, &process.to_string()]).status();
}

pub(crate) async fn random(long: bool) -> String {
    let faults = if long { 200 } else { 20 };
    // With another setting a server that is killed can lose events that it acknowledged.
    let mut server = Server::with(|_| ["--appendonly", "yes", "--appendfsync", "always"].map(str::to_owned).to_vec());
    let state = Arc::new(Faults {
        http: reqwest::Client::new(),
        server_url: server.url(),
        nodes: Mutex::new((0..NODES).map(|_| Arc::new(start_process(&server.url()))).collect()),
        dice: AtomicU64::new(20),
        leave: Notify::new(),
        over: AtomicBool::new(false),
        runs: AtomicU64::default(),
        events: AtomicU64::default(),
        failed: AtomicU64::default(),
    });
    let drivers: Vec<_> = (0..IDS).map(|id| tokio::spawn(state.clone().drive(id))).collect();
    let mut kinds = [0; 5];
    for _ in 0..faults {
        sleep(Duration::from_millis(100 + state.roll(900))).await;
        let kind = match state.roll(10) {
            0 | 1 => 0,
            2 | 3 => 1,
            4 => 2,
            5 => 3,
            _ => 4,
        };
        kinds[kind] += 1;
        match kind {
            0 => {
                let at = state.roll(NODES as u64) as usize;
                let new = Arc::new(start_process(&state.server_url));
                let old = std::mem::replace(&mut state.nodes.lock().unwrap()[at], new);
                old.kill().unwrap();
                state.leave.notify_waiters();
            }
            1 => {
                let (node, time) = (state.any(), Duration::from_millis(state.roll(6_000)));
                signal(node.id(), "-STOP");
                tokio::spawn(async move {
                    sleep(time).await;
                    signal(node.id(), "-CONT");
                });
            }
            2 => {
                server.kill();
                sleep(Duration::from_millis(state.roll(4_000))).await;
                server.run();
            }
            3 => {
                let (state, id) = (state.clone(), state.roll(IDS).to_string());
                tokio::spawn(async move { stop(&state.http, &state.any_url(), &id).await });
            }
            _ => state.leave.notify_waiters(),
        }
    }
    state.over.store(true, Ordering::Relaxed);
    for driver in drivers {
        timeout(MOST, driver).await.expect("every run ends").unwrap();
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (runs, events, failed) = (count(&state.runs), count(&state.events), count(&state.failed));
    let [killed, paused, restarts, stops, moves] = kinds;
    format!(
        "{faults} faults: {killed} nodes killed, {paused} paused, {restarts} restarts of the server, {stops} stops, \
         {moves} times all clients moved; {runs} runs, {failed} of them failed, {events} events"
    )
}
