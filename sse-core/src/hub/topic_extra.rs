//! The part of a topic that most topics do not have: its own bounds, its end, and tasks that wait until no subscriber follows the topic.

use super::id::EventId;
use super::limits::HubLimits;
use super::topic_bounds::TopicBounds;
use std::collections::BTreeMap;
use std::task::Waker;

/// The last event of a topic that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicEnd {
    pub(crate) position: u64,
    pub(crate) id: EventId,
}

#[derive(Debug, Default)]
pub(crate) struct TopicExtra {
    pub(crate) bounds: TopicBounds,
    pub(crate) end: Option<TopicEnd>,
    /// How often a subscriber came while a task waited.
    pub(crate) arrivals: u64,
    /// The wakers of tasks that wait until the topic has no subscriber, by ticket.
    pub(crate) watchers: BTreeMap<u64, Waker>,
    pub(crate) tickets: u64,
}

impl TopicExtra {
    /// The bounds of a topic: its own ones, and those of the hub for the others.
    pub(crate) fn bounds(extra: Option<&Self>, limits: &HubLimits) -> (usize, usize) {
        let own = extra.map(|extra| extra.bounds).unwrap_or_default();
        (own.events.unwrap_or(limits.topic_events), own.bytes.unwrap_or(limits.topic_bytes))
    }
}
