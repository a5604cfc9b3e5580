//! What one topic keeps of its events: sealed segments and a short tail.
//!
//! ```text
//!   forgotten │ segment │ segment │ segment │ frame frame frame
//!             └ 32 KiB each, contiguous ────┘ └ the tail
//! ```
//!
//! A run of events of 2 KiB or more is a slice of one segment, or of the joined tail, so that a crowd of subscribers
//! shares it. A shorter run is a copy, so that a chunk in a slow connection's buffer never keeps 32 KiB in memory; the
//! subscribers that take the same newest run share that copy. One event in the tail is shared as the publish made it.

use super::id::EventId;
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::VecDeque;

/// How large the tail may become before it is sealed.
pub(crate) const SEGMENT_BYTES: usize = 32 * 1024;

/// A run shorter than this is copied, rather than a slice of something that may be 16 times as large.
pub(crate) const COPY_BYTES: usize = 2 * 1024;

/// What it costs to trim a segment, where a single event of the tail costs 1.
const SEGMENT_WORK: usize = 16;

#[derive(Debug)]
pub(crate) struct Ring {
    trimmed_to: TrimPoint,
    /// Up to here it was forgotten because the log said so, and not because a reader was slow.
    reset: u64,
    segments: VecDeque<Segment>,
    tail: Tail,
    events: usize,
    bytes: usize,
    /// How many events were added, without those that were taken back.
    added: usize,
}

/// A position, and the id that it has outside. It has none where something was taken back: what remains before that has
/// one, but with it a client would, elsewhere, get what was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrimPoint {
    pub(crate) position: u64,
    pub(crate) id: Option<EventId>,
}

/// Blocks that were joined for good.
#[derive(Debug)]
struct Segment {
    bytes: Bytes,
    /// Ordered by position. Those before `first` are forgotten, although their bytes lie here still.
    entries: Vec<Entry>,
    first: usize,
    /// How many events were added to the ring before these.
    before: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    position: u64,
    end: usize,
}

/// The newest blocks, one by one.
#[derive(Debug, Default)]
struct Tail {
    frames: VecDeque<Frame>,
    /// Where the next frame begins, counted from the last sealing.
    end: u64,
    /// Some of the frames, joined, and where that begins.
    joined: (u64, Bytes),
    /// The last short run that was copied, and where that begins.
    copied: (u64, Bytes),
}

#[derive(Debug)]
struct Frame {
    position: u64,
    start: u64,
    bytes: Bytes,
}

impl Frame {
    const fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// What comes next for somebody who stands at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The entry for what was forgotten.
    Gap(TrimPoint),
    /// The event at this position.
    Event(u64),
}

impl Next {
    pub(crate) const fn position(self) -> u64 {
        match self {
            Self::Gap(mark) => mark.position,
            Self::Event(position) => position,
        }
    }
}

/// A run of events in a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    pub(crate) events: usize,
    /// The position of the last of them.
    pub(crate) last: u64,
}

impl Ring {
    pub(crate) fn new(trimmed_to: TrimPoint) -> Self {
        Self { trimmed_to, reset: 0, segments: VecDeque::new(), tail: Tail::default(), events: 0, bytes: 0, added: 0 }
    }

    pub(crate) const fn events(&self) -> usize {
        self.events
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.events == 0
    }

    pub(crate) const fn trimmed_to(&self) -> TrimPoint {
        self.trimmed_to
    }

    pub(crate) const fn reset(&self) -> u64 {
        self.reset
    }

    pub(crate) fn oldest(&self) -> Option<u64> {
        let sealed = self.segments.front().and_then(|segment| segment.entries.get(segment.first));
        sealed.map(|entry| entry.position).or_else(|| self.tail.frames.front().map(|frame| frame.position))
    }

    /// The position of the newest event it holds or held.
    pub(crate) fn newest(&self) -> u64 {
        self.newest_in_tail().or_else(|| self.last_sealed()).unwrap_or(self.trimmed_to.position)
    }

    fn newest_in_tail(&self) -> Option<u64> {
        self.tail.frames.back().map(|frame| frame.position)
    }

    fn last_sealed(&self) -> Option<u64> {
        self.segments.back()?.entries.last().map(|entry| entry.position)
    }

    /// Adds the newest event. What is no longer needed goes to `garbage`, to be dropped where no lock is held.
    pub(crate) fn push(&mut self, position: u64, bytes: Bytes, garbage: &mut Vec<Bytes>) {
        self.events += 1;
        self.added += 1;
        self.bytes += bytes.len();
        self.tail.push(position, bytes);
        if self.tail.len_from(self.tail.start()) >= SEGMENT_BYTES {
            let before = self.added - self.tail.frames.len();
            self.segments.push_back(self.tail.seal(before, garbage));
        }
    }

    /// Trims the oldest event. `id` gives an event's id from its position and its block.
    pub(crate) fn evict(&mut self, garbage: &mut Vec<Bytes>, id: impl FnOnce(u64, &[u8]) -> EventId) {
        let len = match self.segments.front_mut() {
            Some(segment) => {
                let Some(entry) = segment.entries.get(segment.first).copied() else { return };
                let Some(block) = segment.block(segment.first) else { return };
                self.trimmed_to = TrimPoint { position: entry.position, id: Some(id(entry.position, block)) };
                let len = block.len();
                segment.first += 1;
                if segment.first == segment.entries.len() {
                    garbage.extend(self.segments.pop_front().map(|segment| segment.bytes));
                }
                len
            }
            None => {
                let Some(frame) = self.tail.frames.pop_front() else { return };
                self.trimmed_to = TrimPoint { position: frame.position, id: Some(id(frame.position, &frame.bytes)) };
                let len = frame.bytes.len();
                garbage.push(frame.bytes);
                self.tail.drop_copies(garbage);
                len
            }
        };
        self.events -= 1;
        self.bytes -= len;
    }

    /// Trims the events up to a position, a segment at once where all of it goes, as far as `work` allows.
    pub(crate) fn trim(
        &mut self,
        upto: u64,
        work: &mut usize,
        garbage: &mut Vec<Bytes>,
        id: impl Fn(u64, &[u8]) -> EventId,
    ) {
        while let Some(segment) = self.segments.front_mut() {
            let keep = segment.after(upto);
            if *work == 0 || keep == segment.first {
                return;
            }
            if let (Some(entry), Some(block)) = (segment.entries.get(keep - 1), segment.block(keep - 1)) {
                self.trimmed_to = TrimPoint { position: entry.position, id: Some(id(entry.position, block)) };
            }
            self.events -= keep - segment.first;
            self.bytes -= segment.start_of(keep) - segment.start_of(segment.first);
            segment.first = keep;
            if keep < segment.entries.len() {
                return;
            }
            garbage.extend(self.segments.pop_front().map(|segment| segment.bytes));
            *work = work.saturating_sub(SEGMENT_WORK);
        }
        let frames = self.tail.after(upto).min(*work);
        *work -= frames;
        if let Some(frame) = frames.checked_sub(1).and_then(|last| self.tail.frames.get(last)) {
            self.trimmed_to = TrimPoint { position: frame.position, id: Some(id(frame.position, &frame.bytes)) };
        }
        self.events -= frames;
        self.bytes -= self.tail.frames.range(..frames).map(|frame| frame.bytes.len()).sum::<usize>();
        garbage.extend(self.tail.frames.drain(..frames).map(|frame| frame.bytes));
        self.tail.drop_copies(garbage);
    }

    /// The mark of a ring that lost everything it holds.
    pub(crate) fn newest_mark(&self, id: impl FnOnce(u64, &[u8]) -> EventId) -> TrimPoint {
        let of_tail = self.tail.frames.back().map(|frame| (frame.position, &*frame.bytes));
        let newest = of_tail.or_else(|| {
            let segment = self.segments.back()?;
            Some((segment.last(), segment.block(segment.entries.len() - 1)?))
        });
        newest.map_or(self.trimmed_to, |(position, block)| TrimPoint { position, id: Some(id(position, block)) })
    }

    /// Forgets everything, up to a position that may be beyond it.
    pub(crate) fn reset_to(&mut self, mark: TrimPoint, garbage: &mut Vec<Bytes>) {
        garbage.extend(self.segments.drain(..).map(|segment| segment.bytes));
        garbage.extend(self.tail.frames.drain(..).map(|frame| frame.bytes));
        garbage.push(std::mem::take(&mut self.tail).joined.1);
        (self.events, self.bytes) = (0, 0);
        (self.trimmed_to, self.reset) = (mark, mark.position);
    }

    /// Drops what is newer than this position, as if it had never been. If it forgot some of that, it cannot tell any
    /// more how much it forgot of what was before: then it is forgotten up to `mark`, the end of what is dropped.
    pub(crate) fn truncate(&mut self, position: u64, mark: TrimPoint, garbage: &mut Vec<Bytes>) {
        if self.trimmed_to.position > position {
            self.trimmed_to = mark;
        }
        while self.tail.frames.back().is_some_and(|frame| frame.position > position)
            && let Some(frame) = self.tail.frames.pop_back()
        {
            self.events -= 1;
            self.added -= 1;
            self.bytes -= frame.bytes.len();
            self.tail.end = frame.start;
            garbage.push(frame.bytes);
        }
        // What comes next lies where the dropped events did.
        garbage.extend([&mut self.tail.joined.1, &mut self.tail.copied.1].map(std::mem::take));
        while let Some(segment) = self.segments.back_mut() {
            let keep = segment.after(position);
            if keep == segment.entries.len() {
                break;
            }
            let end = segment.start_of(keep);
            self.events -= segment.entries.len() - keep.max(segment.first);
            self.added -= segment.entries.len() - keep;
            self.bytes -= segment.bytes.len() - end.max(segment.start_of(segment.first));
            segment.entries.truncate(keep);
            garbage.push(segment.bytes.split_off(end));
            if segment.first < segment.entries.len() {
                break;
            }
            garbage.extend(self.segments.pop_back().map(|segment| segment.bytes));
        }
    }

    /// What comes after a position: the gap, if some of it is forgotten, or an event.
    pub(crate) fn next_after(&self, position: u64) -> Option<Next> {
        if position < self.trimmed_to.position {
            return Some(Next::Gap(self.trimmed_to));
        }
        let sealed = self
            .segment_after(position)
            .and_then(|segment| segment.entries.get(segment.after(position)).map(|entry| entry.position));
        let next = sealed.or_else(|| self.tail.frames.get(self.tail.after(position)).map(|frame| frame.position));
        next.map(Next::Event)
    }

    /// The events after `after` and not beyond `upto`, as far as they lie together: up to `budget` bytes, or one larger
    /// event. None if the gap comes first.
    pub(crate) fn take(&mut self, after: u64, upto: u64, budget: usize) -> Option<Taken> {
        if after < self.trimmed_to.position {
            return None;
        }
        match self.segment_after(after) {
            Some(segment) => segment.take(after, upto, budget),
            None => self.tail.take(after, upto, budget),
        }
    }

    /// How many events it holds after a position.
    pub(crate) fn count_after(&self, position: u64) -> usize {
        let passed = match self.segment_after(position) {
            Some(segment) => segment.before + segment.after(position),
            None => self.added - self.tail.frames.len() + self.tail.after(position),
        };
        self.added - passed
    }

    /// The position of an event that it holds, by its id. IdSource must be in order, as positions are.
    pub(crate) fn find(&self, id: EventId) -> Option<u64> {
        let at = self.segments.partition_point(|segment| segment.id(segment.entries.len() - 1) < Some(id));
        if let Some(segment) = self.segments.get(at) {
            let mut range = segment.first..segment.entries.len();
            while !range.is_empty() {
                let middle = range.start + range.len() / 2;
                match segment.id(middle)?.cmp(&id) {
                    Ordering::Equal => return segment.entries.get(middle).map(|entry| entry.position),
                    Ordering::Less => range.start = middle + 1,
                    Ordering::Greater => range.end = middle,
                }
            }
        }
        let found = self.tail.frames.iter().find(|frame| EventId::of_block(&frame.bytes) == Some(id));
        found.map(|frame| frame.position)
    }

    /// The last event that it holds whose id is not after this position of the log. IdSource must be in order, as positions are.
    pub(crate) fn last_upto(&self, upto: (u64, u64)) -> Option<(EventId, u64)> {
        let is_upto = |id: Option<EventId>| id.is_some_and(|id| id.position() <= upto);
        let tail = self.tail.frames.partition_point(|frame| is_upto(EventId::of_block(&frame.bytes)));
        if let Some(frame) = tail.checked_sub(1).and_then(|last| self.tail.frames.get(last)) {
            return Some((EventId::of_block(&frame.bytes)?, frame.position));
        }
        let after = self.segments.partition_point(|segment| is_upto(segment.id(segment.first)));
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let mut range = segment.first..segment.entries.len();
        while range.len() > 1 {
            let middle = range.start + range.len() / 2;
            if is_upto(segment.id(middle)) { range.start = middle } else { range.end = middle }
        }
        Some((segment.id(range.start)?, segment.entries.get(range.start)?.position))
    }

    /// The last event that it holds up to a position.
    pub(crate) fn last_at(&self, position: u64) -> Option<(EventId, u64)> {
        let tail = self.tail.after(position);
        if let Some(frame) = tail.checked_sub(1).and_then(|last| self.tail.frames.get(last)) {
            return Some((EventId::of_block(&frame.bytes)?, frame.position));
        }
        let oldest = |segment: &Segment| segment.entries.get(segment.first).map_or(u64::MAX, |entry| entry.position);
        let after = self.segments.partition_point(|segment| oldest(segment) <= position);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let at = segment.after(position).checked_sub(1)?;
        Some((segment.id(at)?, segment.entries.get(at)?.position))
    }

    /// The first segment with an event after this position.
    fn segment_after(&self, position: u64) -> Option<&Segment> {
        if self.last_sealed()? <= position {
            return None;
        }
        let at = self.segments.partition_point(|segment| segment.last() <= position);
        self.segments.get(at)
    }
}

impl Segment {
    fn last(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.position)
    }

    /// The index of the first event after this position that is not forgotten.
    fn after(&self, position: u64) -> usize {
        self.entries.partition_point(|entry| entry.position <= position).max(self.first)
    }

    fn start_of(&self, at: usize) -> usize {
        at.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |entry| entry.end)
    }

    fn block(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.start_of(at)..self.entries.get(at)?.end)
    }

    fn id(&self, at: usize) -> Option<EventId> {
        self.block(at).and_then(EventId::of_block)
    }

    fn take(&self, after: u64, upto: u64, budget: usize) -> Option<Taken> {
        let from = self.after(after);
        let start = self.start_of(from);
        let rest = self.entries.get(from..)?;
        let fits = |entry: &Entry| entry.position <= upto && entry.end - start <= budget;
        let events = rest.partition_point(fits).max(1);
        let last = rest.get(events - 1).filter(|entry| entry.position <= upto)?;
        let run = start..last.end;
        let bytes =
            if run.len() < COPY_BYTES { Bytes::copy_from_slice(self.bytes.get(run)?) } else { self.bytes.slice(run) };
        Some(Taken { bytes, events, last: last.position })
    }
}

impl Tail {
    fn start(&self) -> u64 {
        self.frames.front().map_or(self.end, |frame| frame.start)
    }

    const fn joined_end(&self) -> u64 {
        self.joined.0 + self.joined.1.len() as u64
    }

    const fn len_from(&self, start: u64) -> usize {
        (self.end - start) as usize
    }

    fn push(&mut self, position: u64, bytes: Bytes) {
        let frame = Frame { position, start: self.end, bytes };
        self.end = frame.end();
        self.frames.push_back(frame);
    }

    /// The index of the first frame after this position.
    fn after(&self, position: u64) -> usize {
        self.frames.partition_point(|frame| frame.position <= position)
    }

    fn take(&mut self, after: u64, upto: u64, budget: usize) -> Option<Taken> {
        let from = self.after(after);
        let first = self.frames.get(from).filter(|frame| frame.position <= upto)?;
        let start = first.start;
        let fits = |frame: &&Frame| frame.position <= upto && (frame.end() - start) as usize <= budget;
        let events = self.frames.range(from..).take_while(fits).count().max(1);
        let last = self.frames.get(from + events - 1)?;
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
        Some(Taken { bytes, events, last: position })
    }

    /// A short run as bytes of its own. Whoever stands at the same position gets the same copy.
    fn copy(&mut self, start: u64, end: u64, frames: std::ops::Range<usize>) -> Bytes {
        if self.copied.0 != start || self.copied.1.len() != (end - start) as usize {
            let mut copy = Vec::with_capacity((end - start) as usize);
            self.frames.range(frames).for_each(|frame| copy.extend_from_slice(&frame.bytes));
            self.copied = (start, copy.into());
        }
        self.copied.1.clone()
    }

    /// Drops the copies of frames that are no longer here.
    fn drop_copies(&mut self, garbage: &mut Vec<Bytes>) {
        let start = self.start();
        if start >= self.joined_end() && !self.joined.1.is_empty() {
            garbage.push(std::mem::take(&mut self.joined.1));
        }
        if start > self.copied.0 && !self.copied.1.is_empty() {
            garbage.push(std::mem::take(&mut self.copied.1));
        }
    }

    /// Joins all frames, and lets each be a slice of that, so that nothing is held twice.
    fn join(&mut self) {
        let base = self.start();
        let joined = self.concat();
        for frame in &mut self.frames {
            let start = (frame.start - base) as usize;
            frame.bytes = joined.slice(start..start + frame.bytes.len());
        }
        self.joined = (base, joined);
    }

    fn concat(&self) -> Bytes {
        let mut joined = Vec::with_capacity(self.len_from(self.start()));
        self.frames.iter().for_each(|frame| joined.extend_from_slice(&frame.bytes));
        joined.into()
    }

    /// Turns the tail into a segment, and begins a new one.
    fn seal(&mut self, before: usize, garbage: &mut Vec<Bytes>) -> Segment {
        let tail = std::mem::take(self);
        let base = tail.start();
        let entry = |frame: &Frame| Entry { position: frame.position, end: (frame.end() - base) as usize };
        let entries = tail.frames.iter().map(entry).collect();
        // A large event is a segment as it is.
        let alone = tail.frames.front().filter(|_| tail.frames.len() == 1).map(|frame| frame.bytes.clone());
        let bytes = alone.unwrap_or_else(|| tail.concat());
        garbage.extend(tail.frames.into_iter().map(|frame| frame.bytes));
        garbage.extend([tail.joined.1, tail.copied.1]);
        Segment { bytes, entries, first: 0, before }
    }
}

#[cfg(test)]
mod tests;
