//! The end of a topic: its last event, its removal, and how long the hub remembers it.

use super::deferred::Deferred;
use super::history::{EXPIRED_TOPICS, History};
use super::publish::{PublishError, Topic, check_name};
use super::topic::{SharedTopic, TopicPhase};
use super::trim_point::TrimPoint;
use super::{EventId, Hub, Inner};
use crate::event::frame::IntoFrame;
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Hub {
    /// Publishes the last event of a topic, and returns the event's ID. A later publish to the topic returns
    /// [`PublishError::Ended`].
    ///
    /// The subscribers receive the event, and their streams finish, as after [`Sender::finish`](crate::Sender::finish): a
    /// browser does not reconnect. A stream of several topics finishes when all of them have ended and everything is
    /// delivered. A client that comes later receives what the hub keeps, and its stream finishes; if all its topics have
    /// ended, also without a [`replay`](super::Subscription::replay). A client that brings the last ID of its topics is
    /// answered 204.
    ///
    /// The hub keeps the topic within its bounds, [`ended_topic_age`](super::HubBuilder::ended_topic_age) among them.
    ///
    /// # Errors
    /// [`PublishError`], and [`PublishError::Ended`] if the topic has ended before. Nothing was published.
    ///
    /// ```
    /// # use sse_core::{Event, Hub, LastEventId, hub::PublishError, testing::Clock};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let mut client = clock.read(clock.sse().subscribe(&hub, "answer/7").into_response());
    /// hub.publish("answer/7", "Hello")?;
    /// let last = hub.end("answer/7", Event::data("{}").event("done"))?;
    /// assert!(client.text().ends_with("event: sse-end\nid: end\ndata: {}\n\n"));
    /// assert!(client.has_ended());
    ///
    /// assert_eq!(hub.publish("answer/7", "late"), Err(PublishError::Ended));
    /// let late = clock.sse().subscribe(&hub, "answer/7").into_response();
    /// assert!(clock.read(late).text().contains("data: Hello\n"));
    /// let again = clock.sse_after(LastEventId::Text(last.to_string().into())).subscribe(&hub, "answer/7");
    /// assert_eq!(again.into_response().status(), 204);
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn end(&self, topic: impl AsRef<str>, last: impl IntoFrame) -> Result<EventId, PublishError> {
        let block = self.inner.encode(last)?;
        let topic = topic.as_ref();
        check_name(topic)?;
        self.inner.append(|history, deferred| history.open_topic(&self.inner, topic, deferred), block, true)
    }

    /// Removes a topic with its events, also one that has ended, and returns whether the hub had it. The name can be used
    /// again.
    ///
    /// Streams that follow the topic are closed, so their clients reconnect. A client that brings an ID from before the
    /// removal receives a gap. A publish through a [handle](Self::topic) of the removed topic returns
    /// [`PublishError::Removed`].
    ///
    /// # Errors
    /// [`PublishError::Followed`]: the hub follows a log, and the log decides what is removed.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// hub.publish("room/7", "hello")?;
    /// let mut client = clock.read(clock.sse().subscribe(&hub, "room/7").into_response());
    /// client.text();
    /// assert!(hub.remove("room/7")?);
    /// client.text();
    /// assert!(client.has_ended());
    /// assert!(!hub.remove("room/7")?);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn remove(&self, topic: impl AsRef<str>) -> Result<bool, PublishError> {
        let topic = topic.as_ref();
        let now = self.inner.now_if_aging();
        let mut deferred = Deferred::default();
        let removed = {
            let mut history = self.inner.history.lock();
            if history.ids.is_log() {
                return Err(PublishError::Followed);
            }
            history.expire(&self.inner, now, &mut deferred);
            history.remove(&self.inner, topic, None, &mut deferred)
        };
        deferred.run(&self.inner);
        Ok(removed)
    }

    /// The ID of the last event of a topic that has ended. `None` while the topic goes on, and for a topic that the hub does
    /// not have. The call forgets topics of [`ended_topic_age`](super::HubBuilder::ended_topic_age) first.
    ///
    /// ```
    /// # use sse_core::Hub;
    /// let hub = Hub::new();
    /// hub.publish("answer/7", "Hello")?;
    /// assert_eq!(hub.ended("answer/7"), None);
    /// let last = hub.end("answer/7", "!")?;
    /// assert_eq!(hub.ended("answer/7"), Some(last));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    #[must_use]
    pub fn ended(&self, topic: impl AsRef<str>) -> Option<EventId> {
        let topic = topic.as_ref();
        let now = self.inner.now_if_aging();
        let mut deferred = Deferred::default();
        let ended = {
            let mut history = self.inner.history.lock();
            history.expire(&self.inner, now, &mut deferred);
            match history.topics.get(topic) {
                Some(topic) => topic.lock().end().map(|end| end.id),
                None => history.topics.trimmed.ended(topic).and_then(|trimmed| history.ids.of_trim_point(trimmed)),
            }
        };
        deferred.run(&self.inner);
        ended
    }
}

impl Topic {
    /// Publishes the last event of the topic, as [`Hub::end`] does.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// ```
    /// # use sse_core::{Hub, hub::PublishError};
    /// let hub = Hub::new();
    /// let answer = hub.topic("answer/7")?;
    /// answer.publish("Hello")?;
    /// answer.end(("done", "{}"))?;
    /// assert_eq!(answer.publish("late"), Err(PublishError::Ended));
    /// # Ok::<(), PublishError>(())
    /// ```
    pub fn end(&self, last: impl IntoFrame) -> Result<EventId, PublishError> {
        let inner = &self.hub().inner;
        let block = inner.encode(last)?;
        inner.append(|_, _| self.open(), block, true)
    }
}

impl History {
    /// The topic of this name for a publish, created if necessary.
    pub(crate) fn open_topic(
        &mut self,
        hub: &Inner,
        name: &str,
        deferred: &mut Deferred,
    ) -> Result<Arc<SharedTopic>, PublishError> {
        match self.topics.get(name) {
            Some(topic) if topic.phase() == TopicPhase::Open => Ok(topic.clone()),
            None if !self.topics.trimmed.has_ended(name) => Ok(self.topic(hub, name, deferred)?),
            _ => Err(PublishError::Ended),
        }
    }

    /// Whether every one of these topics has ended at this position or before.
    pub(super) fn are_over(topics: &[Arc<SharedTopic>], position: u64) -> bool {
        let is_over = |topic: &Arc<SharedTopic>| matches!(topic.phase(), TopicPhase::Ended(end) if end <= position);
        !topics.is_empty() && topics.iter().all(is_over)
    }

    /// Removes a topic with its events. `id` is the ID of the removal in a followed log. Returns whether the hub had the
    /// topic.
    pub(crate) fn remove(&mut self, hub: &Inner, name: &str, id: Option<EventId>, deferred: &mut Deferred) -> bool {
        let topic = self.topics.get(name).cloned();
        let had_ended = self.topics.trimmed.has_ended(name);
        if id.is_none() && topic.is_none() && !had_ended {
            return false;
        }
        // A position of its own, so that also a client with the newest ID receives a gap.
        let position = hub.head.load(Ordering::Relaxed) + 1;
        let id = id.unwrap_or_else(|| self.ids.local(position));
        let trimmed = TrimPoint { position, id: Some(id) };
        let Some(topic) = topic else {
            self.advance(hub, id);
            self.topics.trimmed.remove(name, trimmed);
            return had_ended;
        };
        self.topics.drop_in_use(&topic, Some(trimmed), &self.ids, |locked, _| {
            locked.ring.remove_all(&mut deferred.garbage);
            topic.set_removed();
            topic.commit(locked, deferred, || hub.head.store(position, Ordering::Release));
        });
        self.ids.remember(id, position);
        deferred.topics.push(topic);
        true
    }

    /// Forgets topics that ended this long ago, also those that were dropped since. A subscriber that has not received everything receives a gap.
    pub(super) fn forget_ended(&mut self, now: Instant, age: Duration, deferred: &mut Deferred) {
        let Some(time) = now.checked_sub(age) else { return };
        for _ in 0..EXPIRED_TOPICS {
            let Some(topic) = self.topics.ended_by(time) else {
                if !self.topics.trimmed.forget_end(time) {
                    return;
                }
                continue;
            };
            self.topics.drop_in_use(&topic, None, &self.ids, |locked, trimmed| {
                locked.ring.reset_to(trimmed, &mut deferred.garbage);
                topic.commit(locked, deferred, || {});
            });
            deferred.topics.push(topic);
        }
    }
}
