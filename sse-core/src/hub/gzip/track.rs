//! A track: the compressed blocks of a segment or of the tail, and where a client can join.

use crate::hub::ring::{COPY_BYTES, Run};
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::{AtomicUsize, Ordering};
use bytes::Bytes;
use std::collections::VecDeque;

/// A key point comes as early as this, in bytes of events since the last one, if a client waits for it.
const EARLY_KEY_BYTES: usize = 16 * 1024;

/// Blocks of consecutive events. The first block is a key point.
#[derive(Debug)]
pub(crate) struct Track {
    /// The number of the track, unique in its topic.
    id: u32,
    /// The compressed bytes of the hub.
    held: Arc<AtomicUsize>,
    blocks: Vec<Block>,
    keys: Vec<KeyPoint>,
    /// The bytes at the start that were freed. Their blocks come first.
    freed: usize,
    /// The bytes of the next blocks, since the segment is sealed.
    joined: Bytes,
    /// The bytes of the other blocks.
    parts: VecDeque<Bytes>,
    /// The last blocks that were copied together, and their range.
    copied: (usize, usize, Bytes),
    /// The clients that are on this track.
    riders: usize,
    plain: usize,
    plain_since_key: usize,
}

#[derive(Debug)]
struct Block {
    /// The position of the last event.
    last: u64,
    /// The end of the block, counted from the first byte.
    end: usize,
    /// The number of events up to the end of the block.
    events: usize,
}

/// A block that refers to nothing before it.
#[derive(Debug)]
struct KeyPoint {
    block: usize,
    /// The position of the first event.
    first: u64,
}

impl Track {
    pub(crate) const fn new(id: u32, held: Arc<AtomicUsize>) -> Self {
        Self {
            id,
            held,
            blocks: Vec::new(),
            keys: Vec::new(),
            freed: 0,
            joined: Bytes::new(),
            parts: VecDeque::new(),
            copied: (0, 0, Bytes::new()),
            riders: 0,
            plain: 0,
            plain_since_key: 0,
        }
    }

    pub(crate) const fn id(&self) -> u32 {
        self.id
    }

    /// The position of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.last)
    }

    /// The bytes of the events in it.
    pub(crate) const fn plain_len(&self) -> usize {
        self.plain
    }

    pub(crate) const fn join(&mut self) {
        self.riders += 1;
    }

    pub(crate) const fn leave(&mut self) {
        self.riders = self.riders.saturating_sub(1);
    }

    /// Whether the next block should be a key point, with this many compressed streams on the topic: a key point makes the
    /// block larger for the clients on the track, and smaller for the others. Each key point makes the next one rarer,
    /// because the others can be clients that stall, or that join and leave all the time.
    pub(crate) const fn wants_key(&self, clients: usize) -> bool {
        let others = clients.saturating_sub(self.riders);
        let earliest = match self.keys.len() {
            _ if self.riders == 0 => 0,
            _ if others < self.riders => EARLY_KEY_BYTES,
            0 | 1 => 0,
            // 1 KiB, then 2, 4, 8 and 16 KiB.
            keys => EARLY_KEY_BYTES >> 6_usize.saturating_sub(keys),
        };
        others > 0 && self.plain_since_key >= earliest
    }

    /// Adds a block. `first` is the position of its first event.
    pub(crate) fn push(&mut self, block: Bytes, run: &Run, first: u64, is_key: bool) {
        if is_key {
            self.keys.push(KeyPoint { block: self.blocks.len(), first });
            self.plain_since_key = 0;
        }
        self.plain += run.bytes.len();
        self.plain_since_key += run.bytes.len();
        let (end, events) = self.blocks.last().map_or((0, 0), |block| (block.end, block.events));
        self.blocks.push(Block { last: run.last, end: end + block.len(), events: events + run.events });
        self.held.fetch_add(block.len(), Ordering::Relaxed);
        self.parts.push_back(block);
    }

    /// The index of the first block with an event after this position. Most clients need the newest block.
    fn index_after(&self, position: u64) -> usize {
        let newest = self.blocks.len().saturating_sub(1);
        match newest.checked_sub(1).and_then(|before| self.blocks.get(before)) {
            Some(before) if before.last <= position => newest + usize::from(self.last() <= position),
            _ => self.blocks.partition_point(|block| block.last <= position),
        }
    }

    /// The block that a client after this position receives next, if there is one. A client that is not on the track needs
    /// a key point that starts with its next event.
    pub(crate) fn block_for(&self, is_on: bool, after: u64, next: u64) -> Option<usize> {
        let block = if is_on { Some(self.index_after(after)) } else { self.key_at(next) };
        block.filter(|block| *block < self.blocks.len())
    }

    /// The block that starts with the event at this position, if it is a key point.
    fn key_at(&self, first: u64) -> Option<usize> {
        let at = self.keys.binary_search_by_key(&first, |key| key.first).ok()?;
        self.keys.get(at).map(|key| key.block)
    }

    /// The position of the first event of the first key point after this position.
    pub(crate) fn key_after(&self, position: u64) -> Option<u64> {
        self.keys.get(self.keys.partition_point(|key| key.first <= position)).map(|key| key.first)
    }

    /// The blocks from this one on, up to and including the event `upto`: at most `budget` bytes, or one larger block.
    pub(crate) fn take(&mut self, from: usize, upto: u64, budget: usize) -> Option<Run> {
        let (start, before) = self.end_before(from);
        let rest = self.blocks.get(from..)?;
        let fits = |block: &Block| block.last <= upto && block.end - start <= budget;
        let blocks = if rest.len() == 1 { 1 } else { rest.partition_point(fits).max(1) };
        let last = rest.get(blocks - 1).filter(|block| block.last <= upto)?;
        let (position, end, events) = (last.last, last.end, last.events - before);
        Some(Run { bytes: self.bytes(from..from + blocks, start..end)?, events, last: position })
    }

    fn end_before(&self, index: usize) -> (usize, usize) {
        let before = index.checked_sub(1).and_then(|before| self.blocks.get(before));
        before.map_or((0, 0), |block| (block.end, block.events))
    }

    /// The number of blocks that have no bytes of their own: those that were freed, and those that were joined.
    fn before_parts(&self) -> usize {
        self.blocks.len() - self.parts.len()
    }

    /// The bytes of several blocks. A short run is a copy, as in the ring.
    fn bytes(&mut self, blocks: std::ops::Range<usize>, range: std::ops::Range<usize>) -> Option<Bytes> {
        let before_parts = self.before_parts();
        if blocks.len() == 1 && blocks.start >= before_parts {
            return self.parts.get(blocks.start - before_parts).cloned();
        }
        let (start, end) = (range.start.checked_sub(self.freed)?, range.end.checked_sub(self.freed)?);
        if end <= self.joined.len() && range.len() >= COPY_BYTES {
            return Some(self.joined.slice(start..end));
        }
        if (self.copied.0, self.copied.1) != (range.start, range.end) {
            let mut copy = Vec::with_capacity(range.len());
            copy.extend_from_slice(self.joined.get(start.min(self.joined.len())..end.min(self.joined.len()))?);
            let parts = blocks.start.max(before_parts) - before_parts..blocks.end.max(before_parts) - before_parts;
            self.parts.range(parts).for_each(|part| copy.extend_from_slice(part));
            self.copied = (range.start, range.end, copy.into());
        }
        Some(self.copied.2.clone())
    }

    /// Frees the blocks of a tail before its oldest event, which is at this position. Later blocks can still refer to them: the
    /// clients on the track have received them.
    pub(crate) fn free_before(&mut self, oldest: u64, garbage: &mut Vec<Bytes>) {
        let rest = self.blocks.get(self.before_parts()..).unwrap_or_default();
        let blocks = rest.iter().take_while(|block| block.last < oldest).count();
        let Some(end) = blocks.checked_sub(1).and_then(|last| rest.get(last)).map(|block| block.end) else { return };
        self.held.fetch_sub(end - self.freed, Ordering::Relaxed);
        self.freed = end;
        garbage.extend(self.parts.drain(..blocks));
        garbage.push(std::mem::take(&mut self.copied).2);
    }

    /// Joins the blocks, because few more follow.
    pub(crate) fn seal(&mut self) {
        let mut joined = Vec::with_capacity(self.end() - self.freed);
        joined.extend_from_slice(&self.joined);
        self.parts.iter().for_each(|part| joined.extend_from_slice(part));
        self.joined = joined.into();
        (self.parts, self.copied) = (VecDeque::new(), (0, 0, Bytes::new()));
        self.blocks.shrink_to_fit();
    }

    fn end(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.end)
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        self.held.fetch_sub(self.end() - self.freed, Ordering::Relaxed);
    }
}
