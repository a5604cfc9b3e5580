//! The source of channels and subscriptions: the cursor of a subscription, if there is one.

use super::cursor::Cursor;
use crate::stream::source::{KEEP_ALIVE, Source, Step, private::Sealed};
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The events of a subscription's topics. A channel has no cursor, and its events come from its sender alone.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct TopicSource {
    pub(crate) cursor: Option<Cursor>,
}

impl Sealed for TopicSource {}

impl Source for TopicSource {
    fn poll_step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step> {
        self.cursor.as_mut().map_or(Poll::Pending, |cursor| cursor.poll(cx.waker()))
    }

    fn keeps_events(&self) -> bool {
        self.cursor.is_some()
    }

    fn keep_alive(mut self: Pin<&mut Self>) -> Bytes {
        let Some(cursor) = &mut self.cursor else { return Bytes::from_static(KEEP_ALIVE) };
        match cursor.position_update() {
            Some(position) => cursor.encode_own(position),
            None => cursor.encode_keep_alive(KEEP_ALIVE),
        }
    }

    #[cfg(feature = "gzip")]
    fn encode(mut self: Pin<&mut Self>, blocks: Bytes) -> Bytes {
        match &mut self.cursor {
            Some(cursor) => cursor.encode_own(blocks),
            None => blocks,
        }
    }

    #[cfg(feature = "gzip")]
    fn encode_empty(mut self: Pin<&mut Self>) -> Option<Bytes> {
        self.cursor.as_mut()?.encode_empty()
    }
}
