//! Decompresses a body as its bytes arrive (RFC 1951, RFC 1952).

use crate::Failure;
use flate2::{Decompress, FlushDecompress, Status};

/// A stream in the gzip format, of which a part has arrived.
#[derive(Debug)]
pub(super) struct Gunzip {
    /// Bytes of the head, until it is complete.
    head: Option<Vec<u8>>,
    inflate: Decompress,
    /// The compressed data have ended, and the trailer follows.
    ended: bool,
}

impl Gunzip {
    pub(super) fn new() -> Self {
        Self { head: Some(Vec::new()), inflate: Decompress::new(false), ended: false }
    }

    /// Everything that these bytes decode to.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut rest = bytes.to_vec();
        if let Some(mut head) = self.head.take() {
            head.append(&mut rest);
            match end_of_head(&head)? {
                Some(end) => rest = head.split_off(end),
                None => {
                    self.head = Some(head);
                    return Ok(Vec::new());
                }
            }
        }
        let (mut plain, mut rest) = (Vec::new(), rest.as_slice());
        while !self.ended {
            plain.reserve(4096);
            let (before_in, before_out) = (self.inflate.total_in(), plain.len());
            let status = self.inflate.decompress_vec(rest, &mut plain, FlushDecompress::Sync);
            let status = status.map_err(|error| Failure::new(format_args!("the body is not gzip: {error}")))?;
            self.ended = status == Status::StreamEnd;
            rest = &rest[(self.inflate.total_in() - before_in) as usize..];
            if rest.is_empty() && plain.len() < plain.capacity()
                || plain.len() == before_out && status == Status::BufError
            {
                break;
            }
        }
        Ok(plain)
    }
}

/// The end of the head of a gzip member, if all of the head is there.
fn end_of_head(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    if bytes.iter().zip(MAGIC).any(|(byte, magic)| *byte != magic) {
        return Err(Failure::new("the body does not start as gzip"));
    }
    let Some(flags) = bytes.get(3) else { return Ok(None) };
    let mut end = 10;
    if flags & 4 != 0 {
        let Some(&[low, high]) = bytes.get(end..end + 2) else { return Ok(None) };
        end += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let rest = bytes.get(end..).unwrap_or_default();
            let Some(zero) = rest.iter().position(|byte| *byte == 0) else { return Ok(None) };
            end += zero + 1;
        }
    }
    if flags & 2 != 0 {
        end += 2;
    }
    Ok((bytes.len() >= end).then_some(end))
}
