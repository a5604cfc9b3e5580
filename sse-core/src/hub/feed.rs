//! The seam to a log elsewhere: a hub that follows it serves its readers as ever, and this alone appends to it.

use super::ids::Ids;
use super::publish::check_name;
use super::stats::Counters;
use super::topic::Leftovers;
use super::{EventId, Hub};
use crate::{FrameError, IntoFrame};

/// Appends what a log has to the hub that follows it.
///
/// There is one for each follower. Ids come from the log and must ascend. An id that a client brings back must match one
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
    /// The topic's name is longer than [`MAX_TOPIC_BYTES`](super::MAX_TOPIC_BYTES). [`Feed::advance`] passes over it.
    #[error("the topic's name has {0} bytes")]
    TopicName(usize),
}

impl Feed {
    pub(crate) const fn new(hub: Hub) -> Self {
        Self { hub }
    }

    /// Appends the log's next event.
    ///
    /// At [`max_topics`](super::Builder::max_topics) a new topic takes the place of one without subscribers. While each
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
        let mut left = Leftovers::default();
        let appended = {
            let mut order = inner.order.lock();
            ascends(&order.ids, id).map(|()| {
                order.expire(inner, now, &mut left);
                match order.topic(inner, topic, &mut left) {
                    Ok(topic) => {
                        order.append(inner, now, &topic, Some(id), block, &mut left);
                    }
                    Err(_) => order.forget_at_once(inner, topic, id),
                }
            })
        };
        Counters::add(&inner.counters.published, usize::from(appended.is_ok()));
        left.settle();
        appended
    }

    /// The log has come to this id, and there was nothing for a topic up to it: the place where following begins, an
    /// entry of another kind, or a sign of life.
    ///
    /// # Errors
    /// [`FeedError::OutOfOrder`].
    pub fn advance(&mut self, id: EventId) -> Result<(), FeedError> {
        let mut order = self.hub.inner.order.lock();
        ascends(&order.ids, id)?;
        order.advance(&self.hub.inner, id);
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
        let mut left = Leftovers::default();
        let truncated = {
            let mut order = inner.order.lock();
            let position = order.ids.remembered(id).ok_or(FeedError::Unknown(id));
            position.map(|position| order.rewind(inner, (position, id), &mut left))
        };
        left.settle();
        truncated
    }

    /// Something of the log was lost, and nobody knows what: every topic forgets what it has, and its readers are told a
    /// gap, after which they go on from this id.
    pub fn reset(&mut self, id: EventId) {
        let inner = &*self.hub.inner;
        let mut left = Leftovers::default();
        inner.order.lock().reset(inner, id, &mut left);
        left.settle();
    }

    /// Whether the hub takes subscriptions: it does, until it is told not to. While it does not they are refused softly,
    /// as by a hub that is full; so nobody is told a gap only because what the log has is still being loaded.
    pub fn admit(&mut self, admits: bool) {
        self.hub.inner.order.lock().admits = admits;
    }

    /// All that the log had, at some moment since this was said last, was appended or passed.
    ///
    /// A client may bring an id from another node that follows the same log and has come further. Once this was said,
    /// a client whose id is not known is refused softly, and comes back; only if its id is still not known after this
    /// was said twice more, is it told a gap. Say it about every second. [`Hub::may_come`] tells which of both it is.
    pub fn caught_up(&mut self) {
        self.hub.inner.order.lock().ahead.get_or_insert_default().next_round();
    }

    /// The newest id that was appended or passed.
    #[must_use]
    pub fn newest(&self) -> Option<EventId> {
        self.hub.inner.order.lock().ids.newest()
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
    /// assert!(hub.may_come(elsewhere));
    /// feed.caught_up();
    /// feed.caught_up();
    /// assert!(!hub.may_come(elsewhere));
    /// # Ok::<(), sse_core::hub::FeedError>(())
    /// ```
    #[must_use]
    pub fn may_come(&self, id: EventId) -> bool {
        self.inner.order.lock().may_come(&self.inner, id, &[])
    }
}

fn ascends(ids: &Ids, id: EventId) -> Result<(), FeedError> {
    match ids.newest() {
        Some(newest) if newest.position() >= id.position() => Err(FeedError::OutOfOrder(id, newest)),
        _ => Ok(()),
    }
}
