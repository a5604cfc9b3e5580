//! The socket below hyper: gives hyper the bytes that were read before, limits its reads, and notices flushes.

use crate::live::AHEAD;
use crate::serve::Permit;
use crate::slot::Slot;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug)]
pub(crate) struct Io<T, B> {
    pub(crate) socket: T,
    /// Bytes of the client that hyper has not read yet.
    pub(crate) prefix: Bytes,
    slot: Arc<Slot<B>>,
    /// Held until the socket is closed: after an upgrade the application has this socket, and the task of the connection ends.
    _permit: Option<Permit>,
}

impl<T, B> Io<T, B> {
    pub(crate) const fn new(socket: T, prefix: Bytes, slot: Arc<Slot<B>>, permit: Option<Permit>) -> Self {
        Self { socket, prefix, slot, _permit: permit }
    }
}

impl<T: AsyncRead + Unpin, B> AsyncRead for Io<T, B> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() && buffer.remaining() <= AHEAD {
            return Pin::new(&mut self.socket).poll_read(cx, buffer);
        }
        if self.prefix.is_empty() {
            // hyper reads up to 408 KiB of a body at once. The bytes after the body are further requests, and a stream that leaves
            // hyper holds them until its end.
            let mut limited = ReadBuf::new(buffer.initialize_unfilled_to(AHEAD));
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut limited))?;
            let read = limited.filled().len();
            buffer.advance(read);
            return Poll::Ready(Ok(()));
        }
        let length = self.prefix.len().min(buffer.remaining());
        buffer.put_slice(&self.prefix.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin, B> AsyncWrite for Io<T, B> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.slot.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }
}
