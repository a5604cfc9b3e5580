//! The source of a hub's event IDs: the hub itself, or the log that the hub follows.

use super::truncation::{TruncatedPart, Truncations};
use crate::hub::id::{EventId, TagKey};
use crate::hub::topic::SharedTopic;
use crate::hub::trim_point::TrimPoint;
use crate::runtime::sync::Arc;
use std::collections::VecDeque;

/// The number of IDs of a followed log that the hub remembers, over all topics.
pub(super) const REMEMBERED_IDS: usize = 65_536;

pub(crate) enum IdSource {
    /// The hub makes its own IDs: the position, and a tag that only this hub can make.
    Local(TagKey),
    /// A followed log gives the IDs.
    Log(LogIds),
}

/// The result of looking up an event ID.
pub(crate) enum IdLookup {
    /// The history has this position.
    Known(u64),
    /// The log was truncated before this position.
    Truncated(u64),
    Unknown,
}

#[derive(Default)]
pub(crate) struct LogIds {
    /// The newest IDs with their positions, both ascending. The ID to which the log was truncated occurs twice: with its
    /// own position and with the last position of the truncated part.
    recent: VecDeque<(EventId, u64)>,
    /// The first ID since the start or the last reset, with its position.
    first: Option<(EventId, u64)>,
    truncations: Truncations,
}

impl LogIds {
    /// The position of an ID that is older than all remembered IDs, for these topics: a position after their last event
    /// up to the ID, and before their next event.
    ///
    /// The log orders its IDs, so any old ID has a place between the others, even if the log never gave it. IDs inside a
    /// truncated part have no such place and must match exactly.
    fn find_by_order(&self, id: EventId, topics: &[Arc<SharedTopic>]) -> Option<u64> {
        let (oldest, _) = self.recent.front()?;
        let (first, start) = self.first?;
        let is_after_start = id.position() > first.position() || id == first;
        if id.position() >= oldest.position() || !is_after_start || self.truncations.contain(id) {
            return None;
        }
        let mut position = self.truncations.end_before(id).unwrap_or(start);
        for topic in topics {
            let locked = topic.lock();
            let trimmed = locked.ring.trimmed_to();
            if trimmed.id.is_some_and(|trimmed| trimmed.position() <= id.position()) {
                position = position.max(trimmed.position);
            }
            if let Some((held, at)) = locked.ring.last_upto(id.position()) {
                if held.position() == id.position() && held != id {
                    return None;
                }
                position = position.max(at);
            }
        }
        Some(position)
    }

    /// The first of the positions with this ID. Gaps that were recorded after a truncation follow this position, so a
    /// later one would skip them.
    fn find_recent(&self, id: EventId) -> Option<u64> {
        let at = self.recent.partition_point(|(recent, _)| *recent < id);
        self.recent.get(at).filter(|(recent, _)| *recent == id).map(|(_, position)| *position)
    }

    /// The last of the positions with this ID.
    fn find_last(&self, id: EventId) -> Option<u64> {
        let after = self.recent.partition_point(|(recent, _)| *recent <= id);
        let last = after.checked_sub(1).and_then(|at| self.recent.get(at));
        last.filter(|(recent, _)| *recent == id).map(|(_, position)| *position)
    }
}

impl IdSource {
    pub(crate) fn log() -> Self {
        Self::Log(LogIds::default())
    }

    pub(crate) const fn is_log(&self) -> bool {
        matches!(self, Self::Log(_))
    }

    /// The ID before the first event.
    pub(crate) fn origin(&self) -> EventId {
        self.local(0)
    }

    /// The hub's own ID of a position.
    pub(crate) fn local(&self, position: u64) -> EventId {
        match self {
            Self::Local(key) => EventId::new((position, 0), key.tag(position)),
            Self::Log(_) => EventId::new((0, 0), 0),
        }
    }

    /// The ID of an event for a trim point, from the event's position and block. A local ID gets its tag only when the
    /// trim point is sent, because most trim points never are.
    pub(crate) fn of_block(&self, position: u64, block: &[u8]) -> EventId {
        match self {
            Self::Local(_) => EventId::new((position, 0), 0),
            // Every block of a hub ends with its ID, so the fallback is never used.
            Self::Log(_) => EventId::of_block(block).unwrap_or_else(|| self.origin()),
        }
    }

    /// The ID of a trim point, with its tag.
    pub(crate) fn of_trim_point(&self, trimmed: TrimPoint) -> Option<EventId> {
        trimmed.id.map(|id| if let Self::Local(_) = self { self.local(trimmed.position) } else { id })
    }

    pub(crate) fn remember(&mut self, id: EventId, position: u64) {
        let Self::Log(log) = self else { return };
        log.first.get_or_insert((id, position));
        log.recent.push_back((id, position));
        if log.recent.len() > REMEMBERED_IDS {
            log.recent.pop_front();
        }
    }

    /// The newest ID of a followed log.
    pub(crate) fn newest(&self) -> Option<EventId> {
        match self {
            Self::Local(_) => None,
            Self::Log(log) => log.recent.back().map(|(id, _)| *id),
        }
    }

    /// Removes all IDs of a followed log, after a reset.
    pub(super) fn reset(&mut self) {
        if let Self::Log(log) = self {
            log.recent.clear();
            log.first = None;
            log.truncations.reset_ids();
        }
    }

    /// Truncates the positions after that of `id`, up to `last`, and returns the last position that remains.
    /// From now on `id` is also the ID of `last`.
    pub(super) fn truncate(&mut self, epoch: u64, (id, position): (EventId, u64), last: u64) -> u64 {
        let Self::Log(log) = self else { return position };
        // An earlier truncation to the same ID left a later position with this ID.
        let kept = log.find_last(id).unwrap_or(position);
        let newest = log.recent.back().map_or(id, |(newest, _)| *newest);
        let after = log.recent.partition_point(|(_, position)| *position <= kept);
        let part = TruncatedPart { epoch, kept: (kept, id), last: (last, newest) };
        log.truncations.add(part, log.recent.drain(after..));
        log.recent.push_back((id, last));
        kept
    }

    /// The new position of a cursor that has seen the truncations up to `seen`, if its own position was truncated.
    pub(crate) fn move_cursor(&self, seen: u64, position: u64) -> Option<u64> {
        let Self::Log(log) = self else { return None };
        log.truncations.move_cursor(seen, position)
    }

    /// Looks up an ID. A local ID must have the tag of its position. An ID of a log must be remembered, or be the ID of an
    /// event or trim point of these topics; older IDs are found [by order](LogIds::find_by_order).
    pub(crate) fn look_up(&self, head: u64, id: EventId, topics: &[Arc<SharedTopic>]) -> IdLookup {
        let Self::Log(log) = self else {
            let (position, _) = id.position();
            let is_known = position <= head && id == self.local(position);
            return if is_known { IdLookup::Known(position) } else { IdLookup::Unknown };
        };
        let held = || topics.iter().find_map(|topic| topic.lock().ring.find(id));
        let trimmed = || {
            let mut trimmed = topics.iter().map(|topic| topic.lock().ring.trimmed_to());
            trimmed.find(|trimmed| trimmed.id == Some(id) && trimmed.position > 0).map(|trimmed| trimmed.position)
        };
        let known = log.find_recent(id).or_else(held).or_else(trimmed).or_else(|| log.find_by_order(id, topics));
        match (known, log.truncations.position_of(id)) {
            (Some(position), _) => IdLookup::Known(position),
            (None, Some(position)) => IdLookup::Truncated(position),
            (None, None) => IdLookup::Unknown,
        }
    }

    /// The position of an ID that is among the remembered IDs of a followed log.
    pub(super) fn find_recent(&self, id: EventId) -> Option<u64> {
        match self {
            Self::Local(_) => None,
            Self::Log(log) => log.find_recent(id),
        }
    }

    /// The ID of a position, if the ID is still known. For a followed log that may be the ID of the last event of these
    /// topics up to the position: a client resumes at the same next event.
    pub(crate) fn id_at(&self, position: u64, topics: &[Arc<SharedTopic>]) -> Option<EventId> {
        let Self::Log(log) = self else { return Some(self.local(position)) };
        let recent = log.recent.binary_search_by_key(&position, |(_, position)| *position).ok();
        if let Some((id, _)) = recent.and_then(|at| log.recent.get(at)) {
            return Some(*id);
        }
        let known = topics.iter().flat_map(|topic| {
            let locked = topic.lock();
            let trimmed = locked.ring.trimmed_to();
            let held = locked.ring.last_at(position).map(|(id, at)| (at, Some(id)));
            let trimmed = (trimmed.position <= position).then_some((trimmed.position, trimmed.id));
            [trimmed, held].into_iter().flatten()
        });
        known.max_by_key(|(at, _)| *at).filter(|(at, _)| *at > 0 || position == 0)?.1
    }
}
