//! The one check of order: which IDs a client must receive, and what is wrong with those that it received.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

/// The IDs of one client, in the order in which the server issued them, and how far the client came.
///
/// An ID is anything that can be compared: an event ID, a position, a number in the data.
#[derive(Debug, Clone)]
pub struct Ledger<I> {
    issued: Vec<I>,
    places: HashMap<I, usize>,
    /// The index of the ID that the client must receive next.
    next: usize,
    /// A gap was received, so the next ID may be a later one.
    gap: bool,
    tally: Tally,
    faults: Vec<Fault<I>>,
}

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// IDs that came in their turn.
    pub received: u64,
    /// Gaps.
    pub gaps: u64,
    /// IDs that a gap covers.
    pub covered: u64,
    /// IDs that did not come, and no gap covers them: must be 0.
    pub missing: u64,
    /// IDs that came again: must be 0.
    pub twice: u64,
    /// IDs that came after a later one: must be 0.
    pub out_of_order: u64,
    /// IDs that nobody issued: must be 0.
    pub unknown: u64,
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault<I> {
    /// The first ID did not come before the second, and no gap covers it.
    Missing(I, I),
    /// The ID came again.
    Twice(I),
    /// The ID came after a later one.
    OutOfOrder(I),
    /// Nobody issued the ID.
    Unknown(I),
    /// The ID had not come at the end.
    NotAtTheEnd(I),
}

impl<I: fmt::Debug> fmt::Display for Fault<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(id, before) => write!(f, "{id:?} is missing before {before:?}, and no gap says so"),
            Self::Twice(id) => write!(f, "{id:?} came twice"),
            Self::OutOfOrder(id) => write!(f, "{id:?} came after a later one"),
            Self::Unknown(id) => write!(f, "nobody issued {id:?}"),
            Self::NotAtTheEnd(id) => write!(f, "{id:?} had not come at the end"),
        }
    }
}

impl Tally {
    /// How many promises are broken.
    #[must_use]
    pub const fn wrong(&self) -> u64 {
        self.missing + self.twice + self.out_of_order + self.unknown
    }

    /// Adds those of another client.
    pub const fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.gaps += other.gaps;
        self.covered += other.covered;
        self.missing += other.missing;
        self.twice += other.twice;
        self.out_of_order += other.out_of_order;
        self.unknown += other.unknown;
    }
}

/// A run of that length shows enough of what is wrong.
const MOST_FAULTS: usize = 20;

impl<I> Default for Ledger<I> {
    fn default() -> Self {
        let (issued, places, faults) = (Vec::new(), HashMap::new(), Vec::new());
        Self { issued, places, next: 0, gap: false, tally: Tally::default(), faults }
    }
}

impl<I: Clone + Eq + Hash> Ledger<I> {
    /// Expects these IDs in this order.
    pub fn new(issued: impl IntoIterator<Item = I>) -> Self {
        let mut ledger = Self::default();
        issued.into_iter().for_each(|id| ledger.issue(id));
        ledger
    }

    /// Expects one more ID.
    pub fn issue(&mut self, id: I) {
        self.places.insert(id.clone(), self.issued.len());
        self.issued.push(id);
    }

    /// Lets the client begin after this ID. An ID that nobody issued lets it begin anywhere.
    pub fn begin_after(&mut self, id: &I) {
        match self.places.get(id) {
            Some(place) => self.next = place + 1,
            None => self.gap = true,
        }
    }

    /// The client received an event with this ID.
    pub fn receive(&mut self, id: I) {
        let Some(&place) = self.places.get(&id) else {
            self.tally.unknown += 1;
            return self.note(Fault::Unknown(id));
        };
        if place + 1 == self.next {
            self.tally.twice += 1;
            return self.note(Fault::Twice(id));
        }
        if place < self.next {
            self.tally.out_of_order += 1;
            return self.note(Fault::OutOfOrder(id));
        }
        let skipped = (place - self.next) as u64;
        if skipped > 0 && self.gap {
            self.tally.covered += skipped;
        } else if skipped > 0 {
            self.tally.missing += skipped;
            self.note(Fault::Missing(self.issued[self.next].clone(), id));
        }
        self.tally.received += 1;
        (self.next, self.gap) = (place + 1, false);
    }

    /// The client received a gap of unknown length: the next ID may be any later one.
    pub const fn receive_gap(&mut self) {
        self.tally.gaps += 1;
        self.gap = true;
    }

    /// The client received a gap up to this ID.
    pub fn receive_gap_to(&mut self, id: &I) {
        self.tally.gaps += 1;
        match self.places.get(id) {
            Some(&place) => {
                self.tally.covered += (place + 1).saturating_sub(self.next) as u64;
                self.next = self.next.max(place + 1);
            }
            None => self.gap = true,
        }
    }

    fn note(&mut self, fault: Fault<I>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }

    /// Whether every ID came, or is covered by a gap.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.next == self.issued.len() || self.gap
    }

    /// What was counted so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// What is wrong so far, at most 20 of them.
    #[must_use]
    pub fn faults(&self) -> &[Fault<I>] {
        &self.faults
    }

    /// Ends the run: the IDs that have not come are missing, unless the last gap covers them.
    ///
    /// # Errors
    /// The faults, a line each.
    pub fn close(mut self) -> Result<Tally, String>
    where
        I: fmt::Debug,
    {
        if !self.is_complete() {
            self.tally.missing += (self.issued.len() - self.next) as u64;
            let id = self.issued[self.next].clone();
            self.faults.push(Fault::NotAtTheEnd(id));
        }
        if self.tally.wrong() == 0 {
            return Ok(self.tally);
        }
        let lines: Vec<_> = self.faults.iter().map(ToString::to_string).collect();
        Err(format!("{:?}\n{}", self.tally, lines.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Ledger};

    fn read(ids: &[u32]) -> Ledger<u32> {
        let mut ledger = Ledger::new(1..=5);
        ids.iter().for_each(|id| if *id == 0 { ledger.receive_gap() } else { ledger.receive(*id) });
        ledger
    }

    #[test]
    fn each_id_once_and_in_order_is_right() {
        assert_eq!(read(&[1, 2, 3, 4, 5]).close().unwrap().received, 5);
        let tally = read(&[1, 0, 4, 5]).close().unwrap();
        assert_eq!((tally.received, tally.gaps, tally.covered), (3, 1, 2));
        assert!(read(&[1, 0]).close().is_ok(), "a gap at the end covers the rest");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(read(&[1, 3]).faults(), [Fault::Missing(2, 3)]);
        assert_eq!(read(&[1, 2, 2]).faults(), [Fault::Twice(2)]);
        assert_eq!(read(&[1, 2, 3, 1]).faults(), [Fault::OutOfOrder(1)]);
        assert_eq!(read(&[1, 9]).faults(), [Fault::Unknown(9)]);
        assert!(read(&[1, 2]).close().unwrap_err().contains("3 had not come at the end"));
        assert_eq!(read(&[1, 0, 3, 5]).faults(), [Fault::Missing(4, 5)], "a gap covers one hole");
    }

    #[test]
    fn a_client_begins_after_an_id_and_a_gap_may_name_its_end() {
        let mut ledger = Ledger::new(1..=5);
        ledger.begin_after(&2);
        ledger.receive(3);
        ledger.receive_gap_to(&4);
        ledger.receive(5);
        assert_eq!(ledger.close().unwrap().covered, 1);
    }
}
