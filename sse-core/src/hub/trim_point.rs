//! Trim points: up to which position the events of a topic were trimmed. The hub remembers them also for dropped topics.

use super::id::EventId;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

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
    /// Whether the topic had ended.
    pub(crate) ended: bool,
}

/// The trim points of dropped topics. A client that subscribes to such a topic again receives a gap.
#[derive(Default)]
pub(crate) struct DroppedTopics {
    hasher: RandomState,
    by_name: HashMap<u64, Tombstone>,
    by_position: BTreeSet<(u64, u64)>,
    /// The trim point of all topics that have none of their own.
    others: Option<TrimPoint>,
}

impl DroppedTopics {
    /// One trim point for every topic, after a reset.
    pub(crate) fn reset_to(trimmed: TrimPoint) -> Self {
        Self { others: Some(trimmed), ..Self::default() }
    }

    pub(crate) fn insert(&mut self, name: &str, Tombstone { trimmed, ended }: Tombstone) {
        if !ended && self.others.is_some_and(|others| others.position >= trimmed.position) {
            return;
        }
        let name = self.hasher.hash_one(name);
        // Two topics with the same hash share the later trim point.
        let before = self.by_name.get(&name).copied();
        let kept = before.filter(|before| before.trimmed.position > trimmed.position);
        let tombstone = kept.unwrap_or(Tombstone { trimmed, ended });
        if let Some(before) = before {
            self.by_position.remove(&(before.trimmed.position, name));
        }
        self.by_name.insert(name, tombstone);
        self.by_position.insert((tombstone.trimmed.position, name));
        if self.by_name.len() > DROPPED_TOPICS
            && let Some((_, name)) = self.by_position.pop_first()
        {
            self.others = later(self.others, self.by_name.remove(&name).map(|dropped| dropped.trimmed));
        }
    }

    /// Removes and returns the tombstone of a topic.
    pub(crate) fn take(&mut self, name: &str) -> Option<Tombstone> {
        let name = self.hasher.hash_one(name);
        let own = self.by_name.remove(&name);
        if let Some(own) = own {
            self.by_position.remove(&(own.trimmed.position, name));
        }
        if let Some(own) = own.filter(|own| own.ended) {
            return Some(own);
        }
        // A reset may be later than the topic's own trim point.
        let trimmed = later(own.map(|own| own.trimmed), self.others)?;
        Some(Tombstone { trimmed, ended: false })
    }

    /// The trim point of a topic that had ended when it was dropped.
    pub(crate) fn ended(&self, name: &str) -> Option<TrimPoint> {
        let dropped = self.by_name.get(&self.hasher.hash_one(name));
        dropped.filter(|dropped| dropped.ended).map(|dropped| dropped.trimmed)
    }

    pub(crate) fn has_ended(&self, name: &str) -> bool {
        // Most hubs drop no topic.
        !self.by_name.is_empty() && self.ended(name).is_some()
    }

    /// Forgets the end of a dropped topic, because the topic was removed.
    pub(crate) fn remove(&mut self, name: &str, trimmed: TrimPoint) {
        let _ = self.take(name);
        self.insert(name, Tombstone { trimmed, ended: false });
    }

    /// Moves the trim points after `kept` to `end`, the end of the truncated part.
    pub(crate) fn truncate(&mut self, kept: u64, end: TrimPoint) {
        for (_, name) in self.by_position.split_off(&(kept + 1, 0)) {
            // The end of a topic was its last event, so it was truncated too.
            self.by_name.insert(name, Tombstone { trimmed: end, ended: false });
            self.by_position.insert((end.position, name));
        }
        self.others = self.others.map(|others| if others.position > kept { end } else { others });
    }
}

fn later(one: Option<TrimPoint>, other: Option<TrimPoint>) -> Option<TrimPoint> {
    one.into_iter().chain(other).max_by_key(|trimmed| trimmed.position)
}
