//! Where a subscription starts: after the client's last event ID, or with a replay.

use super::Inner;
use super::cursor::Cursor;
use super::deferred::Deferred;
use super::history::History;
use super::id::EventId;
use super::log::id_source::{IdLookup, IdSource};
use super::topic::SharedTopic;
use crate::event::control::Control;
use crate::request::last_event_id::LastEventId;
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;
use std::time::Instant;

/// The stored events that a new client receives. A new client has no last event ID, or one that the hub does not know.
///
/// ```
/// # use sse_core::{Hub, Replay, testing::Clock};
/// # let clock = Clock::new();
/// let hub = Hub::builder().build_on(clock.clone());
/// hub.publish("news", "rain")?;
/// let replayed = |replay| {
///     let subscription = clock.sse().subscribe(&hub, "news").replay(replay);
///     clock.read(subscription.into_response()).text().contains("data: rain")
/// };
/// assert!(replayed(Replay::All) && replayed(Replay::Last(1)) && !replayed(Replay::None));
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Replay {
    /// No stored event. The stream starts with the next publish. If all topics of the stream have [ended](super::Hub::end), this
    /// is [`All`](Self::All).
    #[default]
    None,
    /// All stored events, from the oldest one after which every topic is complete.
    All,
    /// The newest events, at most this many of all topics together, as far as every topic is complete.
    /// [`Subscription::replay_topic`](super::Subscription::replay_topic) counts one topic alone.
    Last(usize),
}

/// How a subscription continues after the client's last event ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resumption {
    /// The client brought no last event ID.
    Fresh,
    /// The stream continues strictly after the client's last event ID, and no event is missing.
    Resumed,
    /// Events are missing, or may be missing. The stream sends a gap event in their place.
    Gap,
}

impl Resumption {
    /// Whether events are missing, or may be missing.
    ///
    /// ```
    /// use sse_core::Resumption;
    /// assert!(Resumption::Gap.is_gap());
    /// assert!(!Resumption::Resumed.is_gap());
    /// ```
    #[must_use]
    pub const fn is_gap(self) -> bool {
        matches!(self, Self::Gap)
    }

    /// The lower-case name, for a header or a log.
    ///
    /// ```
    /// assert_eq!(sse_core::Resumption::Resumed.as_str(), "resumed");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Resumed => "resumed",
            Self::Gap => "gap",
        }
    }
}

/// A started subscription.
pub(super) struct Entered {
    pub(super) cursor: Cursor,
    pub(super) resumption: Resumption,
    /// Whether the hub does not know the client's ID. The stream then starts with a gap.
    pub(super) is_unknown: bool,
    /// Whether the client has received everything, and all topics have ended.
    pub(super) is_over: bool,
    /// The ID of the position where the stream starts, if it is known.
    pub(super) start: Option<EventId>,
}

/// The reason why a client must retry later instead of subscribing.
#[derive(Debug, Clone, Copy)]
pub(super) enum NotEntered {
    /// The hub still loads the stored entries of its log.
    Loading,
    /// The client's ID may still arrive from the log.
    Behind,
    /// The hub has `max_topics` topics that are in use.
    Topics,
}

impl NotEntered {
    /// The word in the trace.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Behind => "behind",
            Self::Topics => "topics",
        }
    }
}

impl History {
    /// Subscribes to these topics, and moves a new cursor to the position of the client's ID.
    pub(super) fn enter(
        &mut self,
        hub: &Arc<Inner>,
        names: &[String],
        (client, control): (&LastEventId, Control),
        now: Option<Instant>,
        deferred: &mut Deferred,
    ) -> Result<Entered, NotEntered> {
        if !self.accepts_subscribers {
            return Err(NotEntered::Loading);
        }
        let id = client.as_str().and_then(EventId::parse);
        if id.is_some_and(|id| self.may_still_arrive(hub, id, names)) {
            return Err(NotEntered::Behind);
        }
        let max_topics = hub.limits.max_topics;
        let topics =
            self.topics.enter_all((names, false), max_topics, &self.ids, deferred).map_err(|_| NotEntered::Topics)?;
        // `expire` trims a bounded number of events, but a replay must not start with an expired event.
        if let (Some(now), Some(age)) = (now, hub.limits.topic_age)
            && let Some(upto) = self.ages.expired(now, age)
        {
            self.topics.trim_all(&topics, upto, &self.ids, deferred);
        }
        let mut cursor = Cursor::new(hub, topics.clone(), control);
        let lookup = match id.map_or(IdLookup::Unknown, |id| self.look_up(hub, id, &topics)) {
            // The client may have missed a removal that is forgotten, so it needs the whole state.
            IdLookup::Known(position) if Self::has_forgotten(&topics, position) => IdLookup::Unknown,
            lookup => lookup,
        };
        Ok(match lookup {
            IdLookup::Known(position) => {
                cursor.start_at(position);
                let missing = topics.iter().any(|topic| topic.lock().ring.trimmed_to().position > position);
                let resumption = if missing { Resumption::Gap } else { Resumption::Resumed };
                let is_over = !missing && Self::are_over(&topics, position);
                Entered { cursor, resumption, is_unknown: false, is_over, start: id }
            }
            IdLookup::Truncated(position) => {
                // The first poll finds the truncation and sends the gap.
                cursor.start_at_truncated(position);
                Entered { cursor, resumption: Resumption::Gap, is_unknown: false, is_over: false, start: None }
            }
            IdLookup::Unknown => {
                let (position, start) = self.replay_start(hub, &topics, self.replay_of(hub, &topics, Replay::None));
                cursor.replay_after(position);
                cursor.load_state(hub.head.load(Ordering::Acquire));
                let start = self.start_before_state(&cursor, start);
                let fresh = matches!(client, LastEventId::Absent | LastEventId::Empty);
                let resumption = if fresh { Resumption::Fresh } else { Resumption::Gap };
                Entered { cursor, resumption, is_unknown: !fresh, is_over: false, start }
            }
        })
    }

    /// Whether a state topic has forgotten a removal after this position.
    fn has_forgotten(topics: &[Arc<SharedTopic>], position: u64) -> bool {
        topics.iter().any(|topic| topic.is_state() && topic.lock().ring.trimmed_to().position > position)
    }

    /// The ID from which a client resumes before it has received the state: `start` if there is no state. `None` for a state
    /// that the hub loaded from a log, because nothing resumes before that.
    pub(super) fn start_before_state(&self, cursor: &Cursor, start: Option<EventId>) -> Option<EventId> {
        let (first, topics) = (cursor.first_position(), cursor.topics());
        if first >= cursor.position() {
            return start;
        }
        let is_loaded = |topic: &Arc<SharedTopic>| {
            let trimmed = topic.lock().ring.trimmed_to();
            trimmed.position > first || (trimmed.position == first && trimmed.id.is_none())
        };
        let has_loaded = self.ids.is_log() && topics.iter().any(|topic| topic.is_state() && is_loaded(topic));
        if has_loaded { None } else { self.ids.id_at(first, &topics) }
    }

    /// Looks up an event ID for subscribers of these topics.
    pub(super) fn look_up(&self, hub: &Inner, id: EventId, topics: &[Arc<SharedTopic>]) -> IdLookup {
        self.ids.look_up(hub.head.load(Ordering::Acquire), id, topics)
    }

    /// The position of the ID in [`Subscription::not_before`](super::Subscription::not_before). `None` for an unknown ID:
    /// all events of this run are newer.
    pub(super) fn not_before(&self, hub: &Inner, id: EventId, topics: &[Arc<SharedTopic>]) -> Option<u64> {
        match self.look_up(hub, id, topics) {
            IdLookup::Known(position) | IdLookup::Truncated(position) => Some(position),
            IdLookup::Unknown => {
                // Another node has read further than this one.
                let is_ahead = self.ids.newest().is_some_and(|newest| newest.position() < id.position());
                is_ahead.then(|| hub.head.load(Ordering::Acquire))
            }
        }
    }

    /// The replay for a new client of these topics. If all of them have ended, nothing can follow, so the client receives what
    /// is kept.
    pub(super) fn replay_of(&self, hub: &Inner, topics: &[Arc<SharedTopic>], replay: Replay) -> Replay {
        let are_over = || Self::are_over(topics, hub.head.load(Ordering::Acquire));
        if replay == Replay::None && are_over() { Replay::All } else { replay }
    }

    /// The position after which a replay starts, and the ID of that position if it is known.
    pub(super) fn replay_start(
        &self,
        hub: &Inner,
        topics: &[Arc<SharedTopic>],
        replay: Replay,
    ) -> (u64, Option<EventId>) {
        let head = hub.head.load(Ordering::Acquire);
        match (self.replay_position(head, topics, replay), &self.ids) {
            // A log has no ID for position 0. The ID just before the first event of these topics resumes at the same event.
            // If that event is the first of the log, the stream has no ID before it.
            (0, IdSource::Log(_)) if head > 0 => {
                let oldest = topics.iter().filter_map(|topic| topic.lock().ring.oldest()).min();
                let position = oldest.map_or(head, |oldest| oldest - 1);
                (position, if position > 0 { self.ids.id_at(position, topics) } else { None })
            }
            (position, _) => (position, self.ids.id_at(position, topics)),
        }
    }

    fn replay_position(&self, head: u64, topics: &[Arc<SharedTopic>], replay: Replay) -> u64 {
        // A state topic replays its state by itself.
        let topics: &[_] = &topics.iter().filter(|topic| !topic.is_state()).cloned().collect::<Vec<_>>();
        // After this position every topic is complete.
        let complete = || topics.iter().map(|topic| topic.lock().ring.trimmed_to().position).max().unwrap_or(head);
        match replay {
            Replay::None | Replay::Last(0) => head,
            Replay::All => complete(),
            Replay::Last(events) => {
                let after =
                    |position: u64| topics.iter().map(|topic| topic.lock().ring.count_after(position)).sum::<usize>();
                // The latest position that has at least this many events after it.
                let (mut low, mut high) = (complete(), head);
                while low < high {
                    let middle = low + (high - low).div_ceil(2);
                    if after(middle) >= events { low = middle } else { high = middle - 1 }
                }
                low
            }
        }
    }
}
