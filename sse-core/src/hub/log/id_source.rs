//! Where a history has its ids from: from itself, or from the log that it follows.

use super::truncated::TruncatedIds;
use crate::hub::id::EventId;
use crate::hub::ring::TrimPoint;
use crate::hub::topic::Topic;
use crate::runtime::sync::Arc;
use siphasher::sip::SipHasher13;
use std::collections::VecDeque;

/// How many ids of a followed log are remembered, whatever their topic.
pub(crate) const FOLLOWED_IDS: usize = 65_536;

/// How many rewrites of a followed log are remembered one by one.
const REWRITES: usize = 64;

/// Where the ids of events come from.
pub(crate) enum IdSource {
    /// The hub's own: the position, and a tag that only this hub can make for it.
    Local(Secret),
    /// A followed log's.
    Log(LogIds),
}

/// Makes the tags of a hub's own ids: a keyed hash (SipHash-1-3) of the position. A client that holds ids of this hub
/// cannot make another one.
pub(crate) struct Secret(SipHasher13);

impl Secret {
    pub(crate) fn new((one, other): (u64, u64)) -> Self {
        Self(SipHasher13::new_with_keys(one, other))
    }

    fn tag(&self, position: u64) -> u32 {
        self.0.hash(&position.to_le_bytes()) as u32
    }
}

#[derive(Default)]
pub(crate) struct LogIds {
    /// The newest ids, with their positions: both ascend. An id that the log went back to has a second position, the
    /// last of those that were taken back after it.
    pub(crate) recent: VecDeque<(EventId, u64)>,
    /// The first id since the start or the last reset, and its position.
    first: Option<(EventId, u64)>,
    /// Parts of the history that were taken back.
    pub(crate) rewrites: VecDeque<Rewrite>,
    pub(crate) taken_back: TruncatedIds,
}

#[derive(Clone, Copy)]
pub(crate) struct Rewrite {
    pub(crate) epoch: u64,
    /// Positions after this, and up to the last, are no longer.
    pub(crate) kept: u64,
    pub(crate) last: u64,
    /// The ids of the two.
    ids: (EventId, EventId),
}

impl LogIds {
    /// The position that an id has which is older than the ids that are remembered. It need not be an id that the log
    /// gave: which events are after it, its order among the others says. That holds for no id that is between those of
    /// events which the log took back: those must match exactly.
    ///
    /// For these topics it is a position between the last event up to the id and the first one after it.
    fn by_order(&self, id: EventId, topics: &[Arc<Topic>]) -> Option<u64> {
        let (oldest, _) = self.recent.front()?;
        let (first, start) = self.first?;
        let is_after = |other: EventId| id.position() > other.position();
        let taken_back = |rewrite: &Rewrite| is_after(rewrite.ids.0) && !is_after(rewrite.ids.1);
        let is_old = id.position() < oldest.position() && (is_after(first) || id == first);
        if !is_old || self.rewrites.iter().any(taken_back) {
            return None;
        }
        let rewritten = self.rewrites.iter().filter(|rewrite| is_after(rewrite.ids.1)).map(|rewrite| rewrite.last);
        let mut position = rewritten.max().unwrap_or(start);
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
}

impl IdSource {
    pub(crate) fn followed() -> Self {
        Self::Log(LogIds::default())
    }

    /// The id before the first event.
    pub(crate) fn origin(&self) -> EventId {
        self.own(0)
    }

    pub(crate) fn own(&self, position: u64) -> EventId {
        match self {
            Self::Local(secret) => EventId::new((position, 0), secret.tag(position)),
            Self::Log(_) => EventId::new((0, 0), 0),
        }
    }

    /// The id of an event for a mark, from its position and its block: without its tag, if that can be made for it later.
    pub(crate) fn of(&self, position: u64, block: &[u8]) -> EventId {
        match self {
            Self::Local(_) => EventId::new((position, 0), 0),
            // Every block of a hub ends with its id, so the other way out is never taken.
            Self::Log(_) => EventId::of_block(block).unwrap_or_else(|| self.origin()),
        }
    }

    /// The id of a mark, with its tag.
    pub(crate) fn of_mark(&self, mark: TrimPoint) -> Option<EventId> {
        mark.id.map(|id| if let Self::Local(_) = self { self.own(mark.position) } else { id })
    }

    pub(crate) fn remember(&mut self, id: EventId, position: u64) {
        let Self::Log(followed) = self else { return };
        followed.first.get_or_insert((id, position));
        followed.recent.push_back((id, position));
        if followed.recent.len() > FOLLOWED_IDS {
            followed.recent.pop_front();
        }
    }

    /// The newest id of a followed log.
    pub(crate) fn newest(&self) -> Option<EventId> {
        match self {
            Self::Local(_) => None,
            Self::Log(followed) => followed.recent.back().map(|(id, _)| *id),
        }
    }

    pub(crate) fn forget(&mut self) {
        if let Self::Log(followed) = self {
            followed.recent.clear();
            followed.first = None;
            followed.taken_back = TruncatedIds::default();
        }
    }

    /// The last position that an id stands for, which stands for this one.
    pub(crate) fn last_position(&self, position: u64, id: EventId) -> u64 {
        let Self::Log(followed) = self else { return position };
        let after = followed.recent.partition_point(|(recent, _)| *recent <= id);
        let last = after.checked_sub(1).and_then(|at| followed.recent.get(at)).filter(|(recent, _)| *recent == id);
        last.map_or(position, |(_, position)| *position)
    }

    /// The positions after `kept` and up to `last` are taken back; `id` is that of `kept`.
    pub(crate) fn truncate(&mut self, epoch: u64, (kept, last): (u64, u64), id: EventId) {
        let Self::Log(followed) = self else { return };
        let newest = followed.recent.back().map_or(id, |(newest, _)| *newest);
        let after = followed.recent.partition_point(|(_, position)| *position <= kept);
        for (id, position) in followed.recent.drain(after..) {
            followed.taken_back.remember(id, position);
        }
        followed.recent.push_back((id, last));
        followed.rewrites.push_back(Rewrite { epoch, kept, last, ids: (id, newest) });
        // The oldest two become one that covers both: a client that stands between them receives a gap too many, and none
        // receives a gap too few.
        if followed.rewrites.len() > REWRITES
            && let Some(oldest) = followed.rewrites.pop_front()
            && let Some(next) = followed.rewrites.front_mut()
        {
            next.kept = next.kept.min(oldest.kept);
            next.ids = (next.ids.0.min(oldest.ids.0), next.ids.1.max(oldest.ids.1));
        }
    }

    /// The position that an id stands for, if it is one of this history's. The id of another event, or one that was never
    /// given, is none; except that a log's old ids are found by their order, see [`Followed::by_order`].
    pub(crate) fn find(&self, head: u64, id: EventId, topics: &[Arc<Topic>]) -> Option<u64> {
        let Self::Log(followed) = self else {
            let (position, _) = id.position();
            return (position <= head && id == self.own(position)).then_some(position);
        };
        let kept = || topics.iter().find_map(|topic| topic.lock().ring.find(id));
        let marked = || {
            let marks = topics.iter().map(|topic| topic.lock().ring.trimmed_to());
            marks.filter(|mark| mark.id == Some(id) && mark.position > 0).map(|mark| mark.position).next()
        };
        self.remembered(id).or_else(kept).or_else(marked).or_else(|| followed.by_order(id, topics))
    }

    /// The position of an id that is among the newest of a followed log.
    pub(crate) fn remembered(&self, id: EventId) -> Option<u64> {
        let Self::Log(followed) = self else { return None };
        // The first: what a topic forgot is told as after what was taken back, and must not be passed over.
        let at = followed.recent.partition_point(|(recent, _)| *recent < id);
        followed.recent.get(at).filter(|(recent, _)| *recent == id).map(|(_, position)| *position)
    }

    /// The id of a position, or of the last event of these topics up to it, which says the same; if it is still known.
    pub(crate) fn at(&self, position: u64, topics: &[Arc<Topic>]) -> Option<EventId> {
        let Self::Log(followed) = self else { return Some(self.own(position)) };
        let recent = followed.recent.binary_search_by_key(&position, |(_, position)| *position).ok();
        if let Some((id, _)) = recent.and_then(|at| followed.recent.get(at)) {
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
