//! The end of a connection. Closing a socket with unread bytes resets the connection, and the client can lose the last chunk.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// The longest time for which the server reads what the client still sends.
const LINGER: Duration = Duration::from_secs(5);

/// The most bytes that the server then reads.
const READ: usize = 256 * 1024;

/// Shuts the connection down, and drops what the client sent after its last request.
pub(crate) struct Closing<T> {
    socket: T,
    is_shut_down: bool,
    /// Whether the client sent bytes that no response answers.
    lingers: bool,
    read: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Closing<T> {
    pub(crate) fn new(socket: T, lingers: bool) -> Self {
        Self { socket, is_shut_down: false, lingers, read: 0, deadline: Box::pin(tokio::time::sleep(LINGER)) }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_close(cx).is_ready() {
            return Poll::Ready(());
        }
        self.deadline.as_mut().poll(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_shut_down {
            if ready!(Pin::new(&mut self.socket).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.is_shut_down = true;
        }
        while self.read < READ {
            let mut buffer = [MaybeUninit::uninit(); 2048];
            let mut buffer = ReadBuf::uninit(&mut buffer);
            match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
                Poll::Pending if self.lingers => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.read += buffer.filled().len();
                    self.lingers = true;
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}
