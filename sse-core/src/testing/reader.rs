//! A reader of bytes without a runtime.

use bytes::Bytes;
use futures_core::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Reads a stream of bytes without a runtime: what is there now, and no waiting. Dropping it is the client leaving.
#[derive(Debug)]
pub struct Reader<B> {
    body: Pin<Box<B>>,
    wakes: Arc<Wakes>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl<B: Stream<Item = Bytes>> Reader<B> {
    /// Reads this body.
    #[must_use]
    pub fn new(body: B) -> Self {
        Self { body: Box::pin(body), wakes: Arc::default(), ended: false }
    }

    /// One poll: the next chunk, `None` at the end of the stream, or pending.
    pub fn poll(&mut self) -> Poll<Option<Bytes>> {
        let waker = Waker::from(self.wakes.clone());
        let polled = self.body.as_mut().poll_next(&mut Context::from_waker(&waker));
        self.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    /// All bytes that are there now.
    pub fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Poll::Ready(Some(chunk)) = self.poll() {
            bytes.extend_from_slice(&chunk);
        }
        bytes
    }

    /// All bytes that are there now, as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Whether the stream has ended, once all that was there has been read.
    pub fn has_ended(&mut self) -> bool {
        while let Poll::Ready(Some(_)) = self.poll() {}
        self.ended
    }

    /// How often the task that reads this was woken so far.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }
}
