//! Decodes a stream of chunks into a stream of events.

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

/// Chunks without an event that one poll reads. Then the stream yields to other tasks.
const CHUNKS_PER_POLL: usize = 64;

pin_project! {
    /// The events of a stream of chunks, created by [`Decoder::decode_stream`].
    ///
    /// The stream ends when the source ends or fails, and then drops the source. An unfinished block at the end is not
    /// dispatched. A block over a limit is an error in place of its event, and the next events follow. The stream holds
    /// one chunk at a time.
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
        // Decoded bytes of the chunk.
        decoded: usize,
    }
}

impl Decoder {
    /// Decodes the chunks of `source`: the `bytes_stream()` of a reqwest response, the data stream of a hyper body, or any
    /// stream of [`Bytes`], `Vec<u8>` or `&[u8]`, or of a `Result` of bytes.
    ///
    /// After an error of the source, reconnect with [`last_event_id`](Self::last_event_id).
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
        DecodeStream { source: Some(source), decoder: self, chunk: None, decoded: 0 }
    }
}

impl<S> DecodeStream<S>
where
    S: Stream,
    S::Item: Chunk,
{
    /// Returns the decoder, for its last event ID and reconnection time.
    ///
    /// ```
    /// # use futures_util::{StreamExt, stream};
    /// # use sse_core::Decoder;
    /// let mut events = Decoder::new().decode_stream(stream::iter([&b"id: 7\ndata: tick\n\n"[..]]));
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// while let Some(event) = events.next().await {
    ///     println!("{}", event?.data);
    /// }
    /// assert_eq!(events.decoder().last_event_id(), "7");
    /// # Ok::<(), sse_core::DecodeStreamError<std::convert::Infallible>>(())
    /// # }).expect("no error");
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
        // A source that is always ready must not block the other tasks of the thread.
        for _ in 0..CHUNKS_PER_POLL {
            if let Some(chunk) = this.chunk {
                let bytes = chunk.as_ref();
                let mut input = bytes.get(*this.decoded..).unwrap_or_default();
                let event = this.decoder.decode(&mut input);
                *this.decoded = bytes.len() - input.len();
                if let Some(event) = event {
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
                    *this.decoded = 0;
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

/// The error of a [`DecodeStream`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeStreamError<E> {
    /// The source of the bytes failed, and the stream has ended. Wait for the
    /// [`reconnection_time`](Decoder::reconnection_time), then reconnect with the
    /// [`last_event_id`](Decoder::last_event_id).
    #[error("the source of the event stream failed")]
    Source(#[source] E),
    /// A block is over a limit. The stream continues with the next block.
    #[error(transparent)]
    Decode(DecodeError),
}

/// An item of the source of a [`DecodeStream`]: bytes, or a `Result` of bytes. Only this crate implements the trait.
pub trait Chunk: sealed::SealedChunk {
    /// The bytes.
    type Bytes: AsRef<[u8]>;
    /// The error of the source; [`Infallible`] for plain bytes.
    type Error;

    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Bytes, Self::Error>;
}

mod sealed {
    /// Sealed, so that a later version can add kinds of chunks.
    pub trait SealedChunk {}
}

impl<B: AsRef<[u8]>, E> sealed::SealedChunk for Result<B, E> {}

impl<B: AsRef<[u8]>, E> Chunk for Result<B, E> {
    type Bytes = B;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// A blanket implementation for `AsRef<[u8]>` would overlap with the one for `Result`, so the common types are listed.
macro_rules! plain_chunk {
    ($($type:ty),*) => {$(
        impl sealed::SealedChunk for $type {}

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
