//! One chunk of RFC 9112 7.1 on its way to the socket.

use bytes::Buf;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// A chunk up to this size is copied and leaves as one piece, because `writev` costs more than the copy.
const COPIED: usize = 1024;

/// The head of a chunk: up to 16 digits, CR, LF.
const HEAD: usize = 18;

/// The most slices of one write: head, tail, and parts of the data.
const SLICES: usize = 8;

/// A chunk's size line, its data, and the bytes after the data, as far as they are unsent.
#[derive(Debug)]
pub(crate) struct BodyChunk<D> {
    head: [u8; HEAD],
    sent: u8,
    length: u8,
    data: Option<D>,
    tail: &'static [u8],
}

impl<D: Buf> BodyChunk<D> {
    /// A chunk with data, which must not be empty.
    pub(crate) fn new(data: D) -> Self {
        let mut head = [0; HEAD];
        let mut rest = &mut head[..];
        // 18 bytes have room for every size.
        let _ = write!(rest, "{:X}\r\n", data.remaining());
        let length = u8::try_from(HEAD - rest.len()).unwrap_or_default();
        Self { head, sent: 0, length, data: Some(data), tail: b"\r\n" }
    }

    /// Appends the last chunk.
    pub(crate) fn and_last(self) -> Self {
        Self { tail: b"\r\n0\r\n\r\n", ..self }
    }

    /// The chunk that ends the body.
    pub(crate) const fn last() -> Self {
        Self { head: [0; HEAD], sent: 0, length: 0, data: None, tail: b"0\r\n\r\n" }
    }

    fn head(&self) -> &[u8] {
        self.head.get(self.sent.into()..self.length.into()).unwrap_or_default()
    }

    fn unsent_data(&self) -> usize {
        self.data.as_ref().map_or(0, Buf::remaining)
    }

    /// Writes the unsent bytes.
    pub(crate) fn poll_send<T: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut T,
    ) -> Poll<io::Result<()>> {
        loop {
            let unsent = self.head().len() + self.unsent_data() + self.tail.len();
            if unsent == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut slices = [IoSlice::new(b""); SLICES];
            let count = self.slices(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            let mut copy = [0; COPIED];
            let written = match slices {
                [one] => Pin::new(&mut *socket).poll_write(cx, one),
                many if unsent > COPIED && socket.is_write_vectored() => {
                    Pin::new(&mut *socket).poll_write_vectored(cx, many)
                }
                [first, ..] if first.len() >= COPIED => Pin::new(&mut *socket).poll_write(cx, first),
                many => {
                    let length = gather(many, &mut copy);
                    Pin::new(&mut *socket).poll_write(cx, copy.get(..length).unwrap_or_default())
                }
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
        }
    }

    /// The unsent bytes in order, and the number of slices. Data in many parts may not fit.
    fn slices<'s>(&'s self, slices: &mut [IoSlice<'s>; SLICES]) -> usize {
        let mut count = 0;
        if let (false, Some(free)) = (self.head().is_empty(), slices.get_mut(count)) {
            *free = IoSlice::new(self.head());
            count += 1;
        }
        let mut found = 0;
        if let (Some(data), Some(free)) = (&self.data, slices.get_mut(count..SLICES - 1)) {
            let parts = data.chunks_vectored(free);
            found = free.iter().take(parts).map(|part| part.len()).sum();
            count += parts;
        }
        let is_complete = found == self.unsent_data() && !self.tail.is_empty();
        if let (true, Some(free)) = (is_complete, slices.get_mut(count)) {
            *free = IoSlice::new(self.tail);
            count += 1;
        }
        count
    }

    fn advance(&mut self, written: usize) {
        let of_head = written.min(self.head().len());
        self.sent += u8::try_from(of_head).unwrap_or_default();
        let of_data = (written - of_head).min(self.unsent_data());
        if let Some(data) = &mut self.data {
            data.advance(of_data);
        }
        self.tail = self.tail.get(written - of_head - of_data..).unwrap_or_default();
    }
}

/// Copies the beginning of the slices, and returns its length.
fn gather(slices: &[IoSlice<'_>], copy: &mut [u8; COPIED]) -> usize {
    let mut rest = &mut copy[..];
    for slice in slices {
        // Writes as much as fits.
        if rest.write(slice).is_ok_and(|written| written < slice.len()) {
            break;
        }
    }
    COPIED - rest.len()
}
