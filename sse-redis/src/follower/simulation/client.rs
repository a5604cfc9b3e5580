//! A client behind the nodes, and the oracle that judges what it gets.

use super::TOPICS;
use super::engine::World;
use super::node::Node;
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, LastEventId};
use sse_test_support::reader::{self, Habits};
use std::collections::HashMap;

/// What came of a run, or of many.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) lost: usize,
    pub(super) repeated: usize,
    /// Had before it was told a gap, and once more after it.
    pub(super) retold: usize,
    pub(super) gaps: usize,
    pub(super) received: usize,
    /// A publish once more, by a node that missed the first because it was trimmed.
    pub(super) again: usize,
    pub(super) stuck: usize,
    pub(super) steps: usize,
}

pub(super) struct Client {
    pub(super) topics: Vec<usize>,
    pub(super) node: usize,
    pub(super) stream: Option<Reader<EventStream<Clock>>>,
    reader: reader::Reader,
    /// The entry that the client was last at, if the oracle knows it: the next event must follow it.
    at: Option<usize>,
    /// That was taken back, as it was told.
    adrift: bool,
    /// Every publish it had, and how many gaps it had been told by then.
    had: HashMap<usize, usize>,
    gaps: usize,
}

impl Verdict {
    pub(super) const fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.retold += other.retold;
        self.gaps += other.gaps;
        self.received += other.received;
        self.again += other.again;
        self.stuck += other.stuck;
        self.steps += other.steps;
    }

    /// Whether a promise was broken.
    pub(super) const fn is_wrong(&self) -> bool {
        self.lost + self.repeated + self.retold + self.stuck > 0
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
        }
    }

    fn names(&self) -> Vec<&'static str> {
        self.topics.iter().map(|&topic| TOPICS[topic]).collect()
    }

    pub(super) fn connect(&mut self, clock: &Clock, nodes: &[Node], node: usize) {
        self.node = node;
        self.reader.reconnect();
        let id = self.reader.last_event_id().filter(|id| !id.is_empty());
        let last = id.map_or(LastEventId::Absent, |id| LastEventId::Text(id.into()));
        let subscription = clock.sse_after(last).subscribe(&nodes[node].hub, self.names());
        self.stream = Some(clock.read(subscription.into_response()));
    }

    /// Reads what there is; with `cut` the connection breaks somewhere in it.
    pub(super) fn read(&mut self, world: &World, cut: Option<u64>, verdict: &mut Verdict) {
        let Some(stream) = &mut self.stream else { return };
        let bytes = stream.bytes();
        let ended = stream.has_ended();
        let upto = cut.map_or(bytes.len(), |cut| (cut % (bytes.len() as u64 + 1)) as usize);
        let fresh = self.reader.last_event_id().is_none_or(str::is_empty);
        // An event is in one block, so that none is in two of these.
        for block in std::str::from_utf8(&bytes[..upto]).unwrap().split_inclusive("\n\n") {
            let whole = block;
            let Some(event) = self.reader.dispatched(block.as_bytes()).pop().filter(|event| !event.is_reserved())
            else {
                continue;
            };
            if event.event_type == "gap" {
                self.gaps += 1;
                verdict.gaps += 1;
                // Without a position: what it has is no longer, and it goes on from what remains of it.
                self.adrift = !whole.contains("\nid: ");
                if !self.adrift {
                    self.at = world.by_id(&event.id);
                }
                continue;
            }
            let Some(index) = world.by_id(&event.id) else { panic!("an event without an entry: {event:?}") };
            if fresh && self.at.is_none() && self.had.is_empty() {
                // Where a first connection begins is nobody's promise: take it as it is.
                self.at = world.latest(world.made[index].before, &self.topics, None);
            }
            let publish = world.made[index].event.map(|(_, publish)| publish).unwrap_or(usize::MAX);
            verdict.received += 1;
            match self.had.insert(publish, self.gaps) {
                Some(_) if world.made[index].again => verdict.again += 1,
                Some(told) if told == self.gaps => verdict.repeated += 1,
                Some(_) => verdict.retold += 1,
                None => {}
            }
            if let Some(at) = self.at {
                let before = world.latest(world.made[index].before, &self.topics, Some(at));
                let remains =
                    std::mem::take(&mut self.adrift) && before.is_none_or(|before| world.is_before(before, at));
                verdict.lost += usize::from(before != Some(at) && !remains);
            }
            self.at = Some(index);
        }
        if self.at.is_none() && self.had.is_empty() {
            // Told a position before any event.
            self.at = world.by_id(self.reader.last_event_id().unwrap_or_default());
        }
        if ended && cut.is_none() {
            self.reader.end();
        }
        if ended || cut.is_some() {
            self.stream = None;
        }
    }

    /// Whether it has come to the end of the log: to the last event of its topics, or, having been told that what it has
    /// was taken back, to one before that.
    pub(super) fn is_at_the_end(&self, world: &World, newest: Option<usize>) -> bool {
        let (Some(at), Some(newest)) = (self.at, newest) else { return true };
        let last = world.latest(Some(newest), &self.topics, Some(at));
        last == Some(at) || (self.adrift && last.is_none_or(|last| world.is_before(last, at)))
    }
}
