//! The state that a new subscriber receives first.

use crate::hub::cursor::Cursor;
use crate::hub::merge::Merge;
use crate::hub::ring::{Run, Wanted};
use crate::stream::pending::Pending;
use crate::stream::source::{CHUNK_BYTES, Step};
use bytes::Bytes;
use std::cmp::Reverse;

/// The part of the state that a new subscriber has not received yet.
#[derive(Debug)]
pub(crate) struct Load {
    /// The subscriber has the state up to this position.
    next: u64,
    /// The state up to here belongs to the load. What follows is a change.
    upto: u64,
    /// The state topics, by a position at or before their next event.
    merge: Merge,
}

impl Load {
    /// Skips the state up to this position.
    pub(in crate::hub) fn not_before(&mut self, position: u64) {
        self.next = self.next.max(position);
    }
}

impl Cursor {
    /// Sends the state of the state topics first: the newest event of each key up to this position, and then the changes
    /// after it. The caller holds the lock of the history, and has started a replay.
    pub(in crate::hub) fn load_state(&mut self, upto: u64) {
        for followed in self.topics.iter_mut().filter(|followed| followed.topic.is_state()) {
            followed.start = upto;
        }
        self.load = self.load_after(0, upto);
        if let Some(load) = &mut self.load {
            load.next = load.merge.peek().map_or(0, |Reverse((first, _))| first - 1);
        }
    }

    /// The load of the state after a position. `None` if there is no such state.
    pub(in crate::hub) fn load_after(&self, after: u64, upto: u64) -> Option<Box<Load>> {
        let topics = self.topics.iter().enumerate().filter(|(_, followed)| followed.topic.is_state());
        let next = topics.filter_map(|(index, followed)| {
            let next = followed.topic.lock().ring.keyed()?.next_after(after, Wanted::State)?;
            (next <= upto).then_some(Reverse((next, index)))
        });
        let merge: Merge = next.collect();
        (!merge.is_empty()).then(|| Box::new(Load { next: after, upto, merge }))
    }

    /// Looks the topics up again, after the cursor left one.
    pub(in crate::hub) fn renew_load(&mut self) {
        self.load = self.load.take().and_then(|load| self.load_after(load.next, load.upto));
    }

    /// The position from which a client that received nothing yet can resume.
    pub(in crate::hub) fn first_position(&self) -> u64 {
        self.load.as_ref().map_or(self.position, |load| load.next.min(self.position))
    }

    /// The next chunk of the state, and at its end the position after it.
    pub(in crate::hub) fn poll_load(&mut self) -> Option<Step> {
        let mut chunk = Pending::default();
        while chunk.len() < CHUNK_BYTES && self.load.is_some() {
            match self.take_state() {
                Some((_, run)) => {
                    self.hub.counters.delivered.add(run.events);
                    // Each run alone: bytes of two topics are never compressed together.
                    let events = self.control.filter(run.bytes);
                    chunk.push(self.encode_alone(events));
                }
                None => {
                    // From here on the client resumes after the whole state.
                    let id = self.hub.history.lock().ids.id_at(self.position, &self.topics());
                    self.is_announced = true;
                    if let Some(position) = id.and_then(|id| self.control.position(id)) {
                        chunk.push(self.encode_own(position.into()));
                    }
                }
            }
        }
        chunk.take().map(Step::Chunk)
    }

    /// The next run of the state of one topic, and the index of the topic. `None` when the load is complete.
    pub(in crate::hub) fn take_state(&mut self) -> Option<(usize, Run)> {
        let load = self.load.as_mut()?;
        while let Some(Reverse((_, index))) = load.merge.pop() {
            let Some(followed) = self.topics.get(index) else { continue };
            // The other topics have no event up to here.
            let alone = load.merge.peek().map_or(load.upto, |Reverse((second, _))| load.upto.min(second - 1));
            let locked = followed.topic.lock();
            let Some(keyed) = locked.ring.keyed() else { continue };
            // `None` if changes have superseded the events in the meantime.
            let run = keyed.take(load.next, alone, CHUNK_BYTES, Wanted::State);
            load.next = run.as_ref().map_or(load.next, |run| run.last);
            let next = keyed.next_after(load.next, Wanted::State).filter(|next| *next <= load.upto);
            drop(locked);
            load.merge.extend(next.map(|next| Reverse((next, index))));
            if let Some(run) = run {
                // With a replay of other topics the client must resume before the replay.
                let bytes = if self.position >= load.upto { run.bytes } else { without_ids(&run.bytes) };
                return Some((index, Run { bytes, ..run }));
            }
        }
        self.load = None;
        None
    }
}

/// The blocks without the lines of their IDs, which are the last lines of the blocks.
fn without_ids(blocks: &[u8]) -> Bytes {
    let lines = blocks.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !line.starts_with(b"id: ")).collect::<Vec<_>>().concat().into()
}
