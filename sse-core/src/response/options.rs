//! The options of a stream.

use crate::event::control::{Control, retry_block};
use crate::event::error::FrameError;
use crate::event::frame::IntoFrame;
use crate::event::limits::MAX_EVENT_BYTES;
use crate::request::head::STREAM_HEADERS;
use crate::request::last_event_id::LastEventId;
use crate::request::policy::Accepted;
use crate::request::rejection::Rejection;
use crate::response::moment::IntoMoment;
use crate::response::prelude::Prelude;
use crate::response::response::{HeaderError, Response, check_header};
use crate::runtime::runtime::Runtime;
use crate::runtime::sync::Arc;
use crate::stream::owner::{DrainEnd, StreamOwner};
use crate::stream::rules::Rules;
use crate::stream::source::StreamSource;
use crate::stream::{CloseReason, EventStream, FutureSource, ItemStream, OnEnd, RunResult, Sender};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A request that may open a stream, and the options of the stream. An adapter's `Sse` wraps this type.
///
/// # Examples
/// The core alone, with the clock of a test:
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
    pub(crate) runtime: R,
    pub(crate) id: Uuid,
    pub(crate) accepted: Accepted,
    /// Set if the request opens no stream. Every response is then this rejection.
    pub(crate) rejection: Option<Rejection>,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) pace: Duration,
    pub(crate) buffer: usize,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) expires_at: Option<Instant>,
    pub(crate) key: Option<std::sync::Arc<str>>,
    pub(crate) welcome: bool,
    max_event_bytes: Option<usize>,
    control_events: Option<bool>,
    prelude: Prelude,
    pub(crate) headers: Vec<(String, String)>,
    /// Set by `attach`.
    pub(crate) attached: Option<Arc<dyn StreamOwner>>,
    /// The owner of every stream of the route, unless the stream is attached to another one.
    pub(crate) owner: Option<Arc<dyn StreamOwner>>,
    pub(crate) on_end: Option<OnEnd>,
}

/// The longest [key](Sse::key) of a stream, in bytes.
pub const MAX_KEY_BYTES: usize = 256;

/// The number of bytes of a [key](Sse::key) that is longer than [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key has {0} bytes, more than {MAX_KEY_BYTES}")]
pub struct KeyTooLong(pub usize);

impl<R: Runtime> Sse<R> {
    /// Creates the options with their defaults: a keep-alive every 15 s, a buffer of 64 KiB, no limit of the lifetime.
    ///
    /// [`Sse`] has an example.
    pub fn new(runtime: R, accepted: Accepted) -> Self {
        Self {
            id: runtime.random().uuid(),
            runtime,
            accepted,
            rejection: None,
            keep_alive: Some(Duration::from_secs(15)),
            pace: Duration::ZERO,
            buffer: 64 * 1024,
            max_lifetime: None,
            expires_at: None,
            key: None,
            welcome: false,
            max_event_bytes: None,
            control_events: None,
            prelude: Prelude::default(),
            headers: Vec::new(),
            attached: None,
            owner: None,
            on_end: None,
        }
    }

    /// Creates the options of a request that opens no stream. Every response is the answer of the rejection. For an adapter
    /// whose framework cannot answer before the handler.
    #[doc(hidden)]
    pub fn rejected(runtime: R, rejection: Rejection) -> Self {
        let accepted =
            Accepted { last_event_id: LastEventId::Absent, is_get: false, names_type: false, accepts_gzip: false };
        Self { rejection: Some(rejection), ..Self::new(runtime, accepted) }
    }

    /// The rejection of a request that opens no stream.
    #[doc(hidden)]
    #[must_use]
    pub const fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_ref()
    }

    /// The unique ID that the stream of this request will have, for logs and for a registry of the application.
    ///
    /// ```
    /// let sse = sse_core::testing::Clock::new().sse();
    /// let id = sse.id();
    /// let (events, response) = sse.channel();
    /// assert_eq!((events.id(), response.id()), (id, Some(id)));
    /// ```
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The last event ID of the client.
    ///
    /// ```
    /// use sse_core::{LastEventId, testing::Clock};
    ///
    /// assert_eq!(Clock::new().sse().last_event_id(), &LastEventId::Absent);
    /// ```
    #[must_use]
    pub const fn last_event_id(&self) -> &LastEventId {
        &self.accepted.last_event_id
    }

    /// Adds a response header. A name can occur more than once, as `set-cookie` does. A header named `cache-control` or
    /// `x-accel-buffering` replaces the one of the stream. An answer that makes the client retry later has the headers too.
    ///
    /// # Errors
    /// [`HeaderError`] for a name or value that no header can have, and for a header that belongs to the stream or the
    /// connection, such as `content-type`.
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

    /// Sends the event `welcome` first, with the data `{"uuid":"..."}`: the unique ID of the stream.
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

    /// Sends a comment line when the stream has sent nothing for this long: 15 s by default, in whole milliseconds, rounded
    /// up. The first keep-alive comes after half to one interval, and a keep-alive after data after nine tenths to one
    /// interval. So streams that received the same event do not all write again at once.
    ///
    /// `None`, zero and more than 49 days turn keep-alives off. The server then notices late or never that a client vanished.
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

    /// Writes at most once per window. The first event leaves at once. The events of the next `window` wait for its end, and
    /// leave as one write. No window by default, and none for zero.
    ///
    /// No event is lost, and order and IDs stay. The end of the stream sends what waits at once. No timer runs while
    /// nothing waits. Use a window for many events per second and many clients: the costs of a delivery are the costs of
    /// its write. 40 ms look immediate to a reader.
    ///
    /// At most 64 KiB of a [stream of events](Self::stream) and [`buffer`](Self::buffer) bytes of a [`Sender`] wait for the end of
    /// the window. The stream of events is not polled at this limit. A topic keeps its events itself, so with a window longer
    /// than its history the client lags.
    ///
    /// ```
    /// # use {sse_core::testing::Clock, std::time::Duration};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().pace(Duration::from_millis(40)).channel();
    /// let mut client = clock.read(response);
    /// client.text();
    /// events.try_send("1")?;
    /// assert_eq!(client.text(), "data: 1\n\n");
    /// events.try_send("2")?;
    /// events.try_send("3")?;
    /// assert_eq!(client.text(), "");
    /// clock.advance(Duration::from_millis(40));
    /// assert_eq!(client.text(), "data: 2\n\ndata: 3\n\n");
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub const fn pace(mut self, window: Duration) -> Self {
        self.pace = window;
        self
    }

    /// Sends positions and the end of the stream as events of [`RESERVED_TYPES`](crate::RESERVED_TYPES), or without data.
    ///
    /// By default a stream sends events if the request's `Accept` names `text/event-stream` or `text/*`, as in
    /// [`AcceptMode::Named`](crate::AcceptMode::Named). Firefox, WebKit and many libraries keep no ID of a block without
    /// data. Without the events such a client loses the events of the time in which the client reconnects. An `EventSource`
    /// always names the type. A `fetch` with `Accept: */*` may parse the data of every event and receives blocks without data.
    ///
    /// For other methods than GET this setting changes nothing. The stream opens with a comment and has no block without
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
    /// Source: WHATWG HTML 9.2.6. Firefox and WebKit deviate from this section.
    pub const fn control_events(mut self, on: bool) -> Self {
        self.control_events = Some(on);
        self
    }

    /// Limits the pending bytes of a [`Sender`]: 64 KiB by default. At the limit [`Sender::try_send`] returns
    /// [`SendError::Full`](crate::SendError::Full) and [`Sender::send`] waits. An event larger than the limit is accepted when
    /// nothing is pending.
    ///
    /// ```
    /// # use {sse_core::SendError, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, _response) = clock.sse().buffer(16).channel();
    /// events.try_send("larger than the limit")?;
    /// assert_eq!(events.try_send("x"), Err(SendError::Full));
    /// # Ok::<(), SendError>(())
    /// ```
    pub const fn buffer(mut self, bytes: usize) -> Self {
        self.buffer = bytes;
        self
    }

    /// Limits the size of an event, in bytes of its values. By default the limit of a [subscription](Self::subscribe) is that
    /// of the hub, and the limit of other streams is [`MAX_EVENT_BYTES`], 1 MiB. A line break counts as a new `data` field.
    /// `send` returns [`FrameError::TooLarge`] for a larger event, and a stream of events ends as [`CloseReason::Failed`].
    /// Published events have the limit of the hub.
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

    /// Ends the stream after this long, or up to a fifth earlier, so that clients do not reconnect all at once. No limit by
    /// default.
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

    /// Ends the stream at this moment, for example the end of a login: an [`Instant`], a
    /// [`SystemTime`](std::time::SystemTime), or [`UnixSeconds`](crate::UnixSeconds). A moment in the past ends the stream at
    /// its first poll. No such moment by default.
    ///
    /// A later change of the wall clock does not move the end. A body that the server does not poll keeps no deadline.
    ///
    /// ```
    /// # use {sse_core::CloseReason, sse_core::testing::Clock, sse_core::Runtime, std::time::Duration};
    /// # let clock = Clock::new();
    /// let end_of_login = clock.now() + Duration::from_secs(60);
    /// let (events, response) = clock.sse().expires_at(end_of_login).channel();
    /// let mut client = clock.read(response);
    /// clock.advance(Duration::from_secs(60));
    /// assert!(client.has_ended());
    /// assert_eq!(events.close_reason(), Some(CloseReason::Expired));
    /// ```
    pub fn expires_at(mut self, moment: impl IntoMoment) -> Self {
        self.expires_at = moment.on_clock(self.runtime.now(), self.runtime.wall());
        self
    }

    /// Sets the owner of the stream, for example a user, for [`Hub::close_by_key`](crate::Hub::close_by_key) and
    /// [`HubBuilder::max_streams_per_key`](crate::hub::HubBuilder::max_streams_per_key). The key only has an effect if the stream
    /// belongs to a hub.
    ///
    /// # Errors
    /// [`KeyTooLong`] for more than [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes. Use a digest of a longer key.
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

    /// Calls this function once when the stream has ended, with the reason and, for a failed stream, the error. Use the call
    /// to count and log failures, because the client does not receive the error.
    ///
    /// The function must not block. It runs in the task that polls or drops the body, without a lock of this crate. A
    /// stream that never opened does not call the function.
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

    /// Sends these events before all others, whatever the size of the buffer. The limit is
    /// [`MAX_PRELUDE_BYTES`](crate::MAX_PRELUDE_BYTES) in all. An event that cannot be sent ends the stream as
    /// [`CloseReason::Failed`], and the client receives none of them.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// let (events, response) = clock.sse().prelude([("state", "all of it")]).channel();
    /// events.try_send("then this")?;
    /// assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\nevent: state\ndata: all of it\n\ndata: then this\n\n");
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub fn prelude(mut self, events: impl IntoIterator<Item: IntoFrame>) -> Self {
        self.prelude.extend(events);
        self
    }

    /// Sends these events, or results of events. When the events end, the stream finishes, see [`Sender::finish`]. An `Err`,
    /// or an event that cannot be sent, ends the stream as [`CloseReason::Failed`], and nothing of this item reaches the
    /// client.
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

    /// Opens a stream that one future writes. The future runs as part of the response: the server polls the future when the
    /// client can receive, and drops the future when the client leaves. Nothing is spawned.
    ///
    /// The future receives a [`Sender`]. [`Sender::send`] waits while the client reads more slowly than the future sends,
    /// see [`buffer`](Self::buffer). The end of the future is the end of the stream:
    ///
    /// | the future | the stream ends as |
    /// |---|---|
    /// | returns `Ok(())` | [`Finished`](CloseReason::Finished), see [`Sender::finish`]: the client stops |
    /// | returns `Err` | [`Failed`](CloseReason::Failed), see [`Sender::fail`]: [`on_end`](Self::on_end) and `tracing` receive the error |
    /// | panics | [`Failed`](CloseReason::Failed), with [`FrameError::Panic`]. The server and other streams of its connection continue |
    ///
    /// A response that opens no stream drops `work` and does not run it. Work that must outlive its client needs
    /// [`channel`](Self::channel) and a task.
    ///
    /// # Cancel safety
    /// The future may be dropped at every `await`.
    ///
    /// ```
    /// # use {sse_core::CloseReason, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let response = clock.sse().run(async move |events| {
    ///     for word in ["to", "ken"] {
    ///         events.send(("word", word)).await?;
    ///     }
    ///     Ok(())
    /// });
    /// let mut expected = String::from(":\nevent: sse-open\n\nevent: word\ndata: to\n\nevent: word\ndata: ken\n\n");
    /// expected.push_str("event: sse-end\nid: end\ndata: {}\n\n");
    /// assert_eq!(clock.read(response).text(), expected);
    /// ```
    pub fn run<W, F>(self, work: W) -> Response<EventStream<R, FutureSource<W, F>>>
    where
        W: FnOnce(Sender) -> F,
        F: Future<Output = RunResult>,
    {
        let response = self.respond(());
        let is_open = !response.is_rejected();
        response.map(|body| {
            let events = is_open.then(|| Sender::new(body.shared().clone(), false));
            body.map_source(|()| FutureSource::new(work, events))
        })
    }

    pub(crate) fn respond<S>(mut self, source: S) -> Response<EventStream<R, S>> {
        let owner = self.attached.take().or(self.owner.take());
        let (prelude, control) = (self.take_prelude(), self.control());
        let retry = owner.as_ref().filter(|_| control.has_retry()).and_then(|owner| owner.channel_retry());
        // A block of its own, so that the opening block of a channel has the same bytes always.
        let retry = retry.map(retry_block).unwrap_or_default();
        let rules = Rules::of_stream(self.max_event_bytes.unwrap_or(MAX_EVENT_BYTES));
        let prelude = prelude.blocks(&rules, control);
        let mut opened = self.open(owner, DrainEnd::Last, rules, source);
        match prelude {
            Ok(prelude) => {
                let opening = control.opening_after(None, opened.brought.take());
                opened.opening(|welcome| [&*opening, &*retry, welcome, &prelude].concat());
                opened.trace_opened(None);
            }
            Err(error) => opened.fail(error),
        }
        opened.response
    }

    pub(crate) const fn is_get(&self) -> bool {
        self.accepted.is_get
    }

    #[cfg(feature = "gzip")]
    pub(crate) const fn accepts_gzip(&self) -> bool {
        self.accepted.accepts_gzip
    }

    pub(crate) fn control(&self) -> Control {
        match self.control_events.unwrap_or(self.accepted.names_type) {
            _ if !self.accepted.is_get => Control::Omitted,
            true => Control::Events,
            false => Control::Blocks,
        }
    }

    /// The last event ID of the client, if a block can contain the ID.
    pub(crate) fn brought(&self) -> Option<Box<str>> {
        self.accepted.last_event_id.as_str().filter(|id| crate::event::encode::check_id(id).is_ok()).map(Into::into)
    }

    /// The headers of the handler, for an answer that opens no stream.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        self.headers.clone()
    }

    pub(crate) fn take_prelude(&mut self) -> Prelude {
        std::mem::take(&mut self.prelude)
    }
}
