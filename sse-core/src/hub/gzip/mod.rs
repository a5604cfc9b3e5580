//! Topics that are compressed once for all of their clients (RFC 1951 and 1952).
//!
//! ```text
//!   segment, 32 KiB of events            segment                       tail
//!   ┌───────┬───────┬───────┬───────┐    ┌───────────────────────┐     ┌───────┬───────┬─
//!   │ block │ block │ block │ block │    │ block                 │     │ block │ block │
//!   └───────┴───────┴───────┴───────┘    └───────────────────────┘     └───────┴───────┴─
//!   ▲               ▲                    ▲                             ▲
//!   key point       key point            key point                     key point
//! ```
//!
//! A block is the compressed form of a run of events. A block refers back to the blocks since the last key point, and ends
//! with an empty stored block, so that a client can decode it at once. A client joins at a key point. Before that, and after
//! bytes of its own, it receives pieces: stored blocks, or blocks that refer to nothing.

pub(super) mod blocks;
mod deflater;
mod pieces;
mod pool;
pub(super) mod track;

use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::{AtomicUsize, Ordering};
use bytes::Bytes;
use pieces::Pieces;
use pool::Pool;
use std::fmt;

/// Decides which topics are compressed.
pub(super) type Chooses = std::sync::Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The settings of [`HubBuilder`](super::HubBuilder).
#[derive(Clone)]
pub(crate) struct GzipSettings {
    pub(super) chooses: Option<Chooses>,
    pub(super) compressors: usize,
}

impl Default for GzipSettings {
    fn default() -> Self {
        Self { chooses: None, compressors: 64 }
    }
}

impl GzipSettings {
    /// Whether all of these topics are compressed. The caller holds no lock, because the function is the application's.
    pub(super) fn choose_all(&self, topics: &[String]) -> bool {
        self.chooses.as_ref().is_some_and(|chooses| topics.iter().all(|topic| chooses(topic)))
    }
}

impl fmt::Debug for GzipSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipSettings").field("compressors", &self.compressors).finish_non_exhaustive()
    }
}

/// A piece shorter than this is stored. Alone it would shrink little.
const STORED_BYTES: usize = 1024;

/// What the compressed streams of a hub share.
#[derive(Debug)]
pub(crate) struct Gzip {
    pool: Pool,
    pieces: Pieces,
    /// All compressed bytes of the hub.
    held: Arc<AtomicUsize>,
    streams: AtomicUsize,
}

impl Gzip {
    pub(super) fn new(compressors: usize, hub_bytes: usize) -> Self {
        let held = Arc::new(AtomicUsize::new(0));
        let pieces = Pieces::new(held.clone(), hub_bytes);
        Self { pool: Pool::new(compressors), pieces, held, streams: AtomicUsize::new(0) }
    }

    /// The compressed bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) const fn account(&self) -> &Arc<AtomicUsize> {
        &self.held
    }

    pub(super) fn enter(&self) {
        self.streams.fetch_add(1, Ordering::AcqRel);
    }

    /// The last compressed stream releases the compressors.
    pub(super) fn leave(&self) {
        if self.streams.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.pool.clear();
            self.pieces.clear();
        }
    }

    /// Compresses the next events of a topic. The block refers to the blocks before it, unless `is_key` is set or the
    /// compressor of the topic was given away. Returns the block, and whether it refers to nothing.
    pub(super) fn compress(&self, topic: usize, track: u32, is_key: bool, plain: &[u8]) -> (Bytes, bool) {
        let (mut deflater, continues) = self.pool.take(topic, track);
        let is_key = is_key || !continues;
        if is_key {
            deflater.reset();
        }
        match deflater.deflate(plain) {
            Some(block) => {
                self.pool.put(topic, track, deflater);
                (block, is_key)
            }
            // The next block starts with a new compressor.
            None => (blocks::stored(plain), true),
        }
    }

    /// The compressor of a topic that no client uses any more.
    pub(super) fn forget(&self, topic: usize) {
        self.pool.forget(topic);
    }

    /// These events alone, referring to nothing before them.
    pub(super) fn alone(&self, plain: &Bytes) -> Bytes {
        if plain.len() < STORED_BYTES {
            return blocks::stored(plain);
        }
        self.pieces.get(plain, || {
            let (mut deflater, _) = self.pool.take(pool::OF_PIECES, 0);
            deflater.reset();
            let piece = deflater.deflate(plain);
            if piece.is_some() {
                self.pool.put(pool::OF_PIECES, 0, deflater);
            }
            piece.filter(|piece| piece.len() < plain.len()).unwrap_or_else(|| blocks::stored(plain))
        })
    }
}

/// How a stream is encoded. One small number, because every idle stream has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding(u32);

impl Encoding {
    pub(super) const PLAIN: Self = Self(0);
    /// Compressed, and the head of the gzip format is not sent yet.
    pub(super) const NEW: Self = Self(1);
    /// Compressed, and the client has received bytes that other clients have not.
    pub(super) const ALONE: Self = Self(2);
    /// The least number of a track.
    pub(super) const FIRST_TRACK: u32 = 3;

    /// Compressed, and the client has all bytes that the next block of this track refers to.
    pub(super) const fn on(track: u32) -> Self {
        Self(track)
    }

    pub(super) fn is_plain(self) -> bool {
        self == Self::PLAIN
    }

    pub(super) fn is_new(self) -> bool {
        self == Self::NEW
    }

    /// The track that the client is on.
    pub(super) const fn track(self) -> Option<u32> {
        if self.0 < Self::FIRST_TRACK { None } else { Some(self.0) }
    }
}
