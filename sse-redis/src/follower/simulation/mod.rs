//! The follower against a simulated engine that does what engines do at their worst, and model clients behind two hubs.
//!
//! Every entry ever written knows which entry came before it in the history it was written to, so for each event that
//! a client gets the oracle knows what it must have had before. A client that was not told a gap in between and had
//! something else has lost something silently; an event that comes twice is a duplicate; a gap in a run without
//! trimming and loss is a false one.
//!
//! `SSE_REDIS_SIMULATION=10 cargo test --release -p sse-redis --lib simulation -- --nocapture` runs ten times as many and
//! prints what came of them; `SSE_REDIS_VERBOSE=1` shows the runs that went wrong.

mod client;
mod engine;
mod faults;
mod node;

use super::{Bounds, Rules};
use client::{Client, Verdict};
use engine::{Dice, World};
use faults::{Faults, NONE};
use node::Node;
use sse_core::testing::Clock;
use std::time::Duration;

const TOPICS: [&str; 3] = ["a", "b", "c"];

/// Two nodes at one engine, and four clients.
struct Scene {
    clock: Clock,
    world: World,
    bounds: Bounds,
    rules: Rules,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    verdict: Verdict,
}

impl Scene {
    fn new(seed: u64, faults: Faults, rules: Rules) -> Self {
        let mut dice = Dice(seed);
        let batch = [4, 16, 64][dice.roll(3) as usize];
        let remembered = [8, 64, 65_536][dice.roll(3) as usize];
        let max_len = if faults.trims { 2 * batch + dice.roll(200) as usize } else { usize::MAX / 4 };
        let bounds = Bounds { window: (10_000, usize::MAX), batch, remembered };
        let clock = Clock::seeded([seed as u8; 32]);
        let mut world = World::new(dice, max_len);
        let nodes = (0..2).map(|_| Node::new(&clock, &mut world, bounds, rules)).collect();
        let clients = (0..4).map(Client::new).collect();
        Self { clock, world, bounds, rules, nodes, clients, verdict: Verdict::default() }
    }

    /// Somebody does something.
    fn step(&mut self, faults: Faults, publishes: bool, cuts: bool) {
        let world = &mut self.world;
        match world.dice.roll(20) {
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
            }
            12 | 13 => {
                let ms = [1, 20, 200, 1_100, 3_000][world.dice.roll(5) as usize];
                self.clock.advance(Duration::from_millis(ms));
                world.ms += ms;
            }
            14..=17 => {
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

    /// Everything heals, time goes on, and all must come to one state.
    fn heal(&mut self) {
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
        for at in 0..self.clients.len() {
            for _ in 0..200 {
                // Whoever is asked to come back waits for two rounds.
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
    }

    fn pass(&mut self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        self.nodes.iter_mut().for_each(|node| node.step(&self.clock, &mut self.world));
    }

    /// Whoever could not reach the engine can.
    fn reach(&mut self) {
        self.world.up = true;
        self.nodes.iter_mut().for_each(|node| node.cut_off = false);
    }
}

fn run(seed: u64, faults: Faults, rules: Rules) -> Verdict {
    let mut scene = Scene::new(seed, faults, rules);
    for _ in 0..4_000 {
        scene.step(faults, true, true);
    }
    scene.heal();
    scene.verdict.steps = 6_000;
    scene.verdict
}

/// So many runs, and how many of them went wrong.
fn many(runs: u64, faults: Faults, rules: Rules) -> (Verdict, u64) {
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
    let (total, bad) = many(runs, faults, Rules::ALL);
    assert_eq!(bad, 0, "{faults:?}: {total:?}");
    assert!(total.received > 0);
    assert!(faults.trims || total.again == 0, "{faults:?}");
}

/// Every fault at once, and each rule taken away: that it is needed shows in runs that go wrong without it.
#[test]
fn each_rule_is_needed() {
    let all = Faults { breaks: true, failover: true, wipes: true, deletes: true, clock: true, ..NONE };
    sound(30, all);
    let without = [
        ("tags", Rules { tag: false, ..Rules::ALL }, all),
        ("the look on connect", Rules { look_on_connect: false, ..Rules::ALL }, all),
        ("the uid", Rules { uid: false, ..Rules::ALL }, all),
        ("NOMKSTREAM", Rules::ALL, Faults { foreign_create: true, ..all }),
        ("numbers", Rules { numbers: false, ..Rules::ALL }, Faults { breaks: true, trims: true, ..NONE }),
    ];
    for (what, rules, faults) in without {
        let (_, bad) = many(60, faults, rules);
        println!("without {what}: {bad} runs wrong");
        assert!(bad > 0, "{what} made no difference");
    }
}

#[test]
fn without_faults_nothing_is_lost_repeated_or_told_as_lost() {
    sound(20, NONE);
}

#[test]
fn broken_connections_restarts_and_clocks_are_no_gap() {
    sound(40, Faults { breaks: true, restarts: true, clock: true, graceful: true, ..NONE });
}

#[test]
fn trimming_past_the_reader_is_told() {
    sound(40, Faults { breaks: true, trims: true, ..NONE });
}

#[test]
fn a_failover_to_an_older_state_is_told() {
    sound(40, Faults { breaks: true, failover: true, clock: true, ..NONE });
}

#[test]
fn a_wiped_or_deleted_log_is_told() {
    sound(40, Faults { breaks: true, wipes: true, deletes: true, clock: true, ..NONE });
}

/// One node has noticed and told its readers; a reader that comes from there to the other, which has not, is not given
/// once more what was lost.
#[test]
fn a_failover_that_one_node_has_not_noticed_repeats_nothing() {
    sound(40, Faults { breaks: true, failover: true, apart: true, clock: true, ..NONE });
}

/// A log that goes back, and that is trimmed while a node looks for what is left of it.
#[test]
fn a_failover_of_a_log_that_is_trimmed_is_told() {
    sound(40, Faults { breaks: true, failover: true, apart: true, trims: true, clock: true, ..NONE });
}
