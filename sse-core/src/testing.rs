//! Reads a stream event by event, under a clock that stands still until it is told to go on.
//!
//! ```
//! use sse_core::testing::Clock;
//! use std::time::Duration;
//!
//! let clock = Clock::new();
//! let (events, response) = clock.sse().channel();
//! let mut reader = clock.read(response);
//!
//! events.try_send(("tick", "1"))?;
//! assert_eq!(reader.text(), ":\nevent: sse-open\n\nevent: tick\ndata: 1\n\n");
//! clock.advance(Duration::from_secs(15));
//! assert_eq!(reader.text(), ":\n");
//! events.close();
//! assert!(reader.has_ended());
//! # Ok::<(), sse_core::SendError>(())
//! ```

use crate::request::last_event_id::LastEventId;
use crate::request::policy::Accepted;
use crate::response::options::Sse;
use crate::response::response::Response;
use crate::runtime::runtime::{Random, Runtime, Timer};
use crate::stream::EventStream;
use crate::stream::Source;
use bytes::Bytes;
use futures_core::Stream;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant, SystemTime};

/// A clock for tests: a [`Runtime`] whose time moves only by [`Clock::advance`], and whose randomness repeats.
#[derive(Debug, Clone)]
pub struct Clock {
    inner: Arc<ClockInner>,
}

#[derive(Debug)]
struct ClockInner {
    random: Random,
    time: Mutex<Time>,
}

#[derive(Debug)]
struct Time {
    now: Instant,
    wall: SystemTime,
    alarms: BTreeMap<(Instant, u64), Waker>,
    next: u64,
}

impl Clock {
    /// A clock with a fixed seed.
    #[must_use]
    pub fn new() -> Self {
        Self::seeded([0; 32])
    }

    /// A clock whose identifiers, tags and jitter follow from this seed.
    #[must_use]
    pub fn seeded(seed: [u8; 32]) -> Self {
        // 2026-01-01, so that two runs are equal.
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let time = Time { now: Instant::now(), wall, alarms: BTreeMap::new(), next: 0 };
        Self { inner: Arc::new(ClockInner { random: Random::from_seed(seed), time: Mutex::new(time) }) }
    }

    /// Moves the time on, and wakes whoever waited for it.
    pub fn advance(&self, by: Duration) {
        let due = {
            let mut time = self.time();
            time.now += by;
            time.wall += by;
            let now = time.now;
            let later = time.alarms.split_off(&(now, u64::MAX));
            std::mem::replace(&mut time.alarms, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    /// A GET of an `EventSource` that brings no last event ID.
    pub fn sse(&self) -> Sse<Self> {
        self.sse_after(LastEventId::Absent)
    }

    /// A GET of an `EventSource` that brings this last event ID.
    pub fn sse_after(&self, last_event_id: LastEventId) -> Sse<Self> {
        Sse::new(self.clone(), Accepted { last_event_id, is_get: true, names_type: true })
    }

    /// Reads the body of a response.
    pub fn read<S: Source>(&self, response: Response<EventStream<Self, S>>) -> Reader<EventStream<Self, S>> {
        Reader::new(response.into_body())
    }

    fn time(&self) -> std::sync::MutexGuard<'_, Time> {
        self.inner.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for Clock {
    type Timer = Alarm;

    fn now(&self) -> Instant {
        self.time().now
    }

    fn wall(&self) -> SystemTime {
        self.time().wall
    }

    fn timer(&self) -> Alarm {
        Alarm { clock: self.clone(), key: None }
    }

    fn random(&self) -> &Random {
        &self.inner.random
    }
}

/// The timer of a [`Clock`].
#[derive(Debug)]
pub struct Alarm {
    clock: Clock,
    key: Option<(Instant, u64)>,
}

impl Timer for Alarm {
    fn poll_at(mut self: Pin<&mut Self>, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.cancel();
        let waker = cx.waker().clone();
        let mut time = self.clock.time();
        if time.now >= deadline {
            return Poll::Ready(());
        }
        time.next += 1;
        let key = (deadline, time.next);
        time.alarms.insert(key, waker);
        drop(time);
        self.key = Some(key);
        Poll::Pending
    }
}

impl Alarm {
    fn cancel(&mut self) {
        let Some(key) = self.key.take() else { return };
        // Dropped when the lock is free, because a waker may do what it likes then.
        let waker = self.clock.time().alarms.remove(&key);
        drop(waker);
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.cancel();
    }
}

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
