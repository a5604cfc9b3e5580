//! The body as a stream of results, for servers that take one.

use super::body::EventStream;
use super::source::Source;
use crate::runtime::runtime::{Runtime, Timer};
use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The error of a body whose stream failed. The server must abort the response, so that the client does not take half an
/// answer for a complete one. Only the application learns the cause, by [`Sse::on_end`](crate::Sse::on_end).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event stream failed, so the response must be aborted")]
pub struct StreamFailed(());

/// For servers whose bodies fail with an error of the operating system.
impl From<StreamFailed> for std::io::Error {
    fn from(error: StreamFailed) -> Self {
        Self::other(error)
    }
}

/// The pause between the last chunk and the error. Servers drop unsent bytes when a body fails, so the last chunk needs time
/// to reach the socket.
const LINGER: Duration = Duration::from_millis(50);

pin_project! {
    /// The body of [`EventStream::into_results`].
    #[must_use = "the client receives nothing until the server has the body"]
    pub struct Results<R: Runtime, S> {
        #[pin]
        pub(super) body: EventStream<R, S>,
    }
}

impl<R: Runtime, S: Source> Stream for Results<R, S> {
    type Item = Result<Bytes, StreamFailed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().body.poll_result(cx)
    }
}

impl<R: Runtime, S> fmt::Debug for Results<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Results").field(&self.body).finish()
    }
}

impl<R: Runtime, S: Source> EventStream<R, S> {
    /// Polls the next chunk. A failed stream over another method than GET yields an error after its last chunk.
    pub(crate) fn poll_result(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamFailed>>> {
        if !self.membership.ended
            && let Some(chunk) = ready!(self.as_mut().poll_next(cx))
        {
            return Poll::Ready(Some(Ok(chunk)));
        }
        let mut this = self.project();
        if !this.membership.aborts {
            return Poll::Ready(None);
        }
        let at = this.keep_alive.linger(this.runtime.now(), LINGER);
        if this.timer.is_none() {
            let timer = this.runtime.timer();
            this.timer.set(Some(timer));
        }
        while this.runtime.now() < at {
            match this.timer.as_mut().as_pin_mut().map(|timer| timer.poll_at(at, cx)) {
                Some(Poll::Ready(())) => {}
                _ => return Poll::Pending,
            }
        }
        this.timer.set(None);
        this.membership.aborts = false;
        Poll::Ready(Some(Err(StreamFailed(()))))
    }
}
