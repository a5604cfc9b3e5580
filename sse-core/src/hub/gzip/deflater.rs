//! A compressor: raw deflate whose output ends at a byte after each run.

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use std::fmt;

/// The level of zlib.
const LEVEL: u32 = 6;

/// The buffer for the output keeps at most this capacity.
const KEPT_BYTES: usize = 64 * 1024;

/// Has about 300 KiB of memory: the window and its tables.
pub(super) struct Deflater {
    deflate: Compress,
    out: Vec<u8>,
}

impl Deflater {
    pub(super) fn new() -> Self {
        Self { deflate: Compress::new(Compression::new(LEVEL), false), out: Vec::new() }
    }

    /// Forgets what it compressed, so that the next block refers to nothing.
    pub(super) fn reset(&mut self) {
        self.deflate.reset();
    }

    /// Compresses these bytes. The result can be decoded at once, and ends with an empty stored block. `None` if the
    /// compressor failed; it cannot be used again.
    pub(super) fn deflate(&mut self, plain: &[u8]) -> Option<Bytes> {
        self.out.clear();
        let mut rest = plain;
        loop {
            // More than the result needs, so that one call is enough.
            self.out.reserve(rest.len() + rest.len() / 8 + 64);
            let before = self.deflate.total_in();
            self.deflate.compress_vec(rest, &mut self.out, FlushCompress::Sync).ok()?;
            rest = rest.get((self.deflate.total_in() - before) as usize..)?;
            if rest.is_empty() && self.out.len() < self.out.capacity() {
                break;
            }
        }
        let block = Bytes::copy_from_slice(&self.out);
        if self.out.capacity() > KEPT_BYTES {
            self.out = Vec::new();
        }
        Some(block)
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}
