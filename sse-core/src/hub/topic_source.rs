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
        let position = self.cursor.as_mut().and_then(Cursor::position_update);
        position.unwrap_or(Bytes::from_static(KEEP_ALIVE))
    }
}
