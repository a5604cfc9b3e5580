//! Recent publish IDs, so that clients receive an event once although the application published it twice.
//!
//! All nodes read the same log by the same rule, so all of them skip the same entries.

use crate::entry::Record;
use crate::publish_id::PublishId;
use sse_core::hub::EventId;
use std::collections::{HashMap, VecDeque};

/// The largest distance in the log between a publish and its repetition, in milliseconds.
const WINDOW_MS: u64 = 60_000;

/// The largest number of publishes that are remembered, at about 60 bytes each. At more than 8,700 publishes per second
/// this limit is reached before the end of the window.
const REMEMBERED: usize = 524_288;

#[derive(Debug, Default)]
pub(super) struct Republished {
    order: VecDeque<(EventId, PublishId)>,
    seen: HashMap<PublishId, EventId>,
    /// An entry that was skipped without being read. Its tag is the first 32 bits of its publish ID.
    unread: Option<EventId>,
}

impl Republished {
    /// Remembers a publish. Returns true if another entry of the same publish is remembered.
    pub(super) fn is_repetition(&mut self, id: EventId, record: &Record) -> bool {
        let Some(publish) = record.publish else { return false };
        let now = id.position().0;
        while let Some((old, publish)) = self.order.front().copied()
            && (self.order.len() >= REMEMBERED || old.position().0.saturating_add(WINDOW_MS) < now)
        {
            self.order.pop_front();
            self.remove(old, publish);
        }
        let unread = self.unread.is_some_and(|unread| unread.tag() == publish.tag());
        // Also without the mark of a repetition: the first attempt can arrive after the repetition, when a network or a broken
        // connection delivers it late.
        if unread || self.seen.contains_key(&publish) {
            return true;
        }
        self.order.push_back((id, publish));
        self.seen.insert(publish, id);
        false
    }

    /// Skips an entry of which only the ID is known.
    pub(super) const fn skip(&mut self, id: EventId) {
        self.unread = Some(id);
    }

    /// The log was truncated after this ID. The application may publish the truncated events again.
    pub(super) fn truncate(&mut self, kept: EventId) {
        while let Some((id, publish)) = self.order.back().copied()
            && id.position() > kept.position()
        {
            self.order.pop_back();
            self.remove(id, publish);
        }
        self.unread.take_if(|unread| unread.position() > kept.position());
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.seen.clear();
        self.unread = None;
    }

    fn remove(&mut self, id: EventId, publish: PublishId) {
        if self.seen.get(&publish) == Some(&id) {
            self.seen.remove(&publish);
        }
    }
}
