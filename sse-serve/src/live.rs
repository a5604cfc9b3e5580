//! A stream that left hyper: writes chunks, and reads ahead.

use crate::chunk::BodyChunk;
use crate::service::BoxError;
use crate::trace;
use bytes::Bytes;
use http_body::Body;
use pin_project_lite::pin_project;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes of further requests that a stream holds.
pub(crate) const AHEAD: usize = 8 * 1024;

/// The frames of one poll, so that a fast stream does not keep other tasks waiting.
const FRAMES: usize = 16;

/// How a stream ended.
#[derive(Debug)]
pub(crate) enum End<T> {
    /// The last chunk was written.
    Complete { socket: T, ahead: Bytes },
    /// The client left, or the body failed: the connection is closed without a last chunk.
    Cut,
}

pin_project! {
    /// The state of a stream outside of hyper.
    #[derive(Debug)]
    pub(crate) struct Live<T, B: Body> {
        socket: Option<T>,
        #[pin]
        body: B,
        unsent: Option<Box<BodyChunk<B::Data>>>,
        // Requests that the client sent ahead.
        ahead: Option<Box<Vec<u8>>>,
        read_to_end: bool,
        ended: bool,
    }
}

impl<T, B> Live<T, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: Body<Error: Into<BoxError>>,
{
    /// `ahead` is copied: a few bytes of hyper's buffer would keep all of it.
    pub(crate) fn new(socket: T, ahead: &[&[u8]], body: B) -> Self {
        let ahead = ahead.concat();
        let ahead = (!ahead.is_empty()).then(|| Box::new(ahead));
        Self { socket: Some(socket), body, unsent: None, ahead, read_to_end: false, ended: false }
    }

    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End<T>> {
        if self.as_mut().poll_read_ahead(cx).is_err() {
            return Poll::Ready(End::Cut);
        }
        if ready!(self.as_mut().poll_write(cx)).is_err() {
            return Poll::Ready(End::Cut);
        }
        let this = self.project();
        let ahead = this.ahead.take().map(|ahead| Bytes::from(*ahead)).unwrap_or_default();
        Poll::Ready(this.socket.take().map_or(End::Cut, |socket| End::Complete { socket, ahead }))
    }

    /// Reads until the socket has no more bytes. An error means that the client left.
    ///
    /// If no request is waiting, the end of the client's bytes means that the client left. Otherwise the client may have closed
    /// only its half of the connection, and may still read. A write then fails if the client left. hyper does the same.
    fn poll_read_ahead(self: Pin<&mut Self>, cx: &mut Context<'_>) -> io::Result<()> {
        let this = self.project();
        let Some(socket) = this.socket else { return Ok(()) };
        loop {
            let length = this.ahead.as_ref().map_or(0, |ahead| ahead.len());
            if *this.read_to_end || length >= AHEAD {
                return Ok(());
            }
            let mut buffer = [MaybeUninit::uninit(); 512];
            let mut buffer = ReadBuf::uninit(&mut buffer);
            let mut buffer = buffer.take(AHEAD - length);
            match Pin::new(&mut *socket).poll_read(cx, &mut buffer) {
                Poll::Pending => return Ok(()),
                Poll::Ready(read) => read?,
            }
            match buffer.filled() {
                [] if length == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                [] => *this.read_to_end = true,
                bytes => this.ahead.get_or_insert_default().extend_from_slice(bytes),
            }
        }
    }

    /// Writes until the last chunk is flushed, the body is pending, or the socket takes no more bytes.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut this = self.project();
        let Some(socket) = this.socket else { return Poll::Ready(Ok(())) };
        if let Some(chunk) = this.unsent {
            ready!(chunk.poll_send(cx, socket))?;
            *this.unsent = None;
        }
        for _ in 0..FRAMES {
            if *this.ended {
                // TLS has a buffer of its own.
                return Pin::new(socket).poll_flush(cx);
            }
            let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) else {
                if let Poll::Ready(flushed) = Pin::new(socket).poll_flush(cx) {
                    flushed?;
                }
                return Poll::Pending;
            };
            let frame = match frame.transpose() {
                Ok(frame) => frame,
                Err(error) => {
                    // The client receives the events before the failure.
                    let _ = Pin::new(socket).poll_flush(cx);
                    trace::stream_cut(&*error.into());
                    return Poll::Ready(Err(io::ErrorKind::Other.into()));
                }
            };
            let Some(mut chunk) = next_chunk(frame, this.body.is_end_stream(), this.ended) else { continue };
            match chunk.poll_send(cx, socket) {
                Poll::Ready(sent) => sent?,
                Poll::Pending => {
                    *this.unsent = Some(Box::new(chunk));
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The chunk of a frame, as hyper makes it: no chunk of an empty frame, the last chunk together with the last data, and
/// trailers that no header announced end the body without being sent.
fn next_chunk<D: bytes::Buf>(
    frame: Option<http_body::Frame<D>>,
    is_end: bool,
    ended: &mut bool,
) -> Option<BodyChunk<D>> {
    let data = match frame.map(http_body::Frame::into_data) {
        Some(Ok(data)) => Some(data).filter(bytes::Buf::has_remaining),
        Some(Err(frame)) if frame.is_trailers() => {
            *ended = true;
            return Some(BodyChunk::last());
        }
        Some(Err(_)) => return None,
        None => {
            *ended = true;
            return Some(BodyChunk::last());
        }
    };
    *ended = is_end;
    match (data, is_end) {
        (Some(data), true) => Some(BodyChunk::new(data).and_last()),
        (Some(data), false) => Some(BodyChunk::new(data)),
        (None, true) => Some(BodyChunk::last()),
        (None, false) => None,
    }
}
