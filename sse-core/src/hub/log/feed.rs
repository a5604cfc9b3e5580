//! The feed: the only writer of a hub that follows a log.

use super::change::LogChange;
use super::handle::LogHandle;
use super::id_source::IdSource;
use crate::event::error::FrameError;
use crate::event::frame::IntoFrame;
use crate::hub::deferred::Deferred;
use crate::hub::{EventId, Hub, HubBuilder};
use crate::runtime::runtime::Runtime;

/// Builds a hub that follows a log, and the feed that writes to the hub, on tokio's clock.
///
/// [`Hub::publish`] of such a hub returns [`PublishError::Followed`](crate::hub::PublishError::Followed): publish to the
/// log instead. [`HubBuilder::position_updates`] is on by default.
///
/// ```
/// use sse_core::{Event, Hub};
/// use sse_core::hub::{EventId, log};
///
/// let (hub, mut feed) = log::follow(Hub::builder().topic_events(1));
/// feed.append(EventId::new((1, 0), 7), "news", Event::data("rain"))?;
/// feed.append(EventId::new((2, 0), 7), "news", Event::data("sun"))?;
/// assert_eq!(hub.stats().held_events, 1);
/// # Ok::<(), log::LogFeedError>(())
/// ```
#[cfg(feature = "tokio")]
#[must_use = "without the feed the hub stays empty"]
pub fn follow(builder: HubBuilder) -> (Hub, LogFeed) {
    follow_on(builder, crate::runtime::tokio::Tokio)
}

/// Builds a hub that follows a log, and the feed that writes to the hub, on this runtime. [`follow`] uses tokio.
///
/// ```
/// use sse_core::Hub;
/// use sse_core::hub::log;
/// use sse_core::testing::Clock;
///
/// let (hub, feed) = log::follow_on(Hub::builder(), Clock::new());
/// assert_eq!((hub.stats().published, feed.newest()), (0, None));
/// ```
#[must_use = "without the feed the hub stays empty"]
pub fn follow_on(builder: HubBuilder, runtime: impl Runtime) -> (Hub, LogFeed) {
    let hub = builder.build_with(runtime, IdSource::log(), true);
    let feed = LogFeed { hub: hub.clone() };
    (hub, feed)
}

/// Writes the entries of a log to the hub that follows the log. Each hub has one feed.
///
/// The log gives the event IDs, which must ascend. The hub knows an ID that a client brings if it is one of the newest
/// 65,536 IDs, or the ID of a stored event of the client's topics. An older ID is found by its position, whatever its tag,
/// so that a client of a quiet topic receives no gap because of a busy one. An older ID inside a truncated part is unknown.
/// The client of an unknown ID receives a gap.
///
/// ```
/// use sse_core::{Event, Hub, LastEventId};
/// use sse_core::hub::{EventId, log};
/// use sse_core::testing::Clock;
///
/// let clock = Clock::new();
/// let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
/// let rain = EventId::new((1692632086370, 0), 7);
/// feed.append(rain, "news", Event::data("rain"))?;
/// feed.append(EventId::new((1692632086371, 0), 7), "news", Event::data("sun"))?;
///
/// let client = clock.sse_after(LastEventId::Text(rain.to_string().into())).subscribe(&hub, ["news"]);
/// assert_eq!(client.resumption().as_str(), "resumed");
/// assert!(clock.read(client.into_response()).text().ends_with("data: sun\nid: 1692632086371-00000007\n\n"));
/// # Ok::<(), log::LogFeedError>(())
/// ```
#[derive(Debug)]
pub struct LogFeed {
    pub(super) hub: Hub,
}

/// A change that the hub rejected. The hub is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFeedError {
    /// The first ID is not after the newest ID, which is the second. Call [`LogFeed::truncate`] or [`LogFeed::reset`]
    /// before you append an earlier ID.
    #[error("the ID {0} is not after the newest ID {1}: call `truncate` or `reset` before an earlier ID")]
    OutOfOrder(EventId, EventId),
    /// The hub does not remember this ID. Call [`LogFeed::reset`] instead.
    #[error("the hub does not remember the ID {0}: call `reset` instead of `truncate`")]
    Unknown(EventId),
    /// The event cannot be sent. Skip the entry with [`LogFeed::advance`].
    #[error(transparent)]
    Invalid(#[from] FrameError),
    /// The name of the topic is longer than [`MAX_TOPIC_BYTES`](crate::hub::MAX_TOPIC_BYTES). Skip the entry with
    /// [`LogFeed::advance`].
    #[error("the topic name has {0} bytes, and the limit is {limit}", limit = crate::hub::MAX_TOPIC_BYTES)]
    TopicName(usize),
    /// The topic has [ended](LogFeed::end). Skip the entry with [`LogFeed::advance`].
    #[error("the topic has ended")]
    Ended,
    /// The topic is a state topic, whose entries have keys. Skip the entry with [`LogFeed::advance`].
    #[error("the topic is a state topic, whose entries have keys")]
    State,
    /// The entry has a key, and the topic has events without keys. Skip the entry with [`LogFeed::advance`].
    #[error("the entry has a key, and the topic has events without keys")]
    NotState,
    /// The key is longer than [`MAX_STATE_KEY_BYTES`](crate::hub::MAX_STATE_KEY_BYTES). Skip the entry with
    /// [`LogFeed::advance`].
    #[error("the key has {0} bytes, and the limit is {limit}", limit = crate::hub::MAX_STATE_KEY_BYTES)]
    StateKey(usize),
}

impl LogFeed {
    /// Appends the next entry of the log to a topic.
    ///
    /// At [`max_topics`](HubBuilder::max_topics) a new topic replaces a topic without subscribers. If each topic has a
    /// subscriber, the hub trims the event of the new topic at once: a client that subscribes to the new topic with an
    /// older ID receives a gap.
    ///
    /// # Errors
    /// - [`LogFeedError::OutOfOrder`] if the ID is not after [`newest`](Self::newest).
    /// - [`LogFeedError::Invalid`] if the event cannot be sent.
    /// - [`LogFeedError::TopicName`] if the name of the topic is too long.
    /// - [`LogFeedError::Ended`] if the topic has ended.
    /// - [`LogFeedError::State`] if the topic is a state topic.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (hub, mut feed) = log::follow(Hub::builder());
    /// let (first, second) = (EventId::new((1, 0), 7), EventId::new((2, 0), 7));
    /// feed.append(second, "news", "rain")?;
    /// assert_eq!(feed.append(first, "news", "sun"), Err(log::LogFeedError::OutOfOrder(first, second)));
    /// assert_eq!(hub.stats().held_events, 1);
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn append(&mut self, id: EventId, topic: &str, event: impl IntoFrame) -> Result<(), LogFeedError> {
        self.change(id, LogChange::Event(topic, event))
    }

    /// Moves to this ID without an event: the position where following starts, an entry of another kind, or an entry that
    /// cannot be sent.
    ///
    /// # Errors
    /// [`LogFeedError::OutOfOrder`] if the ID is not after [`newest`](Self::newest).
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (hub, mut feed) = log::follow(Hub::builder());
    /// feed.advance(EventId::new((5, 0), 7))?;
    /// assert_eq!(feed.newest(), Some(EventId::new((5, 0), 7)));
    /// assert_eq!(hub.stats().published, 0);
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn advance(&mut self, id: EventId) -> Result<(), LogFeedError> {
        let mut history = self.hub.inner.history.lock();
        check_order(&history.ids, id)?;
        history.advance(&self.hub.inner, id);
        Ok(())
    }

    /// Drops every event after this ID, because the log lost them, as at a failover.
    ///
    /// These clients receive a gap and then the events that follow:
    ///
    /// - subscribers that received a truncated event,
    /// - clients that resume with a truncated ID,
    /// - subscribers of a topic from which the hub had already trimmed a truncated event.
    ///
    /// The other clients receive nothing. The gap has no event ID: on another node that does not know of the truncation yet,
    /// any ID would be before the truncated events. The next event has an ID again.
    ///
    /// # Errors
    /// [`LogFeedError::Unknown`] if the ID is not among the newest 65,536 IDs.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (hub, mut feed) = log::follow(Hub::builder());
    /// feed.append(EventId::new((1, 0), 7), "news", "rain")?;
    /// feed.append(EventId::new((2, 0), 7), "news", "sun")?;
    /// feed.truncate(EventId::new((1, 0), 7))?;
    /// assert_eq!(hub.stats().held_events, 1);
    /// feed.append(EventId::new((2, 0), 8), "news", "snow")?;
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn truncate(&mut self, id: EventId) -> Result<(), LogFeedError> {
        let inner = &*self.hub.inner;
        let mut deferred = Deferred::default();
        let truncated = {
            let mut history = inner.history.lock();
            let position = history.ids.find_recent(id).ok_or(LogFeedError::Unknown(id));
            position.map(|position| history.truncate(inner, (id, position), &mut deferred))
        };
        deferred.run(inner);
        truncated
    }

    /// Trims every event of every topic, because another log replaced this one or because it is unknown which entries were
    /// lost. All subscribers receive a gap and continue after this ID.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (hub, mut feed) = log::follow(Hub::builder());
    /// feed.append(EventId::new((9, 0), 7), "news", "rain")?;
    /// feed.reset(EventId::new((1, 0), 8));
    /// assert_eq!((hub.stats().held_events, feed.newest()), (0, Some(EventId::new((1, 0), 8))));
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn reset(&mut self, id: EventId) {
        let inner = &*self.hub.inner;
        let mut deferred = Deferred::default();
        inner.history.lock().reset(inner, id, &mut deferred);
        deferred.run(inner);
    }

    /// Sets whether the hub accepts subscriptions: `true` by default. While it does not, subscriptions are answered
    /// "retry later". Use this while the stored entries of the log are loaded, so that no client receives a gap only
    /// because the hub is still empty.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::log, testing::Clock};
    /// # let clock = Clock::new();
    /// let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
    /// feed.accept_subscribers(false);
    /// clock.sse().subscribe(&hub, ["news"]).into_response();
    /// assert_eq!(hub.stats().retry_later, 1);
    /// feed.accept_subscribers(true);
    /// clock.sse().subscribe(&hub, ["news"]).into_response();
    /// assert_eq!(hub.stats().retry_later, 1);
    /// ```
    pub fn accept_subscribers(&mut self, accept: bool) {
        self.hub.inner.history.lock().accepts_subscribers = accept;
    }

    /// Marks one catch-up round: every entry that existed when the previous call returned has been appended or skipped.
    /// Call this about once a second.
    ///
    /// A client may bring an ID from another node that has read further in the log. From the first call on, such a client
    /// is answered "retry later". It receives a gap only if its ID is still unknown after two more rounds.
    /// [`LogHandle::may_still_arrive`] returns which of the two applies.
    ///
    /// ```
    /// # use sse_core::{Hub, LastEventId, hub::{EventId, log}, testing::Clock};
    /// # let clock = Clock::new();
    /// let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
    /// feed.append(EventId::new((1, 0), 7), "news", "rain")?;
    /// feed.caught_up();
    /// let client = || clock.sse_after(LastEventId::Text("2-00000007".into())).subscribe(&hub, ["news"]);
    /// client().into_response();
    /// assert_eq!(hub.stats().retry_later, 1);
    /// feed.caught_up();
    /// feed.caught_up();
    /// assert!(client().resumption().is_gap());
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn caught_up(&mut self) {
        self.hub.inner.history.lock().unknown_ids.get_or_insert_default().next_round();
    }

    /// The newest ID that was appended or skipped. `None` before the first one.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (_hub, mut feed) = log::follow(Hub::builder());
    /// assert_eq!(feed.newest(), None);
    /// feed.append(EventId::new((1, 0), 7), "news", "rain")?;
    /// assert_eq!(feed.newest(), Some(EventId::new((1, 0), 7)));
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    #[must_use]
    pub fn newest(&self) -> Option<EventId> {
        self.hub.inner.history.lock().ids.newest()
    }

    /// A handle for the parts of a follower that do not write to the hub. The handle can be cloned and shared.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (_hub, feed) = log::follow(Hub::builder());
    /// let handle = feed.handle().clone();
    /// assert!(!handle.may_still_arrive(EventId::new((1, 0), 7))); // no catch-up round yet
    /// ```
    #[must_use]
    pub fn handle(&self) -> LogHandle {
        LogHandle::new(self.hub.clone())
    }
}

pub(super) fn check_order(ids: &IdSource, id: EventId) -> Result<(), LogFeedError> {
    match ids.newest() {
        Some(newest) if newest.position() >= id.position() => Err(LogFeedError::OutOfOrder(id, newest)),
        _ => Ok(()),
    }
}
