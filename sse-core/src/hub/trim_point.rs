//! Trim points: up to which position the events of a topic were trimmed. The hub remembers them also for dropped topics.

use super::id::EventId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// The number of dropped topics with a trim point of their own.
const DROPPED_TOPICS: usize = 65_536;

/// The last position up to which events were trimmed, and the event ID of that position.
///
/// A trim point after a truncation has no ID. The ID of the last remaining event would be wrong: on a node that does not
/// know of the truncation yet, a client with that ID would receive the truncated events again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrimPoint {
    pub(crate) position: u64,
    pub(crate) id: Option<EventId>,
}

/// What the hub remembers of a dropped topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) trimmed: TrimPoint,
    /// When the topic ended. `None` if the topic had not ended.
    pub(crate) ended: Option<EndTime>,
}

/// The time of the end of a topic. `None` if the hub does not forget topics an age after their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndTime(pub(crate) Option<Instant>);

/// The trim points of dropped topics. A client that subscribes to such a topic again receives a gap.
#[derive(Default)]
pub(crate) struct DroppedTopics {
    hasher: RandomState,
    by_name: HashMap<u64, Tombstone>,
    by_position: BTreeSet<(u64, u64)>,
    /// The ends that have a time, by position.
    ends: BTreeMap<u64, (Instant, u64)>,
    /// The trim point of all topics that have none of their own.
    others: Option<TrimPoint>,
}

impl DroppedTopics {
    /// One trim point for every topic, after a reset.
    pub(crate) fn reset_to(trimmed: TrimPoint) -> Self {
        Self { others: Some(trimmed), ..Self::default() }
    }

    pub(crate) fn insert(&mut self, name: &str, Tombstone { trimmed, ended }: Tombstone) {
        if ended.is_none() && self.others.is_some_and(|others| others.position >= trimmed.position) {
            return;
        }
        let name = self.hasher.hash_one(name);
        // Two topics with the same hash share the later trim point.
        let before = self.take_own(name);
        let kept = before.filter(|before| before.trimmed.position > trimmed.position);
        let tombstone = kept.unwrap_or(Tombstone { trimmed, ended });
        let position = tombstone.trimmed.position;
        self.by_name.insert(name, tombstone);
        self.by_position.insert((position, name));
        if let Some(EndTime(Some(time))) = tombstone.ended {
            self.ends.insert(position, (time, name));
        }
        if self.by_name.len() > DROPPED_TOPICS
            && let Some(&(_, name)) = self.by_position.first()
        {
            self.others = later(self.others, self.take_own(name).map(|dropped| dropped.trimmed));
        }
    }

    /// Removes and returns the tombstone with this hash.
    fn take_own(&mut self, name: u64) -> Option<Tombstone> {
        let own = self.by_name.remove(&name)?;
        self.by_position.remove(&(own.trimmed.position, name));
        if own.ended.is_some() {
            self.ends.remove(&own.trimmed.position);
        }
        Some(own)
    }

    /// Removes and returns the tombstone of a topic.
    pub(crate) fn take(&mut self, name: &str) -> Option<Tombstone> {
        let name = self.hasher.hash_one(name);
        let own = self.take_own(name);
        if let Some(own) = own.filter(|own| own.ended.is_some()) {
            return Some(own);
        }
        // A reset may be later than the topic's own trim point.
        let trimmed = later(own.map(|own| own.trimmed), self.others)?;
        Some(Tombstone { trimmed, ended: None })
    }

    /// The trim point of a topic that had ended when it was dropped.
    pub(crate) fn ended(&self, name: &str) -> Option<TrimPoint> {
        let dropped = self.by_name.get(&self.hasher.hash_one(name));
        dropped.filter(|dropped| dropped.ended.is_some()).map(|dropped| dropped.trimmed)
    }

    pub(crate) fn has_ended(&self, name: &str) -> bool {
        // Most hubs drop no topic.
        !self.by_name.is_empty() && self.ended(name).is_some()
    }

    /// Forgets the end of a dropped topic, because the topic was removed.
    pub(crate) fn remove(&mut self, name: &str, trimmed: TrimPoint) {
        let _ = self.take(name);
        self.insert(name, Tombstone { trimmed, ended: None });
    }

    /// Forgets the first end, if that was at this time or before. Returns whether an end was forgotten. The trim point remains.
    pub(crate) fn forget_end(&mut self, time: Instant) -> bool {
        let Some(first) = self.ends.first_entry().filter(|first| first.get().0 <= time) else { return false };
        let (_, name) = first.remove();
        if let Some(dropped) = self.by_name.get_mut(&name) {
            dropped.ended = None;
        }
        true
    }

    /// Moves the trim points after `kept` to `end`, the end of the truncated part.
    pub(crate) fn truncate(&mut self, kept: u64, end: TrimPoint) {
        self.ends.split_off(&(kept + 1));
        for (_, name) in self.by_position.split_off(&(kept + 1, 0)) {
            // The end of a topic was its last event, so it was truncated too.
            self.by_name.insert(name, Tombstone { trimmed: end, ended: None });
            self.by_position.insert((end.position, name));
        }
        self.others = self.others.map(|others| if others.position > kept { end } else { others });
    }
}

fn later(one: Option<TrimPoint>, other: Option<TrimPoint>) -> Option<TrimPoint> {
    one.into_iter().chain(other).max_by_key(|trimmed| trimmed.position)
}
