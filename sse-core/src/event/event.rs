//! An event as the application builds it, before validation.

use crate::event::encode;
use crate::event::error::FrameError;
use crate::event::frame::Frame;
use crate::event::limits::MAX_EVENT_BYTES;
use std::borrow::Cow;
use std::time::Duration;

/// One event: its fields, borrowed or owned.
///
/// The setters accept any text. [`Event::frame`] and the calls that send the event validate the fields and return
/// [`FrameError`].
///
/// An encoded event has only the fields that were set. The client dispatches an event with data, even with empty data. An
/// event with a type or an ID and no data is [`FrameError::NoData`].
///
/// # Examples
/// ```
/// use sse_core::Event;
///
/// let event = Event::data("two\nlines").event("note").id("7");
/// assert_eq!(event.frame()?, "id: 7\nevent: note\ndata: two\ndata: lines\n\n");
/// # Ok::<(), sse_core::FrameError>(())
/// ```
///
/// Source: WHATWG HTML 9.2.5 and 9.2.6.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "an event does nothing until it is sent"]
pub struct Event<'a> {
    pub(crate) comment: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) event: Option<Cow<'a, str>>,
    pub(crate) data: Option<Cow<'a, str>>,
    pub(crate) retry: Option<Duration>,
    /// The error of the serialiser, in place of data.
    pub(crate) json_error: Option<Box<str>>,
    /// Whether the event only changes the client's last event ID. Such an event has an ID, and neither type nor data.
    pub(crate) checkpoint: bool,
    /// Whether the event may have a type or an ID without data.
    pub(crate) without_data: bool,
}

impl<'a> Event<'a> {
    /// Creates an event without fields, for a [reconnection time](Self::retry) or a [comment](Self::comment).
    ///
    /// Build an event with a type or an ID from [`Event::data`]. A type or an ID without data is
    /// [`FrameError::NoData`], because no client dispatches such an event and some clients do not keep the ID.
    ///
    /// ```
    /// # use sse_core::{Event, Field, FrameError};
    /// assert_eq!(Event::new().event("done").frame(), Err(FrameError::NoData(Field::Event)));
    /// assert_eq!(Event::data("").event("done").frame()?, "event: done\ndata:\n\n");
    /// # Ok::<(), FrameError>(())
    /// ```
    pub const fn new() -> Self {
        Self {
            comment: None,
            id: None,
            event: None,
            data: None,
            retry: None,
            json_error: None,
            checkpoint: false,
            without_data: false,
        }
    }

    /// Creates an event with this text as data.
    ///
    /// CRLF, CR and LF are one line break each, and the client receives LF. All other text is unchanged. A client also
    /// dispatches empty data.
    ///
    /// ```
    /// # use sse_core::Event;
    /// assert_eq!(Event::data("").frame()?, "data:\n\n");
    /// assert_eq!(Event::data(" x\r\n").frame()?, "data:  x\ndata:\n\n");
    /// # Ok::<(), sse_core::FrameError>(())
    /// ```
    pub fn data(text: impl Into<Cow<'a, str>>) -> Self {
        Self { data: Some(text.into()), ..Self::new() }
    }

    /// Creates an event with this value, serialised as JSON, as data.
    ///
    /// If the value cannot be serialised, the call that sends the event returns [`FrameError::Json`].
    ///
    /// ```
    /// # use sse_core::Event;
    /// let event = Event::json(&serde_json::json!({"title": "Rain"})).event("article");
    /// assert_eq!(event.frame()?, "event: article\ndata: {\"title\":\"Rain\"}\n\n");
    /// # Ok::<(), sse_core::FrameError>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json(value: &(impl serde::Serialize + ?Sized)) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self { data: Some(text.into()), ..Self::new() },
            Err(error) => Self { json_error: Some(error.to_string().into()), ..Self::new() },
        }
    }

    /// Creates an event of this type with this value, serialised as JSON, as data.
    ///
    /// If the value cannot be serialised, the call that sends the event returns [`FrameError::Json`].
    ///
    /// ```
    /// # use sse_core::Event;
    /// let event = Event::typed("article", &serde_json::json!({"title": "Rain"}));
    /// assert_eq!(event.frame()?, "event: article\ndata: {\"title\":\"Rain\"}\n\n");
    /// # Ok::<(), sse_core::FrameError>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn typed(event_type: impl Into<Cow<'a, str>>, value: &(impl serde::Serialize + ?Sized)) -> Self {
        Self::json(value).event(event_type)
    }

    /// Creates an event that only changes the client's last event ID. The page receives no event.
    ///
    /// Firefox, WebKit and many libraries do not keep the ID of a block without data. So a GET stream whose client names
    /// `text/event-stream` in `Accept` sends an event of the reserved type `sse-position` with the data `{}`. Other GET
    /// streams send the ID alone. Streams of other methods send nothing. See
    /// [`Sse::control_events`](crate::Sse::control_events).
    ///
    /// ```
    /// # use sse_core::{Event, testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// events.try_send(Event::checkpoint("42"))?;
    /// let text = clock.read(response).text();
    /// assert_eq!(text, ":\nevent: sse-open\n\nevent: sse-position\nid: 42\ndata: {}\n\n");
    ///
    /// let (events, response) = clock.sse().control_events(false).channel();
    /// events.try_send(Event::checkpoint("42"))?;
    /// assert_eq!(clock.read(response).text(), ":\nid: 42\n\n");
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub fn checkpoint(id: impl Into<Cow<'a, str>>) -> Self {
        Self { checkpoint: true, ..Self::new().id(id) }
    }

    /// Creates an event that may have a type and an ID without data. No client dispatches such an event.
    ///
    /// ```
    /// # use sse_core::Event;
    /// assert_eq!(Event::without_data().event("ping").id("7").frame()?, "id: 7\nevent: ping\n\n");
    /// # Ok::<(), sse_core::FrameError>(())
    /// ```
    pub fn without_data() -> Self {
        Self { without_data: true, ..Self::new() }
    }

    /// Sets the event type, which is the name that a page passes to `addEventListener`. The default is `message`; `""` also
    /// means `message` and has no line on the wire.
    ///
    /// A type with a line break is [`FrameError::LineBreak`], and one of [`RESERVED_TYPES`](crate::RESERVED_TYPES) is
    /// [`FrameError::ReservedType`]. A GET stream and a hub reject `error` and `open` as [`FrameError::PageType`], because
    /// `EventSource` itself fires events of these types. A type turns a [checkpoint](Self::checkpoint) into an ordinary
    /// event.
    ///
    /// ```
    /// # use sse_core::{Event, Field, FrameError};
    /// assert_eq!(Event::data("up 2").event("price").frame()?, "event: price\ndata: up 2\n\n");
    /// assert_eq!(Event::data("up 2").event("a\nb").frame(), Err(FrameError::LineBreak(Field::Event)));
    /// assert_eq!(Event::data("up 2").event("sse-end").frame(), Err(FrameError::ReservedType("sse-end".into())));
    /// # Ok::<(), FrameError>(())
    /// ```
    pub fn event(mut self, event_type: impl Into<Cow<'a, str>>) -> Self {
        self.event = Some(event_type.into());
        self.checkpoint = false;
        self
    }

    /// Sets the event ID, which the client sends as `Last-Event-ID` when the client reconnects. `""` clears the client's ID.
    ///
    /// Set an ID only on events with data. Firefox, WebKit and many libraries ignore the ID of an event without data; use
    /// [`Event::checkpoint`] for them.
    ///
    /// An ID must not contain line breaks, NUL or other control characters, must not start or end with a space, and has at
    /// most [`MAX_ID_BYTES`](crate::MAX_ID_BYTES) bytes. A cross-origin request without a preflight allows only the
    /// characters `[A-Za-z0-9_.-]`. The ID `end` is reserved: the server answers 204 to a client that sends `end`, and the
    /// client stops (see [`Sender::finish`](crate::Sender::finish)).
    ///
    /// ```
    /// # use sse_core::{Event, FrameError};
    /// assert_eq!(Event::data("x").id("7").frame()?, "id: 7\ndata: x\n\n");
    /// assert_eq!(Event::data("x").id("").frame()?, "id:\ndata: x\n\n");
    /// assert_eq!(Event::data("x").id("7\0").frame(), Err(FrameError::ControlInId));
    /// # Ok::<(), FrameError>(())
    /// ```
    pub fn id(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the reconnection time: the client waits this long before it reconnects. The wire has whole milliseconds;
    /// fractions are cut off. Unset by default, so each client uses its own default.
    ///
    /// A time longer than [`MAX_RETRY`](crate::MAX_RETRY) is [`FrameError::RetryTooLong`].
    ///
    /// ```
    /// # use {sse_core::Event, std::time::Duration};
    /// assert_eq!(Event::new().retry(Duration::from_millis(2500)).frame()?, "retry: 2500\n\n");
    /// # Ok::<(), sse_core::FrameError>(())
    /// ```
    pub const fn retry(mut self, time: Duration) -> Self {
        self.retry = Some(time);
        self
    }

    /// Sets a comment, which clients ignore. Line breaks split a comment in the same way as data.
    ///
    /// A comment alone has no blank line after it, because some clients dispatch an event at that blank line.
    ///
    /// ```
    /// # use sse_core::Event;
    /// assert_eq!(Event::new().comment("one\ntwo").frame()?, ": one\n: two\n");
    /// # Ok::<(), sse_core::FrameError>(())
    /// ```
    pub fn comment(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.comment = Some(text.into());
        self
    }

    /// Converts borrowed texts into owned ones, so that the event outlives the borrowed texts.
    ///
    /// `Event::data(&text)` borrows `text`, so a closure cannot return such an event of a local `text`. Pass the `String`
    /// itself, or call this method:
    ///
    /// ```
    /// # use sse_core::Event;
    /// let events = (1..=2).map(|n| {
    ///     let text = format!("number {n}");
    ///     Event::data(&text).event("count").into_owned() // here also `Event::data(text)`
    /// });
    /// assert_eq!(events.last(), Some(Event::data("number 2").event("count")));
    /// ```
    pub fn into_owned(self) -> Event<'static> {
        let owned = |text: Option<Cow<'a, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Event {
            comment: owned(self.comment),
            id: owned(self.id),
            event: owned(self.event),
            data: owned(self.data),
            retry: self.retry,
            checkpoint: self.checkpoint,
            without_data: self.without_data,
            json_error: self.json_error,
        }
    }

    /// Returns the data, if any.
    ///
    /// ```
    /// # use sse_core::Event;
    /// let event = Event::data("up 2").event("price").id("7").comment("note");
    /// assert_eq!(event.data_text(), Some("up 2"));
    /// assert_eq!(event.event_type(), Some("price"));
    /// assert_eq!(event.event_id(), Some("7"));
    /// assert_eq!(event.comment_text(), Some("note"));
    /// assert_eq!(event.reconnection_time(), None);
    /// ```
    #[must_use]
    pub fn data_text(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// Returns the event type, if set. [`data_text`](Self::data_text) has an example.
    #[must_use]
    pub fn event_type(&self) -> Option<&str> {
        self.event.as_deref()
    }

    /// Returns the event ID, if set. [`data_text`](Self::data_text) has an example.
    #[must_use]
    pub fn event_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the reconnection time, if set. [`data_text`](Self::data_text) has an example.
    #[must_use]
    pub const fn reconnection_time(&self) -> Option<Duration> {
        self.retry
    }

    /// Returns the comment, if set. [`data_text`](Self::data_text) has an example.
    #[must_use]
    pub fn comment_text(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// Validates and encodes the event. The frame can be sent to any number of streams.
    ///
    /// The size limit is [`MAX_EVENT_BYTES`](crate::MAX_EVENT_BYTES); [`frame_up_to`](Self::frame_up_to) takes another
    /// limit.
    ///
    /// # Errors
    /// [`FrameError`] for the first invalid field, in the order `id`, `event`, `data`, `retry`. [`FrameError::TooLarge`]
    /// comes before an error of `retry`.
    ///
    /// ```
    /// # use sse_core::{Event, FrameError};
    /// assert_eq!(Event::data("tick").id("7").frame()?, "id: 7\ndata: tick\n\n");
    /// assert_eq!(Event::data("tick").id(" 7").frame(), Err(FrameError::EdgeSpaceInId));
    /// # Ok::<(), FrameError>(())
    /// ```
    pub fn frame(&self) -> Result<Frame, FrameError> {
        encode::frame(self, MAX_EVENT_BYTES)
    }

    /// Validates and encodes an event of at most `bytes` bytes, counted as for [`MAX_EVENT_BYTES`](crate::MAX_EVENT_BYTES).
    ///
    /// The hub or the stream that sends the event must allow the same size: see
    /// [`HubBuilder::max_event_bytes`](crate::hub::HubBuilder::max_event_bytes) and
    /// [`Sse::max_event_bytes`](crate::Sse::max_event_bytes).
    ///
    /// # Errors
    /// The same errors as [`frame`](Self::frame).
    ///
    /// ```
    /// # use sse_core::{Event, FrameError};
    /// assert_eq!(Event::data("12345").frame_up_to(5)?, "data: 12345\n\n");
    /// assert_eq!(Event::data("12345").frame_up_to(4), Err(FrameError::TooLarge { bytes: 5, limit: 4 }));
    /// # Ok::<(), FrameError>(())
    /// ```
    pub fn frame_up_to(&self, bytes: usize) -> Result<Frame, FrameError> {
        encode::frame(self, bytes)
    }
}
