//! Finds the end of an HTTP/1 body, and removes the framing.

use crate::Failure;
use crate::failure::show;

/// How a body is framed (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// This many bytes remain.
    Length(usize),
    /// Chunked; this many bytes of the current chunk remain.
    Chunked(usize),
    /// The body ends with the connection.
    UntilClose,
    /// The body has ended.
    Ended,
}

impl Framing {
    /// Moves the readable part of the body from the bytes of the wire to the bytes of the body.
    pub(crate) fn decode(&mut self, wire: &mut Vec<u8>, body: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            match *self {
                Self::Length(left) => {
                    let taken = left.min(wire.len());
                    body.extend(wire.drain(..taken));
                    *self = if left == taken { Self::Ended } else { Self::Length(left - taken) };
                    return Ok(());
                }
                Self::UntilClose => {
                    body.append(wire);
                    return Ok(());
                }
                Self::Ended => return Ok(()),
                Self::Chunked(0) => {
                    let Some(end) = wire.windows(2).position(|pair| pair == b"\r\n") else { return Ok(()) };
                    let line = String::from_utf8_lossy(&wire[..end]).into_owned();
                    let size = usize::from_str_radix(line.trim(), 16);
                    let size = size.map_err(|_| Failure::new(format_args!("no size of a chunk: {}", show(wire))))?;
                    if size == 0 {
                        if wire.len() < end + 4 {
                            return Ok(());
                        }
                        wire.drain(..end + 4);
                        *self = Self::Ended;
                    } else {
                        wire.drain(..end + 2);
                        // The count includes the line break after the chunk.
                        *self = Self::Chunked(size + 2);
                    }
                }
                Self::Chunked(left) => {
                    if wire.is_empty() {
                        return Ok(());
                    }
                    let taken = left.min(wire.len());
                    let data = taken.min(left.saturating_sub(2));
                    body.extend_from_slice(&wire[..data]);
                    wire.drain(..taken);
                    *self = Self::Chunked(left - taken);
                }
            }
        }
    }
}
