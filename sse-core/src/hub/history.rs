//! The history of a hub, behind the lock that every publish takes: appending events and trimming old ones.

use super::Inner;
use super::ages::Ages;
use super::deferred::Deferred;
use super::id::EventId;
use super::log::id_source::IdSource;
use super::log::unknown_ids::UnknownIds;
use super::topic::SharedTopic;
use super::topic_extra::{TopicEnd, TopicExtra};
use super::topics::{TooManyTopics, Topics};
use super::trim_point::EndTime;
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;
use std::time::Instant;

/// The maximum length of a topic name, in bytes.
pub const MAX_TOPIC_BYTES: usize = 256;

/// The work of trimming expired events in one use of the hub: at most this many single events, or a 16th as many
/// segments, of at most [`EXPIRED_TOPICS`] topics.
const EXPIRED_WORK: usize = 1024;

/// The number of topics whose expired events are trimmed in one use of the hub.
pub(super) const EXPIRED_TOPICS: usize = 32;

pub(crate) struct History {
    pub(crate) ids: IdSource,
    /// `false` while a follower loads the stored entries of its log.
    pub(crate) accepts_subscribers: bool,
    /// `false` while a follower cannot read its log.
    pub(crate) is_readable: bool,
    /// IDs from nodes that have read further. `None` until the feed marks its first catch-up round.
    pub(crate) unknown_ids: Option<UnknownIds>,
    pub(crate) topics: Topics,
    pub(crate) ages: Ages,
}

impl History {
    pub(crate) fn new(ids: IdSource) -> Self {
        Self {
            ids,
            accepts_subscribers: true,
            is_readable: true,
            unknown_ids: None,
            topics: Topics::default(),
            ages: Ages::default(),
        }
    }

    /// The topic of this name, created if necessary.
    pub(crate) fn topic(
        &mut self,
        hub: &Inner,
        name: &str,
        deferred: &mut Deferred,
    ) -> Result<Arc<SharedTopic>, TooManyTopics> {
        self.topics.find_or_insert(name, hub.limits.max_topics, &self.ids, deferred)
    }

    /// Appends one event and returns its ID. `block` is the event without the line of its ID. `id` is the ID from a
    /// followed log. `ends` makes this event the last one of the topic.
    pub(crate) fn append(
        &mut self,
        hub: &Inner,
        now: Option<Instant>,
        topic: &Arc<SharedTopic>,
        (id, ends): (Option<EventId>, bool),
        mut block: Vec<u8>,
        deferred: &mut Deferred,
    ) -> EventId {
        use std::io::Write;
        let limits = &hub.limits;
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let id = id.unwrap_or_else(|| self.ids.local(position));
        // Writing to a Vec cannot fail.
        let _ = write!(block, "id: {id}\n\n");
        {
            let mut locked = topic.lock();
            let (max_events, max_bytes) = TopicExtra::bounds(locked.extra.as_deref(), limits);
            let ring = &mut locked.ring;
            let before = (!ring.is_empty()).then(|| ring.newest());
            self.topics.held_events -= ring.events();
            self.topics.held_bytes -= ring.bytes();
            ring.push(position, block.into(), &mut deferred.garbage);
            while ring.events() > 1 && (ring.events() > max_events || ring.bytes() > max_bytes) {
                ring.trim_oldest(&mut deferred.garbage, |position, block| self.ids.of_block(position, block));
            }
            self.topics.held_events += ring.events();
            self.topics.held_bytes += ring.bytes();
            self.topics.appended(topic, &mut locked, before, position);
            if ends {
                let at = EndTime(limits.ended_topic_age.and(now));
                self.topics.end(topic, &mut locked, TopicEnd { position, id }, at);
            }
            topic.commit(&mut locked, deferred, || hub.head.store(position, Ordering::Release));
        }
        self.ids.remember(id, position);
        if let (Some(now), Some(age)) = (now, limits.topic_age) {
            self.ages.published(now, position, age);
        }
        self.trim_to_hub_bytes(hub, deferred);
        id
    }

    /// Trims the oldest events of all topics to the bound of the hub, and leaves the newest one. State topics have their own bounds.
    pub(crate) fn trim_to_hub_bytes(&mut self, hub: &Inner, deferred: &mut Deferred) {
        while self.topics.held_bytes + hub.compressed_bytes() > hub.limits.hub_bytes
            && self.topics.held_events - self.topics.state_events > 1
            && self.topics.trim_oldest(u64::MAX, None, &self.ids, deferred)
        {}
    }

    /// Trims expired events, at most [`EXPIRED_WORK`], and forgets topics that ended long ago.
    pub(crate) fn expire(&mut self, hub: &Inner, now: Option<Instant>, deferred: &mut Deferred) {
        if let (Some(now), Some(age)) = (now, hub.limits.ended_topic_age) {
            self.forget_ended(now, age, deferred);
        }
        let (Some(now), Some(age)) = (now, hub.limits.topic_age) else { return };
        let Some(upto) = self.ages.expired(now, age) else { return };
        let mut work = EXPIRED_WORK;
        for _ in 0..EXPIRED_TOPICS {
            if !self.topics.trim_oldest(upto, Some(&mut work), &self.ids, deferred) {
                return self.ages.trimmed();
            }
            if work == 0 {
                return;
            }
        }
    }
}
