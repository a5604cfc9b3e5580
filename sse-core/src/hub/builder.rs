//! The builder of a hub.

use super::history::History;
use super::id::TagKey;
use super::limits::HubLimits;
use super::log::id_source::IdSource;
use super::{Hub, Inner};
use crate::event::control::is_reserved;
use crate::event::limits::MAX_RETRY;
use crate::runtime::runtime::Runtime;
use crate::runtime::sync::Arc;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Sets the limits of a hub, then builds the hub. Every limit has a default, and no setter fails.
///
/// ```
/// use sse_core::Hub;
/// use std::time::Duration;
///
/// // A server with many clients.
/// let hub = Hub::builder()
///     .topic_bytes(1024 * 1024)
///     .topic_age(Duration::from_secs(600))
///     .hub_bytes(512 * 1024 * 1024)
///     .max_streams(60_000)
///     .max_streams_per_key(5)
///     .drain_retry(Duration::from_secs(2)..=Duration::from_secs(30))
///     .build();
/// assert_eq!(hub.stats().streams, 0);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "the builder does nothing until `build`"]
pub struct HubBuilder {
    limits: HubLimits,
    position_updates: Option<bool>,
}

impl HubBuilder {
    /// Sets the maximum size of the stored events of one topic, in bytes as they are sent: 4 MiB by default.
    ///
    /// At the bound the hub trims the oldest event of the topic. The newest event always stays, whatever its size. The
    /// memory of a topic is at most 32 KiB larger, plus 16 bytes for each event.
    ///
    /// ```
    /// # use sse_core::Hub;
    /// let hub = Hub::builder().topic_bytes(100).build();
    /// for _ in 0..10 {
    ///     hub.publish("news", "x".repeat(20))?; // 42 bytes with `data: ` and the ID
    /// }
    /// assert_eq!(hub.stats().held_events, 2);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub const fn topic_bytes(mut self, bytes: usize) -> Self {
        self.limits.topic_bytes = bytes;
        self
    }

    /// Sets the maximum number of stored events of one topic: no bound by default. 0 counts as 1.
    ///
    /// At the bound the hub trims the oldest event of the topic. A burst larger than this disconnects every subscriber that
    /// is not polled during the burst. Prefer [`topic_bytes`](Self::topic_bytes).
    ///
    /// ```
    /// # use sse_core::Hub;
    /// let hub = Hub::builder().topic_events(2).build();
    /// for n in ["1", "2", "3"] {
    ///     hub.publish("news", n)?;
    /// }
    /// assert_eq!(hub.stats().held_events, 2);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub const fn topic_events(mut self, events: usize) -> Self {
        self.limits.topic_events = events;
        self
    }

    /// Sets the maximum age of a stored event: no bound by default.
    ///
    /// The hub has no timer. Each use of the hub trims a bounded number of expired events, so that no publish waits for a
    /// long trim. An event is trimmed up to 1/64 of the age late. A subscription never starts with an expired event.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # use std::time::Duration;
    /// let clock = Clock::new();
    /// let hub = Hub::builder().topic_age(Duration::from_secs(60)).build_on(clock.clone());
    /// hub.publish("news", "rain")?;
    /// assert_eq!(hub.stats().held_events, 1);
    /// clock.advance(Duration::from_secs(61));
    /// assert_eq!(hub.stats().held_events, 0);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub const fn topic_age(mut self, age: Duration) -> Self {
        self.limits.topic_age = Some(age);
        self
    }

    /// Forgets a topic this long after its [end](Hub::end): no bound by default. The topic and its events are gone, and its name
    /// can be used again.
    ///
    /// A subscriber that has not received everything until then receives a gap in place of the rest, and its stream finishes.
    /// Without this bound an ended topic is kept until other bounds trim its last event or make room for another topic; among
    /// the topics that the hub dropped for room, it knows the last 65,536, and which of them had ended. The bound also holds for
    /// these: their names can be used again.
    ///
    /// The hub has no timer. Each use of the hub forgets at most 32 topics.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # use std::time::Duration;
    /// let clock = Clock::new();
    /// let hub = Hub::builder().ended_topic_age(Duration::from_secs(3600)).build_on(clock.clone());
    /// hub.end("deploy/7", "done")?;
    /// assert!(hub.publish("deploy/7", "late").is_err());
    /// clock.advance(Duration::from_secs(3600));
    /// assert_eq!(hub.stats().topics, 0);
    /// hub.publish("deploy/7", "again")?;
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub const fn ended_topic_age(mut self, age: Duration) -> Self {
        self.limits.ended_topic_age = Some(age);
        self
    }

    /// Sets the maximum size of the stored events of all topics together, in bytes as they are sent: 64 MiB by default.
    ///
    /// At the bound the hub trims its oldest event, of whichever topic. The memory can be twice this size, because trimmed
    /// events stay in memory until their whole segment of 32 KiB is trimmed.
    ///
    /// ```
    /// # use sse_core::Hub;
    /// let hub = Hub::builder().hub_bytes(100).build();
    /// hub.publish("news", "x".repeat(20))?; // 42 bytes with `data: ` and the ID
    /// hub.publish("weather", "x".repeat(20))?;
    /// hub.publish("sport", "x".repeat(20))?;
    /// assert_eq!((hub.stats().held_events, hub.stats().topics), (2, 2));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub const fn hub_bytes(mut self, bytes: usize) -> Self {
        self.limits.hub_bytes = bytes;
        self
    }

    /// Sets the maximum number of topics: 100,000 by default.
    ///
    /// At the bound a new topic replaces an existing one: the hub drops the topic without subscribers and handles whose
    /// newest event is the oldest, and counts it in [`Stats::dropped_topics`](super::Stats::dropped_topics). A client that
    /// resumes there receives a gap.
    ///
    /// If each topic has a subscriber or a [handle](Hub::topic), a publish to a new topic returns
    /// [`PublishError::TooManyTopics`](super::PublishError::TooManyTopics), and a subscription with a new topic is answered
    /// "retry later".
    ///
    /// The hub remembers 65,536 dropped topics. After more, a client may receive a gap although no event is missing.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::PublishError};
    /// let hub = Hub::builder().max_topics(2).build();
    /// for user in ["user/1", "user/2", "user/3"] {
    ///     hub.publish(user, "you have mail")?;
    /// }
    /// let stats = hub.stats();
    /// assert_eq!((stats.topics, stats.dropped_topics, stats.held_events), (2, 1, 2));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub const fn max_topics(mut self, topics: usize) -> Self {
        self.limits.max_topics = topics;
        self
    }

    /// Sets the maximum number of different topics of one stream: 256 by default.
    ///
    /// A subscription with more topics is answered 400 and opens no stream.
    /// [`Subscription::error`](super::Subscription::error) names the limit.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::SubscribeError, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().max_topics_per_stream(2).build_on(clock.clone());
    /// let subscription = clock.sse().subscribe(&hub, ["a", "b", "c"]);
    /// assert_eq!(subscription.error(), Some(&SubscribeError::TooManyTopics(2)));
    /// assert_eq!(subscription.into_response().status(), 400);
    /// ```
    pub const fn max_topics_per_stream(mut self, topics: usize) -> Self {
        self.limits.max_topics_per_stream = topics;
        self
    }

    /// Sets the maximum number of open streams: no bound by default. The next stream is answered "retry later".
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().max_streams(1).build_on(clock.clone());
    /// let first = clock.sse().subscribe(&hub, "news").into_response();
    /// let second = clock.sse().subscribe(&hub, "news").into_response();
    /// assert_eq!((hub.stats().streams, hub.stats().retry_later), (1, 1));
    /// # drop((first, second));
    /// ```
    pub const fn max_streams(mut self, streams: usize) -> Self {
        self.limits.max_streams = streams;
        self
    }

    /// Sets the maximum number of open streams with the same [`Sse::key`](crate::Sse::key): no bound by default. The next
    /// stream is answered "retry later".
    ///
    /// A browser opens six connections to a host over HTTP/1, so 5 streams leave one connection for other requests.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().max_streams_per_key(1).build_on(clock.clone());
    /// let first = clock.sse().key("ann")?.subscribe(&hub, "news").into_response();
    /// let second = clock.sse().key("ann")?.subscribe(&hub, "news").into_response();
    /// let third = clock.sse().key("bob")?.subscribe(&hub, "news").into_response();
    /// assert_eq!((hub.stats().streams, hub.stats().retry_later), (2, 1));
    /// # drop((first, second, third));
    /// # Ok::<(), sse_core::KeyTooLong>(())
    /// ```
    pub const fn max_streams_per_key(mut self, streams: usize) -> Self {
        self.limits.max_streams_per_key = streams;
        self
    }

    /// Sends a gap to a subscriber that lags, and continues its stream. By default the hub ends the stream, so that the
    /// client reconnects and resumes.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().topic_events(1).gap_on_lag().build_on(clock.clone());
    /// let mut reader = clock.read(clock.sse().subscribe(&hub, "news").into_response());
    /// reader.text();
    /// hub.publish("news", "1")?;
    /// hub.publish("news", "2")?; // trims the first event before the subscriber reads it
    /// let text = reader.text();
    /// assert!(text.starts_with("event: gap\n") && text.contains("data: 2\n"));
    /// assert!(!reader.has_ended());
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub const fn gap_on_lag(mut self) -> Self {
        self.limits.lag_ends = false;
        self
    }

    /// Sets the event type of gap events: `gap` by default.
    ///
    /// An empty type and one of [`RESERVED_TYPES`](crate::RESERVED_TYPES) are ignored. A line break becomes a space. No
    /// event of the application may have this type: the publish returns
    /// [`FrameError::ReservedType`](crate::FrameError::ReservedType).
    ///
    /// ```
    /// # use sse_core::{Event, Hub};
    /// let hub = Hub::builder().gap_type("missing").build();
    /// assert!(hub.publish("news", Event::data("x").event("missing")).is_err());
    /// assert!(hub.publish("news", Event::data("x").event("gap")).is_ok());
    /// ```
    pub fn gap_type(mut self, event_type: &str) -> Self {
        if !event_type.is_empty() && !is_reserved(event_type) {
            self.limits.gap_type = event_type.replace(['\r', '\n'], " ").into();
        }
        self
    }

    /// Sets the reconnection time that a subscription sends first: 3 s by default, at most [`MAX_RETRY`](crate::MAX_RETRY).
    ///
    /// A client keeps a reconnection time until it receives another one, also the one that a drain or a "retry later" sent. So
    /// channels and streams of events that belong to the hub send this time too, in a block of its own after the opening
    /// block, if it was set here. By default they send it only in the ten minutes after the last wait of a client that this
    /// hub asked to retry later.
    ///
    /// Each stream draws its own time, evenly between two thirds and four thirds of this time: 2 to 4 s by default. The
    /// clients of a server that crashed then do not all reconnect at the same moment.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # use std::time::Duration;
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().retry(Duration::ZERO).build_on(clock.clone());
    /// let text = clock.read(clock.sse().subscribe(&hub, "news").into_response()).text();
    /// assert!(text.contains("\nretry: 0\n"));
    ///
    /// let (_events, response) = clock.sse().attach(&hub).channel();
    /// assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\nretry: 0\n\n");
    /// ```
    pub const fn retry(mut self, time: Duration) -> Self {
        self.limits.retry = Some(at_most_max(time));
        self
    }

    /// Sets the maximum size of one event, in bytes of the event's values: [`MAX_EVENT_BYTES`](crate::MAX_EVENT_BYTES), 1 MiB, by default. A line
    /// break counts as the bytes of the line that it starts.
    ///
    /// A publish of a larger event returns [`FrameError::TooLarge`](crate::FrameError::TooLarge).
    ///
    /// If you raise this limit, raise [`topic_bytes`](Self::topic_bytes) too: a topic stores only one event that is larger
    /// than its bound. Clients have limits of their own, such as
    /// [`Decoder::max_event_bytes`](crate::Decoder::max_event_bytes). All nodes that follow one log need the same limit.
    ///
    /// ```
    /// # use sse_core::{Event, FrameError, Hub, hub::PublishError};
    /// let hub = Hub::builder().max_event_bytes(4).build();
    /// hub.publish("news", Event::data("1234"))?;
    /// let error = hub.publish("news", Event::data("12345")).unwrap_err();
    /// assert_eq!(error, PublishError::Invalid(FrameError::TooLarge { bytes: 5, limit: 4 }));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub const fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_event_bytes = bytes;
        self
    }

    /// Sends the position of an idle subscription as its keep-alive, so that the client of a quiet topic resumes from a
    /// recent position. Off by default, and on for a hub that follows a [log](super::log).
    ///
    /// A position update is an event of the reserved type `sse-position`. A GET request whose `Accept` header does not name
    /// `text/event-stream` receives a block without data. Other methods receive the usual comment.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # use std::time::Duration;
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().position_updates(true).build_on(clock.clone());
    /// let mut reader = clock.read(clock.sse().subscribe(&hub, "quiet").into_response());
    /// reader.text();
    /// let id = hub.publish("busy", "1")?;
    /// clock.advance(Duration::from_secs(20));
    /// assert_eq!(reader.text(), format!("event: sse-position\nid: {id}\ndata: {{}}\n\n"));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub const fn position_updates(mut self, on: bool) -> Self {
        self.position_updates = Some(on);
        self
    }

    /// Sets how long [`Hub::drain`] waits after its window for streams that do not end: 10 s by default.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}, time::Duration};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().drain_grace(Duration::ZERO).build_on(clock.clone());
    /// let never_polled = clock.sse().subscribe(&hub, "news").into_response();
    /// let mut drained = pin!(hub.drain(Duration::from_secs(5)));
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(drained.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(1));
    /// # drop(never_polled);
    /// ```
    pub const fn drain_grace(mut self, grace: Duration) -> Self {
        self.limits.drain_grace = grace;
        self
    }

    /// Sets the reconnection time of clients whose stream a drain ends, and of clients that are answered "retry later". Each
    /// client gets a time drawn evenly from this range: 1 to 5 s by default, at most [`MAX_RETRY`](crate::MAX_RETRY).
    ///
    /// If many clients were answered "retry later" in the last 10 to 20 s, the end of their range grows, so that about 200
    /// of them return in a second. It grows up to 5 minutes.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # use std::time::Duration;
    /// # let clock = Clock::new();
    /// let minute = Duration::from_secs(60)..=Duration::from_secs(60);
    /// let hub = Hub::builder().max_streams(0).drain_retry(minute).build_on(clock.clone());
    /// let text = clock.read(clock.sse().subscribe(&hub, "news").into_response()).text();
    /// assert!(text.contains("retry: 60000\n"));
    /// ```
    pub const fn drain_retry(mut self, retry: RangeInclusive<Duration>) -> Self {
        self.limits.drain_retry = at_most_max(*retry.start())..=at_most_max(*retry.end());
        self
    }

    /// Compresses the topics that this function chooses, once for all of their clients: none by default. Requires the
    /// feature `gzip`.
    ///
    /// A GET whose `Accept-Encoding` accepts gzip and whose topics are all compressed is answered with
    /// `content-encoding: gzip`. The answers of such topics have `vary: accept-encoding`. Other streams are plain.
    ///
    /// Do not choose a topic in which a secret and text of a stranger are near each other: who sees the sizes of the
    /// encrypted bytes, and can publish text, can guess the secret from them. An example is a room with a token in each
    /// event and with messages of other users.
    ///
    /// The compressed bytes exist while the topic has a client that needs them, and count towards
    /// [`hub_bytes`](Self::hub_bytes).
    ///
    /// The function is called for each subscription, and must give the same answer for the same topic.
    ///
    /// ```
    /// use sse_core::testing::Clock;
    /// use sse_core::{Hub, Policy, Request, Sse};
    ///
    /// let clock = Clock::new();
    /// let hub = Hub::builder().gzip(|topic| topic.starts_with("prices/")).build_on(clock.clone());
    /// let head = |topic| {
    ///     let request = Request::new("GET", None, [("accept-encoding", b"gzip".as_slice())]);
    ///     let sse = Sse::new(clock.clone(), Policy::default().check(&request).unwrap());
    ///     let response = sse.subscribe(&hub, [topic]).into_response();
    ///     response.headers().any(|header| header == ("content-encoding", "gzip"))
    /// };
    /// assert!(head("prices/oil") && !head("mail/ann"));
    /// ```
    #[cfg(feature = "gzip")]
    pub fn gzip(mut self, chooses: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.limits.gzip.chooses = Some(std::sync::Arc::new(chooses));
        self
    }

    /// Sets the maximum number of compressors in memory, of about 300 KiB each: 64 by default. A topic has one from its first
    /// compressed event until its last compressed stream ends.
    ///
    /// With more topics at work, the one that was silent for the longest time lends its compressor. Its next event is then
    /// compressed alone, for all clients.
    ///
    /// ```
    /// let hub = sse_core::Hub::builder().gzip(|_| true).gzip_compressors(8).build();
    /// assert_eq!(hub.stats().compressed_bytes, 0);
    /// ```
    #[cfg(feature = "gzip")]
    pub const fn gzip_compressors(mut self, compressors: usize) -> Self {
        self.limits.gzip.compressors = compressors;
        self
    }

    /// Builds the hub on tokio's clock. The hub needs no tokio runtime until one of its streams is polled.
    ///
    /// ```
    /// let hub = sse_core::Hub::builder().max_streams(1_000).build();
    /// assert!(!hub.is_draining());
    /// ```
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn build(self) -> Hub {
        self.build_on(crate::runtime::tokio::Tokio)
    }

    /// Builds the hub on this runtime.
    ///
    /// ```
    /// use sse_core::{Hub, testing::Clock};
    /// let hub = Hub::builder().build_on(Clock::new());
    /// assert_eq!(hub.stats().topics, 0);
    /// ```
    #[must_use]
    pub fn build_on(self, runtime: impl Runtime) -> Hub {
        let ids = IdSource::Local(TagKey::new(runtime.random().secret()));
        self.build_with(runtime, ids, false)
    }

    pub(super) fn build_with(mut self, runtime: impl Runtime, ids: IdSource, position_updates: bool) -> Hub {
        self.limits.position_updates = self.position_updates.unwrap_or(position_updates);
        Hub { inner: Arc::new(Inner::new(Box::new(runtime), self.limits, History::new(ids))) }
    }
}

/// `Ord::min` is not a `const fn`.
const fn at_most_max(time: Duration) -> Duration {
    if time.as_nanos() > MAX_RETRY.as_nanos() { MAX_RETRY } else { time }
}
