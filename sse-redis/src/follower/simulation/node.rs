//! A node: the follower, its hub, and a connection that can break between any two steps.

use super::server::World;
use crate::entry::{EntryContent, LogEntry};
use crate::follower::{Command, Effect, Follower, FollowerBounds, FollowerRules, Position, QuietTimer, Reply};
use sse_core::hub::HubBuilder;
use sse_core::hub::log::{self, LogFeed};
use sse_core::testing::Clock;
use sse_core::{Hub, Random, Runtime};
use std::time::{Duration, Instant};

/// The command that a node has sent.
pub(super) enum InFlight {
    Nothing,
    /// A read that waits at the server until this time.
    Blocked(Position, usize, Instant),
    /// The first half of a pipeline is done. The uid is not yet read.
    HalfRead(Vec<LogEntry>, bool),
    /// The reply is on its way.
    Answered(Reply),
    Broken,
}

pub(super) struct Node {
    pub(super) follower: Follower,
    quiet: QuietTimer,
    random: Random,
    pub(super) hub: Hub,
    pub(super) feed: LogFeed,
    pub(super) pending: InFlight,
    pub(super) connected: bool,
    /// The node cannot reach the server.
    pub(super) cut_off: bool,
}

impl Node {
    pub(super) fn new(clock: &Clock, world: &mut World, bounds: FollowerBounds, rules: FollowerRules) -> Self {
        let (hub, mut feed) = log::follow_on(HubBuilder::default(), clock.clone());
        feed.accept_subscribers(false);
        let mut follower = Follower::new(clock.now(), Random::from_seed(world.dice.seed()), bounds, rules);
        follower.inspect_quiet_every(Duration::from_secs(1 + world.dice.roll(6)));
        let random = Random::from_seed(world.dice.seed());
        let quiet = QuietTimer::new(clock.now(), &random);
        Self { follower, quiet, random, hub, feed, pending: InFlight::Nothing, connected: false, cut_off: false }
    }

    pub(super) fn step(&mut self, clock: &Clock, world: &mut World) {
        let now = clock.now();
        let mut effects = Vec::new();
        if self.quiet.is_due(now) {
            self.quiet.restart(now, &self.random);
            self.follower.probe_now(now);
        }
        if self.feed.is_round_awaited() {
            self.follower.inspect_by(now + Duration::from_secs(1));
        }
        self.pending = match std::mem::replace(&mut self.pending, InFlight::Nothing) {
            InFlight::Nothing => match self.follower.command(now, &mut effects) {
                Command::Sleep(_) => InFlight::Nothing,
                Command::Connect => {
                    self.connected = world.up && !self.cut_off;
                    InFlight::Answered(if self.connected { Reply::Connected } else { Reply::Failed })
                }
                _ if !self.connected => InFlight::Broken,
                Command::Attach(uid) => {
                    world.attach(uid);
                    InFlight::Answered(Reply::Attached)
                }
                Command::Inspect(at) => InFlight::Answered(Reply::Inspected(world.head(at))),
                Command::Load(count) => {
                    InFlight::Answered(Reply::Loaded(world.head(None), world.before((u64::MAX, 0), count)))
                }
                Command::LoadBefore(position, count) => {
                    InFlight::Answered(Reply::LoadedBefore(world.before(position, count)))
                }
                Command::Find(position) => InFlight::Answered(Reply::Found(world.find(position))),
                Command::Wait(position, count, block) => {
                    // The read may be shared with a log of larger entries, which limits the number for both.
                    let count = if world.dice.one_in(8) { count.div_ceil(4) } else { count };
                    InFlight::Blocked(position, count, now + block)
                }
                Command::CatchUp(position, count) => {
                    InFlight::Answered(Reply::CaughtUp(world.head(None), world.after(position, count)))
                }
                Command::LoadState(at, part, _) => {
                    InFlight::Answered(Reply::State(world.head(Some(at)), world.state(&part)))
                }
            },
            InFlight::Blocked(position, count, until) => {
                let entries = world.after(position, count);
                // A read also ends early, when the driver has another command for the connection.
                if entries.is_empty() && now < until && !world.dice.one_in(20) {
                    InFlight::Blocked(position, count, until)
                } else if entries.is_empty() && world.dice.one_in(2) {
                    InFlight::Answered(Reply::Nothing)
                } else {
                    if !entries.is_empty() {
                        self.quiet.restart(now, &self.random);
                    }
                    let full = entries.len() >= count;
                    InFlight::HalfRead(entries, full)
                }
            }
            InFlight::HalfRead(entries, full) => {
                InFlight::Answered(Reply::Read(entries, full, world.server.uid.clone()))
            }
            InFlight::Answered(reply) => {
                self.follower.handle(now, reply, &mut effects);
                InFlight::Nothing
            }
            InFlight::Broken => {
                self.connected = false;
                self.follower.handle(now, Reply::Failed, &mut effects);
                InFlight::Nothing
            }
        };
        let is_whole = crate::node::apply(&mut self.feed, effects, |effect| {
            if let Effect::Probe(probe) = effect {
                world.append(EntryContent::Probe(*probe), None);
            }
        });
        if !is_whole {
            self.follower.reset_soon(now);
        }
    }
}
