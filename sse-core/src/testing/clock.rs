//! A clock that only the test moves.

use crate::request::last_event_id::LastEventId;
use crate::request::policy::Accepted;
use crate::response::options::Sse;
use crate::response::response::Response;
use crate::runtime::runtime::{Random, Runtime, Timer};
use crate::stream::{EventStream, Source};
use crate::testing::Reader;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

/// A clock for tests: a [`Runtime`] whose time moves only by [`Clock::advance`], and whose randomness repeats.
///
/// ```
/// use sse_core::Hub;
/// use sse_core::testing::Clock;
/// use std::time::Duration;
///
/// let clock = Clock::new();
/// let hub = Hub::builder().build_on(clock.clone());
/// let sse = clock.sse().keep_alive(Duration::from_secs(5));
/// let mut client = clock.read(sse.subscribe(&hub, ["news"]).into_response());
/// assert!(client.text().starts_with(":\n")); // the opening block
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(client.text(), ":\n"); // the keep-alive
/// ```
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
    ///
    /// ```
    /// use sse_core::testing::Clock;
    ///
    /// let id = |seed| Clock::seeded([seed; 32]).sse().id();
    /// assert_eq!(id(1), id(1));
    /// assert_ne!(id(1), id(2));
    /// ```
    #[must_use]
    pub fn seeded(seed: [u8; 32]) -> Self {
        // 2026-01-01, so that two runs are equal.
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let time = Time { now: Instant::now(), wall, alarms: BTreeMap::new(), next: 0 };
        Self { inner: Arc::new(ClockInner { random: Random::from_seed(seed), time: Mutex::new(time) }) }
    }

    /// Moves the time on, and wakes the tasks whose deadline has passed.
    ///
    /// ```
    /// use sse_core::Runtime;
    /// use sse_core::testing::Clock;
    /// use std::time::Duration;
    ///
    /// let (clock, second) = (Clock::new(), Duration::from_secs(1));
    /// let before = clock.now();
    /// clock.advance(second);
    /// assert_eq!(clock.now() - before, second);
    /// ```
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
    ///
    /// ```
    /// use sse_core::testing::Clock;
    /// use sse_core::{Hub, LastEventId};
    ///
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let sse = clock.sse_after(LastEventId::Text("of-another-server".into()));
    /// assert!(sse.subscribe(&hub, ["news"]).resumption().is_gap());
    /// ```
    pub fn sse_after(&self, last_event_id: LastEventId) -> Sse<Self> {
        Sse::new(self.clone(), Accepted { last_event_id, is_get: true, names_type: true, accepts_gzip: false })
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
