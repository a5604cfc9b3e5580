//! One world: a server, three nodes, four IDs whose runs start again and again, and two clients for each run.

use super::node::{Shared, SimNode};
use super::random::Dice;
use super::server::Change;
use crate::{OutputError, RunEnd, RunOutput, StartRunError};
use sse_core::Replay;
use sse_core::hub::{EventId, Heard, Listener};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

const NODES: usize = 3;
const IDS: usize = 4;
const CLIENTS: usize = 2;

/// Each client must see the end of its run within this time of the virtual clock.
const MOST: Duration = Duration::from_secs(120);

/// The numbers of a world.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) faults: u64,
    pub(super) runs: u64,
    pub(super) events: u64,
    pub(super) fenced: u64,
}

struct World {
    shared: Shared,
    nodes: Mutex<Vec<Arc<SimNode>>>,
    dice: Mutex<Dice>,
    /// Wakes the clients that must leave.
    leave: Notify,
    over: AtomicBool,
    runs: AtomicU64,
    events: AtomicU64,
    fenced: Arc<AtomicU64>,
    shown: bool,
}

/// Runs a world until this number of faults has happened and every run has ended.
pub(super) async fn run(seed: u64, faults: u64, shown: bool) -> Counts {
    let shared = Shared::new();
    let mut dice = Dice::new(seed);
    let fenced = Arc::default();
    let nodes = (0..NODES).map(|_| start_node(&shared, dice.next(), &fenced)).collect();
    let world = Arc::new(World {
        shared,
        nodes: Mutex::new(nodes),
        dice: Mutex::new(dice),
        leave: Notify::new(),
        over: AtomicBool::new(false),
        runs: AtomicU64::default(),
        events: AtomicU64::default(),
        fenced,
        shown,
    });
    let drivers: Vec<_> = (0..IDS).map(|id| tokio::spawn(world.clone().drive(format!("{id}")))).collect();
    for number in 0..faults {
        sleep(Duration::from_millis(world.roll(300))).await;
        world.fault(number);
    }
    world.over.store(true, Ordering::Relaxed);
    for driver in drivers {
        timeout(MOST, driver).await.unwrap_or_else(|_| panic!("seed {seed}: a run does not end")).unwrap();
    }
    world.check_log();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Counts { faults, runs: count(&world.runs), events: count(&world.events), fenced: count(&world.fenced) }
}

/// Starts a node that counts its lost runs.
fn start_node(shared: &Shared, seed: u64, fenced: &Arc<AtomicU64>) -> Arc<SimNode> {
    let fenced = fenced.clone();
    let count = move |_: &str, end: &RunEnd| {
        fenced.fetch_add(u64::from(*end == RunEnd::Lost), Ordering::Relaxed);
    };
    Arc::new(SimNode::start(shared, seed, |runs| runs.on_end(count)))
}

impl World {
    fn roll(&self, most: u64) -> u64 {
        self.dice.lock().unwrap().below(most)
    }

    fn any_node(&self) -> Arc<SimNode> {
        let number = self.roll(NODES as u64) as usize;
        self.nodes.lock().unwrap()[number].clone()
    }

    fn fault(self: &Arc<Self>, number: u64) {
        let kind = self.roll(10);
        if self.shown {
            println!("{:>6} ms: fault {number} of kind {kind}", self.shared.begun.elapsed().as_millis());
        }
        match kind {
            0 => {
                let at = self.roll(NODES as u64) as usize;
                let seed = self.dice.lock().unwrap().next();
                let new = start_node(&self.shared, seed, &self.fenced);
                let old = std::mem::replace(&mut self.nodes.lock().unwrap()[at], new);
                old.link.kill();
            }
            1 | 2 => self.any_node().link.pause(Duration::from_millis(self.roll(9_000))),
            3 => {
                let server = self.shared.server.clone();
                server.lock().unwrap().is_down = true;
                let time = Duration::from_millis(self.roll(5_000));
                tokio::spawn(async move {
                    sleep(time).await;
                    server.lock().unwrap().is_down = false;
                });
            }
            4 => {
                let (node, id) = (self.any_node(), self.roll(IDS as u64).to_string());
                tokio::spawn(async move { drop(node.runs.stop(id).await) });
            }
            // Clients leave, and return at the same or another node.
            _ => self.leave.notify_waiters(),
        }
    }

    /// Starts the runs of one ID, one after another, each after the clients of the last have seen its end.
    async fn drive(self: Arc<Self>, id: String) {
        let mut attempt = 0;
        while !self.over.load(Ordering::Relaxed) {
            attempt += 1;
            let stored = Arc::new(AtomicU64::new(0));
            if !self.start(&id, attempt, &stored).await {
                continue;
            }
            self.runs.fetch_add(1, Ordering::Relaxed);
            let clients = (0..CLIENTS).map(|_| tokio::spawn(self.clone().follow(id.clone(), attempt)));
            let clients: Vec<_> = clients.collect();
            let mut seen = Vec::new();
            for client in clients {
                let events = timeout(MOST, client).await;
                seen.push(events.unwrap_or_else(|_| panic!("run {id}, attempt {attempt}: no end")).unwrap());
            }
            assert!(seen.iter().all(|events| *events == seen[0]), "run {id}: the clients saw different events");
            // Every event that the log has acknowledged was seen.
            assert!(seen[0].len() as u64 > stored.load(Ordering::Relaxed), "run {id}: an event was lost");
            self.events.fetch_add(seen[0].len() as u64, Ordering::Relaxed);
            while self.any_node().runs.remove(&id).await.is_err() {
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Starts one attempt at any node. Two nodes may try at once: one of them starts the run.
    async fn start(self: &Arc<Self>, id: &str, attempt: u64, stored: &Arc<AtomicU64>) -> bool {
        let tokens = 1 + self.roll(200);
        let seed = self.dice.lock().unwrap().next();
        let stored = stored.clone();
        let work = async move |output: RunOutput| {
            let mut dice = Dice::new(seed);
            for number in 0..tokens {
                output.send(format!("{attempt}:{number}"))?;
                if dice.below(20) == 0 && output.flush().await.is_ok() {
                    stored.store(number + 1, Ordering::Relaxed);
                }
                sleep(Duration::from_millis(dice.below(25))).await;
            }
            Ok::<_, OutputError>(())
        };
        let (node, other) = (self.any_node(), self.any_node());
        let is_double = self.roll(4) == 0;
        let second = work.clone();
        let (first, second) = tokio::join!(node.runs.start(id, work), async {
            if is_double { other.runs.start(id, second).await } else { Err(StartRunError::Exists) }
        });
        assert!(first.is_err() || second.is_err(), "run {id} was started twice");
        if first.is_ok() || second.is_ok() {
            return true;
        }
        // A start without a reply may have been executed, and such a run ends as failed.
        if matches!(first, Err(StartRunError::Log(_))) || matches!(second, Err(StartRunError::Log(_))) {
            while self.any_node().runs.remove(id).await.is_err() {
                sleep(Duration::from_millis(100)).await;
            }
        }
        sleep(Duration::from_millis(100)).await;
        false
    }

    /// Attaches after the last event, at any node that is alive.
    async fn attach(&self, id: &str, last: Option<EventId>) -> (Arc<SimNode>, Listener) {
        loop {
            let node = self.any_node();
            let attach = async {
                // A hub asks a client to retry later, as long as it has not read the ID.
                if let Some(last) = last {
                    node.link.wait_for(last).await;
                }
                node.runs.get(id).await
            };
            let found = tokio::select! {
                found = attach => found,
                () = node.link.dead() => continue,
            };
            match found {
                Ok(Some(run)) => {
                    // Without the server a node serves the events that it holds, also those of an earlier run of the ID.
                    if last.is_none() && !node.link.has_read(self.shared.server.lock().unwrap().entry_of(run.topic())) {
                        assert!(node.link.is_troubled(), "run {id}: a node serves an earlier run");
                        sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                    let listener = node.hub.listen(run.topic()).unwrap();
                    let listener = match last {
                        Some(last) => listener.after(last),
                        None => listener.replay(Replay::All),
                    };
                    return (node, listener);
                }
                Ok(None) => panic!("run {id} is unknown"),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// A client of one attempt. Returns its events.
    async fn follow(self: Arc<Self>, id: String, attempt: u64) -> Vec<String> {
        let mut events: Vec<String> = Vec::new();
        let mut last = None;
        let mut ends = 0;
        'attached: loop {
            let (node, mut listener) = self.attach(&id, last).await;
            loop {
                let heard = tokio::select! {
                    heard = listener.next() => heard,
                    () = node.link.dead() => continue 'attached,
                    () = self.leave.notified() => continue 'attached,
                };
                match heard {
                    Some(Heard::Event(_, event)) => {
                        last = EventId::parse(&event.last_event_id);
                        if event.event_type == "message" {
                            assert_eq!(event.data, format!("{attempt}:{}", events.len()), "run {id}: lost or doubled");
                            assert_eq!(ends, 0, "run {id}: an event after the end");
                        } else {
                            ends += 1;
                        }
                        events.push(format!("{} {}", event.event_type, event.data));
                    }
                    Some(Heard::End(_)) | None => {
                        assert_eq!(ends, 1, "run {id}: the number of ends");
                        return events;
                    }
                    other => panic!("run {id}, attempt {attempt}: {other:?}"),
                }
            }
        }
    }

    /// The log has one end for each attempt, and nothing after it, so that a node reads the same from any place.
    fn check_log(&self) {
        let mut ended: HashMap<Arc<str>, bool> = HashMap::new();
        for (id, topic, change) in &self.shared.server.lock().unwrap().log {
            let ended = ended.entry(topic.clone()).or_default();
            match change {
                Change::Event(_) => assert!(!*ended, "{topic}: an event at {id} after the end"),
                Change::End(_) => assert!(!std::mem::replace(ended, true), "{topic}: a second end at {id}"),
                Change::Remove => *ended = false,
            }
        }
    }
}
