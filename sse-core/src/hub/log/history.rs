//! The changes of a history that only a followed log makes.

use super::id_source::IdLookup;
use crate::hub::Inner;
use crate::hub::ages::Ages;
use crate::hub::deferred::Deferred;
use crate::hub::history::History;
use crate::hub::id::EventId;
use crate::hub::trim_point::{DroppedTopics, EndTime, Tombstone, TrimPoint};
use crate::runtime::sync::atomic::Ordering;

impl History {
    /// Moves the head without an event, and returns the new position.
    pub(crate) fn advance(&mut self, hub: &Inner, id: EventId) -> u64 {
        let position = hub.head.load(Ordering::Relaxed) + 1;
        hub.head.store(position, Ordering::Release);
        self.ids.remember(id, position);
        position
    }

    /// Skips an event of a topic for which there is no room. A client that subscribes to the topic with an older ID
    /// receives a gap. `ended` is the time of the end if the event is the last one of the topic.
    pub(super) fn trim_at_once(&mut self, hub: &Inner, topic: &str, id: EventId, ended: Option<EndTime>) {
        let position = self.advance(hub, id);
        self.topics.trimmed.insert(topic, Tombstone { trimmed: TrimPoint { position, id: Some(id) }, ended });
    }

    /// Trims every event of every topic, also of dropped topics, up to this ID.
    pub(super) fn reset(&mut self, hub: &Inner, id: EventId, deferred: &mut Deferred) {
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let trimmed = TrimPoint { position, id: Some(id) };
        self.topics.change_all(|topic, locked| {
            locked.ring.reset_to(trimmed, &mut deferred.garbage);
            topic.set_end(locked, None);
            topic.commit(locked, deferred, || {});
        });
        // Stored last, so that a cursor finds the gaps of all its topics at this position, or none of them.
        hub.head.store(position, Ordering::Release);
        self.ages = Ages::default();
        self.topics.reopen_after(0);
        self.topics.trimmed = DroppedTopics::reset_to(trimmed);
        self.ids.reset();
        self.ids.remember(id, position);
        self.topics.drop_empty();
    }

    /// Drops the events after this ID, which has this position. The next event gets a new position: no position is used
    /// twice.
    pub(super) fn truncate(&mut self, hub: &Inner, (id, position): (EventId, u64), deferred: &mut Deferred) {
        let last = hub.head.load(Ordering::Relaxed);
        let epoch = hub.epoch.load(Ordering::Relaxed) + 1;
        let kept = self.ids.truncate(epoch, (id, position), last);
        let end = TrimPoint { position: last, id: None };
        self.topics.trimmed.truncate(kept, end);
        // Stored before the topics change: a cursor that parks on a changed topic then sees the new epoch.
        hub.epoch.store(epoch, Ordering::Release);
        self.topics.change_all(|topic, locked| {
            locked.ring.truncate(kept, end, &mut deferred.garbage);
            if locked.end().is_some_and(|end| end.position > kept) {
                topic.set_end(locked, None);
            }
            topic.commit(locked, deferred, || {});
        });
        self.topics.reopen_after(kept);
        self.topics.drop_empty();
    }

    /// Whether an unknown ID may still arrive from the log, because another node has read further.
    pub(crate) fn may_still_arrive(&mut self, hub: &Inner, id: EventId, names: &[String]) -> bool {
        if self.unknown_ids.is_none() || !self.is_readable {
            return false;
        }
        let topics: Vec<_> = names.iter().filter_map(|name| self.topics.get(name).cloned()).collect();
        let is_unknown = matches!(self.look_up(hub, id, &topics), IdLookup::Unknown);
        let newest = self.ids.newest();
        is_unknown && self.unknown_ids.as_mut().is_some_and(|ids| !ids.will_not_arrive(id, newest))
    }
}
