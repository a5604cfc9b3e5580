//! From an admitted request to its response: the one place where a stream is put together.

use crate::event::control::{Control, NO_ID};
use crate::event::error::FrameError;
use crate::event::frame::{Frame, IntoFrame};
use crate::event::limits::{MAX_EVENT_BYTES, MAX_PRELUDE_BYTES};
use crate::hub::Resumption;
use crate::hub::{Hub, IntoTopics, Kind, StreamGuard, SubscribeError, Subscription};
use crate::request::head::STREAM_HEADERS;
use crate::request::last_event_id::LastEventId;
use crate::request::policy::Accepted;
use crate::response::moment::IntoMoment;
use crate::response::response::{HeaderError, Response, check_header};
use crate::runtime::runtime::Runtime;
use crate::runtime::sync::Arc;
use crate::stream::shared::{Rules, Shared};
use crate::stream::source::{Live, StreamSource};
use crate::stream::state::{State, retry_block};
use crate::stream::{CloseReason, EventStream, ItemStream, OnEnd, Sender};
use std::time::{Duration, Instant};

/// A request that may open a stream, and how the stream shall be. An adapter's `Sse` is this one under the
/// framework's extractor.
///
/// # Examples
/// The core alone, under the clock of a test:
///
/// ```
/// use sse_core::testing::Clock;
/// use sse_core::{Policy, Request, Sse};
///
/// let request = Request::new("GET", None, [("accept", b"text/event-stream".as_slice())]);
/// let clock = Clock::new();
/// let sse = Sse::new(clock.clone(), Policy::default().check(&request)?);
/// let (events, response) = sse.channel();
/// events.try_send(("greeting", "hello"))?;
/// events.close();
///
/// assert_eq!(response.status(), 200);
/// assert_eq!(clock.read(response).bytes(), b":\nevent: sse-open\n\nevent: greeting\ndata: hello\n\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "no stream opens until this becomes a response"]
pub struct Sse<R: Runtime> {
    runtime: R,
    admitted: Accepted,
    keep_alive: Option<Duration>,
    buffer: usize,
    max_lifetime: Option<Duration>,
    expires_at: Option<Instant>,
    key: Option<std::sync::Arc<str>>,
    welcome: bool,
    max_event_bytes: Option<usize>,
    control_events: Option<bool>,
    first: First,
    headers: Vec<(String, String)>,
    /// The hub that it was attached to.
    hub: Option<Hub>,
    /// The hub of its route.
    owner: Option<Hub>,
    on_end: Option<OnEnd>,
}

/// The longest [key](Sse::key) of a stream, in bytes.
pub const MAX_KEY_BYTES: usize = 256;

/// A [key](Sse::key) that is longer than [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES); how many bytes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key has {0} bytes, more than {MAX_KEY_BYTES}")]
pub struct KeyTooLong(pub usize);

/// Events that go before everything else, or what was wrong with them.
#[derive(Debug, Default)]
pub(crate) struct First {
    frames: Vec<Frame>,
    bytes: usize,
    error: Option<FrameError>,
}

impl First {
    /// Adds events; after the first that is wrong nothing more.
    pub(crate) fn extend(&mut self, events: impl IntoIterator<Item: IntoFrame>) {
        for event in events {
            if self.error.is_some() {
                return;
            }
            // The size is checked later, when the limit of the stream is known.
            let frame = event.with_checked(|piece| {
                let piece = piece?;
                piece.check_size_and_retry(usize::MAX)?;
                Ok::<_, FrameError>(piece.into_frame())
            });
            match frame {
                Ok(frame) => {
                    self.bytes += frame.as_bytes().len();
                    self.frames.push(frame);
                }
                Err(error) => self.error = Some(error),
            }
            if self.bytes > MAX_PRELUDE_BYTES {
                self.error.get_or_insert(FrameError::PreludeTooLarge(self.bytes));
            }
        }
    }

    /// All of them, as the stream sends them and its hub allows.
    pub(crate) fn blocks(&self, rules: &Rules, control: Control) -> Result<Vec<u8>, FrameError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let mut blocks = Vec::with_capacity(self.bytes);
        for frame in &self.frames {
            frame.with_checked(|piece| {
                let piece = piece?;
                rules.check(&piece, control)?;
                piece.for_stream(control).encode(&mut blocks);
                Ok(())
            })?;
        }
        Ok(blocks)
    }
}

impl<R: Runtime> Sse<R> {
    /// With the defaults: a keep-alive every 15 s, a buffer of 64 KiB, no limit on the lifetime.
    pub fn new(runtime: R, admitted: Accepted) -> Self {
        Self {
            runtime,
            admitted,
            keep_alive: Some(Duration::from_secs(15)),
            buffer: 64 * 1024,
            max_lifetime: None,
            expires_at: None,
            key: None,
            welcome: false,
            max_event_bytes: None,
            control_events: None,
            first: First::default(),
            headers: Vec::new(),
            hub: None,
            owner: None,
            on_end: None,
        }
    }

    /// The last event ID that the client brought.
    #[must_use]
    pub const fn last_event_id(&self) -> &LastEventId {
        &self.admitted.last_event_id
    }

    /// Adds a response header; the same name may come again, as `set-cookie` does. One of `cache-control` and
    /// `x-accel-buffering` replaces the stream's own. An answer that asks the client to come later has them too.
    ///
    /// # Errors
    /// A name or value that no header can have, or a header that is not the handler's, as `content-type`.
    ///
    /// ```
    /// # use sse_core::testing::Clock;
    /// # let clock = Clock::new();
    /// let (_events, response) = clock.sse().header("x-feed", "news")?.channel();
    /// assert!(response.headers().any(|header| header == ("x-feed", "news")));
    /// assert!(clock.sse().header("content-type", "text/plain").is_err());
    /// # Ok::<(), sse_core::HeaderError>(())
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HeaderError> {
        let header = check_header(name, value)?;
        if STREAM_HEADERS.iter().any(|(name, _)| *name == header.0) {
            self.headers.retain(|(own, _)| *own != header.0);
        }
        self.headers.push(header);
        Ok(self)
    }

    /// Begins the stream with the event `welcome`, whose data is `{"uuid":"..."}`: the connection's identifier.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// let (events, response) = clock.sse().welcome().channel();
    /// let text = clock.read(response).text();
    /// assert_eq!(text, format!(":\nevent: sse-open\n\nevent: welcome\ndata: {{\"uuid\":\"{}\"}}\n\n", events.id()));
    /// ```
    pub const fn welcome(mut self) -> Self {
        self.welcome = true;
        self
    }

    /// Writes a comment line when nothing was written for this long: 15 s by default. The first one comes
    /// earlier, at a moment drawn from half to one interval, and one after data from nine tenths on: streams which
    /// received the same event do not all write again at once. `None` and zero turn it off, as do more than 49 days; the server then notices late or never
    /// that a client vanished. In whole milliseconds, rounded up.
    ///
    /// ```
    /// # use {sse_core::testing::Clock, std::time::Duration};
    /// # let clock = Clock::new();
    /// let (_events, response) = clock.sse().keep_alive(Duration::from_secs(5)).channel();
    /// let mut reader = clock.read(response);
    /// assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(reader.text(), ":\n");
    /// ```
    pub fn keep_alive(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.keep_alive = interval.into().filter(|interval| !interval.is_zero());
        self
    }

    /// Sends positions and the end of the stream as events of [`RESERVED_TYPES`](crate::RESERVED_TYPES), or without data.
    ///
    /// By default they are events if the request's `Accept` names `text/event-stream` or `text/*`, as in
    /// [`AcceptMode::Named`](crate::AcceptMode::Named). Firefox, WebKit and many libraries keep no ID of a block without
    /// data, so without these events they lose what was sent while they reconnected. An `EventSource` always names the
    /// type. A `fetch` that sends `Accept: */*` may parse the data of every event, so it receives blocks without data.
    ///
    /// Over other methods than GET this changes nothing: the stream opens with a comment and holds no block without
    /// data.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// events.finish();
    /// let text = ":\nevent: sse-open\n\nevent: sse-end\nid: end\ndata: {}\n\n";
    /// assert_eq!(clock.read(response).text(), text);
    ///
    /// let (events, response) = clock.sse().control_events(false).channel();
    /// events.finish();
    /// assert_eq!(clock.read(response).text(), ":\nid: end\n\n");
    /// ```
    ///
    /// Source: WHATWG HTML 9.2.6, from which those engines deviate.
    pub const fn control_events(mut self, on: bool) -> Self {
        self.control_events = Some(on);
        self
    }

    /// Bounds what a [`Sender`] may have pending, in bytes: 64 KiB by default. At the bound `try_send` answers `Full`
    /// and `send` waits; an event that is larger than the bound is taken when nothing is pending.
    pub const fn buffer(mut self, bytes: usize) -> Self {
        self.buffer = bytes;
        self
    }

    /// The largest event that the stream sends, in bytes of its values: by default the limit of its hub for a
    /// [`subscription`](Self::subscribe), else [`MAX_EVENT_BYTES`], 1 MiB. A line break counts as the line that it opens. A
    /// larger event is [`FrameError::TooLarge`]: `send` returns it, and a stream of events ends as
    /// [`CloseReason::Failed`]. Published events have the limit of the hub.
    ///
    /// ```
    /// # use {sse_core::{FrameError, SendError}, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, _response) = clock.sse().max_event_bytes(4).channel();
    /// events.try_send("1234")?;
    /// let too_large = FrameError::TooLarge { bytes: 5, limit: 4 };
    /// assert_eq!(events.try_send("12345"), Err(SendError::Invalid(too_large)));
    /// # Ok::<(), SendError>(())
    /// ```
    pub const fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = Some(bytes);
        self
    }

    pub(crate) const fn own_max_event_bytes(&self) -> Option<usize> {
        self.max_event_bytes
    }

    /// Ends the stream after this long, or up to a fifth earlier so that clients do not come back all at once.
    /// Without it a stream lasts as long as it likes.
    ///
    /// ```
    /// # use {sse_core::CloseReason, sse_core::testing::Clock, std::time::Duration};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().max_lifetime(Duration::from_secs(3600)).channel();
    /// let mut reader = clock.read(response);
    /// clock.advance(Duration::from_secs(3600));
    /// assert!(reader.has_ended());
    /// assert_eq!(events.close_reason(), Some(CloseReason::Expired));
    /// ```
    pub const fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = Some(lifetime);
        self
    }

    /// Ends the stream at this moment, as when a login ends: an [`Instant`], a [`SystemTime`](std::time::SystemTime), or
    /// [`UnixSeconds`](crate::UnixSeconds). A moment in the past ends the stream at its first poll. No such moment by
    /// default.
    ///
    /// A later change of the wall clock does not move the end. A body that nobody polls has no deadlines; its connection
    /// ends when the socket does.
    pub fn expires_at(mut self, moment: impl IntoMoment) -> Self {
        self.expires_at = moment.on_clock(self.runtime.now(), self.runtime.wall());
        self
    }

    /// Names whose stream it is, for [`Hub::close_by_key`] and
    /// [`HubBuilder::max_streams_per_key`](crate::hub::HubBuilder::max_streams_per_key). It counts on a stream that is attached to
    /// a hub.
    ///
    /// # Errors
    /// [`KeyTooLong`] for more than [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes; use a digest of what is longer.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// assert!(clock.sse().key("ann@example.org").is_ok());
    /// assert_eq!(clock.sse().key("a".repeat(257)).unwrap_err().to_string(), "the key has 257 bytes, more than 256");
    /// ```
    pub fn key(mut self, key: impl AsRef<str>) -> Result<Self, KeyTooLong> {
        let key = key.as_ref();
        if key.len() > MAX_KEY_BYTES {
            return Err(KeyTooLong(key.len()));
        }
        self.key = Some(key.into());
        Ok(self)
    }

    /// Makes a channel or a stream of events one of this hub's: it counts towards `max_streams` and is ended by a
    /// drain. A subscription is attached to the hub that it follows without this, and rejected if this is another one
    /// ([`SubscribeError::OtherHub`](crate::hub::SubscribeError::OtherHub)).
    ///
    /// ```
    /// # use {sse_core::Hub, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// # let hub = Hub::builder().build_on(clock.clone());
    /// let (_events, response) = clock.sse().attach(&hub).channel();
    /// assert_eq!(hub.stats().streams, 1);
    /// drop(response);
    /// assert_eq!(hub.stats().streams, 0);
    /// ```
    pub fn attach(mut self, hub: &Hub) -> Self {
        self.hub = Some(hub.clone());
        self
    }

    /// As [`Sse::attach`], for a channel or a stream of events that is attached to no other hub: what a hub that was given
    /// to a whole route does for each of its streams.
    pub fn owned_by(mut self, hub: Option<&Hub>) -> Self {
        self.owner = hub.cloned();
        self
    }

    /// Calls this once when the stream has ended, with the reason and, if it failed, the error. It is the place to count
    /// and to log failures, which no client is told of.
    ///
    /// It runs where the body is polled or dropped, so it must not block; no lock of this crate is held. A stream that
    /// never opened (the request was rejected, or asked to come later) calls nothing.
    ///
    /// ```
    /// # use {sse_core::CloseReason, sse_core::testing::Clock, std::sync::mpsc};
    /// # let clock = Clock::new();
    /// let (ended, ends) = mpsc::channel();
    /// let events = futures_util::stream::iter([Ok("one"), Err("the database is away")]);
    /// let sse = clock.sse().on_end(move |reason, error| {
    ///     let _ = ended.send((reason, error.map(ToString::to_string)));
    /// });
    /// clock.read(sse.stream(events)).text();
    /// let (reason, error) = ends.recv()?;
    /// assert_eq!(reason, CloseReason::Failed);
    /// assert_eq!(error.as_deref(), Some("the source of the events failed: the database is away"));
    /// # Ok::<(), mpsc::RecvError>(())
    /// ```
    pub fn on_end(mut self, call: impl FnOnce(CloseReason, Option<&FrameError>) + Send + Sync + 'static) -> Self {
        self.on_end = Some(OnEnd(Box::new(call)));
        self
    }

    /// Sends these events before anything else, however large the buffer is; at most
    /// [`MAX_PRELUDE_BYTES`] in all. One that cannot be sent ends the stream as [`CloseReason::Failed`], before any of
    /// them.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// let (events, response) = clock.sse().prelude([("state", "all of it")]).channel();
    /// events.try_send("then this")?;
    /// assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\nevent: state\ndata: all of it\n\ndata: then this\n\n");
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub fn prelude(mut self, events: impl IntoIterator<Item: IntoFrame>) -> Self {
        self.first.extend(events);
        self
    }

    /// A stream with a handle. It ends when the handle says so, or when the last clone of it is dropped.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// events.try_send("hello")?;
    /// drop(events); // the last one: the stream ends, and a browser comes back
    /// let mut reader = clock.read(response);
    /// assert_eq!(reader.text(), ":\nevent: sse-open\n\ndata: hello\n\n");
    /// assert!(reader.has_ended());
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub fn channel(self) -> (Sender, Response<EventStream<R>>) {
        let response = self.respond(Live::default());
        (Sender::new(response.body().shared().clone(), true), response)
    }

    /// A stream of these events. When they end it finishes, see [`Sender::finish`]; an `Err`, or an event that cannot
    /// be sent, ends it as [`CloseReason::Failed`] and nothing of that item reaches the client.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// let tokens = futures_util::stream::iter(["to", "ken"]);
    /// let mut reader = clock.read(clock.sse().stream(tokens));
    /// let mut expected = String::from(":\nevent: sse-open\n\ndata: to\n\ndata: ken\n\n");
    /// // At the end the client's last event ID moves to `end`. A request with this ID is answered 204.
    /// expected.push_str("event: sse-end\nid: end\ndata: {}\n\n");
    /// assert_eq!(reader.text(), expected);
    /// ```
    pub fn stream<S>(self, events: S) -> Response<EventStream<R, StreamSource<S>>>
    where
        S: ItemStream<Item: IntoFrame>,
    {
        let control = self.control();
        let items = StreamSource::new(events, control, self.max_event_bytes.unwrap_or(MAX_EVENT_BYTES));
        self.respond(items)
    }

    /// A place in this hub's history: the events of these topics, or of one topic, from where the client's last event ID
    /// says. See [`Subscription`] and [`IntoTopics`].
    pub fn subscribe<K>(self, hub: &Hub, topics: impl IntoTopics<K>) -> Subscription<R> {
        Subscription::new(self, hub, topics)
    }

    fn respond<S>(mut self, source: S) -> Response<EventStream<R, S>> {
        let hub = self.hub.take().or(self.owner.take());
        let (first, control) = (std::mem::take(&mut self.first), self.control());
        let rules = Rules::of_stream(self.max_event_bytes.unwrap_or(MAX_EVENT_BYTES));
        let first = first.blocks(&rules, control);
        let mut opened = self.open(hub.as_ref(), Kind::Handled, rules, source);
        match first {
            Ok(first) => {
                let opening = control.opening_after(None, opened.brought.take());
                opened.opening(|welcome| [&*opening, welcome, &first].concat());
                opened.tell(None);
            }
            Err(error) => opened.fail(error),
        }
        opened.response
    }

    pub(crate) const fn is_get(&self) -> bool {
        self.admitted.is_get
    }

    pub(crate) fn control(&self) -> Control {
        match self.control_events.unwrap_or(self.admitted.names_type) {
            _ if !self.admitted.is_get => Control::Omitted,
            true => Control::Events,
            false => Control::Blocks,
        }
    }

    /// The last event ID that the client brought, if it can stand in a block.
    fn brought(&self) -> Option<Box<str>> {
        self.admitted.last_event_id.as_str().filter(|id| crate::event::encode::check_id(id).is_ok()).map(Into::into)
    }

    /// The hub that it was attached to, if that is another one.
    pub(crate) fn is_attached_elsewhere(&self, hub: &Hub) -> bool {
        self.hub.as_ref().is_some_and(|attached| !Arc::ptr_eq(&attached.inner, &hub.inner))
    }

    /// The handler's headers, for an answer that is none yet.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        self.headers.clone()
    }

    pub(crate) fn take_first(&mut self) -> First {
        std::mem::take(&mut self.first)
    }

    /// Puts a stream together and enters it with its hub. What goes first is yet to be said.
    pub(crate) fn open<S>(self, hub: Option<&Hub>, kind: Kind, rules: Rules, source: S) -> Opened<R, S> {
        let id = self.runtime.random().uuid();
        let (is_get, control, brought) = (self.admitted.is_get, self.control(), self.brought());
        let expires_at = self.max_lifetime.and_then(|lifetime| {
            let lifetime = self.runtime.random().duration(lifetime.mul_f64(0.8)..=lifetime);
            self.runtime.now().checked_add(lifetime)
        });
        let expires_at = expires_at.into_iter().chain(self.expires_at).min();
        let shared = Shared::new(id, control, rules, State::new(self.buffer, expires_at));
        let mut body = EventStream::new(shared.clone(), self.runtime, self.keep_alive, source);
        let response = match hub.map(|hub| (hub, StreamGuard::new(&hub.inner, &shared, kind, self.key))) {
            Some((hub, None)) => refuse(hub, "full", is_get, brought.as_deref(), self.headers, body),
            attached => {
                body.attach(attached.and_then(|(_, attachment)| attachment), self.on_end);
                Response::stream(id, self.headers, body)
            }
        };
        Opened { response, welcome: self.welcome, brought }
    }
}

/// A stream that is put together, and waits for what goes first.
#[derive(Debug)]
pub(crate) struct Opened<R: Runtime, S> {
    pub(crate) response: Response<EventStream<R, S>>,
    welcome: bool,
    /// The last event ID that the client brought, if it can stand in a block.
    pub(crate) brought: Option<Box<str>>,
}

impl<R: Runtime, S> Opened<R, S> {
    /// Lets `place` say what goes first, given the welcome.
    pub(crate) fn opening(&mut self, place: impl FnOnce(&[u8]) -> Vec<u8>) {
        let Some(id) = self.response.id() else { return };
        let welcome =
            if self.welcome { format!("event: welcome\ndata: {{\"uuid\":\"{id}\"}}\n\n") } else { String::new() };
        let opening = place(welcome.as_bytes()).into();
        self.response.body().shared().with(|locked| locked.state.set_opening(opening));
    }

    /// Tells that the stream opened, unless it was refused; and what became of its last event ID, if it subscribed.
    pub(crate) fn tell(&self, resumption: Option<Resumption>) {
        let Some(id) = self.response.id() else { return };
        let _entered = self.response.body().told().enter();
        crate::runtime::trace::stream_opened(id, resumption.map(Resumption::as_str));
    }

    /// Ends the stream before anything is sent.
    pub(crate) fn fail(&mut self, error: FrameError) {
        let opening = self.response.body().shared().control.opening(None, NO_ID);
        self.opening(|_| opening);
        let body = self.response.body();
        let _entered = body.told().enter();
        body.shared().fail(error);
    }
}

/// Turns a body into the answer that asks the client to come later: for a GET it says when, why, and ends.
pub(crate) fn refuse<R: Runtime, S>(
    hub: &Hub,
    why: &str,
    is_get: bool,
    brought: Option<&str>,
    headers: Vec<(String, String)>,
    mut body: EventStream<R, S>,
) -> Response<EventStream<R, S>> {
    let draining = hub.is_draining();
    crate::runtime::trace::stream_refused(if draining { "draining" } else { why });
    let retry = hub.send_away();
    let opening = match body.shared().control {
        Control::Events => {
            let mut opening = Control::Events.opening_after(Some(retry), brought);
            let reason = if draining { "draining" } else { "full" };
            opening.extend_from_slice(format!("event: sse-later\ndata: {{\"reason\":\"{reason}\"}}\n\n").as_bytes());
            opening.into()
        }
        Control::Blocks => retry_block(retry),
        Control::Omitted => bytes::Bytes::new(),
    };
    body.detach();
    body.shared().with(|locked| locked.state.set_opening(opening));
    body.shared().end(CloseReason::Drained, None);
    Response::refusal(is_get, retry, headers, body)
}

/// Turns a body into the answer to a handler that asks for the impossible.
pub(crate) fn invalid<R: Runtime, S>(
    error: &SubscribeError,
    headers: Vec<(String, String)>,
    mut body: EventStream<R, S>,
) -> Response<EventStream<R, S>> {
    crate::runtime::trace::subscription_rejected(error);
    body.detach();
    body.shared().end(CloseReason::Failed, None);
    Response::invalid(error.status(), headers, body)
}
