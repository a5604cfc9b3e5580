//! What an entry of the log changes: an event, a key of a state topic, the end of a topic, or its removal.

use super::LogFeedError;
use super::feed::check_order;
use crate::event::frame::IntoFrame;
use crate::hub::deferred::Deferred;
use crate::hub::history::History;
use crate::hub::id::EventId;
use crate::hub::publish::{PublishError, check_name};
use crate::hub::state::{ChangeId, check_key};
use crate::hub::stats::Counters;
use crate::hub::trim_point::EndTime;
use crate::hub::{Inner, log::LogFeed};
use std::time::Instant;

/// What one entry of a log changes, for [`LogFeed::append_all`]. `Some((topic, event))` converts into an event, and `None` into
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogChange<'a, E> {
    /// An event of this topic.
    Event(&'a str, E),
    /// The last event of this topic, as [`LogFeed::end`].
    End(&'a str, E),
    /// The removal of this topic, as [`LogFeed::remove`].
    Remove(&'a str),
    /// The event of a key of a state topic, which replaces the event that the key had:
    /// [`StateTopic::set`](crate::hub::StateTopic::set) on every node. The topic becomes a state topic.
    Set(&'a str, &'a str, E),
    /// The removal of a key of a state topic, with the event for its subscribers:
    /// [`StateTopic::remove_with`](crate::hub::StateTopic::remove_with) on every node. The hub sends the event also if the topic
    /// does not have the key, because a client may have the key from another node.
    Unset(&'a str, &'a str, E),
    /// Nothing, as [`LogFeed::advance`].
    Nothing,
}

impl<'a, E> From<Option<(&'a str, E)>> for LogChange<'a, E> {
    fn from(event: Option<(&'a str, E)>) -> Self {
        event.map_or(Self::Nothing, |(topic, event)| Self::Event(topic, event))
    }
}

/// A change that was checked and encoded, outside of the lock.
pub(super) enum EncodedChange<'a> {
    Event { topic: &'a str, block: Vec<u8>, ends: bool },
    Key { topic: &'a str, key: &'a str, block: Vec<u8>, is_removal: bool },
    Remove(&'a str),
    Nothing,
}

impl<'a> EncodedChange<'a> {
    pub(super) fn new<E: IntoFrame>(hub: &Inner, change: LogChange<'a, E>) -> Result<Self, LogFeedError> {
        let check = |topic: &str| check_name(topic).map_err(|_| LogFeedError::TopicName(topic.len()));
        let (ends, is_removal) = (matches!(change, LogChange::End(..)), matches!(change, LogChange::Unset(..)));
        Ok(match change {
            LogChange::Event(topic, event) | LogChange::End(topic, event) => {
                let block = hub.encode(event)?;
                check(topic)?;
                Self::Event { topic, block, ends }
            }
            LogChange::Set(topic, key, event) | LogChange::Unset(topic, key, event) => {
                let block = hub.encode(event)?;
                check(topic)?;
                check_key(key).map_err(|_| LogFeedError::StateKey(key.len()))?;
                Self::Key { topic, key, block, is_removal }
            }
            LogChange::Remove(topic) => {
                check(topic)?;
                Self::Remove(topic)
            }
            LogChange::Nothing => Self::Nothing,
        })
    }
}

impl History {
    /// Makes the change of the entry with this ID, which is after all others. Returns whether an event was published.
    pub(super) fn apply(
        &mut self,
        hub: &Inner,
        now: Option<Instant>,
        (id, change): (EventId, EncodedChange<'_>),
        deferred: &mut Deferred,
    ) -> Result<bool, LogFeedError> {
        match change {
            EncodedChange::Event { topic, block, ends } => match self.open_topic(hub, topic, deferred) {
                Ok(topic) if topic.is_state() => return Err(LogFeedError::State),
                Ok(topic) => drop(self.append(hub, now, &topic, (Some(id), ends), block, deferred)),
                Err(PublishError::Ended) => return Err(LogFeedError::Ended),
                Err(_) => {
                    let at = EndTime(hub.limits.ended_topic_age.and(now));
                    self.trim_at_once(hub, topic, id, ends.then_some(at));
                }
            },
            EncodedChange::Key { topic, key, block, is_removal } => {
                let event = (key, (block, is_removal));
                self.change_key(hub, topic, event, ChangeId::OfLog(id), deferred)?;
            }
            EncodedChange::Remove(topic) => {
                self.remove(hub, topic, Some(id), deferred);
                return Ok(false);
            }
            EncodedChange::Nothing => {
                self.advance(hub, id);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl LogFeed {
    /// Appends the next entry of the log to a topic, as the last event of the topic: [`Hub::end`](crate::Hub::end) on every
    /// node. The hub rejects later entries of the topic with [`LogFeedError::Ended`], until [`remove`](Self::remove).
    ///
    /// # Errors
    /// As [`append`](Self::append).
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (hub, mut feed) = log::follow(Hub::builder());
    /// feed.end(EventId::new((1, 0), 7), "answer", ("done", "{}"))?;
    /// assert_eq!(hub.ended("answer"), Some(EventId::new((1, 0), 7)));
    /// let late = EventId::new((2, 0), 7);
    /// assert_eq!(feed.append(late, "answer", "late"), Err(log::LogFeedError::Ended));
    /// feed.advance(late)?;
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn end(&mut self, id: EventId, topic: &str, last: impl IntoFrame) -> Result<(), LogFeedError> {
        self.change(id, LogChange::End(topic, last))
    }

    /// Removes a topic with its events, as [`Hub::remove`](crate::Hub::remove) does, because the log has an entry that removes
    /// it.
    ///
    /// # Errors
    /// [`LogFeedError::OutOfOrder`] and [`LogFeedError::TopicName`].
    ///
    /// ```
    /// # use sse_core::{Hub, hub::{EventId, log}};
    /// let (hub, mut feed) = log::follow(Hub::builder());
    /// feed.end(EventId::new((1, 0), 7), "answer", "done")?;
    /// feed.remove(EventId::new((2, 0), 7), "answer")?;
    /// feed.append(EventId::new((3, 0), 7), "answer", "again")?;
    /// assert_eq!(hub.stats().held_events, 1);
    /// # Ok::<(), log::LogFeedError>(())
    /// ```
    pub fn remove(&mut self, id: EventId, topic: &str) -> Result<(), LogFeedError> {
        self.change(id, LogChange::<&str>::Remove(topic))
    }

    pub(super) fn change<E: IntoFrame>(&self, id: EventId, change: LogChange<'_, E>) -> Result<(), LogFeedError> {
        let inner = &*self.hub.inner;
        let change = EncodedChange::new(inner, change)?;
        let now = inner.now_if_aging();
        let mut deferred = Deferred::default();
        let applied = {
            let mut history = inner.history.lock();
            check_order(&history.ids, id).and_then(|()| {
                history.expire(inner, now, &mut deferred);
                history.apply(inner, now, (id, change), &mut deferred)
            })
        };
        Counters::add(&inner.counters.published, usize::from(applied == Ok(true)));
        deferred.run(inner);
        applied.map(drop)
    }
}
