//! A subscription: a stream that follows topics, before it becomes a response.

use super::Hub;
use super::id::EventId;
use super::opening::Opening;
use super::resume::{Replay, Resumption};
use super::stats::Counters;
use super::subscribe::SubscribeError;
use super::topic_source::TopicSource;
use crate::event::frame::IntoFrame;
use crate::response::assembly::Opened;
use crate::response::prelude::Prelude;
use crate::response::response::Response;
use crate::runtime::runtime::Runtime;
use crate::runtime::sync::atomic::Ordering;
use crate::stream::{EventStream, Sender};
use uuid::Uuid;

/// A stream that follows topics of a hub, from [`Sse::subscribe`](crate::Sse::subscribe).
///
/// The stream sends the events of its topics in the order of the history, strictly after the client's last event ID. Where
/// events are missing, the stream sends an event of type `gap`.
///
/// ```
/// use sse_core::testing::Clock;
/// use sse_core::{Event, Hub, LastEventId};
///
/// let clock = Clock::new();
/// let hub = Hub::builder().build_on(clock.clone());
/// let of_earlier_run = LastEventId::Text("17-0badcafe".into());
/// let subscription = clock.sse_after(of_earlier_run).subscribe(&hub, ["board"]);
/// assert!(subscription.resumption().is_gap());
///
/// let subscription = subscription.prelude([Event::data("the whole board").event("snapshot")]);
/// let text = clock.read(subscription.into_response()).text();
/// assert!(text.starts_with(":\nevent: sse-open\nretry: ")); // from 2,000 to 4,000 ms
/// let (_, rest) = text.split_once("\n\n").unwrap();
/// assert!(rest.starts_with("event: snapshot\ndata: the whole board\n\nevent: gap\ndata: {\"reason\":\"unknown\"}\nid: 0-"));
/// ```
#[derive(Debug)]
#[must_use = "the stream opens when the subscription becomes a response"]
pub struct Subscription<R: Runtime> {
    pub(super) hub: Hub,
    pub(super) opened: Opened<R, TopicSource>,
    pub(super) opening: Opening,
    pub(super) prelude: Prelude,
    pub(super) error: Option<SubscribeError>,
    /// The client has no last event ID that the hub knows, so stored events may be replayed.
    pub(super) is_new: bool,
    /// The stream starts after this position at the earliest.
    pub(super) not_before: u64,
}

impl<R: Runtime> Subscription<R> {
    /// Sends stored events to a new client: none by default. A client that resumes receives the events that it missed
    /// instead.
    ///
    /// ```
    /// # use sse_core::{Hub, Replay, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// for n in ["1", "2", "3"] {
    ///     hub.publish("news", n)?;
    /// }
    /// let subscription = clock.sse().subscribe(&hub, ["news"]).replay(Replay::Last(2));
    /// let text = clock.read(subscription.into_response()).text();
    /// assert!(!text.contains("data: 1") && text.contains("data: 2") && text.contains("data: 3"));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn replay(mut self, replay: Replay) -> Self {
        if self.is_new {
            let inner = self.hub.inner.clone();
            if let Some(cursor) = &mut self.opened.response.body_mut().source_mut().cursor {
                let topics = cursor.topics();
                let history = inner.history.lock();
                let replay = history.replay_of(&inner, &topics, replay);
                let (position, start) = history.replay_start(&inner, &topics, replay);
                cursor.replay_after(position);
                cursor.load_state(inner.head.load(Ordering::Acquire));
                self.opening.start = history.start_before_state(cursor, start);
                if position < self.not_before {
                    cursor.replay_not_before(self.not_before);
                    self.opening.start = history.ids.id_at(self.not_before, &topics);
                }
            }
            self.prepare();
        }
        self
    }

    /// Sends stored events of one topic to a new client, whatever [`replay`](Self::replay) sets for the other topics. Call
    /// this after `replay`, once for each topic.
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
    /// let subscription = clock.sse().subscribe(&hub, ["news", "readers"]);
    /// let subscription = subscription.replay_topic("news", Replay::Last(50)).replay_topic("readers", Replay::Last(1));
    /// let text = clock.read(subscription.into_response()).text();
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
            let (start, _) = history.replay_start(&inner, std::slice::from_ref(topic), replay);
            if let Some(position) = cursor.replay_topic_after(topic, start.max(self.not_before)) {
                let start = history.ids.id_at(position, &topics);
                self.opening.start = history.start_before_state(cursor, start);
            }
        }
        self.prepare();
        self
    }

    /// Sends no event up to and including this one, for one, the event with which a user joined a room.
    ///
    /// A client with an earlier last event ID receives a gap and then the events after `id`, and its
    /// [`resumption`](Self::resumption) is [`Gap`](Resumption::Gap). A [`replay`](Self::replay) for a new client starts
    /// after `id` at the earliest. An ID of an earlier run of the hub has no effect, because all events of this run are
    /// newer. Without this call a client resumes after any ID that it has.
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
            self.opening.start = history.ids.id_at(self.not_before, &topics);
            if is_new {
                cursor.replay_not_before(self.not_before);
            } else {
                cursor.start_at(self.not_before);
            }
        }
        if !is_new {
            if self.opening.resumption == Resumption::Resumed {
                inner.counters.resumed.fetch_sub(1, Ordering::Relaxed);
            }
            Counters::add(&inner.counters.gaps, 1);
            (self.opening.is_unknown, self.opening.resumption) = (true, Resumption::Gap);
            let _entered = self.opened.response.body().span().enter();
            crate::runtime::trace::gap("unknown", None, false);
        }
        self.prepare();
        self
    }

    /// Sends these events first, for one, a snapshot of the present state. As [`Sse::prelude`](crate::Sse::prelude), except
    /// that an event with an ID is an error: the client receives its position after the prelude.
    ///
    /// At most [`MAX_PRELUDE_BYTES`](crate::MAX_PRELUDE_BYTES).
    ///
    /// # Errors
    /// An event that cannot be sent, or a larger prelude, ends the stream as
    /// [`CloseReason::Failed`](crate::CloseReason::Failed), before any event.
    ///
    /// ```
    /// # use sse_core::{Event, Hub, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let snapshot = Event::data("3 readers").event("snapshot");
    /// let text = clock.read(clock.sse().subscribe(&hub, "readers").prelude([snapshot]).into_response()).text();
    /// let (_, rest) = text.split_once("\n\n").unwrap();
    /// assert!(rest.starts_with("event: snapshot\ndata: 3 readers\n\nevent: sse-position\nid: 0-"));
    /// ```
    pub fn prelude(mut self, events: impl IntoIterator<Item: IntoFrame>) -> Self {
        self.prelude.extend(events);
        self.prepare();
        self
    }

    /// The reason why the subscription opens no stream, if its topics or its hub are invalid. The answer is 400, and 500
    /// for [`SubscribeError::OtherHub`].
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// use sse_core::hub::SubscribeError;
    ///
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().max_topics_per_stream(2).build_on(clock.clone());
    /// let subscription = clock.sse().subscribe(&hub, ["a", "b", "c"]);
    /// assert_eq!(subscription.error(), Some(&SubscribeError::TooManyTopics(2)));
    /// assert_eq!(subscription.into_response().status(), 400);
    /// ```
    #[must_use]
    pub const fn error(&self) -> Option<&SubscribeError> {
        self.error.as_ref()
    }

    /// Whether the subscription opens no stream: the hub drains or is full, the client has received everything of topics that
    /// have all [ended](Hub::end), or there is an [`error`](Self::error). The response is then the whole answer.
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

    /// The identifier of the stream. `None` if the subscription opens no stream, see [`is_rejected`](Self::is_rejected).
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().max_streams(1).build_on(clock.clone());
    /// let first = clock.sse().subscribe(&hub, "news");
    /// let second = clock.sse().subscribe(&hub, "news");
    /// assert!(first.id().is_some() && second.id().is_none());
    /// ```
    #[must_use]
    pub const fn id(&self) -> Option<Uuid> {
        self.opened.response.id()
    }

    /// How the stream continues after the client's last event ID.
    ///
    /// ```
    /// # use sse_core::{Hub, LastEventId, Resumption, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let id = hub.publish("news", "rain")?;
    /// let resumption = |id| clock.sse_after(id).subscribe(&hub, "news").resumption();
    /// assert_eq!(resumption(LastEventId::Absent), Resumption::Fresh);
    /// assert_eq!(resumption(LastEventId::Text(id.to_string().into())), Resumption::Resumed);
    /// assert_eq!(resumption(LastEventId::Text("7".into())), Resumption::Gap);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    #[must_use]
    pub const fn resumption(&self) -> Resumption {
        self.opening.resumption
    }

    /// Converts into the response and a handle that sends events to this stream alone. These events may have no ID. The
    /// stream continues when the handle is dropped.
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

    /// Converts into the response.
    ///
    /// ```
    /// # use sse_core::{Hub, testing::Clock};
    /// # let clock = Clock::new();
    /// let hub = Hub::builder().build_on(clock.clone());
    /// let response = clock.sse().subscribe(&hub, "news").into_response();
    /// assert_eq!(response.status(), 200);
    /// ```
    pub fn into_response(self) -> Response<EventStream<R, TopicSource>> {
        self.opened.response
    }

    /// Encodes the first bytes again, after each change.
    pub(super) fn prepare(&mut self) {
        let control = self.opened.response.body().shared().control;
        let prelude = match self.prelude.blocks(&self.hub.inner.rules, control) {
            Ok(prelude) => prelude,
            Err(error) => return self.opened.fail(error),
        };
        let brought = self.opened.brought.take();
        let (opening, hub) = (&self.opening, &self.hub.inner);
        self.opened.opening(|welcome| opening.encode(hub, control, brought.as_deref(), welcome, &prelude));
        self.opened.brought = brought;
    }
}
