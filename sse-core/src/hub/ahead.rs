//! Ids that a follower does not know: another node may have come further, and its client come here.

use super::EventId;
use std::collections::{HashMap, VecDeque};

/// How many are remembered, about 60 bytes each.
const REMEMBERED: usize = 65_536;

/// For how many rounds one is remembered.
const ROUNDS: u64 = 64;

/// Who was asked to come back because its id is not known, and in which round.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    round: u64,
    asked: HashMap<EventId, u64>,
    order: VecDeque<(EventId, u64)>,
}

impl Ahead {
    /// All that the log had at some moment since the last round was read.
    pub(crate) fn next_round(&mut self) {
        self.round += 1;
        while let Some((id, asked)) = self.order.front()
            && asked.saturating_add(ROUNDS) < self.round
        {
            self.asked.remove(id);
            self.order.pop_front();
        }
    }

    /// Whether a client with this id, which is not known, may be told that it never will be: the log was read
    /// to an end that it had after the client first asked. One round may have begun before that; two cannot.
    pub(crate) fn is_settled(&mut self, id: EventId) -> bool {
        match self.asked.get(&id) {
            Some(asked) => self.round >= asked.saturating_add(2),
            // No room to remember: a gap, rather than a client that is sent away for ever.
            None if self.asked.len() >= REMEMBERED => true,
            None => {
                self.asked.insert(id, self.round);
                self.order.push_back((id, self.round));
                false
            }
        }
    }
}
