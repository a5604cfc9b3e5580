//! Another inflater than the one of the server's library, fed chunk by chunk, as a client receives them.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

/// The head of a gzip member without name and time (RFC 1952 2.3).
const HEAD: usize = 10;

pub(crate) struct Inflater {
    head: usize,
    state: Box<InflateState>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { head: 0, state: InflateState::new_boxed(DataFormat::Raw) }
    }

    /// Everything that these bytes decode to, without a byte of what follows them.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        while self.head < HEAD && !bytes.is_empty() {
            let magic = [0x1f, 0x8b, 8, 0];
            assert!(magic.get(self.head).is_none_or(|byte| *byte == bytes[0]), "no gzip head");
            (self.head, bytes) = (self.head + 1, &bytes[1..]);
        }
        let (mut plain, mut out) = (Vec::new(), vec![0; 4 * 1024]);
        loop {
            let result = inflate(&mut self.state, bytes, &mut out, MZFlush::None);
            bytes = &bytes[result.bytes_consumed..];
            plain.extend_from_slice(&out[..result.bytes_written]);
            match result.status {
                Ok(MZStatus::StreamEnd) => {
                    // The checksum and the length of nothing, because only an empty stream has an end.
                    assert_eq!(bytes, [0; 8]);
                    return plain;
                }
                Ok(_) if !bytes.is_empty() || result.bytes_written == out.len() => {}
                Ok(_) | Err(miniz_oxide::MZError::Buf) => return plain,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}
