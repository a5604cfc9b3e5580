//! The tail of a ring: the newest blocks, each with its own bytes until they are joined.

use super::segment::{SealedEvent, Segment};
use super::{COPY_BYTES, Run};
use bytes::Bytes;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Tail {
    pub(super) events: VecDeque<TailEvent>,
    /// The offset of the next event. Offsets count from the last seal.
    pub(super) end: u64,
    /// Joined bytes of some of the events, and the offset of the first joined byte.
    pub(super) joined: (u64, Bytes),
    /// The last short run that was copied, and the offset of the run.
    pub(super) copied: (u64, Bytes),
    #[cfg(feature = "gzip")]
    pub(super) track: Option<Box<crate::hub::gzip::track::Track>>,
}

#[derive(Debug)]
pub(super) struct TailEvent {
    pub(super) position: u64,
    /// The offset of the first byte.
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

impl TailEvent {
    pub(super) const fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl Tail {
    pub(super) fn start(&self) -> u64 {
        self.events.front().map_or(self.end, |event| event.start)
    }

    pub(super) const fn len_from(&self, start: u64) -> usize {
        (self.end - start) as usize
    }

    const fn joined_end(&self) -> u64 {
        self.joined.0 + self.joined.1.len() as u64
    }

    /// The position of the newest event.
    pub(super) fn newest(&self) -> Option<u64> {
        self.events.back().map(|event| event.position)
    }

    pub(super) fn push(&mut self, position: u64, bytes: Bytes) {
        let event = TailEvent { position, start: self.end, bytes };
        self.end = event.end();
        self.events.push_back(event);
    }

    /// The index of the first event after this position.
    pub(super) fn index_after(&self, position: u64) -> usize {
        self.events.partition_point(|event| event.position <= position)
    }

    /// The events after `after`, up to and including `upto`: at most `budget` bytes, or one larger event.
    pub(super) fn take(&mut self, after: u64, upto: u64, budget: usize) -> Option<Run> {
        let from = self.index_after(after);
        let first = self.events.get(from).filter(|event| event.position <= upto)?;
        let start = first.start;
        let fits = |event: &&TailEvent| event.position <= upto && (event.end() - start) as usize <= budget;
        let events = self.events.range(from..).take_while(fits).count().max(1);
        let last = self.events.get(from + events - 1)?;
        let (position, end) = (last.position, last.end());
        let (is_short, is_joined) = (((end - start) as usize) < COPY_BYTES, start < self.joined_end());
        let bytes = if events == 1 && !(is_short && is_joined) {
            first.bytes.clone()
        } else if is_short {
            self.copy(start, end, from..from + events)
        } else {
            if end > self.joined_end() {
                self.join();
            }
            let (base, joined) = &self.joined;
            joined.slice((start - base) as usize..(end - base) as usize)
        };
        Some(Run { bytes, events, last: position })
    }

    /// Copies a short run. Subscribers at the same position share the copy.
    fn copy(&mut self, start: u64, end: u64, events: std::ops::Range<usize>) -> Bytes {
        if self.copied.0 != start || self.copied.1.len() != (end - start) as usize {
            let mut copy = Vec::with_capacity((end - start) as usize);
            self.events.range(events).for_each(|event| copy.extend_from_slice(&event.bytes));
            self.copied = (start, copy.into());
        }
        self.copied.1.clone()
    }

    /// Drops the joined, copied and compressed bytes of events that the tail no longer holds.
    pub(super) fn drop_copies(&mut self, garbage: &mut Vec<Bytes>) {
        #[cfg(feature = "gzip")]
        if let Some(track) = &mut self.track {
            let oldest = self.events.front().map_or(u64::MAX, |event| event.position);
            track.free_before(oldest, garbage);
        }
        let start = self.start();
        if start >= self.joined_end() && !self.joined.1.is_empty() {
            garbage.push(std::mem::take(&mut self.joined.1));
        }
        if start > self.copied.0 && !self.copied.1.is_empty() {
            garbage.push(std::mem::take(&mut self.copied.1));
        }
    }

    /// Joins all events. Each event becomes a slice of the joined bytes, so that no byte is stored twice.
    fn join(&mut self) {
        let base = self.start();
        let joined = self.concat();
        for event in &mut self.events {
            let start = (event.start - base) as usize;
            event.bytes = joined.slice(start..start + event.bytes.len());
        }
        self.joined = (base, joined);
    }

    fn concat(&self) -> Bytes {
        let mut joined = Vec::with_capacity(self.len_from(self.start()));
        self.events.iter().for_each(|event| joined.extend_from_slice(&event.bytes));
        joined.into()
    }

    /// Turns the tail into a segment and leaves an empty tail. `before` is the number of events added before the tail.
    pub(super) fn seal(&mut self, before: usize, garbage: &mut Vec<Bytes>) -> Segment {
        let tail = std::mem::take(self);
        let base = tail.start();
        let events = tail.events.iter().map(|event| SealedEvent::new(event, base)).collect();
        // A single large event becomes a segment without a copy.
        let alone = tail.events.front().filter(|_| tail.events.len() == 1).map(|event| event.bytes.clone());
        let bytes = alone.unwrap_or_else(|| tail.concat());
        garbage.extend(tail.events.into_iter().map(|event| event.bytes));
        garbage.extend([tail.joined.1, tail.copied.1]);
        Segment {
            bytes,
            events,
            first: 0,
            before,
            #[cfg(feature = "gzip")]
            track: tail.track.map(|mut track| {
                track.seal();
                track
            }),
        }
    }
}
