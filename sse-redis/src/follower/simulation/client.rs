//! Clients of the nodes, and the oracle that checks every event they receive.

use super::TOPICS;
use super::node::Node;
use super::server::World;
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, LastEventId};
use sse_test_support::reader::{self, Habits};
use std::collections::HashMap;

/// The result of one run or of several runs.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) lost: usize,
    pub(super) repeated: usize,
    /// Events that a client received once before a gap and once after the gap.
    pub(super) retold: usize,
    pub(super) gaps: usize,
    pub(super) received: usize,
    /// Repetitions without a gap before them, from a node on which the first entry was trimmed.
    pub(super) republished: usize,
    /// Nodes that disagree with the log about the end of a topic.
    pub(super) ends_differ: usize,
    /// Runs in which a topic has ended.
    pub(super) ends: usize,
    pub(super) stuck: usize,
    /// Values of the state topic that a client received after a newer one, without a gap in between.
    pub(super) stale: usize,
    /// Clients of the state topic that ended with another state than that of the server.
    pub(super) states_differ: usize,
    /// Values of the state topic that clients received.
    pub(super) values: usize,
    pub(super) steps: usize,
}

pub(super) struct Client {
    pub(super) topics: Vec<usize>,
    pub(super) node: usize,
    pub(super) stream: Option<Reader<EventStream<Clock>>>,
    reader: reader::Reader,
    /// The last entry of the client, if the oracle knows it. The next event must follow this entry.
    at: Option<usize>,
    /// The last entry was truncated, and the client received the gap.
    adrift: bool,
    /// Every received publish, with the number of gaps before it.
    had: HashMap<usize, usize>,
    gaps: usize,
    /// The last event ID that the client sent is damaged, so the client may receive a gap.
    damaged: bool,
    /// A WebKit: the parts of a broken response precede the next response.
    carries_over: bool,
    /// The last response broke inside of the ID of a gap.
    broke_in_gap: bool,
    /// The response after that broke before its gap, so WebKit has the ID of a gap that no page received. ARCHITECTURE.md
    /// describes this case.
    excused: bool,
}

impl Verdict {
    pub(super) const fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.retold += other.retold;
        self.gaps += other.gaps;
        self.received += other.received;
        self.republished += other.republished;
        self.ends_differ += other.ends_differ;
        self.ends += other.ends;
        self.stuck += other.stuck;
        self.stale += other.stale;
        self.states_differ += other.states_differ;
        self.values += other.values;
        self.steps += other.steps;
    }

    /// Whether a promise was broken.
    pub(super) const fn is_wrong(&self) -> bool {
        self.lost + self.repeated + self.retold + self.ends_differ + self.stuck + self.stale + self.states_differ > 0
    }
}

impl Client {
    pub(super) fn new(number: usize) -> Self {
        Self {
            topics: (0..TOPICS.len()).filter(|topic| number == 0 || (number + topic).is_multiple_of(2)).collect(),
            node: number % 2,
            stream: None,
            reader: reader::Reader::with(Habits::BROWSERS[number % Habits::BROWSERS.len()]),
            at: None,
            adrift: false,
            had: HashMap::new(),
            gaps: 0,
            damaged: false,
            carries_over: Habits::BROWSERS[number % Habits::BROWSERS.len()].carries_over,
            broke_in_gap: false,
            excused: false,
        }
    }

    fn names(&self) -> Vec<&'static str> {
        self.topics.iter().map(|&topic| TOPICS[topic]).collect()
    }

    pub(super) fn connect(&mut self, clock: &Clock, nodes: &[Node], node: usize) {
        self.node = node;
        self.reader.reconnect();
        let id = self.reader.last_event_id().filter(|id| !id.is_empty());
        // Two breaks inside of one ID. ARCHITECTURE.md describes this case of WebKit.
        self.damaged = id.is_some_and(|id| id.contains(':'));
        let last = id.map_or(LastEventId::Absent, |id| LastEventId::Text(id.into()));
        let subscription = clock.sse_after(last).subscribe(&nodes[node].hub, self.names());
        self.stream = Some(clock.read(subscription.into_response()));
    }

    /// Reads the available bytes. With `cut` the connection breaks at some byte.
    pub(super) fn read(&mut self, world: &World, cut: Option<u64>, verdict: &mut Verdict) {
        let Some(stream) = &mut self.stream else { return };
        let bytes = stream.bytes();
        let ended = stream.has_ended();
        let upto = cut.map_or(bytes.len(), |cut| (cut % (bytes.len() as u64 + 1)) as usize);
        let fresh = self.reader.last_event_id().is_none_or(str::is_empty);
        // One chunk can contain several events, and an event never spans two blocks.
        for block in std::str::from_utf8(&bytes[..upto]).unwrap().split_inclusive("\n\n") {
            let whole = block;
            let Some(event) = self.reader.dispatched(block.as_bytes()).pop().filter(|event| !event.is_reserved())
            else {
                continue;
            };
            if event.event_type == "gap" {
                (self.broke_in_gap, self.excused) = (false, false);
                self.gaps += 1;
                verdict.gaps += usize::from(!self.damaged);
                // A gap without a position: the client continues with the entries that remain.
                self.adrift = !whole.contains("\nid: ");
                if !self.adrift {
                    self.at = world.by_id(&event.id);
                }
                continue;
            }
            let Some(index) = world.by_id(&event.id) else { panic!("an event without an entry: {event:?}") };
            if fresh && self.at.is_none() && self.had.is_empty() {
                // The start of a first connection is not specified, so the oracle accepts any event.
                self.at = world.latest(world.made[index].before, &self.topics, None);
            }
            let publish = world.made[index].event.map(|(_, publish)| publish).unwrap_or(usize::MAX);
            verdict.received += 1;
            match self.had.insert(publish, self.gaps) {
                // After a gap the node may not know the first entry.
                Some(gaps) if world.made[index].republished => verdict.republished += usize::from(gaps == self.gaps),
                Some(gaps) if gaps == self.gaps => verdict.repeated += 1,
                Some(_) => verdict.retold += 1,
                None => {}
            }
            if let Some(at) = self.at {
                let before = world.latest(world.made[index].before, &self.topics, Some(at));
                let remains =
                    std::mem::take(&mut self.adrift) && before.is_none_or(|before| world.is_before(before, at));
                let excused = std::mem::take(&mut self.excused);
                verdict.lost += usize::from(before != Some(at) && !remains && !excused);
            }
            self.at = Some(index);
        }
        if cut.is_some() && self.carries_over && upto > 0 {
            let rest = std::str::from_utf8(&bytes[..upto]).unwrap().rsplit("\n\n").next().unwrap_or_default();
            self.excused |= std::mem::take(&mut self.broke_in_gap);
            self.broke_in_gap = rest.contains("event: gap") && rest.contains("\nid");
        }
        if self.at.is_none() && self.had.is_empty() {
            // The client received a position before any event.
            self.at = world.by_id(self.reader.last_event_id().unwrap_or_default());
        }
        if ended && cut.is_none() {
            self.reader.end();
        }
        if ended || cut.is_some() {
            self.stream = None;
        }
    }

    /// Whether the client has the newest event of its topics, or an earlier event if its own events were truncated.
    pub(super) fn is_at_the_end(&self, world: &World, newest: Option<usize>) -> bool {
        let (Some(at), Some(newest)) = (self.at, newest) else { return true };
        let last = world.latest(Some(newest), &self.topics, Some(at));
        last == Some(at) || (self.adrift && last.is_none_or(|last| world.is_before(last, at)))
    }
}
