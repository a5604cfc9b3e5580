//! The compressors of a hub.

use super::deflater::Deflater;
use crate::runtime::sync::Mutex;

/// The key of the compressor for pieces. A topic's key is its address.
pub(super) const OF_PIECES: usize = 0;

/// The compressors that are not at work, the least recently used first. At the limit the least recently used one serves
/// another topic; the next block of its former topic is a key point.
#[derive(Debug)]
pub(super) struct Pool {
    limit: usize,
    resting: Mutex<Vec<Resting>>,
}

#[derive(Debug)]
struct Resting {
    topic: usize,
    track: u32,
    deflater: Box<Deflater>,
}

impl Pool {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, resting: Mutex::new(Vec::new()) }
    }

    /// A compressor for this topic, and whether it has compressed all blocks of this track.
    pub(super) fn take(&self, topic: usize, track: u32) -> (Box<Deflater>, bool) {
        let found = {
            let mut resting = self.resting.lock();
            let at = resting.iter().rposition(|resting| resting.topic == topic);
            let at = at.or_else(|| (resting.len() >= self.limit && self.limit > 0).then_some(0));
            at.map(|at| resting.remove(at))
        };
        match found {
            Some(found) => (found.deflater, found.topic == topic && found.track == track),
            None => (Box::new(Deflater::new()), false),
        }
    }

    /// Returns a compressor that has compressed all blocks of this track.
    pub(super) fn put(&self, topic: usize, track: u32, deflater: Box<Deflater>) {
        let surplus = {
            let mut resting = self.resting.lock();
            if self.limit == 0 {
                Some(deflater)
            } else {
                let oldest = (resting.len() >= self.limit).then(|| resting.remove(0).deflater);
                resting.push(Resting { topic, track, deflater });
                oldest
            }
        };
        drop(surplus);
    }

    pub(super) fn forget(&self, topic: usize) {
        let found = {
            let mut resting = self.resting.lock();
            let at = resting.iter().position(|resting| resting.topic == topic);
            at.map(|at| resting.remove(at))
        };
        drop(found);
    }

    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.resting.lock());
        drop(all);
    }
}
