//! The sender: sends events to one stream from any task or thread.

use super::close_reason::CloseReason;
use super::sending::Sending;
use super::shared::{LockedStream, Shared};
use super::watch::Watch;
use crate::event::error::{FrameError, SendError};
use crate::event::event::Event;
use crate::event::frame::CheckedEvent;
use crate::event::frame::IntoFrame;
use crate::runtime::sync::Arc;
use std::fmt;
use std::future::Future;
use uuid::Uuid;

/// Sends events to one stream. Clones send to the same stream. No call blocks the thread.
///
/// When the last sender of a channel is dropped, the stream ends after its pending events. Dropping a sender beside a
/// subscription or a stream of events does not end the stream.
///
/// # Examples
/// A pool that encodes each event once for all its streams. The pool drops the senders of clients that left. A client that
/// reads too slowly misses the event and stays:
///
/// ```
/// use sse_core::{Event, SendError, Sender};
/// use std::collections::HashMap;
/// use uuid::Uuid;
///
/// struct Pool(HashMap<Uuid, Sender>);
///
/// impl Pool {
///     fn add(&mut self, stream: Sender) {
///         self.0.insert(stream.id(), stream);
///     }
///
///     fn broadcast(&mut self, event: &Event) -> Result<usize, sse_core::FrameError> {
///         let frame = event.frame()?;
///         let mut missed = 0;
///         self.0.retain(|_, stream| match stream.try_send(&frame) {
///             Err(SendError::Closed) => false,
///             Err(_) => { missed += 1; true } // its buffer is full; `stream.close()` would make it reconnect
///             Ok(()) => true,
///         });
///         Ok(missed)
///     }
/// }
/// # use sse_core::testing::Clock;
/// # let clock = Clock::new();
/// # let mut pool = Pool(HashMap::new());
/// # let (one, first) = clock.sse().channel();
/// # let (two, second) = clock.sse().channel();
/// # (pool.add(one), pool.add(two));
/// # let mut first = clock.read(first);
/// # drop(second);
/// # let (slow, third) = clock.sse().buffer(1).channel();
/// # pool.add(slow);
/// # assert_eq!(pool.broadcast(&Event::data("hello"))?, 0);
/// # assert_eq!(pool.broadcast(&Event::data("again"))?, 1);
/// # assert_eq!(first.bytes(), b":\nevent: sse-open\n\ndata: hello\n\ndata: again\n\n");
/// # assert_eq!(pool.0.len(), 2);
/// # assert_eq!(clock.read(third).text(), ":\nevent: sse-open\n\ndata: hello\n\n");
/// # Ok::<(), sse_core::FrameError>(())
/// ```
pub struct Sender {
    shared: Arc<Shared>,
    ends_stream: bool,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>, ends_stream: bool) -> Self {
        shared.add_sender();
        Self { shared, ends_stream }
    }

    /// The unique ID of this stream.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.shared.id
    }

    /// Opens the stream, so that the client receives the opening block. Returns true for the call that opened the stream.
    /// The first send or the first poll of the body also opens the stream.
    ///
    /// ```
    /// # use sse_core::testing::Clock;
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// assert!(events.open() && !events.open());
    /// assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\n");
    /// ```
    pub fn open(&self) -> bool {
        let opened = self.shared.with(|locked| locked.state.open());
        if opened {
            self.shared.body.wake();
        }
        opened
    }

    /// Queues an event, or returns an error without waiting.
    ///
    /// The buffer holds 64 KiB by default, see [`Sse::buffer`](crate::Sse::buffer). An empty buffer accepts one event of any
    /// size up to [`Sse::max_event_bytes`](crate::Sse::max_event_bytes).
    ///
    /// # Errors
    /// - [`SendError::Full`] if the buffer has no room, or another send waits for room.
    /// - [`SendError::Closed`] if the stream has ended.
    /// - [`SendError::Invalid`] if the event cannot be sent.
    ///
    /// ```
    /// # use {sse_core::SendError, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().buffer(48).channel();
    /// events.try_send("the first")?;
    /// events.try_send(("note", "the second"))?;
    /// assert_eq!(events.try_send("the third"), Err(SendError::Full));
    /// clock.read(response).text(); // the client reads both events and disconnects
    /// assert_eq!(events.try_send("the third"), Err(SendError::Closed));
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn try_send(&self, event: impl IntoFrame) -> Result<(), SendError> {
        let sent = event.with_checked(|event| {
            let event = self.check(event?)?;
            self.shared.with(|locked| {
                if !locked.state.is_active() {
                    return Err(SendError::Closed);
                }
                if locked.first_ticket().is_some() || !event.fits(locked.state.room()) {
                    return Err(SendError::Full);
                }
                Ok(locked.state.send(|pending| {
                    if pending.is_empty() && event.is_encoded() {
                        pending.push(event.into_bytes());
                    } else {
                        pending.write(event.len_at_least(), |joined| event.encode(joined));
                    }
                }))
            })
        });
        if sent? {
            self.shared.body.wake();
        }
        Ok(())
    }

    /// Waits until the buffer has room, then queues the event. Sends that wait are served in the order of their first poll.
    ///
    /// This call encodes the event, so the future does not borrow the event.
    ///
    /// A handler must not await this *before the handler returns its response*, unless all events fit into the buffer. The
    /// server reads the stream only after the handler returned, so the send would wait for ever. Debug builds print a warning
    /// with the line of the call on standard error, and the feature `tracing` reports `send.waits`. Send
    /// in the future of [`Sse::run`](crate::Sse::run), or give the events to [`Sse::prelude`](crate::Sse::prelude), or
    /// raise [`Sse::buffer`](crate::Sse::buffer).
    ///
    /// # Errors
    /// - [`SendError::Closed`] if the stream has ended, or ends during the wait.
    /// - [`SendError::Invalid`] if the event cannot be sent.
    ///
    /// # Cancel safety
    /// A future that is dropped before it is ready sends nothing. The next send that waits takes its turn.
    ///
    /// ```
    /// # use sse_core::{Event, Sender};
    /// async fn count(events: Sender) {
    ///     for n in 0.. {
    ///         if events.send(Event::data(format!("{n}"))).await.is_err() {
    ///             return; // the client left
    ///         }
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn send(&self, event: impl IntoFrame) -> Sending<'_> {
        let bytes = event.with_checked(|event| self.check(event?).map(CheckedEvent::into_bytes));
        Sending::new(self, bytes)
    }

    /// Queues a comment, or returns an error without waiting. A client ignores comments.
    ///
    /// # Errors
    /// The same errors as [`Sender::try_send`].
    ///
    /// ```
    /// # use sse_core::testing::Clock;
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// events.comment("build 7")?;
    /// assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\n: build 7\n");
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub fn comment(&self, text: impl AsRef<str>) -> Result<(), SendError> {
        self.try_send(Event::new().comment(text.as_ref()))
    }

    /// Ends the stream after its pending events. Returns true for the call that ended the stream. A browser reconnects after
    /// its reconnection time.
    ///
    /// ```
    /// # use {sse_core::CloseReason, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// assert!(events.close() && !events.close());
    /// assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\n");
    /// assert_eq!(events.close_reason(), Some(CloseReason::Closed));
    /// ```
    pub fn close(&self) -> bool {
        self.shared.end(CloseReason::Closed, None)
    }

    /// Ends the stream after its pending events, and makes the client stop. Returns true for the call that ended the stream.
    ///
    /// The last event has the reserved type `sse-end` and sets the client's last event ID to the reserved `end`. The server
    /// answers a browser that reconnects with this ID with 204, and the browser stops. A GET whose `Accept` does not name
    /// `text/event-stream` receives `id: end` without data instead (see
    /// [`Sse::control_events`](crate::Sse::control_events)). For other methods than GET this call equals
    /// [`Sender::close`]. Their clients do not reconnect by themselves, and some fail at a block without data.
    ///
    /// htmx, reconnecting-eventsource and sse.js request a finished stream again for ever, unless the page closes the
    /// stream at `sse-end`: in htmx by `sse-close="sse-end"`.
    ///
    /// Beside a subscription, the client does not receive published events that the body has not taken yet. Send the last
    /// event through the sender.
    ///
    /// ```
    /// # use {sse_core::CloseReason, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// let mut reader = clock.read(response);
    /// assert!(events.finish() && !events.finish());
    /// assert_eq!(reader.text(), ":\nevent: sse-open\n\nevent: sse-end\nid: end\ndata: {}\n\n");
    /// assert!(reader.has_ended());
    /// assert_eq!(events.close_reason(), Some(CloseReason::Finished));
    /// ```
    pub fn finish(&self) -> bool {
        finish(&self.shared)
    }

    /// Ends the stream as failed after its pending events. Returns true for the call that ended the stream.
    /// [`Sse::on_end`](crate::Sse::on_end) and `tracing` receive the error. The client does not.
    ///
    /// The last block of a GET stream is a reconnection time of 10 to 30 s. For other methods, whose clients do not reconnect
    /// by themselves, the server aborts the body (HTTP/1.1: no last chunk; HTTP/2: RST_STREAM). The client then does not
    /// take half an answer for a complete one.
    ///
    /// ```
    /// # use {sse_core::CloseReason, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// events.try_send("half an answer")?;
    /// assert!(events.fail("no answer from the model"));
    /// let mut reader = clock.read(response);
    /// let text = reader.text();
    /// assert!(text.starts_with(":\nevent: sse-open\n\ndata: half an answer\n\nretry: "), "{text}");
    /// assert!(reader.has_ended());
    /// assert_eq!(events.close_reason(), Some(CloseReason::Failed));
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub fn fail(&self, error: impl fmt::Display) -> bool {
        self.shared.fail(FrameError::Source(error.to_string().into()))
    }

    /// Whether the stream accepts events. A stream that was closed, finished or left does not.
    ///
    /// ```
    /// # use sse_core::testing::Clock;
    /// let (events, response) = Clock::new().sse().channel();
    /// assert!(events.is_active());
    /// drop(response); // the client leaves
    /// assert!(!events.is_active());
    /// ```
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.shared.with(|locked| locked.state.is_active())
    }

    /// The reason of the end. `None` before the end.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.shared.with(|locked| locked.state.reason())
    }

    /// Waits until the client received the last pending event or left. Any number of tasks may wait.
    ///
    /// # Cancel safety
    /// The future may be dropped and created again at any time.
    ///
    /// ```
    /// # use sse_core::Sender;
    /// # async fn work() {}
    /// async fn work_until_the_client_leaves(events: Sender) {
    ///     tokio::select! {
    ///         () = work() => {}
    ///         reason = events.closed() => println!("the stream ended: {reason}"),
    ///     }
    /// }
    /// ```
    pub fn closed(&self) -> impl Future<Output = CloseReason> + Send + Sync + use<> {
        Watch::new(self.shared.clone(), |locked| locked.state.reason())
    }

    /// Waits until the hub of the stream drains, or the stream has ended. The application can then send its last events. The
    /// stream ends by itself at the end of the drain's window. A stream without a hub never drains.
    ///
    /// # Cancel safety
    /// The future may be dropped and created again at any time.
    ///
    /// ```
    /// # use sse_core::Sender;
    /// async fn says_goodbye(events: Sender) {
    ///     events.draining().await;
    ///     let _ = events.send(("goodbye", "a new version comes")).await;
    ///     events.close();
    /// }
    /// ```
    pub fn draining(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        let ready =
            |locked: &LockedStream| (locked.state.is_draining() || locked.state.reason().is_some()).then_some(());
        Watch::new(self.shared.clone(), ready)
    }

    pub(super) fn has_pending(&self) -> bool {
        self.shared.with(|locked| locked.state.has_pending())
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Checks an event by the rules of the stream, and returns the form that this stream sends.
    fn check<'p>(&self, event: CheckedEvent<'p>) -> Result<CheckedEvent<'p>, FrameError> {
        self.shared.rules.check(&event, self.shared.control)?;
        Ok(event.for_stream(self.shared.control))
    }
}

pub(crate) fn finish(shared: &Shared) -> bool {
    let end = shared.control.end();
    let reason = if end.is_some() { CloseReason::Finished } else { CloseReason::Closed };
    shared.end(reason, end)
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone(), self.ends_stream)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if self.shared.drop_sender() && self.ends_stream {
            self.shared.end(CloseReason::Closed, None);
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("id", &self.id()).field("active", &self.is_active()).finish_non_exhaustive()
    }
}
