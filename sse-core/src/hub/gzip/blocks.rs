//! The parts of a gzip stream that need no compressor (RFC 1951 3.2.4, RFC 1952 2.3).

use bytes::Bytes;

/// The head of a gzip member: deflate, no name, no time, unknown system.
pub(crate) const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A whole gzip member without bytes: the head, a last block, the checksum and the length.
pub(crate) const EMPTY: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A stored block without bytes. It decodes to nothing and changes nothing that a later block can refer to.
pub(crate) const NOTHING: &[u8] = &[0, 0, 0, 0xff, 0xff];

/// The bytes of the block header and the two lengths.
const STORED_HEAD: usize = 5;

/// Appends these bytes in stored blocks.
pub(crate) fn write_stored(out: &mut Vec<u8>, plain: &[u8]) {
    for part in plain.chunks(usize::from(u16::MAX)) {
        let len = part.len() as u16;
        out.push(0);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(part);
    }
}

/// The size of these many bytes in stored blocks.
pub(crate) const fn stored_len(plain: usize) -> usize {
    plain + plain.div_ceil(u16::MAX as usize) * STORED_HEAD
}

/// These bytes in stored blocks.
pub(crate) fn stored(plain: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(stored_len(plain.len()));
    write_stored(&mut out, plain);
    out.into()
}
