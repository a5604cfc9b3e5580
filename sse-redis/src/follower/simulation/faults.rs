//! The faults of a run.

use super::Scene;
use super::node::{InFlight, Node};
use super::server::Server;
use super::watcher::Watcher;

/// The faults that may occur in a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) breaks: bool,
    pub(super) restarts: bool,
    pub(super) trims: bool,
    pub(super) failover: bool,
    pub(super) graceful: bool,
    /// A failover that one node does not notice for a while.
    pub(super) apart: bool,
    pub(super) wipes: bool,
    pub(super) deletes: bool,
    pub(super) clock: bool,
    pub(super) foreign_create: bool,
    /// Nodes that start load few entries.
    pub(super) small_window: bool,
}

pub(super) const NONE: Faults = Faults {
    breaks: false,
    restarts: false,
    trims: false,
    failover: false,
    graceful: false,
    apart: false,
    wipes: false,
    deletes: false,
    clock: false,
    foreign_create: false,
    small_window: false,
};

impl Faults {
    pub(super) const fn may_lose(self) -> bool {
        self.trims || self.failover || self.wipes || self.deletes || self.small_window
    }
}

impl Scene {
    /// Causes one fault, if the run allows it.
    pub(super) fn fault(&mut self, faults: Faults) {
        let kind = self.world.dice.roll(40);
        match kind {
            0..=5 if faults.breaks => {
                let node = self.world.dice.roll(2) as usize;
                self.nodes[node].pending = InFlight::Broken;
            }
            6 if faults.breaks => {
                self.world.up = false;
                self.nodes.iter_mut().for_each(|node| node.pending = InFlight::Broken);
            }
            7..=12 => {
                self.reach();
            }
            13..=16 => self.world.replica = self.world.server.clone(),
            17 if faults.failover || faults.graceful => {
                if faults.graceful {
                    self.world.replica = self.world.server.clone();
                }
                self.world.server = self.world.replica.clone();
                self.nodes.iter_mut().for_each(|node| node.pending = InFlight::Broken);
                if faults.apart {
                    self.nodes[self.world.dice.roll(2) as usize].cut_off = true;
                }
                if faults.clock && self.world.dice.one_in(2) {
                    self.world.ms = self.world.ms.saturating_sub(self.world.dice.roll(20_000));
                }
            }
            18 if faults.wipes => {
                // The replica is wiped too. If the old replica came back, clients that received a gap could receive events
                // twice.
                (self.world.server, self.world.replica) = (Server::default(), Server::default());
                // The new log may have lower IDs.
                if faults.clock && self.world.dice.one_in(2) {
                    self.world.ms = self.world.ms.saturating_sub(self.world.dice.roll(20_000));
                }
                if self.world.dice.one_in(2) {
                    self.nodes.iter_mut().for_each(|node| node.pending = InFlight::Broken);
                }
            }
            19 if faults.deletes => self.world.server.log = None,
            20 if faults.trims => {
                // An operator trims to the smallest length that is allowed.
                let keep = 2 * self.bounds.batch;
                if let Some(log) = &mut self.world.server.log {
                    log.entries.drain(..log.entries.len().saturating_sub(keep));
                }
            }
            21 if faults.clock => self.world.ms = self.world.ms.saturating_sub(self.world.dice.roll(20_000)),
            22 if faults.restarts => {
                let which = self.world.dice.roll(2) as usize;
                self.nodes[which] = Node::new(&self.clock, &mut self.world, self.bounds, self.rules);
                self.clients.iter_mut().filter(|client| client.node == which).for_each(|client| client.stream = None);
                self.watchers.iter_mut().filter(|watcher| watcher.node == which).for_each(Watcher::disconnect);
            }
            _ => {}
        }
    }
}
