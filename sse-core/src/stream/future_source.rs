//! The source of a stream that one future writes.

use super::close_reason::CloseReason;
use super::sender::Sender;
use super::source::{Source, Step, private::Sealed};
use crate::event::error::FrameError;
use pin_project_lite::pin_project;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The result of the future of [`Sse::run`](crate::Sse::run). The operator `?` accepts every error type, and
/// `Err("text".into())` is an error without a type.
pub type RunResult = Result<(), Box<dyn Error + Send + Sync>>;

pin_project! {
    /// The source of [`Sse::run`](crate::Sse::run): a future that sends events by a [`Sender`].
    pub struct FutureSource<W, F> {
        // `None` for a response that opens no stream. Its future never runs.
        events: Option<Sender>,
        // The function that creates the future, until the first poll.
        start: Option<W>,
        #[pin]
        future: Option<F>,
    }
}

impl<W, F> FutureSource<W, F> {
    pub(crate) fn new(work: W, events: Option<Sender>) -> Self {
        let start = events.is_some().then_some(work);
        Self { events, start, future: None }
    }
}

impl<W, F> Sealed for FutureSource<W, F> {}

impl<W, F> Source for FutureSource<W, F>
where
    W: FnOnce(Sender) -> F,
    F: Future<Output = RunResult>,
{
    /// Polls the future. A panic of the future ends the stream as failed, and not the task that serves the connection.
    fn poll_step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if let (Some(work), Some(events)) = (this.start.take(), &this.events) {
                this.future.set(Some(work(events.clone())));
            }
            let result = match this.future.as_mut().as_pin_mut() {
                Some(future) => future.poll(cx),
                None => return Poll::Pending,
            };
            if result.is_ready() {
                this.future.set(None);
            }
            result
        }));
        match polled {
            Ok(Poll::Pending) if this.events.as_ref().is_some_and(Sender::has_pending) => Poll::Ready(Step::Sent),
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => Poll::Ready(Step::End(CloseReason::Finished)),
            Ok(Poll::Ready(Err(error))) => Poll::Ready(Step::Fail(FrameError::Source(error.to_string().into()))),
            Err(panic) => {
                // The drop of a future that panicked may panic too.
                let _ = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
                Poll::Ready(Step::Fail(FrameError::Panic(message(&*panic).into())))
            }
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "a value that is no text",
    }
}

impl<W, F> fmt::Debug for FutureSource<W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureSource").field("started", &self.start.is_none()).finish_non_exhaustive()
    }
}
