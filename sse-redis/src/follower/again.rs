//! Which publishes the log has had lately, so that one that was repeated is seen once.
//!
//! Every node reads the same log by the same rule, so all of them leave out the same entries.

use crate::entry::Record;
use crate::publish_id::PublishId;
use sse_core::hub::EventId;
use std::collections::{HashMap, VecDeque};

/// How far apart the log's ids of a publish and its repetition may be, in milliseconds.
const WINDOW_MS: u64 = 60_000;

/// How many publishes are remembered at most, about 60 bytes each: at more than 8,700 a second, less than the window.
const REMEMBERED: usize = 524_288;

#[derive(Debug, Default)]
pub(super) struct Again {
    order: VecDeque<(EventId, PublishId)>,
    seen: HashMap<PublishId, EventId>,
    /// An entry that was passed over unread; its id tells the first 32 bits of its publish.
    unread: Option<EventId>,
}

impl Again {
    /// Remembers a publish; true if it repeats one that is remembered and says so.
    pub(super) fn is_repeated(&mut self, id: EventId, record: &Record) -> bool {
        let Some(publish) = record.publish else { return false };
        let now = id.position().0;
        while let Some((old, publish)) = self.order.front().copied()
            && (self.order.len() >= REMEMBERED || old.position().0.saturating_add(WINDOW_MS) < now)
        {
            self.order.pop_front();
            self.forget(old, publish);
        }
        let unread = self.unread.is_some_and(|unread| unread.tag() == publish.tag());
        if record.again && (unread || self.seen.contains_key(&publish)) {
            return true;
        }
        self.order.push_back((id, publish));
        self.seen.insert(publish, id);
        false
    }

    /// Passes over an entry that is known by its id alone.
    pub(super) const fn pass_over(&mut self, id: EventId) {
        self.unread = Some(id);
    }

    /// The log took back what came after this id: what was lost there may be published again.
    pub(super) fn truncate(&mut self, kept: EventId) {
        while let Some((id, publish)) = self.order.back().copied()
            && id.position() > kept.position()
        {
            self.order.pop_back();
            self.forget(id, publish);
        }
        self.unread.take_if(|unread| unread.position() > kept.position());
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.seen.clear();
        self.unread = None;
    }

    fn forget(&mut self, id: EventId, publish: PublishId) {
        if self.seen.get(&publish) == Some(&id) {
            self.seen.remove(&publish);
        }
    }
}
