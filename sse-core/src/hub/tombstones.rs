//! What topics that were dropped had forgotten, so that whoever asks for them again is told.

use super::ring::TrimPoint;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

/// How many topics that were dropped are remembered one by one.
const TOMBSTONES: usize = 65_536;

/// What topics that were dropped had forgotten.
#[derive(Default)]
pub(crate) struct Tombstones {
    hasher: RandomState,
    by_name: HashMap<u64, TrimPoint>,
    by_position: BTreeSet<(u64, u64)>,
    /// Of topics that are not remembered one by one; any topic may have been among them.
    everything: Option<TrimPoint>,
}

impl Tombstones {
    /// Whatever was, is forgotten up to here.
    pub(crate) fn of_everything(mark: TrimPoint) -> Self {
        Self { everything: Some(mark), ..Self::default() }
    }

    pub(crate) fn put(&mut self, name: &str, mark: TrimPoint) {
        if self.everything.is_some_and(|everything| everything.position >= mark.position) {
            return;
        }
        let name = self.hasher.hash_one(name);
        // Of two topics with one hash the later mark serves both.
        let before = self.by_name.get(&name).copied();
        let mark = before.filter(|before| before.position > mark.position).unwrap_or(mark);
        if let Some(before) = before {
            self.by_position.remove(&(before.position, name));
        }
        self.by_name.insert(name, mark);
        self.by_position.insert((mark.position, name));
        if self.by_name.len() > TOMBSTONES
            && let Some((_, name)) = self.by_position.pop_first()
        {
            let forgotten = self.by_name.remove(&name);
            self.everything = later(self.everything, forgotten);
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<TrimPoint> {
        let name = self.hasher.hash_one(name);
        let mark = self.by_name.remove(&name);
        if let Some(mark) = mark {
            self.by_position.remove(&(mark.position, name));
        }
        // A tombstone is newer than the topics that were given up before it, but not than a reset.
        later(mark, self.everything)
    }

    /// What came after `kept` is taken back: marks in that part move to its end, whose id is known.
    pub(crate) fn truncate(&mut self, kept: u64, mark: TrimPoint) {
        for (_, name) in self.by_position.split_off(&(kept + 1, 0)) {
            self.by_name.insert(name, mark);
            self.by_position.insert((mark.position, name));
        }
        self.everything = self.everything.map(|everything| if everything.position > kept { mark } else { everything });
    }
}

fn later(one: Option<TrimPoint>, other: Option<TrimPoint>) -> Option<TrimPoint> {
    one.into_iter().chain(other).max_by_key(|mark| mark.position)
}
