//! The hub, with all of its methods.

use super::builder::HubBuilder;
use super::deferred::Deferred;
use super::drain::Draining;
use super::id::EventId;
use super::inner::Inner;
use super::publish::{PublishError, Topic, check_name};
use super::stats::Stats;
use crate::event::frame::{Frame, IntoFrame};
use crate::runtime::sync::Arc;
use std::fmt;
use std::time::Duration;

/// A history of events with topics, and the streams that follow the topics. Clones share the hub.
///
/// [`Sse::subscribe`](crate::Sse::subscribe) opens a stream, [`publish`](Self::publish) sends an event to every subscriber
/// of a topic, and [`drain`](Self::drain) ends all streams before the server stops.
///
/// ```
/// use sse_core::testing::Clock;
/// use sse_core::{Event, Hub, LastEventId};
///
/// let clock = Clock::new();
/// let hub = Hub::builder().build_on(clock.clone());
/// let rain = hub.publish("news", Event::data("rain").event("article"))?;
/// hub.publish("news", Event::data("sun").event("article"))?;
///
/// // A client that reconnects with the ID of the first event receives the second event.
/// let subscription = clock.sse_after(LastEventId::Text(rain.to_string().into())).subscribe(&hub, ["news"]);
/// let text = clock.read(subscription.into_response()).text();
/// assert!(text.starts_with(":\nevent: sse-position\nretry: ")); // from 2,000 to 4,000 ms
/// assert!(text.contains(&format!("\nid: {rain}\ndata: {{}}\n\nevent: article\ndata: sun\n")));
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
}

impl Hub {
    /// Builds a hub with the default limits, on tokio's clock. [`builder`](Self::builder) changes the limits.
    ///
    /// ```
    /// let hub = sse_core::Hub::new();
    /// assert_eq!(hub.stats().topics, 0);
    /// ```
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn new() -> Self {
        HubBuilder::default().build()
    }

    /// Returns a builder with the default limits.
    ///
    /// ```
    /// let hub = sse_core::Hub::builder().topic_events(1_000).build();
    /// assert_eq!(hub.stats().streams, 0);
    /// ```
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    /// Publishes one event to a topic and returns the event's ID. The call never waits for a subscriber.
    ///
    /// The event is encoded once for all subscribers. The call wakes the subscribers of the topic that wait for an event, at
    /// about 0.1 us for each of them. Of more than 512 subscribers the call wakes 512, and [`Runtime::spawn`] receives a task
    /// that wakes the rest, so the call returns within a fraction of a millisecond. With [`Tokio`](crate::Tokio) this holds in
    /// a runtime of several threads, and in a task of a runtime of one thread. Elsewhere, for example on a thread without a
    /// runtime, the call wakes all.
    ///
    /// [`Runtime::spawn`]: crate::Runtime::spawn
    ///
    /// # Errors
    /// [`PublishError`]. Nothing was published.
    ///
    /// ```
    /// # use sse_core::{Event, Hub, hub::PublishError};
    /// let hub = Hub::new();
    /// let id = hub.publish("news", Event::json(&["rain"]).event("article"))?;
    /// assert!(id < hub.publish("user/7", ("note", "hello"))?);
    /// assert!(matches!(hub.publish("news", Event::data("x").id("7")), Err(PublishError::Invalid(_))));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn publish(&self, topic: impl AsRef<str>, event: impl IntoFrame) -> Result<EventId, PublishError> {
        let block = self.inner.encode(event)?;
        // `as_ref` is code of the caller, so it runs before the lock is taken.
        let topic = topic.as_ref();
        check_name(topic)?;
        self.inner.append(|history, deferred| history.open_topic(&self.inner, topic, deferred), block, false)
    }

    /// Publishes all of these events, each to its topic, or none of them. The events are consecutive in the history.
    ///
    /// A batch larger than the bounds of its topic is trimmed before a subscriber can receive it, and causes gaps or lag.
    ///
    /// # Errors
    /// The [`PublishError`] of the first event that cannot be published. Nothing was published.
    ///
    /// ```
    /// # use sse_core::{Event, Hub, hub::PublishError};
    /// let hub = Hub::new();
    /// let moved = [("from", Event::data("minus 5")), ("to", Event::data("plus 5"))];
    /// assert_eq!(hub.publish_all(moved)?.len(), 2);
    ///
    /// let second_is_wrong = [("from", Event::data("minus 5")), ("to", Event::data("plus 5").event("a\nb"))];
    /// assert!(hub.publish_all(second_is_wrong).is_err());
    /// assert_eq!(hub.stats().published, 2);
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn publish_all<T, E>(&self, events: impl IntoIterator<Item = (T, E)>) -> Result<Vec<EventId>, PublishError>
    where
        T: AsRef<str>,
        E: IntoFrame,
    {
        let inner = &*self.inner;
        let encoded = events.into_iter().map(|(topic, event)| Ok((topic, inner.encode(event)?)));
        let mut encoded = encoded.collect::<Result<Vec<_>, PublishError>>()?;
        // The names are values of the caller: `as_ref` runs before the lock is taken, and their drop after its release.
        let events: Vec<(&str, Vec<u8>)> =
            encoded.iter_mut().map(|(topic, block)| ((*topic).as_ref(), std::mem::take(block))).collect();
        events.iter().try_for_each(|(topic, _)| check_name(topic))?;
        inner.append_all(events)
    }

    /// Checks and encodes an event under the rules of this hub, without publishing it: for one, before a transaction whose
    /// event is published afterwards, or before the event is written to a [log](super::log).
    ///
    /// # Errors
    /// [`PublishError::Invalid`] and [`PublishError::TopicName`], for the events that [`publish`](Self::publish) rejects. The
    /// other errors of a publish are never returned, so a hub that follows a log can check too.
    ///
    /// ```
    /// # use sse_core::{Event, Hub, hub::PublishError};
    /// let hub = Hub::new();
    /// let frame = hub.check("news", Event::data("rain").event("article"))?;
    /// assert_eq!(frame, "event: article\ndata: rain\n\n");
    /// assert_eq!(hub.stats().published, 0);
    /// hub.publish("news", frame)?;
    /// assert!(matches!(hub.check("news", Event::data("x").id("7")), Err(PublishError::Invalid(_))));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn check(&self, topic: impl AsRef<str>, event: impl IntoFrame) -> Result<Frame, PublishError> {
        check_name(topic.as_ref())?;
        Ok(self.inner.check(event, |event| Ok(event.into_frame()))?)
    }

    /// Returns a handle of one topic, which publishes without looking up the name. The hub keeps the topic as long as a
    /// handle exists.
    ///
    /// # Errors
    /// [`PublishError::TopicName`] and [`PublishError::TooManyTopics`].
    ///
    /// ```
    /// # use sse_core::{Hub, hub::PublishError};
    /// let hub = Hub::new();
    /// let ticks = hub.topic("ticks")?;
    /// for n in 0..3 {
    ///     ticks.publish(n.to_string())?;
    /// }
    /// assert_eq!((ticks.name(), hub.stats().held_events), ("ticks", 3));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn topic(&self, name: impl AsRef<str>) -> Result<Topic, PublishError> {
        let name = name.as_ref();
        check_name(name)?;
        Topic::new(self.clone(), name)
    }

    /// The number of subscribers of one topic at this node. A [listener](Self::listen) does not count. A client that left counts until its server drops the body.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let ann = clock.sse().subscribe(&hub, ["news", "weather"]).into_response();
    /// let bob = clock.sse().subscribe(&hub, ["news"]).into_response();
    /// assert_eq!((hub.subscribers("news"), hub.subscribers("weather"), hub.subscribers("sport")), (2, 1, 0));
    /// drop(ann);
    /// assert_eq!((hub.subscribers("news"), hub.subscribers("weather")), (1, 0));
    /// # drop(bob);
    /// ```
    #[must_use]
    pub fn subscribers(&self, topic: impl AsRef<str>) -> usize {
        let topic = self.inner.history.lock().topics.get(topic.as_ref()).cloned();
        topic.map_or(0, |topic| topic.lock().subscribers())
    }

    /// Ends all streams of this hub, spread over the window, so that their clients do not reconnect at the same moment.
    /// From this call on, new requests are answered "retry later". A drain cannot be undone, and a second call changes
    /// nothing.
    ///
    /// A subscription ends at a random moment of the window. Other streams end at the end of the window, so that the
    /// application has until then to send its last events. Each client receives a reconnection time from
    /// [`drain_retry`](HubBuilder::drain_retry) with the end of its stream.
    ///
    /// The future returns 0 when no stream is open, or else the number of open streams once
    /// [`drain_grace`](HubBuilder::drain_grace) has passed after the window. Await it in the shutdown future of the
    /// framework, before the listener closes, so that new requests still receive an answer.
    ///
    /// # Cancel safety
    /// The drain continues if the future is dropped.
    ///
    /// ```
    /// use sse_core::{Hub, testing::Clock};
    /// use std::{pin::pin, time::Duration};
    /// # use std::{future::Future, task::{Context, Poll, Waker}};
    ///
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let mut reader = clock.read(clock.sse().subscribe(&hub, ["news"]).into_response());
    /// reader.text();
    ///
    /// let mut drained = pin!(hub.drain(Duration::from_secs(5)));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// # assert!(drained.as_mut().poll(&mut cx).is_pending());
    /// clock.advance(Duration::from_secs(5));
    /// assert!(reader.text().starts_with("retry: ")); // from 1,000 to 5,000 ms
    /// assert!(reader.has_ended());
    /// # assert_eq!(drained.poll(&mut cx), Poll::Ready(0));
    /// ```
    pub fn drain(&self, window: Duration) -> Draining {
        super::drain::start(&self.inner, window)
    }

    /// Whether [`Hub::drain`] was called.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let hub = sse_core::Hub::new();
    /// assert!(!hub.is_draining());
    /// drop(hub.drain(Duration::ZERO));
    /// assert!(hub.is_draining());
    /// ```
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.registry.is_draining()
    }

    /// Closes every stream with this [key](crate::Sse::key), for one when a login ends, and returns their number. Pending
    /// events are not delivered. The key is free for new streams at once, even if a stream is never polled again.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let mut reader = clock.read(clock.sse().key("ann")?.subscribe(&hub, ["news"]).into_response());
    /// assert_eq!(hub.close_by_key("bob"), 0);
    /// assert_eq!(hub.close_by_key("ann"), 1);
    /// assert!(reader.has_ended());
    /// # Ok::<(), sse_core::KeyTooLong>(())
    /// ```
    pub fn close_by_key(&self, key: impl AsRef<str>) -> usize {
        self.inner.registry.close_by_key(key.as_ref())
    }

    /// Returns the contents and the counters of the hub. The call trims expired events first.
    ///
    /// ```
    /// # use sse_core::Hub;
    /// let hub = Hub::new();
    /// hub.publish("news", "rain")?;
    /// assert_eq!((hub.stats().published, hub.stats().held_events), (1, 1));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = &self.inner;
        let now = inner.now_if_aging();
        let mut deferred = Deferred::default();
        let mut stats = inner.counters.read();
        {
            let mut history = inner.history.lock();
            history.expire(inner, now, &mut deferred);
            let topics = &history.topics;
            (stats.topics, stats.dropped_topics) = (topics.len(), topics.dropped);
            stats.ended_topics = topics.ended();
            (stats.held_events, stats.held_bytes) = (topics.held_events, topics.held_bytes);
        }
        stats.streams = inner.registry.len();
        #[cfg(feature = "gzip")]
        (stats.compressed_bytes = inner.compressed_bytes());
        deferred.run(inner);
        stats
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(feature = "tokio")]
impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}
