//! A stream that follows topics: where it begins, and what it says first.

use super::cursor::Cursor;
use super::history::{History, MAX_TOPIC_BYTES};
use super::id::EventId;
use super::log::id_source::IdSource;
use super::registry::owner;
use super::stats::Counters;
use super::topic::{Deferred, Topic};
use super::topic_names::IntoTopics;
use super::topic_source::TopicSource;
use super::{Hub, Inner};
use crate::event::control::Control;
use crate::event::frame::IntoFrame;
use crate::request::last_event_id::LastEventId;
use crate::response::assembly::{Opened, invalid, retry_later};
use crate::response::options::Sse;
use crate::response::prelude::Prelude;
use crate::response::response::Response;
use crate::runtime::runtime::Runtime;
use crate::runtime::sync::Arc;
use crate::runtime::sync::atomic::Ordering;
use crate::stream::owner::DrainEnd;
use crate::stream::{EventStream, Sender};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The stored events that a new client receives: one that has no last event ID, or one that this hub does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Replay {
    /// No stored event. The stream starts with the next publish.
    #[default]
    None,
    /// All stored events, from the oldest one after which every topic is complete.
    All,
    /// The newest events, at most this many of all topics together, as far as every topic is complete.
    /// [`Subscription::replay_topic`] counts one topic alone.
    Last(usize),
}

/// What became of the client's last event ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resumption {
    /// It brought none.
    Fresh,
    /// The stream goes on strictly after it, and nothing is missing.
    Resumed,
    /// Something is missing, or may be; the stream says so in its place.
    Gap,
}

impl Resumption {
    /// Whether something is missing.
    #[must_use]
    pub const fn is_gap(self) -> bool {
        matches!(self, Self::Gap)
    }

    /// One lower-case word, for a header or a log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Resumed => "resumed",
            Self::Gap => "gap",
        }
    }
}

/// A stream that follows topics of a hub, from [`Sse::subscribe`].
///
/// It is one stream with one position, however many topics it follows: it sends their events in the order of the
/// history, strictly after the client's last event ID. What is missing is told by an event of type `gap` in its place.
///
/// ```
/// use sse_core::testing::Clock;
/// use sse_core::{Event, Hub, LastEventId};
///
/// let clock = Clock::new();
/// let hub = Hub::builder().build_on(clock.clone());
/// let feed = clock.sse_after(LastEventId::Text("of-another-life".into())).subscribe(&hub, ["board"]);
/// assert!(feed.resumption().is_gap());
///
/// let feed = feed.prelude([Event::data("the whole board").event("snapshot")]);
/// let text = clock.read(feed.into_response()).text();
/// assert!(text.starts_with(":\nevent: sse-open\nretry: ")); // from 2,000 to 4,000 ms
/// let (_, rest) = text.split_once("\n\n").unwrap();
/// assert!(rest.starts_with("event: snapshot\ndata: the whole board\n\nevent: gap\ndata: {\"reason\":\"unknown\"}\nid: 0-"));
/// ```
#[derive(Debug)]
#[must_use = "the stream opens when the subscription becomes a response"]
pub struct Subscription<R: Runtime> {
    hub: Hub,
    opened: Opened<R, TopicSource>,
    resumption: Resumption,
    /// The client's id is not one of this history's.
    unknown: bool,
    /// The id of the position it begins at, if that is known.
    begins: Option<EventId>,
    retry: Duration,
    prelude: Prelude,
    error: Option<SubscribeError>,
    /// The client has no last event ID that the hub knows, so that stored events may be replayed.
    is_new: bool,
    /// The client resumes after this position at the earliest.
    not_before: u64,
}

impl<R: Runtime> Subscription<R> {
    pub(crate) fn new<K>(mut sse: Sse<R>, hub: &Hub, topics: impl IntoTopics<K>) -> Self {
        let inner = &hub.inner;
        let (last_event_id, prelude) = (sse.last_event_id().clone(), sse.take_prelude());
        let (is_get, control) = (sse.is_get(), sse.control());
        let names = Names::of(topics.into_topics(), inner.limits.max_topics_per_stream);
        let other_hub = sse.is_attached_elsewhere(hub).then_some(SubscribeError::OtherHub);
        let (names, error) = match (names, other_hub) {
            (Ok(names), None) => (names, None),
            (names, error) => (Names(Vec::new()), error.or(names.err())),
        };
        let rules = inner.rules.clone().with_max_event_bytes(sse.own_max_event_bytes());
        // Without valid names there is no stream that the hub could count.
        let (owner, headers) = (error.is_none().then(|| owner(inner)), sse.headers());
        let is_rejected = sse.rejection().is_some();
        let mut opened = sse.open(owner, DrainEnd::Spread, rules, TopicSource::default());
        if let Some(error) = error.as_ref().filter(|_| !is_rejected) {
            opened.response = invalid(error.status(), error, headers.clone(), opened.response.into_body());
        }
        let (resumption, unknown, begins) = (Resumption::Fresh, false, None);
        let retry = inner.runtime.random().duration(inner.limits.retry());
        let (is_new, not_before) = (true, 0);
        let mut subscription =
            Self { hub: hub.clone(), opened, resumption, unknown, begins, retry, prelude, error, is_new, not_before };
        let opened = &mut subscription.opened;
        if opened.response.id().is_none() {
            // It opens no stream, and enters no topic.
            return subscription;
        }
        // One look at the history: where it begins, and what is missing by then.
        let now = inner.now_if_aging();
        let mut deferred = Deferred::default();
        let entered = {
            let mut history = inner.history.lock();
            history.expire(inner, now, &mut deferred);
            history.enter(inner, &names, (&last_event_id, control), now, &mut deferred)
        };
        deferred.run();
        let (cursor, entered) = match entered {
            Ok(entered) => entered,
            Err(why) => {
                let brought = subscription.opened.brought.take();
                let body = subscription.opened.response.into_body();
                subscription.opened.response = retry_later(&**inner, why, is_get, brought.as_deref(), headers, body);
                return subscription;
            }
        };
        match entered.resumption {
            Resumption::Resumed => Counters::add(&inner.counters.resumed, 1),
            _ if entered.unknown => Counters::add(&inner.counters.gaps, 1),
            _ => {}
        }
        opened.trace_opened(Some(entered.resumption.as_str()));
        if entered.unknown {
            let _entered = opened.response.body().span().enter();
            crate::runtime::trace::gap("unknown", None, false);
        }
        opened.response.body_mut().source_mut().cursor = Some(cursor);
        (subscription.resumption, subscription.unknown, subscription.begins) =
            (entered.resumption, entered.unknown, entered.begins);
        subscription.is_new = entered.unknown || entered.resumption == Resumption::Fresh;
        subscription.prepare();
        subscription
    }

    /// Sends stored events to a new client: none by default. A client that resumes receives what it missed instead.
    ///
    /// ```
    /// # use sse_core::{Hub, Replay, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// for n in ["1", "2", "3"] {
    ///     hub.publish("news", n)?;
    /// }
    /// let feed = clock.sse().subscribe(&hub, ["news"]).replay(Replay::Last(2));
    /// let text = clock.read(feed.into_response()).text();
    /// assert!(!text.contains("data: 1") && text.contains("data: 2") && text.contains("data: 3"));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn replay(mut self, replay: Replay) -> Self {
        if self.is_new {
            let inner = self.hub.inner.clone();
            if let Some(cursor) = &mut self.opened.response.body_mut().source_mut().cursor {
                let topics = cursor.topics();
                let history = inner.history.lock();
                let (position, begins) = history.begin(&inner, &topics, replay);
                cursor.replay_after(position);
                self.begins = begins;
                if position < self.not_before {
                    cursor.replay_not_before(self.not_before);
                    self.begins = history.ids.at(self.not_before, &topics);
                }
            }
            self.prepare();
        }
        self
    }

    /// Sends stored events of one topic to a new client, whatever [`replay`](Self::replay) says for the other topics. Call
    /// it after `replay`, once for each topic.
    ///
    /// The events of all topics are in the order of the history. A client that disconnects during the replay resumes after
    /// the last event that it received, and then receives every later event of every topic.
    ///
    /// # Errors
    /// A topic that the subscription does not name ends the stream as [`CloseReason::Failed`](crate::CloseReason::Failed),
    /// before any event.
    ///
    /// ```
    /// # use sse_core::{Hub, Replay, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// hub.publish("news", "headline")?;
    /// for readers in ["1 reader", "2 readers", "3 readers"] {
    ///     hub.publish("readers", readers)?;
    /// }
    /// let feed = clock.sse().subscribe(&hub, ["news", "readers"]);
    /// let feed = feed.replay_topic("news", Replay::Last(50)).replay_topic("readers", Replay::Last(1));
    /// let text = clock.read(feed.into_response()).text();
    /// assert!(text.contains("data: headline") && text.contains("data: 3 readers"));
    /// assert!(!text.contains("data: 1 reader\n") && !text.contains("data: 2 readers"));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn replay_topic(mut self, topic: &str, replay: Replay) -> Self {
        if !self.is_new {
            return self;
        }
        let inner = self.hub.inner.clone();
        let Some(cursor) = &mut self.opened.response.body_mut().source_mut().cursor else { return self };
        let topics = cursor.topics();
        let Some(topic) = topics.iter().find(|followed| *followed.name == *topic) else {
            let error = format!("the stream does not follow the topic `{topic}`; name the topic in `subscribe`");
            self.opened.fail(crate::event::error::FrameError::Source(error.into()));
            return self;
        };
        {
            let history = inner.history.lock();
            let (start, _) = history.begin(&inner, std::slice::from_ref(topic), replay);
            if let Some(position) = cursor.replay_topic_after(topic, start.max(self.not_before)) {
                self.begins = history.ids.at(position, &topics);
            }
        }
        self.prepare();
        self
    }

    /// Sends no event up to this one, for one, the event with which a user joined a room.
    ///
    /// A client with an earlier last event ID receives a gap and then the events after `id`, and its
    /// [`resumption`](Self::resumption) is [`Gap`](Resumption::Gap). A [`replay`](Self::replay) for a new client starts
    /// after `id` at the earliest. An ID of an earlier run of the hub has no effect, because all events of this run are
    /// newer. Without this call a client resumes after any ID that it holds.
    ///
    /// ```
    /// # use sse_core::{Hub, LastEventId, Resumption, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let stolen = hub.publish("room", "a secret of others")?;
    /// hub.publish("room", "another secret of others")?;
    /// let joined = hub.publish("room", "ann joined")?;
    /// hub.publish("room", "hello ann")?;
    ///
    /// let ann = clock.sse_after(LastEventId::Text(stolen.to_string().into())).subscribe(&hub, ["room"]);
    /// let ann = ann.not_before(joined);
    /// assert_eq!(ann.resumption(), Resumption::Gap);
    /// let text = clock.read(ann.into_response()).text();
    /// assert!(text.contains("event: gap\n") && text.contains("hello ann") && !text.contains("secret"));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn not_before(mut self, id: EventId) -> Self {
        let (inner, is_new) = (self.hub.inner.clone(), self.is_new);
        let Some(cursor) = &mut self.opened.response.body_mut().source_mut().cursor else { return self };
        let topics = cursor.topics();
        {
            let history = inner.history.lock();
            let Some(position) = history.not_before(&inner, id, &topics) else { return self };
            self.not_before = self.not_before.max(position);
            if cursor.position() >= self.not_before {
                return self;
            }
            self.begins = history.ids.at(self.not_before, &topics);
            if is_new {
                cursor.replay_not_before(self.not_before);
            } else {
                cursor.start_at(self.not_before);
            }
        }
        if !is_new {
            if self.resumption == Resumption::Resumed {
                inner.counters.resumed.fetch_sub(1, Ordering::Relaxed);
            }
            Counters::add(&inner.counters.gaps, 1);
            (self.unknown, self.resumption) = (true, Resumption::Gap);
            let _entered = self.opened.response.body().span().enter();
            crate::runtime::trace::gap("unknown", None, false);
        }
        self.prepare();
        self
    }

    /// Sends these events, a snapshot for one, before anything else; as [`Sse::prelude`]. They may have no ids: only after
    /// them is the client told a position.
    pub fn prelude(mut self, events: impl IntoIterator<Item: IntoFrame>) -> Self {
        self.prelude.extend(events);
        self.prepare();
        self
    }

    /// Why the subscription opens no stream, if the handler asks for one that cannot be: the answer is 400, and for
    /// [`SubscribeError::OtherHub`] 500.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// use sse_core::hub::SubscribeError;
    ///
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().max_topics_per_stream(2).build_on(clock.clone());
    /// let feed = clock.sse().subscribe(&hub, ["a", "b", "c"]);
    /// assert_eq!(feed.error(), Some(&SubscribeError::TooManyTopics(2)));
    /// assert_eq!(feed.into_response().status(), 400);
    /// ```
    #[must_use]
    pub const fn error(&self) -> Option<&SubscribeError> {
        self.error.as_ref()
    }

    /// Whether no stream opens: the hub drains or is full, or there is an [`error`](Self::error). The response is the whole
    /// answer then.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().max_streams(0).build_on(clock.clone());
    /// assert!(clock.sse().subscribe(&hub, ["news"]).is_rejected());
    /// ```
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        self.opened.response.is_rejected()
    }

    /// The stream's identifier; `None` if no stream opens: the hub drains or is full, or there is an
    /// [`error`](Self::error).
    #[must_use]
    pub const fn id(&self) -> Option<Uuid> {
        self.opened.response.id()
    }

    /// What became of the client's last event ID.
    #[must_use]
    pub const fn resumption(&self) -> Resumption {
        self.resumption
    }

    /// The response, and a handle of this one stream beside its topics. What it sends may have no ids. The handle ends
    /// nothing by being dropped.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let (only_you, response) = clock.sse().subscribe(&hub, ["news"]).with_sender();
    /// let mut reader = clock.read(response);
    /// reader.text();
    /// only_you.try_send(("note", "your upload is done"))?;
    /// assert_eq!(reader.text(), "event: note\ndata: your upload is done\n\n");
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub fn with_sender(self) -> (Sender, Response<EventStream<R, TopicSource>>) {
        let sender = Sender::new(self.opened.response.body().shared().clone(), false);
        (sender, self.opened.response)
    }

    /// The response.
    pub fn into_response(self) -> Response<EventStream<R, TopicSource>> {
        self.opened.response
    }

    /// Sets what goes first: the reconnection time, and the position, unless a gap or events must come before it.
    fn prepare(&mut self) {
        let control = self.opened.response.body().shared().control;
        let prelude = match self.prelude.blocks(&self.hub.inner.rules, control) {
            Ok(prelude) => prelude,
            Err(error) => return self.opened.fail(error),
        };
        let holds = self.begins.filter(|_| !self.unknown && prelude.is_empty());
        let after_first = if self.unknown {
            Some(self.hub.inner.unknown_gap(self.begins))
        } else {
            self.begins.filter(|_| holds.is_none()).and_then(|id| control.position(id))
        };
        let opening = match holds {
            // An ID that is known resumes at the same place until the first position is sent.
            None if self.resumption != Resumption::Fresh && !self.unknown => {
                control.opening_after(Some(self.retry), self.opened.brought.as_deref())
            }
            holds => control.opening(Some(self.retry), holds),
        };
        self.opened.opening(|welcome| [&*opening, welcome, &prelude, &after_first.unwrap_or_default()].concat());
    }
}

/// Why a subscription opens no stream, from [`Subscription::error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// A topic's name is longer than [`MAX_TOPIC_BYTES`]. Answered 400.
    #[error("a topic's name has {0} bytes, and the limit is {MAX_TOPIC_BYTES}")]
    TopicName(usize),
    /// There are more different names than this. [`HubBuilder::max_topics_per_stream`](super::Builder::max_topics_per_stream)
    /// changes the limit. Answered 400.
    #[error("a stream follows at most {0} topics; `HubBuilder::max_topics_per_stream` changes the limit")]
    TooManyTopics(usize),
    /// The stream was [attached](crate::Sse::attach) to another hub than the one it subscribes to. Answered 500.
    #[error("the stream is attached to another hub than it subscribes to; a subscription needs no `Sse::attach`")]
    OtherHub,
}

impl SubscribeError {
    /// The status of the answer: the client chose the names, and the handler the hub.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::OtherHub => 500,
            Self::TopicName(_) | Self::TooManyTopics(_) => 400,
        }
    }
}

/// The names of a subscription's topics, each once.
struct Names(Vec<String>);

impl Names {
    fn of(topics: impl IntoIterator<Item: AsRef<str>>, limit: usize) -> Result<Self, SubscribeError> {
        let (mut names, mut known) = (Vec::new(), HashSet::new());
        for topic in topics {
            let name = topic.as_ref();
            if name.len() > MAX_TOPIC_BYTES {
                return Err(SubscribeError::TopicName(name.len()));
            }
            if known.contains(name) {
                continue;
            }
            if names.len() == limit {
                return Err(SubscribeError::TooManyTopics(limit));
            }
            known.insert(name.to_owned());
            names.push(name.to_owned());
        }
        Ok(Self(names))
    }
}

struct Entered {
    resumption: Resumption,
    unknown: bool,
    begins: Option<EventId>,
}

impl History {
    /// Makes a cursor for these topics, at the place that the client's id says; or why it has to come back later.
    fn enter(
        &mut self,
        hub: &Arc<Inner>,
        names: &Names,
        (client, control): (&LastEventId, Control),
        now: Option<Instant>,
        deferred: &mut Deferred,
    ) -> Result<(Cursor, Entered), &'static str> {
        if !self.admits {
            return Err("loading");
        }
        let id = client.as_str().and_then(EventId::parse);
        if id.is_some_and(|id| self.may_still_arrive(hub, id, &names.0)) {
            return Err("behind");
        }
        let topics =
            self.topics.enter_all(&names.0, hub.limits.max_topics, &self.ids, deferred).map_err(|_| "topics")?;
        // One use of the hub trims little of what is too old, but no replay begins with it.
        if let (Some(now), Some(age)) = (now, hub.limits.topic_age)
            && let Some(upto) = self.ages.expired(now, age)
        {
            self.topics.trim_all(&topics, upto, &self.ids, deferred);
        }
        let mut cursor = Cursor::new(hub, topics.clone(), control);
        let known = id.and_then(|id| Some((self.find(hub, id, &topics)?, id)));
        let taken_back = id.and_then(|id| self.find_taken_back(id));
        let entered = match (known, taken_back) {
            (Some((position, id)), _) => {
                cursor.start_at(position);
                let missing = topics.iter().any(|topic| topic.lock().ring.trimmed_to().position > position);
                let resumption = if missing { Resumption::Gap } else { Resumption::Resumed };
                Entered { resumption, unknown: false, begins: Some(id) }
            }
            (None, Some(position)) => {
                // Polled, it says so first of all, and goes on from what remains.
                cursor.start_at_taken_back(position);
                Entered { resumption: Resumption::Gap, unknown: false, begins: None }
            }
            (None, None) => {
                let (position, begins) = self.begin(hub, &topics, Replay::None);
                cursor.replay_after(position);
                let fresh = matches!(client, LastEventId::Absent | LastEventId::Empty);
                let resumption = if fresh { Resumption::Fresh } else { Resumption::Gap };
                Entered { resumption, unknown: !fresh, begins }
            }
        };
        Ok((cursor, entered))
    }

    /// The position of the id that no event before may be sent to a client; `None` if all events are after it.
    fn not_before(&self, hub: &Inner, id: EventId, topics: &[Arc<Topic>]) -> Option<u64> {
        // This node has not come to the id yet.
        let is_ahead = self.ids.newest().is_some_and(|newest| newest.position() < id.position());
        let ahead = || is_ahead.then(|| hub.head.load(Ordering::Acquire));
        self.find(hub, id, topics).or_else(|| self.find_taken_back(id)).or_else(ahead)
    }

    /// The position before the first event that is to come, and the id that says it.
    fn begin(&self, hub: &Inner, topics: &[Arc<Topic>], replay: Replay) -> (u64, Option<EventId>) {
        let head = hub.head.load(Ordering::Acquire);
        match (self.start(hub, topics, replay), &self.ids) {
            // No id of a log says its beginning: but that of whatever is just before the first event of these topics
            // says the same. Where the first event is what the log begins with, it is the first to tell an id.
            (0, IdSource::Log(_)) if head > 0 => {
                let oldest = topics.iter().filter_map(|topic| topic.lock().ring.oldest()).min();
                let position = oldest.map_or(head, |oldest| oldest - 1);
                (position, if position > 0 { self.ids.at(position, topics) } else { None })
            }
            (position, _) => (position, self.ids.at(position, topics)),
        }
    }

    /// The position before the first event that is to come.
    fn start(&self, hub: &Inner, topics: &[Arc<Topic>], replay: Replay) -> u64 {
        let head = hub.head.load(Ordering::Acquire);
        let whole = || topics.iter().map(|topic| topic.lock().ring.trimmed_to().position).max().unwrap_or(head);
        match replay {
            Replay::None | Replay::Last(0) => head,
            Replay::All => whole(),
            Replay::Last(events) => {
                let after =
                    |position: u64| topics.iter().map(|topic| topic.lock().ring.count_after(position)).sum::<usize>();
                // The latest position with at least so many events after it, but not before what is whole.
                let (mut low, mut high) = (whole(), head);
                while low < high {
                    let middle = low + (high - low).div_ceil(2);
                    if after(middle) >= events { low = middle } else { high = middle - 1 }
                }
                low
            }
        }
    }
}
