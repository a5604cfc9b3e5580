//! IDs that clients brought and that this hub does not know. Another node may have read further in the log.

use crate::hub::id::EventId;
use std::collections::BTreeMap;

/// The number of IDs in each of two generations. An ID needs about 50 bytes.
const REMEMBERED: usize = 32_768;

/// The number of rounds in a generation. An ID is remembered for at least one and at most two generations.
const ROUNDS: u64 = 32;

/// Unknown IDs whose clients retry later, each with the round in which the ID came first.
#[derive(Debug, Default)]
pub(crate) struct UnknownIds {
    round: u64,
    recent: BTreeMap<EventId, u64>,
    older: BTreeMap<EventId, u64>,
    /// The round in which the last of them came.
    newest: Option<u64>,
}

impl UnknownIds {
    /// Ends a round: the hub has read everything that the log had at some moment in this round.
    pub(super) fn next_round(&mut self) {
        self.round += 1;
        if self.round.is_multiple_of(ROUNDS) {
            self.older = std::mem::take(&mut self.recent);
        }
    }

    /// Whether a client waits for the end of this round or of the next one.
    pub(super) fn is_round_awaited(&self) -> bool {
        self.newest.is_some_and(|newest| self.round < newest.saturating_add(2))
    }

    /// Whether an unknown ID will not arrive from the log any more. That is certain two rounds after the ID came first:
    /// the first round may have started before the client came, the second did not.
    ///
    /// `newest` is the newest ID of this hub. An ID from another node is near `newest`. At the bound the ID that is the
    /// furthest from `newest` is dropped, so that forged IDs do not replace IDs of clients.
    pub(super) fn will_not_arrive(&mut self, id: EventId, newest: Option<EventId>) -> bool {
        if let Some(round) = self.recent.get(&id).or_else(|| self.older.get(&id)) {
            return self.round >= round.saturating_add(2);
        }
        if self.recent.len() >= REMEMBERED {
            let (newest, _) = newest.map_or((0, 0), |newest| newest.position());
            let distance = |id: &EventId| (id.position().0.abs_diff(newest), id.position().1);
            let ends = self.recent.first_key_value().into_iter().chain(self.recent.last_key_value());
            let furthest = ends.map(|(id, _)| *id).max_by_key(distance);
            // Without room the client receives a gap. Otherwise it could retry for ever.
            let Some(furthest) = furthest.filter(|furthest| distance(furthest) > distance(&id)) else { return true };
            self.recent.remove(&furthest);
        }
        self.recent.insert(id, self.round);
        self.newest = Some(self.round);
        false
    }
}
