//! The decoder as a stream of events over a stream of bytes.

use crate::decoder::decoder::Decoder;
use crate::decoder::limits::DecodeError;
use crate::decoder::message_event::MessageEvent;
use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How many chunks without an event are read before other tasks get their turn.
const CHUNKS_PER_POLL: usize = 64;

pin_project! {
    /// The events of a stream of chunks. Made by [`Decoder::decode_stream`].
    ///
    /// It ends when the source ends or fails, and drops it then; a block that the source left unfinished is not
    /// dispatched. A block over a limit is an error in its place, after which events go on. One chunk is held at a time.
    #[must_use = "a stream does nothing until it is polled"]
    pub struct DecodeStream<S>
    where
        S: Stream,
        S::Item: Chunk,
    {
        #[pin]
        source: Option<S>,
        decoder: Decoder,
        chunk: Option<<S::Item as Chunk>::Bytes>,
        // Bytes of the chunk that were decoded.
        read: usize,
    }
}

impl Decoder {
    /// The events of `source`, a stream of [`Chunk`]s: the `bytes_stream()` of a reqwest response, the data stream of a
    /// hyper body, or any stream of [`Bytes`].
    ///
    /// # Examples
    /// ```
    /// # use futures_util::{StreamExt, stream};
    /// use sse_core::Decoder;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let body = stream::iter([Ok("data: ti"), Ok("ck\n\nda"), Err("reset")]);
    /// let mut events = Decoder::new().decode_stream(body);
    /// assert_eq!(events.next().await.expect("an event")?.data, "tick");
    /// assert!(events.next().await.is_some_and(|event| event.is_err()));
    /// assert!(events.next().await.is_none());
    /// # Ok::<(), sse_core::DecodeStreamError<&str>>(())
    /// # }).expect("no error before that event");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn decode_stream<S>(self, source: S) -> DecodeStream<S>
    where
        S: Stream,
        S::Item: Chunk,
    {
        DecodeStream { source: Some(source), decoder: self, chunk: None, read: 0 }
    }
}

impl<S> DecodeStream<S>
where
    S: Stream,
    S::Item: Chunk,
{
    /// The decoder, which knows the last event ID and the reconnection time.
    pub const fn decoder(&self) -> &Decoder {
        &self.decoder
    }
}

impl<S> Stream for DecodeStream<S>
where
    S: Stream,
    S::Item: Chunk,
{
    type Item = Result<MessageEvent<'static>, DecodeStreamError<<S::Item as Chunk>::Error>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        // A source that is always ready must neither deepen the stack nor keep the thread.
        for _ in 0..CHUNKS_PER_POLL {
            if let Some(chunk) = this.chunk {
                let bytes = chunk.as_ref();
                let mut input = bytes.get(*this.read..).unwrap_or_default();
                let decoded = this.decoder.decode(&mut input);
                *this.read = bytes.len() - input.len();
                if let Some(event) = decoded {
                    return Poll::Ready(Some(event.map(MessageEvent::into_owned).map_err(DecodeStreamError::Decode)));
                }
                *this.chunk = None;
            }
            let Some(source) = this.source.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            match ready!(source.poll_next(cx)).map(Chunk::into_result) {
                Some(Ok(bytes)) => {
                    *this.chunk = Some(bytes);
                    *this.read = 0;
                }
                Some(Err(error)) => {
                    this.source.set(None);
                    return Poll::Ready(Some(Err(DecodeStreamError::Source(error))));
                }
                None => this.source.set(None),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S> fmt::Debug for DecodeStream<S>
where
    S: Stream,
    S::Item: Chunk,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodeStream").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}

impl<S> FusedStream for DecodeStream<S>
where
    S: Stream,
    S::Item: Chunk,
{
    fn is_terminated(&self) -> bool {
        self.source.is_none() && self.chunk.is_none()
    }
}

/// Why a [`DecodeStream`] has no event here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeStreamError<E> {
    /// The source of the bytes failed, and the stream has ended: reconnect with
    /// [`last_event_id`](Decoder::last_event_id), after [`reconnection_time`](Decoder::reconnection_time).
    #[error("the source of the event stream failed")]
    Source(#[source] E),
    /// A block was over a limit; the stream goes on with the next one.
    #[error(transparent)]
    Decode(DecodeError),
}

/// What the source of a [`DecodeStream`] yields: bytes, or a `Result` of bytes. Not to be implemented elsewhere.
pub trait Chunk: sealed::Sealed {
    /// The bytes.
    type Bytes: AsRef<[u8]>;
    /// Why there are none; [`Infallible`] for plain bytes.
    type Error;

    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Bytes, Self::Error>;
}

mod sealed {
    /// Sealed, so that further kinds of chunks can be added.
    pub trait Sealed {}
}

impl<B: AsRef<[u8]>, E> sealed::Sealed for Result<B, E> {}

impl<B: AsRef<[u8]>, E> Chunk for Result<B, E> {
    type Bytes = B;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// `Result` would not leave room for all that is `AsRef<[u8]>`, so the common kinds are named.
macro_rules! plain_chunk {
    ($($type:ty),*) => {$(
        impl sealed::Sealed for $type {}

        impl Chunk for $type {
            type Bytes = Self;
            type Error = Infallible;

            fn into_result(self) -> Result<Self, Infallible> {
                Ok(self)
            }
        }
    )*};
}

plain_chunk!(Bytes, Vec<u8>, &[u8]);
