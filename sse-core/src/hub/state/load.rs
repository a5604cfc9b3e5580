//! The state that a new subscriber receives first.

use crate::hub::cursor::Cursor;
use crate::hub::ring::{Run, Wanted};
use crate::hub::stats::Counters;
use crate::stream::pending::Pending;
use crate::stream::source::{CHUNK_BYTES, Step};
use bytes::Bytes;

/// The part of the state that a new subscriber has not received yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// The subscriber has the state up to this position.
    next: u64,
    /// The state up to here belongs to the load. What follows is a change.
    upto: u64,
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
        let first = self.next_state(0, upto).map(|(position, _)| position);
        self.load = first.map(|first| Box::new(Load { next: first - 1, upto }));
    }

    /// The position from which a client that received nothing yet can resume.
    pub(in crate::hub) fn first_position(&self) -> u64 {
        self.load.as_ref().map_or(self.position, |load| load.next.min(self.position))
    }

    /// The next event of the state after a position, and the index of its topic.
    fn next_state(&self, after: u64, upto: u64) -> Option<(u64, usize)> {
        let topics = self.topics.iter().enumerate().filter(|(_, followed)| followed.topic.is_state());
        let next = topics.filter_map(|(index, followed)| {
            let next = followed.topic.lock().ring.keyed()?.next_after(after, Wanted::State)?;
            (next <= upto).then_some((next, index))
        });
        next.min()
    }

    /// The next chunk of the state, and at its end the position after it.
    pub(in crate::hub) fn poll_load(&mut self) -> Option<Step> {
        let mut chunk = Pending::default();
        while chunk.len() < CHUNK_BYTES && self.load.is_some() {
            match self.take_state() {
                Some((_, run)) => {
                    Counters::add(&self.hub.counters.delivered, run.events);
                    chunk.push(run.bytes);
                }
                None => {
                    // From here on the client resumes after the whole state.
                    let id = self.hub.history.lock().ids.id_at(self.position, &self.topics());
                    self.is_announced = true;
                    chunk.push(id.and_then(|id| self.control.position(id)).map(Bytes::from).unwrap_or_default());
                }
            }
        }
        let chunk = self.control.filter(chunk.take()?);
        Some(Step::Chunk(self.encode_alone(chunk)))
    }

    /// The next run of the state of one topic. `None` when the load is complete.
    pub(in crate::hub) fn take_state(&mut self) -> Option<(usize, Run)> {
        let load = **self.load.as_ref()?;
        // Another publish may supersede the event in the meantime, so the state is looked up again.
        while let Some((position, index)) = self.next_state(load.next, load.upto) {
            let others =
                self.topics.iter().enumerate().filter(|(other, followed)| *other != index && followed.topic.is_state());
            let second = others
                .filter_map(|(_, followed)| followed.topic.lock().ring.keyed()?.next_after(position, Wanted::State));
            let upto = second.min().map_or(load.upto, |second| load.upto.min(second - 1));
            let followed = self.topics.get(index)?;
            let run = followed
                .topic
                .lock()
                .ring
                .keyed()
                .and_then(|keyed| keyed.take(load.next, upto, CHUNK_BYTES, Wanted::State));
            if let Some(run) = run {
                self.load = Some(Box::new(Load { next: run.last, ..load }));
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
