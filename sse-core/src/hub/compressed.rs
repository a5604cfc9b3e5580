//! The part of a cursor that compresses: blocks that all clients share, pieces, and bytes for one client alone.

use super::cursor::Cursor;
use super::gzip::blocks::{EMPTY, HEAD, NOTHING, stored_len, write_stored};
use super::gzip::track::Track;
use super::gzip::{Encoding, Gzip};
use super::ring::{NextCompressed, Run};
use super::topic::SharedTopic;
use crate::runtime::sync::Arc;
use crate::stream::source::{CHUNK_BYTES, Step};
use bytes::Bytes;

/// What a compressed cursor of one topic takes.
pub(super) enum CompressedStep {
    Step(Step),
    /// The next entry is a gap.
    Gap,
}

impl Cursor {
    /// Compresses the stream from its first byte on. The cursor was not polled yet.
    pub(super) fn compress(&mut self) {
        self.encoding = Encoding::NEW;
        self.hub.gzip.enter();
        if let [followed] = &*self.topics {
            followed.topic.lock().compressed_streams += 1;
        }
    }

    /// The events after this position. `None` if there is no event up to the head.
    pub(super) fn take_compressed(&mut self, position: u64, head: u64) -> Option<CompressedStep> {
        let topic = &self.topics.first()?.topic;
        loop {
            return Some(match next(topic, position, head, self.encoding)? {
                NextCompressed::Compress(_) => {
                    compress_next(&self.hub.gzip, &topic.shared, position, head, self.encoding);
                    continue;
                }
                NextCompressed::Blocks(run, track) => {
                    let is_new = self.encoding.is_new();
                    self.encoding = Encoding::on(track);
                    self.deliver(run, |_, blocks| with_head(is_new, blocks))
                }
                NextCompressed::Alone(run) => self.deliver(run, Self::encode_alone),
                NextCompressed::Gap => CompressedStep::Gap,
            });
        }
    }

    fn deliver(&mut self, run: Run, encode: impl FnOnce(&mut Self, Bytes) -> Bytes) -> CompressedStep {
        self.hub.counters.delivered.add(run.events);
        (self.position, self.is_announced) = (run.last, true);
        CompressedStep::Step(Step::Chunk(encode(self, run.bytes)))
    }

    /// Encodes events that the client receives alone, because it cannot join the others yet.
    pub(super) fn encode_alone(&mut self, events: Bytes) -> Bytes {
        if self.encoding.is_plain() {
            return events;
        }
        let piece = self.hub.gzip.alone(&events);
        with_head(self.leave_track(), piece)
    }

    /// Encodes blocks for this client alone. They are stored: their size tells nothing about what they repeat.
    pub(super) fn encode_own(&mut self, blocks: Bytes) -> Bytes {
        if self.encoding.is_plain() {
            return blocks;
        }
        let mut out = Vec::with_capacity(HEAD.len() + stored_len(blocks.len()));
        if self.leave_track() {
            out.extend_from_slice(&HEAD);
        }
        write_stored(&mut out, &blocks);
        out.into()
    }

    /// A keep-alive that decodes to nothing, so that the client stays where it is.
    pub(super) fn encode_keep_alive(&mut self, keep_alive: &'static [u8]) -> Bytes {
        match self.encoding {
            Encoding::PLAIN => Bytes::from_static(keep_alive),
            Encoding::NEW => self.encode_own(Bytes::from_static(keep_alive)),
            _ => Bytes::from_static(NOTHING),
        }
    }

    /// The body of a stream that ends before its first byte, because the application closed it. Some clients report an empty
    /// body under the header of gzip as an error.
    pub(super) fn encode_empty(&mut self) -> Option<Bytes> {
        self.encoding.is_new().then(|| {
            self.encoding = Encoding::ALONE;
            Bytes::from_static(EMPTY)
        })
    }

    /// Leaves the blocks that all clients share. Returns whether the stream has not sent its head.
    fn leave_track(&mut self) -> bool {
        let was = std::mem::replace(&mut self.encoding, Encoding::ALONE);
        if let (Some(track), [followed]) = (was.track(), &*self.topics) {
            followed.topic.lock().ring.leave_track(track);
        }
        was.is_new()
    }

    /// Releases what only compressed streams need, when the cursor is dropped.
    pub(super) fn leave_compressed(&mut self) {
        if self.encoding.is_plain() {
            return;
        }
        self.leave_track();
        if let [followed] = &*self.topics {
            let released = {
                let mut locked = followed.topic.lock();
                locked.compressed_streams -= 1;
                (locked.compressed_streams == 0).then(|| locked.ring.take_compressed())
            };
            if released.is_some() {
                self.hub.gzip.forget(key(&followed.topic.shared));
            }
        }
        self.hub.gzip.leave();
    }
}

/// These blocks, after the head of the gzip format if the stream is new.
fn with_head(is_new: bool, blocks: Bytes) -> Bytes {
    if is_new { [&HEAD, &*blocks].concat().into() } else { blocks }
}

fn next(topic: &SharedTopic, position: u64, head: u64, encoding: Encoding) -> Option<NextCompressed> {
    let mut locked = topic.lock();
    let streams = locked.compressed_streams;
    locked.ring.next_compressed(position, head, CHUNK_BYTES, encoding.track(), streams)
}

/// Compresses the next events of the topic, unless another client did so in the meantime. Only clients of the topic wait
/// for the compressor: the lock of the topic is free, so publishes go on.
fn compress_next(gzip: &Gzip, topic: &Arc<SharedTopic>, position: u64, head: u64, encoding: Encoding) {
    let _turn = topic.compressing.lock();
    let Some(NextCompressed::Compress(events)) = next(topic, position, head, encoding) else { return };
    let (block, is_key) = gzip.compress(key(topic), events.track, events.wants_key, &events.run.bytes);
    let new = || Track::new(events.track, gzip.account().clone());
    topic.lock().ring.attach(&events, block, is_key, new);
}

/// The key of the topic's compressor.
fn key(topic: &Arc<SharedTopic>) -> usize {
    Arc::as_ptr(topic) as usize
}
