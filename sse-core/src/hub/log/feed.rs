//! The seam to a log elsewhere: a hub that follows it serves its readers as ever, and this alone appends to it.

use super::id_source::IdSource;
use crate::event::error::FrameError;
use crate::event::frame::IntoFrame;
use crate::hub::publish::check_name;
use crate::hub::stats::Counters;
use crate::hub::topic::Deferred;
use crate::hub::{EventId, Hub};

/// Appends what a log has to the hub that follows it.
///
/// There is one for each follower. IdSource come from the log and must ascend. An id that a client brings back must match one
/// of the newest 65,536, or one of an event that its topics hold; else the client receives a gap. An id that is older
/// than those is found by its position, whatever its tag, so that a quiet topic beside a busy one causes no gap. That
/// does not hold for positions that the log took back.
///
/// ```
/// use sse_core::Event;
/// use sse_core::hub::{EventId, Hub};
///
/// let (hub, mut feed) = Hub::follower();
/// feed.append(EventId::new((1692632086370, 0), 7), "news", Event::data("rain"))?;
/// assert!(hub.publish("news", Event::data("sun")).is_err());
/// assert_eq!(hub.stats().held_events, 1);
/// # Ok::<(), sse_core::hub::FeedError>(())
/// ```
#[derive(Debug)]
pub struct Feed {
    hub: Hub,
}

/// Why the hub did not follow. It is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The id is not after the last one; [`Feed::truncate`] or [`Feed::reset`] first.
    #[error("the id {0} is not after the newest, {1}")]
    OutOfOrder(EventId, EventId),
    /// The id is none that the hub remembers; [`Feed::reset`] instead.
    #[error("the id {0} is not known")]
    Unknown(EventId),
    /// The event cannot be sent. [`Feed::advance`] passes over it.
    #[error(transparent)]
    Invalid(#[from] FrameError),
    /// The topic's name is longer than [`MAX_TOPIC_BYTES`](crate::hub::MAX_TOPIC_BYTES). [`Feed::advance`] passes over it.
    #[error("the topic's name has {0} bytes")]
    TopicName(usize),
}

impl Feed {
    pub(crate) const fn new(hub: Hub) -> Self {
        Self { hub }
    }

    /// Appends the log's next event.
    ///
    /// At [`max_topics`](crate::hub::HubBuilder::max_topics) a new topic takes the place of one without subscribers. While each
    /// topic has a subscriber, the hub trims the event of a new topic at once: a client that subscribes to the topic with
    /// an older id receives a gap.
    ///
    /// # Errors
    /// [`FeedError::OutOfOrder`], [`FeedError::Invalid`], [`FeedError::TopicName`].
    pub fn append(&mut self, id: EventId, topic: &str, event: impl IntoFrame) -> Result<(), FeedError> {
        let inner = &*self.hub.inner;
        let block = inner.encode(event)?;
        check_name(topic).map_err(|_| FeedError::TopicName(topic.len()))?;
        let now = inner.now_if_aging();
        let mut deferred = Deferred::default();
        let appended = {
            let mut history = inner.history.lock();
            ascends(&history.ids, id).map(|()| {
                history.expire(inner, now, &mut deferred);
                match history.topic(inner, topic, &mut deferred) {
                    Ok(topic) => {
                        history.append(inner, now, &topic, Some(id), block, &mut deferred);
                    }
                    Err(_) => history.forget_at_once(inner, topic, id),
                }
            })
        };
        Counters::add(&inner.counters.published, usize::from(appended.is_ok()));
        deferred.run();
        appended
    }

    /// The log has come to this id, and there was nothing for a topic up to it: the place where following begins, an
    /// entry of another kind, or a sign of life.
    ///
    /// # Errors
    /// [`FeedError::OutOfOrder`].
    pub fn advance(&mut self, id: EventId) -> Result<(), FeedError> {
        let mut history = self.hub.inner.history.lock();
        ascends(&history.ids, id)?;
        history.advance(&self.hub.inner, id);
        Ok(())
    }

    /// The log took back everything after this id, as at a failover. Readers that have seen some of it are told a gap and
    /// go on, as are those of a topic that had forgotten some of it, and whoever comes back with an id that was taken
    /// back; the others notice nothing. Such a gap tells no position: there is none yet that another follower, which
    /// has not heard of this, would not read as before what was taken back. What is appended next has one.
    ///
    /// # Errors
    /// [`FeedError::Unknown`] if the id is not among those remembered, the newest 65,536.
    pub fn truncate(&mut self, id: EventId) -> Result<(), FeedError> {
        let inner = &*self.hub.inner;
        let mut deferred = Deferred::default();
        let truncated = {
            let mut history = inner.history.lock();
            let position = history.ids.remembered(id).ok_or(FeedError::Unknown(id));
            position.map(|position| history.truncate(inner, (position, id), &mut deferred))
        };
        deferred.run();
        truncated
    }

    /// Something of the log was lost, and nobody knows what: every topic forgets what it has, and its readers are told a
    /// gap, after which they go on from this id.
    pub fn reset(&mut self, id: EventId) {
        let inner = &*self.hub.inner;
        let mut deferred = Deferred::default();
        inner.history.lock().reset(inner, id, &mut deferred);
        deferred.run();
    }

    /// Whether the hub takes subscriptions: it does, until it is told not to. While it does not they are refused softly,
    /// as by a hub that is full; so nobody is told a gap only because what the log has is still being loaded.
    pub fn admit(&mut self, admits: bool) {
        self.hub.inner.history.lock().admits = admits;
    }

    /// All that the log had, at some moment since this was said last, was appended or passed.
    ///
    /// A client may bring an id from another node that follows the same log and has come further. Once this was said,
    /// a client whose id is not known is refused softly, and comes back; only if its id is still not known after this
    /// was said twice more, is it told a gap. Say it about every second. [`Hub::may_still_arrive`] tells which of both it is.
    pub fn caught_up(&mut self) {
        self.hub.inner.history.lock().ahead.get_or_insert_default().next_round();
    }

    /// The newest id that was appended or passed.
    #[must_use]
    pub fn newest(&self) -> Option<EventId> {
        self.hub.inner.history.lock().ids.newest()
    }
}

impl Hub {
    /// Whether an event with this id, which a client brought and is not known here, may yet come from the log that this
    /// hub follows. A subscription with such an id is refused softly; whoever would rather let its client wait asks this
    /// first.
    ///
    /// The first question about an id counts as the client's coming: once [`Feed::caught_up`] was said twice after it, the
    /// answer is false. It always is on a hub that publishes by itself, and before `caught_up` was said at all.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::EventId};
    /// let (hub, mut feed) = Hub::follower();
    /// feed.append(EventId::new((1, 0), 7), "news", "rain")?;
    /// feed.caught_up();
    ///
    /// let elsewhere = EventId::new((2, 0), 7);
    /// assert!(hub.may_still_arrive(elsewhere));
    /// feed.caught_up();
    /// feed.caught_up();
    /// assert!(!hub.may_still_arrive(elsewhere));
    /// # Ok::<(), sse_core::hub::FeedError>(())
    /// ```
    #[must_use]
    pub fn may_still_arrive(&self, id: EventId) -> bool {
        self.inner.history.lock().may_still_arrive(&self.inner, id, &[])
    }
}

fn ascends(ids: &IdSource, id: EventId) -> Result<(), FeedError> {
    match ids.newest() {
        Some(newest) if newest.position() >= id.position() => Err(FeedError::OutOfOrder(id, newest)),
        _ => Ok(()),
    }
}
