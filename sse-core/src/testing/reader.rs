//! A reader of bytes without a runtime.

use bytes::Bytes;
use futures_core::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Reads the available bytes of a stream, without a runtime and without waiting. Dropping the reader has the effect of a
/// client that leaves.
///
/// ```
/// use sse_core::testing::Clock;
///
/// let clock = Clock::new();
/// let (events, response) = clock.sse().channel();
/// let mut client = clock.read(response);
/// client.text(); // the opening block
/// events.try_send("hello")?;
/// assert_eq!(client.wakes(), 1);
/// assert_eq!(client.text(), "data: hello\n\n");
///
/// events.finish();
/// assert!(client.text().contains("event: sse-end\n"));
/// assert!(client.has_ended());
/// # Ok::<(), sse_core::SendError>(())
/// ```
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

    /// All available bytes.
    pub fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Poll::Ready(Some(chunk)) = self.poll() {
            bytes.extend_from_slice(&chunk);
        }
        bytes
    }

    /// All available bytes, as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Reads all available bytes, and returns whether the stream has ended.
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
