//! The body that hyper receives: the service's own, or a placeholder for a body that leaves hyper.

use crate::slot::Slot;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pin_project! {
    #[project = Projected]
    pub(crate) enum Answer<B> {
        Whole { #[pin] body: B },
        // Stays pending, so hyper writes the head and nothing else.
        Placeholder { slot: Arc<Slot<B>> },
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project() {
            Projected::Whole { body } => body.poll_frame(cx),
            Projected::Placeholder { slot } => {
                slot.arm();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { body } => body.is_end_stream(),
            Self::Placeholder { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { body } => body.size_hint(),
            Self::Placeholder { .. } => SizeHint::default(),
        }
    }
}
