//! A node: the follower, its hub, and a connection that may break between any two steps.

use super::engine::World;
use crate::entry::{Content, Entry};
use crate::follower::{Bounds, Command, Effect, Follower, Position, Reply, Rules};
use sse_core::hub::{Feed, HubBuilder};
use sse_core::testing::Clock;
use sse_core::{Hub, Random, Runtime};
use std::time::Instant;

/// What a node waits for.
pub(super) enum Pending {
    Nothing,
    /// A read that waits at the server, until then.
    Blocked(Position, usize, Instant),
    /// The first half of a pipeline is done, the uid is yet to be read.
    HalfRead(Vec<Entry>),
    /// The server has answered, and the answer is on its way.
    Answered(Reply),
    Broken,
}

pub(super) struct Node {
    pub(super) follower: Follower,
    pub(super) hub: Hub,
    pub(super) feed: Feed,
    pub(super) pending: Pending,
    pub(super) connected: bool,
    /// It cannot reach the engine.
    pub(super) cut_off: bool,
}

impl Node {
    pub(super) fn new(clock: &Clock, world: &mut World, bounds: Bounds, rules: Rules) -> Self {
        let (hub, mut feed) = HubBuilder::default().follower_on(clock.clone());
        feed.admit(false);
        let follower = Follower::new(clock.now(), Random::from_seed(world.dice.seed()), bounds, rules);
        Self { follower, hub, feed, pending: Pending::Nothing, connected: false, cut_off: false }
    }

    pub(super) fn step(&mut self, clock: &Clock, world: &mut World) {
        let now = clock.now();
        let mut effects = Vec::new();
        self.pending = match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => match self.follower.command(now, &mut effects) {
                Command::Sleep(_) => Pending::Nothing,
                Command::Connect => {
                    self.connected = world.up && !self.cut_off;
                    Pending::Answered(if self.connected { Reply::Connected } else { Reply::Failed })
                }
                _ if !self.connected => Pending::Broken,
                Command::Attach(uid) => {
                    world.attach(uid);
                    Pending::Answered(Reply::Attached)
                }
                Command::Look(at) => Pending::Answered(Reply::Looked(world.tip(at))),
                Command::Load(count) => {
                    Pending::Answered(Reply::Loaded(world.tip(None), world.before((u64::MAX, 0), count)))
                }
                Command::LoadBefore(position, count) => {
                    Pending::Answered(Reply::LoadedBefore(world.before(position, count)))
                }
                Command::Probe(position) => Pending::Answered(Reply::Probed(world.find(position))),
                Command::Wait(position, count, block) => Pending::Blocked(position, count, now + block),
                Command::CatchUp(position, count) => {
                    Pending::Answered(Reply::CaughtUp(world.tip(None), world.after(position, count)))
                }
            },
            Pending::Blocked(position, count, until) => {
                let entries = world.after(position, count);
                if entries.is_empty() && now < until {
                    Pending::Blocked(position, count, until)
                } else {
                    Pending::HalfRead(entries)
                }
            }
            Pending::HalfRead(entries) => Pending::Answered(Reply::Read(entries, world.server.uid.clone())),
            Pending::Answered(reply) => {
                self.follower.handle(now, reply, &mut effects);
                Pending::Nothing
            }
            Pending::Broken => {
                self.connected = false;
                self.follower.handle(now, Reply::Failed, &mut effects);
                Pending::Nothing
            }
        };
        for effect in effects {
            if let Effect::Canary(canary) = effect {
                world.append(Content::Canary(canary), None);
            } else {
                crate::driver::apply(&mut self.feed, effect);
            }
        }
    }
}
