//! Clients of a state topic, and the oracle of the state: a client ends with the state of the server, and receives no old value
//! after a new one without a gap in between.

use super::TOPICS;
use super::client::Verdict;
use super::node::Node;
use super::server::{STATE, World};
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, LastEventId};
use sse_test_support::reader::{self, Habits};
use std::collections::BTreeMap;

pub(super) struct Watcher {
    topics: Vec<&'static str>,
    pub(super) node: usize,
    stream: Option<Reader<EventStream<Clock>>>,
    reader: reader::Reader,
    /// The newest entry of each key since the last gap, and whether it is a removal.
    seen: BTreeMap<usize, (usize, bool)>,
}

impl Watcher {
    pub(super) fn new(number: usize) -> Self {
        // A WebKit can lose a gap, as ARCHITECTURE.md describes.
        let habits: Vec<_> = Habits::BROWSERS.into_iter().filter(|habits| !habits.carries_over).collect();
        Self {
            topics: if number.is_multiple_of(2) { vec![STATE] } else { vec![TOPICS[0], STATE] },
            node: number % 2,
            stream: None,
            reader: reader::Reader::with(habits[number % habits.len()]),
            seen: BTreeMap::new(),
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.stream = None;
    }

    /// Connects to this node if there is no connection.
    pub(super) fn connect(&mut self, clock: &Clock, nodes: &[Node], node: usize) {
        if self.stream.is_some() {
            return;
        }
        self.node = node;
        self.reader.reconnect();
        let id = self.reader.last_event_id().filter(|id| !id.is_empty());
        let last = id.map_or(LastEventId::Absent, |id| LastEventId::Text(id.into()));
        let subscription = clock.sse_after(last).subscribe(&nodes[node].hub, self.topics.clone());
        self.stream = Some(clock.read(subscription.into_response()));
    }

    /// Reads the available bytes. With `cut` the connection breaks at some byte.
    pub(super) fn read(&mut self, world: &World, cut: Option<u64>, verdict: &mut Verdict) {
        let Some(stream) = &mut self.stream else { return };
        let bytes = stream.bytes();
        let ended = stream.has_ended();
        let upto = cut.map_or(bytes.len(), |cut| (cut % (bytes.len() as u64 + 1)) as usize);
        for event in self.reader.dispatched(&bytes[..upto]).into_iter().filter(|event| !event.is_reserved()) {
            if event.event_type == "gap" {
                verdict.gaps += 1;
                // The page is cleared, and the whole state follows.
                self.seen.clear();
                continue;
            }
            let Some((key, index)) = event.data.split_once(' ') else { continue };
            let (key, index) = (key.parse().unwrap(), index.parse().unwrap());
            verdict.values += 1;
            if let Some((before, _)) = self.seen.insert(key, (index, event.event_type == "removed")) {
                verdict.stale += usize::from(before != index && !world.is_before(before, index));
            }
        }
        if ended && cut.is_none() {
            self.reader.end();
        }
        if ended || cut.is_some() {
            self.stream = None;
        }
    }

    /// Whether the client has the state of the server.
    pub(super) fn has(&self, world: &World) -> bool {
        let mut state =
            self.seen.iter().filter(|(_, (_, is_removed))| !is_removed).map(|(key, (index, _))| (key, index));
        let count = state.clone().count();
        count == world.server.state.len() && state.all(|(key, index)| world.server.state.get(key) == Some(index))
    }
}
