//! An event as its sender means it, before anything is checked.

use crate::event::encode;
use crate::event::error::FrameError;
use crate::event::frame::Frame;
use crate::event::limits::MAX_EVENT_BYTES;
use std::borrow::Cow;
use std::time::Duration;

/// One event: its fields, borrowed or owned. It may hold anything; what cannot be sent is told when it becomes a
/// [`Frame`], by [`Event::frame`] or by the call that sends it.
///
/// An event writes only the fields it is given. The client dispatches it if it has data, even empty data; a type or an ID
/// without data is [`FrameError::NoData`].
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
    /// What the serialiser said, in place of data.
    pub(crate) json_error: Option<Box<str>>,
    /// Whether it only moves the client's last event ID. It then has an ID, and neither type nor data.
    pub(crate) checkpoint: bool,
    /// Whether its type or ID may go without data.
    pub(crate) without_data: bool,
}

impl<'a> Event<'a> {
    /// An event without any field, for a [reconnection time](Self::retry) or a [comment](Self::comment).
    ///
    /// An event with a type or an ID begins with [`Event::data`]. A type or an ID without data is
    /// [`FrameError::NoData`], because no client dispatches such an event and some keep no ID of it.
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

    /// An event with this text as its data. CRLF, CR and LF are one line break each, and arrive as LF; nothing else is
    /// altered. Empty text is dispatched too.
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

    /// An event with this value, serialised as JSON, as its data.
    ///
    /// A value that cannot be serialised is told as [`FrameError::Json`] when the event is sent.
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

    /// An event that only moves the client's last event ID. No listener of the application hears of it.
    ///
    /// Firefox, WebKit and many libraries keep no ID of a block without data. So a GET stream whose client names
    /// `text/event-stream` in `Accept` sends an event of the reserved type `sse-position` with the data `{}`. Other GET
    /// streams send the ID alone, and streams over other methods send nothing: see
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

    /// An event that has no data on purpose, whatever type or ID it is given. No client dispatches it.
    ///
    /// ```
    /// # use sse_core::Event;
    /// assert_eq!(Event::without_data().event("ping").id("7").frame()?, "id: 7\nevent: ping\n\n");
    /// # Ok::<(), sse_core::FrameError>(())
    /// ```
    pub fn without_data() -> Self {
        Self { without_data: true, ..Self::new() }
    }

    /// Sets the event type, for which the client listens by name. Without one, or with `""`, which writes nothing, it is
    /// `message`.
    ///
    /// A type with a line break is [`FrameError::LineBreak`], and one of [`RESERVED_TYPES`](crate::RESERVED_TYPES) is
    /// [`FrameError::ReservedType`]. A GET stream and a hub reject `error` and `open` as [`FrameError::PageType`], because
    /// a page that listens for them also hears the connection. An event with a type of its own is no
    /// [checkpoint](Self::checkpoint) any more.
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

    /// Sets the id, which the client returns as `Last-Event-ID` when it reconnects; `""` clears the client's.
    ///
    /// Give it to events that have data. Firefox, WebKit and many libraries ignore the ID of an event without data, and
    /// only [`Event::checkpoint`] moves theirs.
    ///
    /// Refused: line breaks, NUL and other control characters, a space at either end, more than
    /// [`MAX_ID_BYTES`](crate::MAX_ID_BYTES) bytes. An id that is to cross origins without a preflight keeps to
    /// `[A-Za-z0-9_.-]`. A client that returns the id `end` is answered 204 and does not come back
    /// (see [`Sender::finish`](crate::Sender::finish)).
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

    /// Asks the client to wait this long before it reconnects, in whole milliseconds; a finer part is dropped.
    ///
    /// Over [`MAX_RETRY`](crate::MAX_RETRY) it is refused as [`FrameError::RetryTooLong`].
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

    /// Sets a comment, which the client skips. Its line breaks are those of data.
    ///
    /// A comment alone is written without a blank line after it, because some clients take that for an event.
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

    /// The same event with texts of its own, so that it outlives the texts it was made of.
    ///
    /// `Event::data(&text)` borrows `text`. A closure that returns such an event of a local `text` does not compile. Pass
    /// the `String` itself, or call this:
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

    /// The data, if there is any.
    #[must_use]
    pub fn data_text(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// The event type, if one was set.
    #[must_use]
    pub fn event_type(&self) -> Option<&str> {
        self.event.as_deref()
    }

    /// The id, if one was set.
    #[must_use]
    pub fn event_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The reconnection time, if one was set.
    #[must_use]
    pub const fn reconnection_time(&self) -> Option<Duration> {
        self.retry
    }

    /// The comment, if one was set.
    #[must_use]
    pub fn comment_text(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// Checks and encodes the event, once, for any number of streams. The event has at most
    /// [`MAX_EVENT_BYTES`](crate::MAX_EVENT_BYTES).
    ///
    /// # Errors
    /// The first field that is wrong, in the order `id`, `event`, `data`, `retry`; or [`FrameError::TooLarge`].
    pub fn frame(&self) -> Result<Frame, FrameError> {
        encode::frame(self, MAX_EVENT_BYTES)
    }

    /// As [`frame`](Self::frame), for an event of at most this many bytes. The hub or the stream that sends it must allow as
    /// many, by [`HubBuilder::max_event_bytes`](crate::hub::HubBuilder::max_event_bytes) or
    /// [`Sse::max_event_bytes`](crate::Sse::max_event_bytes).
    ///
    /// ```
    /// # use sse_core::{Event, FrameError};
    /// assert_eq!(Event::data("12345").frame_up_to(5)?, "data: 12345\n\n");
    /// assert_eq!(Event::data("12345").frame_up_to(4), Err(FrameError::TooLarge { bytes: 5, limit: 4 }));
    /// # Ok::<(), FrameError>(())
    /// ```
    ///
    /// # Errors
    /// As [`frame`](Self::frame).
    pub fn frame_up_to(&self, bytes: usize) -> Result<Frame, FrameError> {
        encode::frame(self, bytes)
    }
}
