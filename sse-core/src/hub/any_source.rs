//! One type for every source, so that two branches of a handler have one type.

use super::topic_source::TopicSource;
use crate::event::frame::IntoFrame;
use crate::response::response::Response;
use crate::runtime::runtime::Runtime;
use crate::stream::source::{Source, Step, StreamSource, private::Sealed};
use crate::stream::{EventStream, FutureSource, ItemStream, RunResult, Sender};
use bytes::Bytes;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The source of a channel, a subscription or a stream of events. Only the last needs an allocation of its own. `D` is
/// `dyn Source`, with the bounds that a framework asks of a body.
#[doc(hidden)]
#[expect(clippy::exhaustive_enums, reason = "made by the adapters alone")]
pub enum AnySource<D: ?Sized = dyn Source + Send> {
    Topics(TopicSource),
    Stream(Pin<Box<D>>),
}

impl<D: Source + ?Sized> Sealed for AnySource<D> {}

impl<D: Source + ?Sized> Source for AnySource<D> {
    fn poll_step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        match self.get_mut() {
            Self::Topics(topics) => Pin::new(topics).poll_step(cx),
            Self::Stream(stream) => stream.as_mut().poll_step(cx),
        }
    }

    fn keeps_events(&self) -> bool {
        match self {
            Self::Topics(topics) => topics.keeps_events(),
            Self::Stream(stream) => stream.keeps_events(),
        }
    }

    fn keep_alive(self: Pin<&mut Self>) -> Bytes {
        match self.get_mut() {
            Self::Topics(topics) => Pin::new(topics).keep_alive(),
            Self::Stream(stream) => stream.as_mut().keep_alive(),
        }
    }

    #[cfg(feature = "gzip")]
    fn encode(self: Pin<&mut Self>, blocks: Bytes) -> Bytes {
        match self.get_mut() {
            Self::Topics(topics) => Pin::new(topics).encode(blocks),
            Self::Stream(_) => blocks,
        }
    }

    #[cfg(feature = "gzip")]
    fn encode_empty(self: Pin<&mut Self>) -> Option<Bytes> {
        match self.get_mut() {
            Self::Topics(topics) => Pin::new(topics).encode_empty(),
            Self::Stream(_) => None,
        }
    }
}

impl<D: ?Sized> From<TopicSource> for AnySource<D> {
    fn from(topics: TopicSource) -> Self {
        Self::Topics(topics)
    }
}

impl<S: ItemStream<Item: IntoFrame> + Send + 'static> From<StreamSource<S>> for AnySource<dyn Source + Send> {
    fn from(stream: StreamSource<S>) -> Self {
        Self::Stream(Box::pin(stream))
    }
}

impl<W, F> From<FutureSource<W, F>> for AnySource<dyn Source + Send>
where
    W: FnOnce(Sender) -> F + Send + 'static,
    F: Future<Output = RunResult> + Send + 'static,
{
    fn from(future: FutureSource<W, F>) -> Self {
        Self::Stream(Box::pin(future))
    }
}

impl<D: ?Sized> fmt::Debug for AnySource<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topics(_) => "Topics",
            Self::Stream(_) => "Stream",
        })
    }
}

impl<R: Runtime, S> Response<EventStream<R, S>> {
    /// The same response with the type that the responses of channels and subscriptions share.
    #[doc(hidden)]
    pub fn erase<D: ?Sized>(self) -> Response<EventStream<R, AnySource<D>>>
    where
        S: Into<AnySource<D>>,
    {
        self.map(|body| body.map_source(Into::into))
    }
}
