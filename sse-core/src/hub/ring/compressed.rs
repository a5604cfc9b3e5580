//! The compressed form of a ring: what a client reads next, and what is not compressed yet.

use super::segment::Segment;
use super::{Next, Ring, Run, SEGMENT_BYTES};
use crate::hub::gzip::Encoding;
use crate::hub::gzip::track::Track;
use bytes::Bytes;

/// A track of the tail ends with the segment. A tail whose events are trimmed may never become a segment, so its track
/// also ends at this size, in bytes of events.
const TRACK_BYTES: usize = 2 * SEGMENT_BYTES;

/// What a compressed stream of one topic sends next.
#[derive(Debug)]
pub(crate) enum NextCompressed {
    /// Events before the next one were trimmed.
    Gap,
    /// Compressed blocks, and the track that the client is on afterwards.
    Blocks(Run, u32),
    /// Events that the client receives alone, because it cannot join yet.
    Alone(Run),
    /// These events must be compressed first.
    Compress(Uncompressed),
}

/// The next events of a track.
#[derive(Debug)]
pub(crate) struct Uncompressed {
    pub(crate) run: Run,
    pub(crate) track: u32,
    /// Whether this is the first block of a new track.
    is_new: bool,
    pub(crate) wants_key: bool,
    /// The position after which the track continues, and the position of the first event.
    after: u64,
    first: u64,
    /// The number of truncations of the ring so far.
    epoch: u64,
}

impl Uncompressed {
    /// The next block of this track. `range` is the position after which it continues, and that of its first event.
    const fn next(run: Run, track: u32, (after, first): (u64, u64), epoch: u64) -> Self {
        Self { run, track, is_new: false, wants_key: false, after, first, epoch }
    }

    /// The first block of a new track.
    fn start(run: Run, track: u32, range: (u64, u64), epoch: u64) -> Self {
        Self { is_new: true, wants_key: true, ..Self::next(run, track, range, epoch) }
    }
}

impl Ring {
    /// What a client after this position sends next, up to and including `upto`: at most `budget` bytes, or one larger
    /// event. The client is on the track `on`, and the topic has this many compressed streams.
    pub(crate) fn next_compressed(
        &mut self,
        after: u64,
        upto: u64,
        budget: usize,
        on: Option<u32>,
        clients: usize,
    ) -> Option<NextCompressed> {
        if after < self.trimmed_to().position {
            return Some(NextCompressed::Gap);
        }
        let (epoch, new) = (self.epoch, self.next_track);
        if let Some(at) = self.segment_index_after(after) {
            return self.segments.get_mut(at)?.next_compressed(after, upto, budget, on, (epoch, new));
        }
        let tail = &mut self.tail;
        let next = tail.events.get(tail.index_after(after)).map(|event| event.position).filter(|next| *next <= upto)?;
        let Some(track) = tail.track.as_deref_mut() else {
            let run = tail.take(after, upto, budget)?;
            return Some(NextCompressed::Compress(Uncompressed::start(run, new, (after, next), epoch)));
        };
        let is_on = Some(track.id()) == on;
        if let Some(block) = track.block_for(is_on, after, next) {
            let run = track.take(block, upto, budget)?;
            if !is_on {
                track.join();
            }
            return Some(NextCompressed::Blocks(run, track.id()));
        }
        let (id, last, next_key) = (track.id(), track.last(), track.key_after(next));
        let (is_full, wants_key) = (track.plain_len() >= TRACK_BYTES, track.wants_key(clients));
        // The first event that is not compressed yet.
        let first = tail.events.get(tail.index_after(last)).map(|event| event.position);
        let is_caught_up = first == Some(next);
        if is_on || (is_caught_up && (is_full || wants_key)) {
            let run = tail.take(after, upto, budget)?;
            return Some(NextCompressed::Compress(if is_full {
                Uncompressed::start(run, new, (after, next), epoch)
            } else {
                Uncompressed { wants_key, ..Uncompressed::next(run, id, (after, next), epoch) }
            }));
        }
        if let Some(first) = first.filter(|first| *first < next) {
            // Clients on the track may be slow or gone. Without this block no key point would come.
            let run = tail.take(last.max(first - 1), next - 1, budget)?;
            return Some(NextCompressed::Compress(Uncompressed::next(run, id, (first - 1, first), epoch)));
        }
        let upto = next_key.map_or(upto, |key| upto.min(key - 1));
        tail.take(after, upto, budget).map(NextCompressed::Alone)
    }

    /// Adds a block of compressed events. Nothing changes if the events are gone.
    pub(crate) fn attach(&mut self, events: &Uncompressed, block: Bytes, is_key: bool, new: impl FnOnce() -> Track) {
        if self.epoch != events.epoch || self.next_after(events.after) != Some(Next::Event(events.first)) {
            return;
        }
        let sealed = self.segment_index_after(events.after).and_then(|at| self.segments.get_mut(at));
        let is_sealed = sealed.is_some();
        let slot = sealed.map_or(&mut self.tail.track, |segment| &mut segment.track);
        match slot {
            Some(track) if !events.is_new => {
                if track.id() == events.track && track.last() < events.first {
                    track.push(block, &events.run, events.first, is_key);
                }
            }
            Some(track) if is_sealed || track.plain_len() < TRACK_BYTES => {}
            None if !events.is_new => {}
            track => {
                let mut new = new();
                new.push(block, &events.run, events.first, true);
                if is_sealed {
                    new.seal();
                }
                *track = Some(Box::new(new));
                self.next_track = self.next_track.checked_add(1).unwrap_or(Encoding::FIRST_TRACK);
            }
        }
    }

    /// The client leaves this track.
    pub(crate) fn leave_track(&mut self, id: u32) {
        if let Some(track) = self.tail.track.as_mut().filter(|track| track.id() == id) {
            track.leave();
        }
    }

    /// Takes all compressed bytes out, because no client needs them any more.
    pub(crate) fn take_compressed(&mut self) -> Vec<Track> {
        let of_segments = self.segments.iter_mut().filter_map(|segment| segment.track.take());
        of_segments.chain(self.tail.track.take()).map(|track| *track).collect()
    }
}

impl Segment {
    fn next_compressed(
        &mut self,
        after: u64,
        upto: u64,
        budget: usize,
        on: Option<u32>,
        (epoch, new): (u64, u32),
    ) -> Option<NextCompressed> {
        let index = self.index_after(after);
        let next = self.events.get(index).map(|event| event.position).filter(|next| *next <= upto)?;
        let Some(track) = self.track.as_deref_mut() else {
            let run = self.take(after, upto, budget)?;
            // A client in the middle of a segment receives the rest alone, and joins at the next one.
            let is_whole = index == 0 && self.events.last().is_some_and(|event| event.position == run.last);
            return Some(if is_whole {
                NextCompressed::Compress(Uncompressed::start(run, new, (after, next), epoch))
            } else {
                NextCompressed::Alone(run)
            });
        };
        let is_on = Some(track.id()) == on;
        if let Some(block) = track.block_for(is_on, after, next) {
            return track.take(block, upto, budget).map(|run| NextCompressed::Blocks(run, track.id()));
        }
        if is_on {
            // The segment was sealed with events that no client had read.
            let track = track.id();
            let run = self.take(after, upto, budget)?;
            return Some(NextCompressed::Compress(Uncompressed::next(run, track, (after, next), epoch)));
        }
        let upto = track.key_after(next).map_or(upto, |key| upto.min(key - 1));
        self.take(after, upto, budget).map(NextCompressed::Alone)
    }
}

#[cfg(test)]
#[path = "compressed_tests.rs"]
mod tests;
