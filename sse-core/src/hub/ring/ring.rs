//! The ring of one topic: adding, trimming, truncating and reading events.

use super::keyed::{Full, Keyed, KeyedBounds, Wanted};
use super::segment::Segment;
use super::tail::Tail;
use super::{Next, Run, SEGMENT_BYTES, SEGMENT_WORK};
use crate::hub::id::EventId;
use crate::hub::trim_point::TrimPoint;
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Ring {
    trimmed_to: TrimPoint,
    /// The position of the last reset by a followed log. Events up to here are missing because of the log, and not
    /// because a subscriber was slow.
    reset: u64,
    pub(super) segments: VecDeque<Segment>,
    pub(super) tail: Tail,
    events: usize,
    bytes: usize,
    /// The number of events that were ever added, without truncated events.
    added: usize,
    /// The number of resets and truncations.
    #[cfg(feature = "gzip")]
    pub(super) epoch: u64,
    /// The number of the next track of compressed blocks.
    #[cfg(feature = "gzip")]
    pub(super) next_track: u32,
    /// The events of a state topic, which has no segments and no tail.
    keyed: Option<Box<Keyed>>,
}

impl Ring {
    pub(crate) fn new(trimmed_to: TrimPoint) -> Self {
        Self {
            trimmed_to,
            reset: 0,
            segments: VecDeque::new(),
            tail: Tail::default(),
            events: 0,
            bytes: 0,
            added: 0,
            keyed: None,
            #[cfg(feature = "gzip")]
            epoch: 0,
            #[cfg(feature = "gzip")]
            next_track: crate::hub::gzip::Encoding::FIRST_TRACK,
        }
    }

    /// The number of stored events.
    pub(crate) const fn events(&self) -> usize {
        self.events
    }

    /// The bytes of the stored events.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.events == 0
    }

    pub(crate) const fn trimmed_to(&self) -> TrimPoint {
        self.trimmed_to
    }

    pub(crate) const fn reset_position(&self) -> u64 {
        self.reset
    }

    /// The position of the oldest stored event.
    pub(crate) fn oldest(&self) -> Option<u64> {
        let sealed = self.segments.front().and_then(Segment::oldest);
        sealed.or_else(|| self.tail.events.front().map(|event| event.position))
    }

    /// The position of the newest event, which may be trimmed already.
    pub(crate) fn newest(&self) -> u64 {
        let newest = self.tail.newest().or_else(|| self.newest_sealed());
        newest.unwrap_or_else(|| self.keyed().map_or(0, Keyed::newest).max(self.trimmed_to.position))
    }

    fn newest_sealed(&self) -> Option<u64> {
        self.segments.back()?.events.last().map(|event| event.position)
    }

    /// Adds the newest event. Bytes that are no longer needed go to `garbage`, which the caller drops without a lock.
    pub(crate) fn push(&mut self, position: u64, bytes: Bytes, garbage: &mut Vec<Bytes>) {
        self.events += 1;
        self.added += 1;
        self.bytes += bytes.len();
        self.tail.push(position, bytes);
        if self.tail.len_from(self.tail.start()) >= SEGMENT_BYTES {
            let before = self.added - self.tail.events.len();
            self.segments.push_back(self.tail.seal(before, garbage));
        }
    }

    /// Trims the oldest event. `id` returns the ID of an event from its position and its block.
    pub(crate) fn trim_oldest(&mut self, garbage: &mut Vec<Bytes>, id: impl FnOnce(u64, &[u8]) -> EventId) {
        let len = match self.segments.front_mut() {
            Some(segment) => {
                let Some(event) = segment.events.get(segment.first).copied() else { return };
                let Some(block) = segment.block(segment.first) else { return };
                self.trimmed_to = TrimPoint { position: event.position, id: Some(id(event.position, block)) };
                let len = block.len();
                segment.first += 1;
                if segment.first == segment.events.len() {
                    garbage.extend(self.segments.pop_front().map(|segment| segment.bytes));
                }
                len
            }
            None => {
                let Some(event) = self.tail.events.pop_front() else { return };
                self.trimmed_to = TrimPoint { position: event.position, id: Some(id(event.position, &event.bytes)) };
                let len = event.bytes.len();
                garbage.push(event.bytes);
                self.tail.drop_copies(garbage);
                len
            }
        };
        self.events -= 1;
        self.bytes -= len;
    }

    /// Trims the events up to and including `upto`, as far as `work` allows. A segment is trimmed in one step if all of
    /// its events go.
    pub(crate) fn trim_to(
        &mut self,
        upto: u64,
        work: &mut usize,
        garbage: &mut Vec<Bytes>,
        id: impl Fn(u64, &[u8]) -> EventId,
    ) {
        while let Some(segment) = self.segments.front_mut() {
            let keep = segment.index_after(upto);
            if *work == 0 || keep == segment.first {
                return;
            }
            if let (Some(event), Some(block)) = (segment.events.get(keep - 1), segment.block(keep - 1)) {
                self.trimmed_to = TrimPoint { position: event.position, id: Some(id(event.position, block)) };
            }
            self.events -= keep - segment.first;
            self.bytes -= segment.start_of(keep) - segment.start_of(segment.first);
            segment.first = keep;
            if keep < segment.events.len() {
                return;
            }
            garbage.extend(self.segments.pop_front().map(|segment| segment.bytes));
            *work = work.saturating_sub(SEGMENT_WORK);
        }
        let events = self.tail.index_after(upto).min(*work);
        *work -= events;
        if let Some(event) = events.checked_sub(1).and_then(|last| self.tail.events.get(last)) {
            self.trimmed_to = TrimPoint { position: event.position, id: Some(id(event.position, &event.bytes)) };
        }
        self.events -= events;
        self.bytes -= self.tail.events.range(..events).map(|event| event.bytes.len()).sum::<usize>();
        garbage.extend(self.tail.events.drain(..events).map(|event| event.bytes));
        self.tail.drop_copies(garbage);
    }

    /// The trim point of this ring if all of its events are dropped.
    pub(crate) fn newest_trim_point(&self, id: impl FnOnce(u64, &[u8]) -> EventId) -> TrimPoint {
        let in_tail = self.tail.events.back().map(|event| (event.position, &*event.bytes));
        let newest = in_tail.or_else(|| {
            let segment = self.segments.back()?;
            Some((segment.newest(), segment.block(segment.last_index())?))
        });
        let newest = newest.or_else(|| self.keyed()?.last());
        newest.map_or(self.trimmed_to, |(position, block)| TrimPoint { position, id: Some(id(position, block)) })
    }

    /// Drops all events after a reset of the log. The trim point may be after the newest event.
    pub(crate) fn reset_to(&mut self, trimmed: TrimPoint, garbage: &mut Vec<Bytes>) {
        self.clear(garbage);
        (self.trimmed_to, self.reset) = (trimmed, trimmed.position);
    }

    /// Drops all events of a topic that was removed, and the trim point, so that a cursor finds nothing.
    pub(crate) fn remove_all(&mut self, garbage: &mut Vec<Bytes>) {
        self.clear(garbage);
        self.trimmed_to.position = 0;
    }

    fn clear(&mut self, garbage: &mut Vec<Bytes>) {
        garbage.extend(self.segments.drain(..).map(|segment| segment.bytes));
        garbage.extend(self.tail.events.drain(..).map(|event| event.bytes));
        garbage.push(std::mem::take(&mut self.tail).joined.1);
        garbage.extend(self.keyed.take().into_iter().flat_map(|keyed| keyed.into_blocks()));
        (self.events, self.bytes) = (0, 0);
        #[cfg(feature = "gzip")]
        (self.epoch += 1);
    }

    /// Drops the events after this position, because the log was truncated. A state topic that has such events drops all.
    ///
    /// If the ring had already trimmed events after this position, the trim point of the events before it is no longer
    /// known. All events then count as trimmed up to `end`, the end of the truncated part.
    pub(crate) fn truncate(&mut self, position: u64, end: TrimPoint, garbage: &mut Vec<Bytes>) {
        if self.keyed().is_some_and(|keyed| keyed.newest() > position) {
            // The ring does not have the values before, so the feed loads the state of the topic again.
            return self.reset_to(end, garbage);
        }
        if self.trimmed_to.position > position {
            self.trimmed_to = end;
        }
        while self.tail.newest().is_some_and(|newest| newest > position)
            && let Some(event) = self.tail.events.pop_back()
        {
            self.events -= 1;
            self.added -= 1;
            self.bytes -= event.bytes.len();
            self.tail.end = event.start;
            garbage.push(event.bytes);
        }
        #[cfg(feature = "gzip")]
        {
            self.epoch += 1;
            self.tail.track = None;
        }
        // The next event reuses the offsets of the dropped events, so the joined and copied bytes no longer match.
        garbage.extend([&mut self.tail.joined.1, &mut self.tail.copied.1].map(std::mem::take));
        while let Some(segment) = self.segments.back_mut() {
            let keep = segment.index_after(position);
            if keep == segment.events.len() {
                break;
            }
            let end = segment.start_of(keep);
            self.events -= segment.events.len() - keep.max(segment.first);
            self.added -= segment.events.len() - keep;
            self.bytes -= segment.bytes.len() - end.max(segment.start_of(segment.first));
            segment.events.truncate(keep);
            #[cfg(feature = "gzip")]
            (segment.track = None);
            garbage.push(segment.bytes.split_off(end));
            if segment.first < segment.events.len() {
                break;
            }
            garbage.extend(self.segments.pop_back().map(|segment| segment.bytes));
        }
    }

    /// The next entry after a position: the gap, if events after the position were trimmed, or an event.
    pub(crate) fn next_after(&self, position: u64) -> Option<Next> {
        if position < self.trimmed_to.position {
            return Some(Next::Gap(self.trimmed_to));
        }
        if let Some(keyed) = self.keyed() {
            return keyed.next_after(position, Wanted::Changes).map(Next::Event);
        }
        let sealed = self
            .segment_after(position)
            .and_then(|segment| segment.events.get(segment.index_after(position)).map(|event| event.position));
        let next = sealed.or_else(|| self.tail.events.get(self.tail.index_after(position)).map(|event| event.position));
        next.map(Next::Event)
    }

    /// The events after `after`, up to and including `upto`, as far as their bytes are contiguous: at most `budget`
    /// bytes, or one larger event. `None` if the next entry is a gap.
    pub(crate) fn take(&mut self, after: u64, upto: u64, budget: usize) -> Option<Run> {
        if after < self.trimmed_to.position {
            return None;
        }
        match self.segment_after(after) {
            Some(segment) => segment.take(after, upto, budget),
            None => match self.keyed() {
                None => self.tail.take(after, upto, budget),
                Some(keyed) => keyed.take(after, upto, budget, Wanted::Changes),
            },
        }
    }

    /// The events of a state topic. `None` for another topic.
    pub(crate) fn keyed(&self) -> Option<&Keyed> {
        self.keyed.as_deref()
    }

    /// Makes this the ring of a state topic, and returns its events. The ring must not have events.
    pub(crate) fn make_keyed(&mut self) {
        self.keyed.get_or_insert_default();
    }

    /// Replaces the event of a key in a state topic. Forgets the oldest removals while the topic is over its bounds. Returns
    /// `false`, and changes nothing, for the removal of a key that is not there, unless the removal is an entry of a log.
    pub(crate) fn put(
        &mut self,
        position: u64,
        key: &str,
        event: (Bytes, bool),
        max: KeyedBounds,
        garbage: &mut Vec<Bytes>,
        id: impl Fn(u64, &[u8]) -> EventId,
    ) -> Result<bool, Full> {
        let Some(keyed) = &mut self.keyed else { return Ok(false) };
        let changed = keyed.put(position, key, event, max, garbage)?;
        while keyed.events() > max.keys || keyed.bytes() > max.bytes {
            let Some(trimmed) = keyed.forget_removal(garbage, &id) else { break };
            self.trimmed_to = trimmed;
        }
        (self.events, self.bytes) = (keyed.events(), keyed.bytes());
        Ok(changed)
    }

    /// Forgets the removals up to this trim point, because the log does not have them any more.
    pub(crate) fn forget_removals_before(&mut self, trimmed: TrimPoint) {
        self.trimmed_to = trimmed;
    }

    /// The number of stored events after a position.
    pub(crate) fn count_after(&self, position: u64) -> usize {
        let before = match self.segment_after(position) {
            Some(segment) => segment.before + segment.index_after(position),
            None => self.added - self.tail.events.len() + self.tail.index_after(position),
        };
        self.added - before
    }

    /// The position of a stored event with this ID. The IDs must ascend as the positions do.
    pub(crate) fn find(&self, id: EventId) -> Option<u64> {
        if let Some(keyed) = self.keyed() {
            return keyed.last_upto(id.position()).filter(|(found, _)| *found == id).map(|(_, position)| position);
        }
        let at = self.segments.partition_point(|segment| segment.id(segment.last_index()) < Some(id));
        if let Some(segment) = self.segments.get(at) {
            let mut range = segment.first..segment.events.len();
            while !range.is_empty() {
                let middle = range.start + range.len() / 2;
                match segment.id(middle)?.cmp(&id) {
                    Ordering::Equal => return segment.events.get(middle).map(|event| event.position),
                    Ordering::Less => range.start = middle + 1,
                    Ordering::Greater => range.end = middle,
                }
            }
        }
        let found = self.tail.events.iter().find(|event| EventId::of_block(&event.bytes) == Some(id));
        found.map(|event| event.position)
    }

    /// The ID and the position of the last stored event up to and including this position of the log. The IDs must ascend
    /// as the positions do.
    pub(crate) fn last_upto(&self, upto: (u64, u64)) -> Option<(EventId, u64)> {
        if let Some(keyed) = self.keyed() {
            return keyed.last_upto(upto);
        }
        let is_upto = |id: Option<EventId>| id.is_some_and(|id| id.position() <= upto);
        let tail = self.tail.events.partition_point(|event| is_upto(EventId::of_block(&event.bytes)));
        if let Some(event) = tail.checked_sub(1).and_then(|last| self.tail.events.get(last)) {
            return Some((EventId::of_block(&event.bytes)?, event.position));
        }
        let after = self.segments.partition_point(|segment| is_upto(segment.id(segment.first)));
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let mut range = segment.first..segment.events.len();
        while range.len() > 1 {
            let middle = range.start + range.len() / 2;
            if is_upto(segment.id(middle)) { range.start = middle } else { range.end = middle }
        }
        Some((segment.id(range.start)?, segment.events.get(range.start)?.position))
    }

    /// The ID and the position of the last stored event up to and including this position of the hub.
    pub(crate) fn last_at(&self, position: u64) -> Option<(EventId, u64)> {
        if let Some(keyed) = self.keyed() {
            return keyed.last_at(position);
        }
        let tail = self.tail.index_after(position);
        if let Some(event) = tail.checked_sub(1).and_then(|last| self.tail.events.get(last)) {
            return Some((EventId::of_block(&event.bytes)?, event.position));
        }
        let after = self.segments.partition_point(|segment| segment.oldest().is_some_and(|oldest| oldest <= position));
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let at = segment.index_after(position).checked_sub(1)?;
        Some((segment.id(at)?, segment.events.get(at)?.position))
    }

    /// The first segment with an event after this position.
    fn segment_after(&self, position: u64) -> Option<&Segment> {
        self.segments.get(self.segment_index_after(position)?)
    }

    pub(super) fn segment_index_after(&self, position: u64) -> Option<usize> {
        if self.newest_sealed()? <= position {
            return None;
        }
        Some(self.segments.partition_point(|segment| segment.newest() <= position))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
