//! The one check of order: which IDs a client must receive, and which of the received IDs are wrong.
//!
//! Three checks do not use this module. The model of the hub in `sse-core` and the simulation in `sse-redis` judge
//! truncations and resets, which change the IDs that a client must receive. The load client of `benches` counts events
//! within the measured time.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

/// The IDs of one client, in the order in which the server issued them, and how far the client came.
///
/// An ID is anything that can be compared: an event ID, a position, a number in the data.
#[derive(Debug, Clone)]
pub struct Ledger<I> {
    issued: Vec<I>,
    places: HashMap<I, u64>,
    course: Course,
    faults: Vec<Fault<I>>,
}

/// The same check for places that are numbers, each one more than the last. No list of places is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Course {
    /// The place that must come next; `None` lets the client begin anywhere.
    next: Option<u64>,
    /// A gap was received, so the next place may be a later one.
    gap: bool,
    tally: Tally,
}

/// The fault of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// The places from this one on are missing, and no gap covers them.
    Missing(u64),
    /// The place came again.
    Twice,
    /// The place came after a later one.
    OutOfOrder,
}

impl Course {
    /// A client that must receive this place first.
    #[must_use]
    pub fn from(next: u64) -> Self {
        Self { next: Some(next), ..Self::default() }
    }

    /// The client received this place.
    ///
    /// # Errors
    /// The fault of this place. The count continues after a fault.
    pub const fn receive(&mut self, place: u64) -> Result<(), Wrong> {
        let next = match self.next {
            Some(next) => next,
            None => place,
        };
        if place + 1 == next {
            self.tally.twice += 1;
            return Err(Wrong::Twice);
        }
        if place < next {
            self.tally.out_of_order += 1;
            return Err(Wrong::OutOfOrder);
        }
        let (skipped, covered) = (place - next, self.gap);
        self.tally.received += 1;
        (self.next, self.gap) = (Some(place + 1), false);
        if skipped > 0 && !covered {
            self.tally.missing += skipped;
            return Err(Wrong::Missing(next));
        }
        self.tally.covered += skipped;
        Ok(())
    }

    /// The client received a gap of unknown length: the next place may be any later one.
    pub const fn receive_gap(&mut self) {
        self.tally.gaps += 1;
        self.gap = true;
    }

    /// The client received a gap up to this place.
    pub fn receive_gap_to(&mut self, place: u64) {
        self.tally.gaps += 1;
        let next = self.next.unwrap_or(place + 1);
        self.tally.covered += (place + 1).saturating_sub(next);
        self.next = Some(next.max(place + 1));
    }

    /// The client received an ID without a place.
    pub const fn receive_unknown(&mut self) {
        self.tally.unknown += 1;
    }

    /// The newest place that was received or covered by a gap.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.next?.checked_sub(1)
    }

    /// Whether every place before this one was received or is covered by a gap.
    #[must_use]
    pub fn is_complete(&self, end: u64) -> bool {
        self.gap || self.next.is_none_or(|next| next >= end)
    }

    /// The counts so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }
}

/// The counts of IDs and faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// IDs that came in their turn.
    pub received: u64,
    /// Gaps.
    pub gaps: u64,
    /// IDs that a gap covers.
    pub covered: u64,
    /// IDs that were not received and are not covered by a gap: must be 0.
    pub missing: u64,
    /// IDs that came again: must be 0.
    pub twice: u64,
    /// IDs that came after a later one: must be 0.
    pub out_of_order: u64,
    /// IDs that the server never issued: must be 0.
    pub unknown: u64,
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault<I> {
    /// The first ID did not come before the second, and no gap covers the first.
    Missing(I, I),
    /// The ID came again.
    Twice(I),
    /// The ID came after a later one.
    OutOfOrder(I),
    /// The server never issued the ID.
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
    /// The number of broken promises.
    #[must_use]
    pub const fn wrong(&self) -> u64 {
        self.missing + self.twice + self.out_of_order + self.unknown
    }

    /// Adds the counts of another client.
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

/// This many faults are enough to find the cause.
const MOST_FAULTS: usize = 20;

impl<I> Default for Ledger<I> {
    fn default() -> Self {
        let (issued, places, faults) = (Vec::new(), HashMap::new(), Vec::new());
        Self { issued, places, course: Course::from(0), faults }
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
        self.places.insert(id.clone(), self.issued.len() as u64);
        self.issued.push(id);
    }

    /// Lets the client begin after this ID. With an ID that was never issued, the client may begin anywhere.
    pub fn begin_after(&mut self, id: &I) {
        match self.places.get(id) {
            Some(place) => self.course.next = Some(place + 1),
            None => self.course.gap = true,
        }
    }

    /// The client received an event with this ID.
    pub fn receive(&mut self, id: I) {
        let Some(&place) = self.places.get(&id) else {
            self.course.receive_unknown();
            return self.note(Fault::Unknown(id));
        };
        match self.course.receive(place) {
            Ok(()) => {}
            Err(Wrong::Missing(first)) => self.note(Fault::Missing(self.at(first), id)),
            Err(Wrong::Twice) => self.note(Fault::Twice(id)),
            Err(Wrong::OutOfOrder) => self.note(Fault::OutOfOrder(id)),
        }
    }

    /// The client received a gap of unknown length: the next ID may be any later one.
    pub const fn receive_gap(&mut self) {
        self.course.receive_gap();
    }

    /// The client received a gap up to this ID.
    pub fn receive_gap_to(&mut self, id: &I) {
        match self.places.get(id) {
            Some(&place) => self.course.receive_gap_to(place),
            None => self.course.receive_gap(),
        }
    }

    fn at(&self, place: u64) -> I {
        self.issued[place as usize].clone()
    }

    fn note(&mut self, fault: Fault<I>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }

    /// Whether every ID was received or is covered by a gap.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.course.is_complete(self.issued.len() as u64)
    }

    /// The counts so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.course.tally()
    }

    /// The faults so far, at most 20.
    #[must_use]
    pub fn faults(&self) -> &[Fault<I>] {
        &self.faults
    }

    /// Ends the run. IDs that were not received are missing, unless the last gap covers them.
    ///
    /// # Errors
    /// The faults, one line each.
    pub fn close(mut self) -> Result<Tally, String>
    where
        I: fmt::Debug,
    {
        if !self.is_complete() {
            let (next, end) = (self.course.next.unwrap_or_default(), self.issued.len() as u64);
            self.course.tally.missing += end - next;
            let id = self.at(next);
            self.faults.push(Fault::NotAtTheEnd(id));
        }
        if self.tally().wrong() == 0 {
            return Ok(self.tally());
        }
        let lines: Vec<_> = self.faults.iter().map(ToString::to_string).collect();
        Err(format!("{:?}\n{}", self.tally(), lines.join("\n")))
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
