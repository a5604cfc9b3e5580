//! The Redis server, reduced to one log, with all histories that the log ever had.

use super::TOPICS;
use crate::entry::{EntryContent, LogEntry, Record, RecordKind};
use crate::follower::{LogHead, LogInfo, Position, StateFound, StatePart, Uid};
use crate::publish_id::PublishId;
use sse_core::Random;
use sse_core::hub::EventId;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub(super) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.roll(u64::MAX).to_le_bytes());
        seed
    }

    pub(super) fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

/// An entry that was written at some time.
pub(super) struct Made {
    pub(super) entry: LogEntry,
    pub(super) before: Option<usize>,
    /// The topic and the publish of an event.
    pub(super) event: Option<(usize, usize)>,
    /// A repetition, which no client receives.
    pub(super) republished: bool,
}

impl Made {
    /// Whether subscribers of these topics receive the event.
    pub(super) fn is_for(&self, topics: &[usize]) -> bool {
        !self.republished && self.event.is_some_and(|(topic, _)| topics.contains(&topic))
    }
}

#[derive(Clone, Default)]
pub(super) struct Server {
    pub(super) uid: Option<Uid>,
    pub(super) log: Option<Log>,
    /// The newest entry of each key of the state topic.
    pub(super) state: BTreeMap<usize, usize>,
}

#[derive(Clone, Default)]
pub(super) struct Log {
    pub(super) entries: VecDeque<usize>,
    pub(super) added: u64,
    pub(super) last: Position,
}

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) random: Random,
    pub(super) made: Vec<Made>,
    pub(super) server: Server,
    pub(super) replica: Server,
    /// The clock of the server.
    pub(super) ms: u64,
    pub(super) max_len: usize,
    /// The time of the first entry of each publish.
    pub(super) published: Vec<u64>,
    /// The topic and the publish of each first attempt that has not arrived yet.
    pub(super) delayed: Vec<(usize, usize)>,
    pub(super) up: bool,
    by_id: HashMap<String, usize>,
}

/// A topic that ends and is removed.
pub(super) const RUN: &str = "run";

/// A state topic, and the number of its keys.
pub(super) const STATE: &str = "state";
const KEYS: u64 = 6;

impl World {
    pub(super) fn new(mut dice: Dice, max_len: usize) -> Self {
        Self {
            random: Random::from_seed(dice.seed()),
            dice,
            made: Vec::new(),
            server: Server::default(),
            replica: Server::default(),
            ms: 1_000_000,
            max_len,
            published: Vec::new(),
            delayed: Vec::new(),
            up: true,
            by_id: HashMap::new(),
        }
    }

    /// The entry of an event ID.
    pub(super) fn by_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The newest entry of the log.
    pub(super) fn newest(&self) -> Option<usize> {
        self.server.log.as_ref()?.entries.back().copied()
    }

    /// The newest entry for these topics at or before `upto`, or the entry `or` if the search meets it first.
    pub(super) fn latest(&self, upto: Option<usize>, topics: &[usize], or: Option<usize>) -> Option<usize> {
        let mut before = std::iter::successors(upto, |&at| self.made[at].before);
        before.find(|&at| Some(at) == or || self.made[at].is_for(topics))
    }

    pub(super) fn append(&mut self, content: EntryContent, event: Option<(usize, usize)>) -> Option<usize> {
        self.append_as(content, event, false)
    }

    /// `republished`: the log has an entry of the same publish already.
    fn append_as(&mut self, content: EntryContent, event: Option<(usize, usize)>, republished: bool) -> Option<usize> {
        let log = self.server.log.as_mut()?;
        let position = if self.ms > log.last.0 { (self.ms, 0) } else { (log.last.0, log.last.1 + 1) };
        let publish = match &content {
            EntryContent::Event(record) => record.publish,
            EntryContent::Probe(probe) => Some(*probe),
            EntryContent::Start | EntryContent::Unknown | EntryContent::Newer(_) => None,
        };
        let id = EventId::new(position, publish.unwrap_or_else(|| PublishId::draw(&self.random)).tag());
        let index = self.made.len();
        let before = log.entries.back().copied();
        self.by_id.insert(id.to_string(), index);
        self.made.push(Made { entry: LogEntry { id, content, bytes: 10 }, before, event, republished });
        log.entries.push_back(index);
        log.added += 1;
        log.last = position;
        // `MAXLEN ~` leaves some more entries.
        if log.entries.len() > self.max_len + self.max_len / 4 {
            log.entries.drain(..log.entries.len() - self.max_len);
        }
        Some(index)
    }

    /// Publishes an event. `creates`: as a program that leaves out `NOMKSTREAM`.
    pub(super) fn publish(&mut self, creates: bool) {
        if self.server.log.is_none() && creates {
            self.server.log = Some(Log::default());
        }
        let topic = self.dice.roll(TOPICS.len() as u64) as usize;
        let publish = self.published.len();
        let record = self.record(topic, publish, false);
        let index = self.append(EntryContent::Event(record), Some((topic, publish)));
        self.published.push(index.map_or(0, |index| self.made[index].entry.position().0));
    }

    /// Publishes to the topic `run`, which no client follows, ends it, or removes it.
    pub(super) fn change_run(&mut self) {
        let kind = [RecordKind::Event, RecordKind::End, RecordKind::Remove][self.dice.roll(3) as usize];
        self.append(EntryContent::Event(Box::new(Record { topic: RUN.to_owned(), kind, ..Record::default() })), None);
    }

    /// Sets or removes a key of the state topic. The data are the key and the number of the entry.
    pub(super) fn change_key(&mut self) {
        let key = self.dice.roll(KEYS) as usize;
        let removes = self.dice.one_in(3);
        // The script at the server stores no removal of a key that the topic does not have.
        if self.server.log.is_none() || removes && !self.server.state.contains_key(&key) {
            return;
        }
        let record = Record {
            topic: STATE.to_owned(),
            publish: Some(PublishId::draw(&self.random)),
            data: Some(format!("{key} {}", self.made.len())),
            event: removes.then(|| "removed".to_owned()),
            kind: if removes { RecordKind::Unset } else { RecordKind::Set },
            key: Some(key.to_string()),
            ..Record::default()
        };
        let Some(index) = self.append(EntryContent::Event(Box::new(record)), None) else { return };
        if removes {
            self.server.state.remove(&key);
        } else {
            self.server.state.insert(key, index);
        }
    }

    /// Removes the state topic with its keys.
    pub(super) fn remove_state(&mut self) {
        if self.append(EntryContent::Event(Box::new(Record::removal(STATE))), None).is_some() {
            self.server.state.clear();
        }
    }

    /// A part of the state: at most two keys.
    pub(super) fn state(&self, part: &StatePart) -> StateFound {
        let StatePart::Keys(topics, cursor) = part else {
            let has_state = self.server.log.is_some() && !self.server.state.is_empty();
            return StateFound::Topics(if has_state { vec![STATE.to_owned()] } else { Vec::new() });
        };
        assert_eq!(topics, &[STATE]);
        let mut keys = self.server.state.range(cursor.parse::<usize>().unwrap()..);
        let page = keys.by_ref().take(2).map(|(_, &index)| self.made[index].entry.clone()).collect();
        match keys.next() {
            Some((next, _)) => StateFound::Keys(page, 0, next.to_string()),
            None => StateFound::Keys(page, 1, "0".to_owned()),
        }
    }

    /// The first end of the topic `run` after its last removal.
    pub(super) fn end_of_run(&self) -> Option<EventId> {
        let mut end = None;
        for entry in self.server.log.iter().flat_map(|log| &log.entries).map(|&index| &self.made[index].entry) {
            match &entry.content {
                EntryContent::Event(record) if record.topic == RUN => match record.kind {
                    RecordKind::Event | RecordKind::Set | RecordKind::Unset => {}
                    RecordKind::End => end = end.or(Some(entry.id)),
                    RecordKind::Remove => end = None,
                },
                _ => {}
            }
        }
        end
    }

    /// Publishes an event again, as after an unknown outcome.
    pub(super) fn publish_again(&mut self) {
        let Some(log) = &self.server.log else { return };
        let back = self.dice.roll(4) as usize;
        let Some(index) = log.entries.iter().rev().nth(back).copied() else { return };
        let Some((topic, publish)) = self.made[index].event else { return };
        // Publishes that are further apart count as two events.
        if self.ms.max(log.last.0) > self.published[publish] + 60_000 {
            return;
        }
        let record = self.record(topic, publish, true);
        self.append_as(EntryContent::Event(record), Some((topic, publish)), true);
    }

    /// A repetition arrives. Its first attempt is still on the way, for example in the buffer of a broken connection.
    pub(super) fn publish_again_first(&mut self) {
        if self.server.log.is_none() {
            return;
        }
        let topic = self.dice.roll(TOPICS.len() as u64) as usize;
        let publish = self.published.len();
        let record = self.record(topic, publish, true);
        let index = self.append(EntryContent::Event(record), Some((topic, publish)));
        self.published.push(index.map_or(0, |index| self.made[index].entry.position().0));
        self.delayed.push((topic, publish));
    }

    /// A first attempt arrives after its repetition.
    pub(super) fn deliver_delayed(&mut self) {
        let Some((topic, publish)) = self.delayed.pop() else { return };
        let Some(log) = &self.server.log else { return };
        let mut events = log.entries.iter().filter_map(|&index| self.made[index].event);
        let is_recent = self.ms.max(log.last.0) <= self.published[publish] + 60_000;
        if is_recent && events.any(|(_, stored)| stored == publish) {
            let record = self.record(topic, publish, false);
            self.append_as(EntryContent::Event(record), Some((topic, publish)), true);
        }
    }

    pub(super) fn record(&self, topic: usize, publish: usize, republished: bool) -> Box<Record> {
        Box::new(Record {
            topic: TOPICS[topic].to_owned(),
            publish: PublishId::parse(&format!("{:08x}{publish:016x}", Dice(publish as u64).roll(1 << 32))),
            data: Some(publish.to_string()),
            republished,
            ..Record::default()
        })
    }

    pub(super) fn attach(&mut self, uid: Uid) {
        if self.server.log.is_none() {
            self.server.state.clear();
        }
        if self.server.log.is_none() || self.server.uid.is_none() {
            self.server.uid = Some(uid);
            self.server.log.get_or_insert_default();
            self.append(EntryContent::Start, None);
        } else if self.server.log.as_ref().is_some_and(|log| log.entries.is_empty()) {
            self.append(EntryContent::Start, None);
        }
    }

    pub(super) fn find(&self, position: Position) -> Option<EventId> {
        let log = self.server.log.as_ref()?;
        let at = log.entries.partition_point(|&index| self.made[index].entry.position() < position);
        let id = self.made[*log.entries.get(at)?].entry.id;
        (id.position() == position).then_some(id)
    }

    /// Whether `one` is before `other` in the history to which `other` was written.
    pub(super) fn is_before(&self, one: usize, other: usize) -> bool {
        std::iter::successors(self.made[other].before, |&at| self.made[at].before).any(|at| at == one)
    }

    pub(super) fn head(&self, at: Option<Position>) -> LogHead {
        let id = |index: Option<&usize>| index.map(|&index| self.made[index].entry.id);
        let log = self.server.log.as_ref().map(|log| LogInfo {
            added: log.added,
            length: log.entries.len() as u64,
            first: id(log.entries.front()),
            last: id(log.entries.back()),
        });
        LogHead { master: true, uid: self.server.uid.clone(), log, at: at.and_then(|at| self.find(at)) }
    }

    pub(super) fn after(&self, position: Position, count: usize) -> Vec<LogEntry> {
        let Some(log) = &self.server.log else { return Vec::new() };
        let from = log.entries.partition_point(|&index| self.made[index].entry.position() <= position);
        log.entries.range(from..).take(count).map(|&index| self.made[index].entry.clone()).collect()
    }

    pub(super) fn before(&self, position: Position, count: usize) -> Vec<LogEntry> {
        let Some(log) = &self.server.log else { return Vec::new() };
        let upto = log.entries.partition_point(|&index| self.made[index].entry.position() < position);
        log.entries.range(..upto).rev().take(count).map(|&index| self.made[index].entry.clone()).collect()
    }
}
