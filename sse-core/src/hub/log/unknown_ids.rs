//! IdSource that a follower does not know: another node may have come further, and its client come here.

use crate::hub::EventId;
use std::collections::BTreeMap;

/// How many ids are remembered, in each of two generations, about 50 bytes each.
const REMEMBERED: usize = 32_768;

/// How many rounds a generation lasts: an id is remembered for so many at least, and twice as many at most.
const ROUNDS: u64 = 32;

/// The ids whose clients were asked to come back because they are not known, and the round of each.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    round: u64,
    asked: BTreeMap<EventId, u64>,
    before: BTreeMap<EventId, u64>,
}

impl Ahead {
    /// All that the log had at some moment since the last round was read.
    pub(crate) fn next_round(&mut self) {
        self.round += 1;
        if self.round.is_multiple_of(ROUNDS) {
            self.before = std::mem::take(&mut self.asked);
        }
    }

    /// Whether a client with this id, which is not known, may be told that it never will be: the log was read
    /// to an end that it had after the client first asked. One round may have begun before that; two cannot.
    ///
    /// `newest` is the newest id here. The id of another node's client is near it. When there is no room, the id that is
    /// the furthest from it makes room, so that forged ids do not push out those of clients.
    pub(crate) fn is_settled(&mut self, id: EventId, newest: Option<EventId>) -> bool {
        if let Some(asked) = self.asked.get(&id).or_else(|| self.before.get(&id)) {
            return self.round >= asked.saturating_add(2);
        }
        if self.asked.len() >= REMEMBERED {
            let (newest, _) = newest.map_or((0, 0), |newest| newest.position());
            let distance = |id: &EventId| (id.position().0.abs_diff(newest), id.position().1);
            let ends = self.asked.first_key_value().into_iter().chain(self.asked.last_key_value());
            let furthest = ends.map(|(id, _)| *id).max_by_key(distance);
            // A gap, rather than a client that is sent away for ever.
            let Some(furthest) = furthest.filter(|furthest| distance(furthest) > distance(&id)) else { return true };
            self.asked.remove(&furthest);
        }
        self.asked.insert(id, self.round);
        false
    }
}
