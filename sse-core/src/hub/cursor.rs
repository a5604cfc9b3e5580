//! A cursor: a position in the history, and the topics that a subscriber follows.

use super::Inner;
use super::state::Load;
use super::stats::Counters;
use super::topic::{SharedTopic, TopicPhase, TopicState};
use super::topic_cursors::{Spot, TopicCursors};
use crate::event::control::Control;
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;
use crate::stream::CloseReason;
use crate::stream::source::Step;
use bytes::Bytes;
use std::fmt;
use std::task::{Poll, Waker};

pub(crate) struct Cursor {
    pub(super) hub: Arc<Inner>,
    pub(super) topics: Box<[FollowedTopic]>,
    /// All events of the topics up to this position were delivered.
    pub(super) position: u64,
    /// Whether the client has the position as its last event ID. A flag, because an idle stream is 8 bytes smaller so.
    pub(super) is_announced: bool,
    /// The truncations that the cursor has seen.
    epoch: u64,
    /// The state that a new subscriber receives first.
    pub(super) load: Option<Box<Load>>,
    /// Whether the cursor replays. Each topic then skips the events up to a position of its own.
    replays: bool,
    /// Whether this is a listener of the process, which does not count as a subscriber.
    is_listener: bool,
    pub(super) control: Control,
    /// The waker that is parked on every topic.
    waker: Option<Waker>,
    #[cfg(feature = "gzip")]
    pub(super) encoding: super::gzip::Encoding,
}

pub(super) struct FollowedTopic {
    pub(super) topic: Arc<TopicCursors>,
    /// In a replay, the position after which the events of this topic start. Otherwise the position up to which the topic
    /// had been trimmed when the client subscribed.
    pub(super) start: u64,
    /// Where the waker is parked.
    spot: Spot,
}

impl Cursor {
    /// A cursor over topics that count it as a subscriber. The drop of the cursor removes the subscriber. The caller holds no
    /// lock of a topic.
    pub(crate) fn new(hub: &Arc<Inner>, topics: Vec<Arc<SharedTopic>>, control: Control) -> Self {
        let follow = |topic| FollowedTopic { topic: TopicCursors::enter(&topic), start: 0, spot: Spot::default() };
        let topics = topics.into_iter().map(follow).collect();
        let epoch = hub.epoch.load(Ordering::Acquire);
        Self {
            hub: hub.clone(),
            topics,
            position: 0,
            is_announced: true,
            epoch,
            load: None,
            replays: false,
            is_listener: false,
            control,
            waker: None,
            #[cfg(feature = "gzip")]
            encoding: super::gzip::Encoding::PLAIN,
        }
    }

    /// A cursor over topics that count it as a handle.
    pub(super) fn of_listener(hub: &Arc<Inner>, topics: Vec<Arc<SharedTopic>>) -> Self {
        let mut cursor = Self::new(hub, topics, Control::Omitted);
        cursor.is_listener = true;
        cursor
    }

    pub(crate) fn topics(&self) -> Vec<Arc<SharedTopic>> {
        self.topics.iter().map(|followed| followed.topic.shared.clone()).collect()
    }

    /// Moves to a position of the present history. The caller holds the lock of the history.
    pub(crate) fn start_at(&mut self, position: u64) {
        (self.position, self.is_announced) = (position, true);
        self.epoch = self.hub.epoch.load(Ordering::Acquire);
        for followed in &mut self.topics {
            followed.start = followed.topic.lock().ring.trimmed_to().position;
        }
        self.replays = false;
    }

    /// Starts a replay of every topic after one position. The caller holds the lock of the history.
    pub(crate) fn replay_after(&mut self, position: u64) {
        self.start_at(position);
        self.replays = true;
        for followed in &mut self.topics {
            followed.start = position;
        }
    }

    /// Starts the replay of one topic after a position of its own, and returns the position of the whole cursor. `None` if
    /// the cursor does not follow the topic. The caller holds the lock of the history.
    pub(crate) fn replay_topic_after(&mut self, topic: &Arc<SharedTopic>, position: u64) -> Option<u64> {
        let followed = self.topics.iter_mut().find(|followed| Arc::ptr_eq(&followed.topic.shared, topic))?;
        // A state topic replays its state by itself.
        if !topic.is_state() {
            followed.start = position;
        }
        self.position = self.topics.iter().map(|followed| followed.start).min()?;
        self.is_announced = true;
        Some(self.position)
    }

    /// The position after which the cursor continues.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// Moves the start of every topic in a replay to this position or later. The caller holds the lock of the history.
    pub(crate) fn replay_not_before(&mut self, position: u64) {
        for followed in &mut self.topics {
            followed.start = followed.start.max(position);
        }
        if let Some(load) = &mut self.load {
            load.not_before(position);
        }
        self.position = self.position.max(position);
        self.is_announced = true;
    }

    /// The position after which a topic continues.
    pub(super) fn position_in(&self, followed: &FollowedTopic) -> u64 {
        if self.replays { self.position.max(followed.start) } else { self.position }
    }

    /// Moves to a truncated position. The first poll then finds the truncation. The caller holds the lock of the history.
    pub(crate) fn start_at_truncated(&mut self, position: u64) {
        self.start_at(position);
        self.epoch = 0;
    }

    /// The next chunk, or the end. If there is no new event, parks the waker on every topic.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Step> {
        loop {
            // The head first: every entry up to the head is complete in every topic. Then the epoch: it covers every
            // truncation before that head.
            let head = self.hub.head.load(Ordering::Acquire);
            // A removal is complete before the head has its position, so the cursor passes no removal.
            if self.topics.iter().any(|followed| followed.topic.phase() == TopicPhase::Removed) {
                return Poll::Ready(Step::End(CloseReason::Closed));
            }
            if let Some(gap) = self.pass_truncations() {
                return Poll::Ready(Step::Chunk(self.encode_own(gap)));
            }
            if self.load.is_some()
                && let Some(step) = self.poll_load()
            {
                return Poll::Ready(step);
            }
            if let Some(step) = self.take(head).or_else(|| self.finish()) {
                return Poll::Ready(step);
            }
            // Parking looks for new entries once more, so that no publish in between is missed.
            if self.park(waker) {
                return Poll::Pending;
            }
            if self.hub.head.load(Ordering::Acquire) == head {
                // A publish has stored an entry but not the head yet. It holds this lock until it stores the head.
                drop(self.hub.history.lock());
            }
        }
    }

    /// The end of the stream, if all topics have ended and everything is delivered.
    fn finish(&self) -> Option<Step> {
        let is_over = |followed: &FollowedTopic| match followed.topic.phase() {
            TopicPhase::Ended(end) => end <= self.position_in(followed),
            TopicPhase::Open | TopicPhase::Removed => false,
        };
        let is_over = !self.topics.is_empty() && self.topics.iter().all(is_over);
        is_over.then_some(Step::End(CloseReason::Finished))
    }

    /// A position update, if the client does not have the cursor's position yet and the hub sends position updates.
    pub(crate) fn position_update(&mut self) -> Option<Bytes> {
        if !self.hub.limits.position_updates || self.control == Control::Omitted {
            return None;
        }
        let head = self.hub.head.load(Ordering::Acquire);
        let has_news = |followed: &FollowedTopic| followed.topic.newest() > self.position_in(followed);
        if self.load.is_some() || self.has_unseen_truncation() || self.topics.iter().any(has_news) {
            return None;
        }
        // The topics have no event up to the head.
        let before = self.position;
        self.position = before.max(head);
        if self.is_announced && before == self.position {
            return None;
        }
        let id = {
            let ids = &self.hub.history.lock().ids;
            let id = ids.id_at(self.position, &[]);
            // A truncation gives the head the ID of an earlier position. The client has this ID, or, after a gap, a later one.
            self.is_announced &= id.is_some() && ids.id_at(before, &[]) == id;
            id?
        };
        if std::mem::replace(&mut self.is_announced, true) {
            return None;
        }
        self.control.position(id).map(Bytes::from)
    }

    fn has_unseen_truncation(&self) -> bool {
        self.hub.epoch.load(Ordering::Acquire) != self.epoch
    }

    /// Moves past unseen truncations. Returns the gap block if a delivered event was truncated. The gap has no ID: a node
    /// that does not know of the truncation would resume before the truncated events. The next event has an ID again.
    pub(super) fn pass_truncations(&mut self) -> Option<Bytes> {
        if !self.has_unseen_truncation() {
            return None;
        }
        let position = {
            let history = self.hub.history.lock();
            let seen = std::mem::replace(&mut self.epoch, self.hub.epoch.load(Ordering::Acquire));
            history.ids.move_cursor(seen, self.position)?
        };
        (self.position, self.is_announced) = (position, true);
        Counters::add(&self.hub.counters.gaps, 1);
        crate::runtime::trace::gap("unknown", None, false);
        Some(self.hub.unknown_gap(None).into())
    }

    /// Parks the waker on every topic. Returns `false` if a topic has a new entry.
    pub(super) fn park(&mut self, waker: &Waker) -> bool {
        let same = self.waker.as_ref().is_some_and(|parked| parked.will_wake(waker));
        if !same {
            // Cleared until the new waker is parked on every topic, also if this call returns early.
            self.waker = None;
        }
        for followed in &mut self.topics {
            let position = if self.replays { self.position.max(followed.start) } else { self.position };
            let has_news = |topic: &SharedTopic| {
                topic.newest() > position
                    || topic.phase() == TopicPhase::Removed
                    || self.hub.epoch.load(Ordering::Acquire) != self.epoch
            };
            if !followed.topic.park(&mut followed.spot, waker, same, has_news) {
                return false;
            }
        }
        if !same {
            self.waker = Some(waker.clone());
        }
        true
    }
}

impl Cursor {
    /// Leaves these topics, which have no more events.
    pub(super) fn leave_if(&mut self, mut leaves: impl FnMut(&Self, &FollowedTopic) -> bool) {
        let topics = std::mem::take(&mut self.topics);
        let (left, kept): (Vec<_>, Vec<_>) = topics.into_iter().partition(|followed| leaves(self, followed));
        self.topics = kept.into();
        self.renew_load();
        for followed in &left {
            self.leave_topic(followed);
        }
    }

    fn leave_topic(&self, followed: &FollowedTopic) {
        drop(followed.topic.unpark(followed.spot));
        let leave = |locked: &mut TopicState| followed.topic.leave(locked, followed.spot);
        self.hub.leave_topic(&followed.topic.shared, self.is_listener, leave);
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        #[cfg(feature = "gzip")]
        self.leave_compressed();
        for followed in &self.topics {
            self.leave_topic(followed);
        }
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("position", &self.position).finish_non_exhaustive()
    }
}

/// A stream that is not compressed sends what it has.
#[cfg(not(feature = "gzip"))]
#[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "with the feature `gzip` the cursor encodes")]
impl Cursor {
    pub(super) const fn encode_own(&mut self, blocks: Bytes) -> Bytes {
        blocks
    }

    pub(super) const fn encode_alone(&mut self, events: Bytes) -> Bytes {
        events
    }

    pub(super) const fn encode_keep_alive(&mut self, keep_alive: &'static [u8]) -> Bytes {
        Bytes::from_static(keep_alive)
    }
}
