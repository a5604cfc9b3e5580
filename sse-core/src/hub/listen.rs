//! Listening to topics inside the process, for workers, bridges and tests.

use super::Hub;
use super::cursor::{Cursor, FollowedTopic};
use super::deferred::Deferred;
use super::history::MAX_TOPIC_BYTES;
use super::id::EventId;
use super::log::id_source::IdLookup;
use super::merge::Taken;
use super::resume::Replay;
use super::subscribe::{SubscribeError, unique};
use super::topic::TopicPhase;
use super::topic_names::IntoTopics;
use crate::decoder::decoder::Decoder;
use crate::decoder::message_event::MessageEvent;
use crate::runtime::sync::atomic::Ordering;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a [`Listener`] hears.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// An event of a topic. [`EventId::parse`] reads its `last_event_id`. An event without data is not heard, as no client
    /// dispatches it.
    Event(TopicName, MessageEvent<'static>),
    /// Events are missing here, of this topic, or of any topic if it is `None`: the ID of [`Listener::after`] is unknown, or the
    /// log of the hub lost events.
    Gap(Option<TopicName>),
    /// The topic has ended, and its last event was heard.
    End(TopicName),
    /// The topic was removed. The listener does not hear a later topic of this name.
    Removed(TopicName),
}

/// The name of a topic that a [`Listener`] listens to. A clone copies a reference count.
pub type TopicName = std::sync::Arc<str>;

/// The reason why a hub cannot be listened to, from [`Hub::listen`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The name of a topic has this many bytes, more than [`MAX_TOPIC_BYTES`].
    #[error("a topic name has {0} bytes, and the limit is {MAX_TOPIC_BYTES}")]
    TopicName(usize),
    /// With these topics the hub would have more than `max_topics` topics that are in use: with a subscriber, a handle or a
    /// listener. [`HubBuilder::max_topics`](super::HubBuilder::max_topics) changes the limit.
    #[error("the hub has no room for these topics: `HubBuilder::max_topics` changes the limit")]
    TooManyTopics,
}

/// The events, gaps and ends of topics, from [`Hub::listen`]: a `Stream` of [`Heard`]. The stream returns `None` when all of its
/// topics have ended or were removed. A drain does not end it.
///
/// A listener reads the history of the hub, as the stream of a client does: it has no queue, and no publish waits for it. A
/// listener that is too slow hears a gap.
pub struct Listener {
    hub: Hub,
    cursor: Cursor,
    /// The name of each topic of the cursor.
    names: Vec<TopicName>,
    /// Items that were read together.
    read: VecDeque<Heard>,
}

impl Hub {
    /// Listens to topics inside the process, from now on. [`Listener::replay`] and [`Listener::after`] start earlier.
    ///
    /// The hub keeps the topics as long as the listener exists. The listener is no subscriber of them.
    ///
    /// # Errors
    /// [`ListenError`].
    ///
    /// ```
    /// # use sse_core::{Hub, Replay, hub::Heard};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let hub = Hub::new();
    /// hub.publish("answer/7", "Hello")?;
    /// hub.end("answer/7", ("done", "{}"))?;
    ///
    /// let mut answer = hub.listen("answer/7").unwrap().replay(Replay::All);
    /// let Some(Heard::Event(_, event)) = answer.next().await else { panic!() };
    /// assert_eq!(event.data, "Hello");
    /// let Some(Heard::Event(_, event)) = answer.next().await else { panic!() };
    /// assert_eq!((&*event.event_type, &*event.data), ("done", "{}"));
    /// assert_eq!(answer.next().await, Some(Heard::End("answer/7".into())));
    /// assert_eq!(answer.next().await, None);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// # }).unwrap();
    /// ```
    pub fn listen<K>(&self, topics: impl IntoTopics<K>) -> Result<Listener, ListenError> {
        let inner = &self.inner;
        // More names than the hub can have topics never find room.
        let names = unique(topics.into_topics(), inner.limits.max_topics).map_err(|error| match error {
            SubscribeError::TopicName(bytes) => ListenError::TopicName(bytes),
            SubscribeError::TooManyTopics(_) | SubscribeError::OtherHub => ListenError::TooManyTopics,
        })?;
        let now = inner.now_if_aging();
        let mut deferred = Deferred::default();
        let cursor = {
            let mut history = inner.history.lock();
            let history = &mut *history;
            history.expire(inner, now, &mut deferred);
            let entered =
                history.topics.enter_all((&names, true), inner.limits.max_topics, &history.ids, &mut deferred);
            entered.map(|topics| {
                let mut cursor = Cursor::of_listener(inner, topics);
                cursor.start_at(inner.head.load(Ordering::Acquire));
                cursor
            })
        };
        deferred.run(inner);
        let cursor = cursor.map_err(|_| ListenError::TooManyTopics)?;
        let names = names.into_iter().map(TopicName::from).collect();
        Ok(Listener { hub: self.clone(), cursor, names, read: VecDeque::new() })
    }
}

impl Listener {
    /// Hears stored events first. [`Replay::None`] is the default, and means no stored event, also of topics that have ended.
    #[must_use]
    pub fn replay(mut self, replay: Replay) -> Self {
        let inner = self.hub.inner.clone();
        let topics = self.cursor.topics();
        let history = inner.history.lock();
        let (position, _) = history.replay_start(&inner, &topics, replay);
        self.cursor.replay_after(position);
        if replay != Replay::None {
            self.cursor.load_state(inner.head.load(Ordering::Acquire));
        }
        drop(history);
        self
    }

    /// Hears what follows the event with this ID. If the hub does not know the ID, the listener hears a gap, and then what
    /// follows the call of [`Hub::listen`].
    ///
    /// ```
    /// # use sse_core::{Hub, hub::Heard};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let hub = Hub::new();
    /// let rain = hub.publish("news", "rain")?;
    /// hub.publish("news", "sun")?;
    /// let mut news = hub.listen(["news"]).unwrap().after(rain);
    /// assert!(matches!(news.next().await, Some(Heard::Event(_, event)) if event.data == "sun"));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn after(mut self, id: EventId) -> Self {
        let inner = self.hub.inner.clone();
        let topics = self.cursor.topics();
        let history = inner.history.lock();
        match history.look_up(&inner, id, &topics) {
            IdLookup::Known(position) => self.cursor.replay_after(position),
            IdLookup::Truncated(position) => self.cursor.start_at_truncated(position),
            IdLookup::Unknown => self.read.push_back(Heard::Gap(None)),
        }
        drop(history);
        self
    }

    /// Returns the next item. `None` when all topics have ended or were removed, and everything was heard.
    ///
    /// # Cancel safety
    /// A dropped future loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn read(&mut self, taken: Taken) {
        let Some(topic) = self.names.get(taken.index).cloned() else { return };
        let Some(run) = taken.run else {
            self.read.push_back(Heard::Gap(Some(topic)));
            return;
        };
        // The hub has checked the size.
        let mut decoder = Decoder::new().max_event_bytes(usize::MAX).max_line_bytes(usize::MAX);
        let mut bytes = &*run;
        while let Some(event) = decoder.decode(&mut bytes) {
            // Every block of a hub can be decoded.
            self.read.extend(event.ok().map(|event| Heard::Event(topic.clone(), event.into_owned())));
        }
    }

    /// Leaves the topics that have no more events.
    fn leave_ended(&mut self) {
        let end = |cursor: &Cursor, followed: &FollowedTopic| -> Option<fn(TopicName) -> Heard> {
            match followed.topic.phase() {
                TopicPhase::Removed => Some(Heard::Removed),
                TopicPhase::Ended(end) if end <= cursor.position_in(followed) => Some(Heard::End),
                TopicPhase::Open | TopicPhase::Ended(_) => None,
            }
        };
        if !self.cursor.topics.iter().any(|followed| end(&self.cursor, followed).is_some()) {
            return;
        }
        let mut names = std::mem::take(&mut self.names).into_iter();
        let (read, kept) = (&mut self.read, &mut self.names);
        self.cursor.leave_if(|cursor, followed| {
            let end = end(cursor, followed);
            match end {
                Some(end) => read.extend(names.next().map(end)),
                None => kept.extend(names.next()),
            }
            end.is_some()
        });
    }
}

impl Stream for Listener {
    type Item = Heard;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let this = &mut *self;
        loop {
            if let Some(item) = this.read.pop_front() {
                return Poll::Ready(Some(item));
            }
            if this.names.is_empty() {
                return Poll::Ready(None);
            }
            // The same order as in `Cursor::poll`.
            let head = this.hub.inner.head.load(Ordering::Acquire);
            if this.cursor.pass_truncations().is_some() {
                return Poll::Ready(Some(Heard::Gap(None)));
            }
            if this.cursor.load.is_some()
                && let Some((index, run)) = this.cursor.take_state()
            {
                this.read(Taken { index, run: Some(run.bytes) });
                continue;
            }
            let taken = this.cursor.take_one(head);
            let is_idle = taken.is_empty();
            taken.into_iter().for_each(|taken| this.read(taken));
            this.leave_ended();
            if !is_idle || !this.read.is_empty() {
                continue;
            }
            if this.cursor.park(cx.waker()) {
                return Poll::Pending;
            }
            if this.hub.inner.head.load(Ordering::Acquire) == head {
                // A publish has stored an entry but not the head yet. It holds this lock until it stores the head.
                drop(this.hub.inner.history.lock());
            }
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("topics", &self.names).finish_non_exhaustive()
    }
}
