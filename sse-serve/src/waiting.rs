//! A connection that waits for a request. hyper would hold 8 KiB for the wait.

use crate::serve::{ServerState, Stop};
use bytes::Bytes;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// How the wait ended.
pub(crate) enum Arrived<T> {
    /// The client left or sent nothing in time, or the server stops.
    Nothing(T),
    /// A request of HTTP/1.
    Http1(T, Bytes),
    /// The beginning of a connection of HTTP/2.
    #[cfg(feature = "http2")]
    Http2(T, Bytes),
}

/// The state of a connection that waits.
pub(crate) struct WaitingConnection<T> {
    socket: Option<T>,
    start: Vec<u8>,
    /// Created when the socket has no bytes. Most requests are there before the first poll and need no wait, and thousands of
    /// waits at once would leave holes in the heap.
    wait: Option<Box<Wait>>,
}

struct Wait {
    stop: Stop,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Wait {
    fn new(shared: &ServerState) -> Self {
        let deadline = shared.header_read_timeout.map(|limit| Box::pin(tokio::time::sleep(limit)));
        Self { stop: shared.stop(), deadline }
    }

    /// Returns when the server stops, or when the client sent nothing in time.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        self.deadline.as_mut().map_or(Poll::Pending, |deadline| deadline.as_mut().poll(cx))
    }
}

/// The first bytes of a connection of HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl<T: AsyncRead + Unpin> WaitingConnection<T> {
    pub(crate) const fn new(socket: T) -> Self {
        Self { socket: Some(socket), start: Vec::new(), wait: None }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, shared: &ServerState) -> Poll<Option<Arrived<T>>> {
        let Some(socket) = &mut self.socket else { return Poll::Ready(None) };
        if shared.is_stopping() {
            return Poll::Ready(self.socket.take().map(Arrived::Nothing));
        }
        loop {
            // A socket that is reported as readable can have no bytes. So the first read is here, with a buffer on the stack.
            let mut buffer = [MaybeUninit::uninit(); 2048];
            let mut buffer = ReadBuf::uninit(&mut buffer);
            match Pin::new(&mut *socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(self.socket.take().map(Arrived::Nothing)),
                Poll::Pending => {
                    ready!(self.wait.get_or_insert_with(|| Box::new(Wait::new(shared))).poll(cx));
                    return Poll::Ready(self.socket.take().map(Arrived::Nothing));
                }
            }
            self.start.extend_from_slice(buffer.filled());
            let is_end = buffer.filled().is_empty();
            let may_be_http2 = self.start.len() < PREFACE.len() && PREFACE.starts_with(&self.start);
            if cfg!(feature = "http2") && may_be_http2 && !is_end {
                continue;
            }
            let start = Bytes::from(std::mem::take(&mut self.start));
            return Poll::Ready(self.socket.take().map(|socket| arrived(socket, start)));
        }
    }
}

fn arrived<T>(socket: T, start: Bytes) -> Arrived<T> {
    #[cfg(feature = "http2")]
    if start.starts_with(PREFACE) {
        return Arrived::Http2(socket, start);
    }
    if start.is_empty() { Arrived::Nothing(socket) } else { Arrived::Http1(socket, start) }
}
