//! The engine, as far as a log is concerned, with every history that it ever had.

use super::TOPICS;
use crate::entry::{Content, Entry, Record};
use crate::follower::{Account, Position, Tip, Uid};
use crate::publish_id::PublishId;
use sse_core::Random;
use sse_core::hub::EventId;
use std::collections::{HashMap, VecDeque};

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

/// One entry that was ever written.
pub(super) struct Made {
    pub(super) entry: Entry,
    pub(super) before: Option<usize>,
    /// The topic and the publish of an event.
    pub(super) event: Option<(usize, usize)>,
    /// It was published before, so that readers are not to see it.
    pub(super) again: bool,
}

impl Made {
    /// Whether a reader of these topics is to see it.
    pub(super) fn is_for(&self, topics: &[usize]) -> bool {
        !self.again && self.event.is_some_and(|(topic, _)| topics.contains(&topic))
    }
}

#[derive(Clone, Default)]
pub(super) struct Server {
    pub(super) uid: Option<Uid>,
    pub(super) log: Option<Log>,
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
    /// The server's clock.
    pub(super) ms: u64,
    pub(super) max_len: usize,
    /// When each publish was stored first.
    pub(super) published: Vec<u64>,
    pub(super) up: bool,
    by_id: HashMap<String, usize>,
}

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
            up: true,
            by_id: HashMap::new(),
        }
    }

    /// The entry that a client knows by this id.
    pub(super) fn by_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The newest entry of the log, if it has one.
    pub(super) fn newest(&self) -> Option<usize> {
        self.server.log.as_ref()?.entries.back().copied()
    }

    /// The newest entry that these topics' readers are to see, or this one, at or before an entry.
    pub(super) fn latest(&self, upto: Option<usize>, topics: &[usize], or: Option<usize>) -> Option<usize> {
        let mut before = std::iter::successors(upto, |&at| self.made[at].before);
        before.find(|&at| Some(at) == or || self.made[at].is_for(topics))
    }

    pub(super) fn append(&mut self, content: Content, event: Option<(usize, usize)>) -> Option<usize> {
        let again = matches!(&content, Content::Event(record) if record.again);
        let log = self.server.log.as_mut()?;
        let position = if self.ms > log.last.0 { (self.ms, 0) } else { (log.last.0, log.last.1 + 1) };
        let publish = match &content {
            Content::Event(record) => record.publish,
            Content::Canary(canary) => Some(*canary),
            Content::Other => None,
        };
        let id = EventId::new(position, publish.unwrap_or_else(|| PublishId::draw(&self.random)).tag());
        let index = self.made.len();
        let before = log.entries.back().copied();
        self.by_id.insert(id.to_string(), index);
        self.made.push(Made { entry: Entry { id, content, bytes: 10 }, before, event, again });
        log.entries.push_back(index);
        log.added += 1;
        log.last = position;
        // `MAXLEN ~` leaves somewhat more.
        if log.entries.len() > self.max_len + self.max_len / 4 {
            log.entries.drain(..log.entries.len() - self.max_len);
        }
        Some(index)
    }

    /// A publish as our nodes do it, or as a program does it that leaves `NOMKSTREAM` out.
    pub(super) fn publish(&mut self, creates: bool) {
        if self.server.log.is_none() && creates {
            self.server.log = Some(Log::default());
        }
        let topic = self.dice.roll(TOPICS.len() as u64) as usize;
        let publish = self.published.len();
        let record = self.record(topic, publish, false);
        let index = self.append(Content::Event(record), Some((topic, publish)));
        self.published.push(index.map_or(0, |index| self.made[index].entry.position().0));
    }

    /// A publish whose outcome was not known, once more.
    pub(super) fn publish_again(&mut self) {
        let Some(log) = &self.server.log else { return };
        let back = self.dice.roll(4) as usize;
        let Some(index) = log.entries.iter().rev().nth(back).copied() else { return };
        let Some((topic, publish)) = self.made[index].event else { return };
        // What is further apart is two events.
        if self.ms.max(log.last.0) > self.published[publish] + 60_000 {
            return;
        }
        let record = self.record(topic, publish, true);
        self.append(Content::Event(record), Some((topic, publish)));
    }

    pub(super) fn record(&self, topic: usize, publish: usize, again: bool) -> Box<Record> {
        Box::new(Record {
            topic: TOPICS[topic].to_owned(),
            publish: PublishId::parse(&format!("{:08x}{publish:016x}", Dice(publish as u64).roll(1 << 32))),
            data: Some(publish.to_string()),
            again,
            ..Record::default()
        })
    }

    pub(super) fn attach(&mut self, uid: Uid) {
        if self.server.log.is_none() || self.server.uid.is_none() {
            self.server.uid = Some(uid);
            self.server.log.get_or_insert_default();
            self.append(Content::Other, None);
        } else if self.server.log.as_ref().is_some_and(|log| log.entries.is_empty()) {
            self.append(Content::Other, None);
        }
    }

    pub(super) fn find(&self, position: Position) -> Option<EventId> {
        let log = self.server.log.as_ref()?;
        let at = log.entries.partition_point(|&index| self.made[index].entry.position() < position);
        let id = self.made[*log.entries.get(at)?].entry.id;
        (id.position() == position).then_some(id)
    }

    /// Whether the one came before the other in the history that the other was written to.
    pub(super) fn is_before(&self, one: usize, other: usize) -> bool {
        std::iter::successors(self.made[other].before, |&at| self.made[at].before).any(|at| at == one)
    }

    pub(super) fn tip(&self, at: Option<Position>) -> Tip {
        let id = |index: Option<&usize>| index.map(|&index| self.made[index].entry.id);
        let log = self.server.log.as_ref().map(|log| Account {
            added: log.added,
            length: log.entries.len() as u64,
            first: id(log.entries.front()),
            last: id(log.entries.back()),
        });
        Tip { master: true, uid: self.server.uid.clone(), log, at: at.and_then(|at| self.find(at)) }
    }

    pub(super) fn after(&self, position: Position, count: usize) -> Vec<Entry> {
        let Some(log) = &self.server.log else { return Vec::new() };
        let from = log.entries.partition_point(|&index| self.made[index].entry.position() <= position);
        log.entries.range(from..).take(count).map(|&index| self.made[index].entry.clone()).collect()
    }

    pub(super) fn before(&self, position: Position, count: usize) -> Vec<Entry> {
        let Some(log) = &self.server.log else { return Vec::new() };
        let upto = log.entries.partition_point(|&index| self.made[index].entry.position() < position);
        log.entries.range(..upto).rev().take(count).map(|&index| self.made[index].entry.clone()).collect()
    }
}
