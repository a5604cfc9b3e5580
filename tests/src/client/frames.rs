//! HTTP/2 at the level of frames, which a client library hides.

use super::Request;
use crate::{Failure, Target};
use std::io::{Read, Write};
use std::net::TcpStream;

/// A frame on the request's stream (RFC 9113 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// Bytes of the body: their number, and whether they end the stream.
    Data(usize, bool),
    /// A head, and whether the stream ends here.
    Headers(bool),
    /// The stream was reset.
    Reset,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;

/// Sends one request on a new connection, and returns the frames of the answer up to the end.
///
/// # Errors
/// The answer does not end within 30 s.
pub fn frames(target: &Target, request: &Request) -> Result<Vec<Frame>, Failure> {
    let mut socket = TcpStream::connect(target.address())?;
    socket.set_read_timeout(Some(crate::target::patience()))?;
    socket.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())?;
    // END_HEADERS and END_STREAM, on stream 1.
    socket.write_all(&frame(HEADERS, 0x5, 1, &headers(request)))?;

    let mut seen = Vec::new();
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head)?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        socket.read_exact(&mut payload)?;
        let ends = flags & 1 != 0;
        match (u32::from_be_bytes([s0, s1, s2, s3]), kind) {
            (0, SETTINGS) if !ends => socket.write_all(&frame(SETTINGS, 1, 0, &[]))?,
            (1, 0) => seen.push(Frame::Data(payload.len(), ends)),
            (1, HEADERS) => seen.push(Frame::Headers(ends)),
            (1, 3) => seen.push(Frame::Reset),
            _ => {}
        }
        if matches!(seen.last(), Some(Frame::Data(_, true) | Frame::Headers(true) | Frame::Reset)) {
            return Ok(seen);
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Writes each field as a literal outside of the table (RFC 7541 6.2.2). Every text here is short enough for a length
/// of one byte.
fn headers(request: &Request) -> Vec<u8> {
    let pseudo =
        [(":method", &*request.method), (":scheme", "http"), (":path", &*request.path), (":authority", "test")];
    let pseudo = pseudo.map(|(name, value)| (name, value.as_bytes()));
    let own = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let text = |text: &[u8]| [&[text.len().min(126) as u8], &text[..text.len().min(126)]].concat();
    pseudo
        .into_iter()
        .chain(own)
        .flat_map(|(name, value)| [vec![0], text(name.as_bytes()), text(value)].concat())
        .collect()
}
