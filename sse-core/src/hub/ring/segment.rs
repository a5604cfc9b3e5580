//! A sealed segment: blocks that are joined and do not change any more.

use super::tail::TailEvent;
use super::{COPY_BYTES, Run};
use crate::hub::id::EventId;
use bytes::Bytes;

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) bytes: Bytes,
    /// In the order of their positions. The events before index `first` are trimmed, but their bytes remain in memory
    /// until the whole segment is dropped.
    pub(super) events: Vec<SealedEvent>,
    pub(super) first: usize,
    /// The number of events that were added to the ring before this segment.
    pub(super) before: usize,
    #[cfg(feature = "gzip")]
    pub(super) track: Option<Box<crate::hub::gzip::track::Track>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct SealedEvent {
    pub(super) position: u64,
    /// The end of the block, counted from the start of the segment.
    end: usize,
}

impl SealedEvent {
    /// An event of a tail that starts at `base`.
    pub(super) const fn new(event: &TailEvent, base: u64) -> Self {
        Self { position: event.position, end: (event.end() - base) as usize }
    }
}

impl Segment {
    /// The position of the newest event.
    pub(super) fn newest(&self) -> u64 {
        self.events.last().map_or(0, |event| event.position)
    }

    /// The position of the oldest event that is not trimmed.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.events.get(self.first).map(|event| event.position)
    }

    pub(super) const fn last_index(&self) -> usize {
        self.events.len().saturating_sub(1)
    }

    /// The index of the first event after this position that is not trimmed.
    pub(super) fn index_after(&self, position: u64) -> usize {
        self.events.partition_point(|event| event.position <= position).max(self.first)
    }

    pub(super) fn start_of(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.events.get(before)).map_or(0, |event| event.end)
    }

    pub(super) fn block(&self, index: usize) -> Option<&[u8]> {
        self.bytes.get(self.start_of(index)..self.events.get(index)?.end)
    }

    pub(super) fn id(&self, index: usize) -> Option<EventId> {
        self.block(index).and_then(EventId::of_block)
    }

    /// The events after `after`, up to and including `upto`: at most `budget` bytes, or one larger event.
    pub(super) fn take(&self, after: u64, upto: u64, budget: usize) -> Option<Run> {
        let from = self.index_after(after);
        let start = self.start_of(from);
        let rest = self.events.get(from..)?;
        let fits = |event: &SealedEvent| event.position <= upto && event.end - start <= budget;
        let events = rest.partition_point(fits).max(1);
        let last = rest.get(events - 1).filter(|event| event.position <= upto)?;
        let run = start..last.end;
        let bytes =
            if run.len() < COPY_BYTES { Bytes::copy_from_slice(self.bytes.get(run)?) } else { self.bytes.slice(run) };
        Some(Run { bytes, events, last: last.position })
    }
}
