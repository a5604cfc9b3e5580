//! The follower against a simulated Redis server with faults, and clients behind two hubs.
//!
//! Each entry knows the entry before it in the history to which it was written. The oracle thus knows the event that a
//! client must have received before. A client that received another event before, without a gap in between, has lost an
//! event silently. An event that a client receives twice is a repetition. A gap without trimming or loss is a false gap.
//!
//! `SSE_REDIS_SIMULATION=10 cargo test --release -p sse-redis --lib simulation -- --nocapture` makes ten times as many
//! runs and prints their results. `SSE_REDIS_VERBOSE=1` prints the failed runs.

mod client;
mod faults;
mod node;
mod server;
mod watcher;

use super::{FollowerBounds, FollowerRules};
use client::{Client, Verdict};
use faults::{Faults, NONE};
use node::Node;
use server::{Dice, RUN, World};
use sse_core::testing::Clock;
use std::time::Duration;
use watcher::Watcher;

const TOPICS: [&str; 3] = ["a", "b", "c"];

/// Two nodes at one server, and four clients.
struct Scene {
    clock: Clock,
    world: World,
    bounds: FollowerBounds,
    rules: FollowerRules,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    /// Clients of the state topic.
    watchers: Vec<Watcher>,
    verdict: Verdict,
}

impl Scene {
    fn new(seed: u64, faults: Faults, rules: FollowerRules) -> Self {
        let mut dice = Dice(seed);
        let batch = [4, 16, 64][dice.roll(3) as usize];
        let remembered = [8, 64, 65_536][dice.roll(3) as usize];
        let max_len = if faults.trims { 2 * batch + dice.roll(200) as usize } else { usize::MAX / 4 };
        let window = if faults.small_window { 1 + dice.roll(30) as usize } else { 10_000 };
        let bounds = FollowerBounds { window: (window, usize::MAX), batch, remembered };
        let clock = Clock::seeded([seed as u8; 32]);
        let mut world = World::new(dice, max_len);
        let nodes = (0..2).map(|_| Node::new(&clock, &mut world, bounds, rules)).collect();
        let clients = (0..4).map(Client::new).collect();
        let watchers = (0..4).map(Watcher::new).collect();
        Self { clock, world, bounds, rules, nodes, clients, watchers, verdict: Verdict::default() }
    }

    /// One action of a random actor.
    fn step(&mut self, faults: Faults, publishes: bool, cuts: bool) {
        let world = &mut self.world;
        match world.dice.roll(22) {
            0..=8 => {
                let node = world.dice.roll(2) as usize;
                self.nodes[node].step(&self.clock, world);
            }
            9..=11 if publishes => {
                let burst = if world.dice.one_in(40) { world.dice.roll(300) } else { world.dice.roll(4) };
                for _ in 0..=burst {
                    world.publish(faults.foreign_create);
                }
                if world.dice.one_in(10) {
                    world.publish_again();
                }
                if world.dice.one_in(4) {
                    world.change_run();
                }
                for _ in 0..world.dice.roll(4) {
                    world.change_key();
                }
                // The removal of a topic is a gap for its clients.
                if faults.may_lose() && world.dice.one_in(60) {
                    world.remove_state();
                }
                if world.dice.one_in(10) {
                    world.publish_again_first();
                }
                if world.dice.one_in(10) {
                    world.deliver_delayed();
                }
            }
            12 | 13 => {
                let ms = [1, 20, 200, 1_100, 3_000][world.dice.roll(5) as usize];
                self.clock.advance(Duration::from_millis(ms));
                world.ms += ms;
            }
            14 | 15 => {
                let cut = if cuts && world.dice.one_in(6) { Some(world.dice.roll(u64::MAX)) } else { None };
                let watcher = &mut self.watchers[world.dice.roll(4) as usize];
                watcher.connect(&self.clock, &self.nodes, world.dice.roll(2) as usize);
                watcher.read(world, cut, &mut self.verdict);
            }
            16..=19 => {
                let client = &mut self.clients[world.dice.roll(4) as usize];
                if client.stream.is_none() {
                    client.connect(&self.clock, &self.nodes, world.dice.roll(2) as usize);
                }
                let cut = if cuts && world.dice.one_in(6) { Some(world.dice.roll(u64::MAX)) } else { None };
                if cut.is_some() && world.dice.one_in(3) {
                    client.stream = None;
                } else {
                    client.read(world, cut, &mut self.verdict);
                }
            }
            _ => self.fault(faults),
        }
    }

    /// Repairs everything, lets time pass, and checks that all nodes and clients arrive at one state.
    fn heal(&mut self, may_lose: bool) {
        self.reach();
        for step in 0..2_000 {
            self.step(NONE, step < 10, false);
        }
        let mut newest = None;
        for step in 0.. {
            newest = self.world.newest().or(newest);
            let id = newest.map(|index| self.world.made[index].entry.id);
            if self.nodes.iter().all(|node| node.feed.newest() == id) {
                break;
            }
            if step == 20_000 {
                self.verdict.stuck += 1;
                break;
            }
            self.pass(10);
        }
        // A node that was reset does not know an end before. The log keeps all entries if nothing is trimmed.
        if !may_lose {
            let end = self.world.end_of_run();
            self.verdict.ends_differ += self.nodes.iter().filter(|node| node.hub.ended(RUN) != end).count();
            self.verdict.ends += usize::from(end.is_some());
        }
        for at in 0..self.clients.len() {
            for _ in 0..200 {
                // A client that was asked to retry later waits for two rounds.
                self.pass(100);
                let client = &mut self.clients[at];
                if client.stream.is_none() {
                    client.connect(&self.clock, &self.nodes, client.node);
                }
                client.read(&self.world, None, &mut self.verdict);
            }
            newest = self.world.newest().or(newest);
            self.verdict.lost += usize::from(!self.clients[at].is_at_the_end(&self.world, newest));
        }
        for at in 0..self.watchers.len() {
            for _ in 0..200 {
                self.pass(100);
                let watcher = &mut self.watchers[at];
                watcher.connect(&self.clock, &self.nodes, watcher.node);
                watcher.read(&self.world, None, &mut self.verdict);
            }
            self.verdict.states_differ += usize::from(!self.watchers[at].has(&self.world));
        }
    }

    fn pass(&mut self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        self.nodes.iter_mut().for_each(|node| node.step(&self.clock, &mut self.world));
    }

    /// All nodes can reach the server again.
    fn reach(&mut self) {
        self.world.up = true;
        self.nodes.iter_mut().for_each(|node| node.cut_off = false);
    }
}

fn run(seed: u64, faults: Faults, rules: FollowerRules) -> Verdict {
    let mut scene = Scene::new(seed, faults, rules);
    for _ in 0..4_000 {
        scene.step(faults, true, true);
    }
    scene.heal(faults.may_lose());
    scene.verdict.steps = 6_000;
    scene.verdict
}

/// Makes this many runs, and returns the number of failed runs.
fn many(runs: u64, faults: Faults, rules: FollowerRules) -> (Verdict, u64) {
    let (mut total, mut bad) = (Verdict::default(), 0);
    let scale = std::env::var("SSE_REDIS_SIMULATION").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    for seed in 0..runs * scale {
        let verdict = run(seed, faults, rules);
        if verdict.is_wrong() || (!faults.may_lose() && verdict.gaps > 0) {
            bad += 1;
            if std::env::var_os("SSE_REDIS_VERBOSE").is_some() {
                println!("seed {seed}: {verdict:?}");
            }
        }
        total.add(&verdict);
    }
    println!("{faults:?}: {bad} of {} runs wrong: {total:?}", runs * scale);
    (total, bad)
}

fn sound(runs: u64, faults: Faults) {
    let (total, bad) = many(runs, faults, FollowerRules::ALL);
    assert_eq!(bad, 0, "{faults:?}: {total:?}");
    assert!(total.received > 0 && total.values > 0);
    assert!(faults.may_lose() || total.ends > 0);
    // A node that was reset does not know the publishes before, so it can send a repetition.
    assert!(faults.may_lose() || total.republished == 0, "{faults:?}");
}

/// All faults at once, and then each rule turned off: runs must fail without the rule.
#[test]
fn each_rule_is_needed() {
    let all = Faults { breaks: true, failover: true, wipes: true, deletes: true, clock: true, ..NONE };
    sound(30, all);
    let without = [
        ("tags", FollowerRules { tag: false, ..FollowerRules::ALL }, all),
        ("the inspection after each connect", FollowerRules { inspect_on_connect: false, ..FollowerRules::ALL }, all),
        ("the uid", FollowerRules { uid: false, ..FollowerRules::ALL }, all),
        ("NOMKSTREAM", FollowerRules::ALL, Faults { foreign_create: true, ..all }),
        (
            "numbers",
            FollowerRules { numbers: false, ..FollowerRules::ALL },
            Faults { breaks: true, trims: true, ..NONE },
        ),
    ];
    for (name, rules, faults) in without {
        let (_, bad) = many(60, faults, rules);
        println!("without {name}: {bad} runs wrong");
        assert!(bad > 0, "{name} made no difference");
    }
}

#[test]
fn without_faults_no_event_is_lost_or_repeated_and_no_gap_is_sent() {
    sound(20, NONE);
}

#[test]
fn broken_connections_restarts_and_clock_changes_cause_no_gap() {
    sound(40, Faults { breaks: true, restarts: true, clock: true, graceful: true, ..NONE });
}

#[test]
fn entries_trimmed_before_they_are_read_cause_a_gap() {
    sound(40, Faults { breaks: true, trims: true, ..NONE });
}

#[test]
fn a_failover_to_an_older_state_causes_a_gap() {
    sound(40, Faults { breaks: true, failover: true, clock: true, ..NONE });
}

#[test]
fn a_wiped_or_deleted_log_causes_a_gap() {
    sound(40, Faults { breaks: true, wipes: true, deletes: true, clock: true, ..NONE });
}

/// One node has noticed a failover and sent gaps. The other node must not send truncated events to clients that come from
/// the first node.
#[test]
fn a_failover_that_one_node_has_not_noticed_repeats_no_event() {
    sound(40, Faults { breaks: true, failover: true, apart: true, clock: true, ..NONE });
}

/// A node that starts has the whole state, although the log has trimmed the entries of most keys.
#[test]
fn a_late_node_has_the_state_of_a_trimmed_log() {
    sound(40, Faults { breaks: true, restarts: true, trims: true, small_window: true, ..NONE });
}

/// Nodes start while the state changes, fails over, is wiped or deleted.
#[test]
fn a_late_node_has_the_state_after_a_failover_or_a_loss() {
    let faults = Faults { breaks: true, restarts: true, failover: true, clock: true, small_window: true, ..NONE };
    sound(40, faults);
    sound(40, Faults { apart: true, trims: true, wipes: true, deletes: true, ..faults });
}

/// A truncated log is trimmed while a node searches for the newest common entry.
#[test]
fn a_failover_of_a_log_that_is_trimmed_causes_a_gap() {
    sound(40, Faults { breaks: true, failover: true, apart: true, trims: true, clock: true, ..NONE });
}
