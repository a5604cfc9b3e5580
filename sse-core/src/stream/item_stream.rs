//! The streams that a response can send.

use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A stream for [`Sse::stream`](crate::Sse::stream): every [`Stream`] is one.
// A trait of our own, because `Stream` cannot explain itself. It has no supertrait: the compiler would report that instead.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream of events",
    label = "not a `futures_core::Stream`",
    note = "wrap a receiver of tokio with the crate `tokio-stream`: `ReceiverStream::new(receiver)`, `UnboundedReceiverStream`, `BroadcastStream` or `WatchStream`",
    note = "turn an iterator into a stream with `futures_util::stream::iter(iterator)`"
)]
pub trait ItemStream {
    /// What the stream yields.
    type Item;

    #[doc(hidden)]
    fn poll_event(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;
}

#[diagnostic::do_not_recommend]
impl<S: Stream> ItemStream for S {
    type Item = S::Item;

    fn poll_event(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_next(cx)
    }
}
