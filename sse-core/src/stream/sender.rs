//! The handle: sends to one stream from anywhere.

use super::shared::{LockedStream, Shared};
use super::state::CloseReason;
use crate::event::error::{FrameError, SendError};
use crate::event::event::Event;
use crate::event::frame::CheckedEvent;
use crate::event::frame::IntoFrame;
use crate::runtime::sync::Arc;
use bytes::Bytes;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use uuid::Uuid;

/// The handle of one stream. Clones are handles of the same stream; every call is cheap and none blocks.
///
/// When the last sender of a channel is dropped, the stream ends after what is pending. A sender beside a subscription
/// or a stream of events ends nothing by being dropped.
///
/// # Examples
/// A pool that encodes once for all its streams. A client that left is dropped; a client that reads too slowly misses the
/// event and stays:
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

    /// The identifier of this connection.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.shared.id
    }

    /// Queues what opens the stream now; true for the call that opened it. The first send or the first poll of the
    /// body does it otherwise.
    pub fn open(&self) -> bool {
        let opened = self.shared.with(|locked| locked.state.open());
        if opened {
            self.shared.body.wake();
        }
        opened
    }

    /// Sends at once, or not at all.
    ///
    /// The buffer holds 64 KiB unless [`Sse::buffer`](crate::Sse::buffer) says otherwise; an event that is larger than
    /// it is taken when it is empty.
    ///
    /// # Errors
    /// [`SendError::Full`] if there is no room, or another send is waiting for it; [`SendError::Closed`];
    /// [`SendError::Invalid`] if the event cannot be sent.
    ///
    /// ```
    /// # use {sse_core::SendError, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().buffer(48).channel();
    /// events.try_send("the first")?;
    /// events.try_send(("note", "the second"))?;
    /// assert_eq!(events.try_send("the third"), Err(SendError::Full));
    /// clock.read(response).text(); // it is read, and leaves
    /// assert_eq!(events.try_send("the third"), Err(SendError::Closed));
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn try_send(&self, event: impl IntoFrame) -> Result<(), SendError> {
        let sent = event.with_checked(|piece| {
            let piece = self.check(piece?)?;
            self.shared.with(|locked| {
                if !locked.state.is_active() {
                    return Err(SendError::Closed);
                }
                if locked.first_ticket().is_some() || !piece.fits(locked.state.room()) {
                    return Err(SendError::Full);
                }
                Ok(locked.state.send(|pending| {
                    if pending.is_empty() && piece.is_encoded() {
                        pending.push(piece.into_bytes());
                    } else {
                        pending.write(piece.len_at_least(), |joined| piece.encode(joined));
                    }
                }))
            })
        });
        if sent? {
            self.shared.body.wake();
        }
        Ok(())
    }

    /// Sends when there is room, and not before those who began to wait earlier.
    ///
    /// The event is encoded by this call; the future holds its bytes and borrows nothing of it. Its place in the line is
    /// taken when it is first polled. Dropping it before it is ready sends nothing, and the next in line goes.
    ///
    /// A handler that awaits this *before it returns its response* waits for ever once more than the buffer holds is
    /// pending: the stream is not read before the response is returned. Debug builds print a warning with the line of the
    /// call on standard error, and the feature `tracing` reports it as `send.waits`. Return the response and send from a
    /// spawned task, or give the events to [`Sse::prelude`](crate::Sse::prelude), or raise
    /// [`Sse::buffer`](crate::Sse::buffer).
    ///
    /// # Errors
    /// [`SendError::Closed`], also when the stream ends while this waits; [`SendError::Invalid`]. Never `Full`.
    ///
    /// ```
    /// # use sse_core::{Event, Sender};
    /// async fn count(events: Sender) {
    ///     for n in 0.. {
    ///         if events.send(Event::data(format!("{n}"))).await.is_err() {
    ///             return; // the reader left
    ///         }
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn send(&self, event: impl IntoFrame) -> Sending<'_> {
        let bytes = event.with_checked(|piece| self.check(piece?).map(CheckedEvent::into_bytes));
        let step = match bytes {
            Ok(bytes) => SendState::Send(bytes),
            Err(error) => SendState::Done(Err(error.into())),
        };
        Sending {
            sender: self,
            step,
            ticket: None,
            #[cfg(debug_assertions)]
            caller: std::panic::Location::caller(),
        }
    }

    /// Sends a comment, which the client never dispatches. As [`Sender::try_send`].
    ///
    /// # Errors
    /// As [`Sender::try_send`].
    pub fn comment(&self, text: impl AsRef<str>) -> Result<(), SendError> {
        self.try_send(Event::new().comment(text.as_ref()))
    }

    /// Ends the stream after what is pending; true for the call that did. A browser comes back after its reconnection
    /// time.
    pub fn close(&self) -> bool {
        self.shared.end(CloseReason::Closed, None)
    }

    /// Ends the stream for good after what is pending; true for the call that did.
    ///
    /// The last event has the reserved type `sse-end` and moves the client's last event ID to the reserved `end`. A
    /// browser that reconnects with this ID is answered 204 and stops. A GET whose `Accept` does not name
    /// `text/event-stream` receives `id: end` without data instead (see
    /// [`Sse::control_events`](crate::Sse::control_events)). Over other methods than GET this is [`Sender::close`]:
    /// those clients do not reconnect by themselves, and some fail at a block without data.
    ///
    /// htmx, reconnecting-eventsource and sse.js request a finished stream again for ever, unless the page closes the
    /// stream at `sse-end`: in htmx by `sse-close="sse-end"`.
    ///
    /// Beside a subscription, events that were published and that the body has not taken yet are not sent any more, and
    /// this client does not come back for them; say the last thing through the sender.
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

    /// Ends the stream as failed after what is pending; true for the call that did. The error goes to
    /// [`on_end`](crate::Sse::on_end) and to `tracing`, and never to the client.
    ///
    /// A GET stream sends a reconnection time of 10 to 30 s last. Over other methods, whose clients do not reconnect by
    /// themselves, the server aborts the body (HTTP/1.1: no last chunk; HTTP/2: RST_STREAM), so that the client does not
    /// take half an answer for a whole one.
    ///
    /// ```
    /// # use {sse_core::CloseReason, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// events.try_send("half an answer")?;
    /// assert!(events.fail("the model is gone"));
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

    /// Whether the stream takes events: it was not closed, finished or left.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.shared.with(|locked| locked.state.is_active())
    }

    /// Why the stream ended, once it has.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.shared.with(|locked| locked.state.reason())
    }

    /// Waits for the end of the stream: what was pending is delivered, or the client left. Any number of clones may
    /// wait, any number of times.
    ///
    /// ```
    /// # use sse_core::Sender;
    /// # async fn work() {}
    /// async fn for_as_long_as_somebody_reads(events: Sender) {
    ///     tokio::select! {
    ///         () = work() => {}
    ///         reason = events.closed() => println!("nobody waits any more: {reason}"),
    ///     }
    /// }
    /// ```
    pub fn closed(&self) -> impl Future<Output = CloseReason> + Send + Sync + use<> {
        Watch { shared: self.shared.clone(), ticket: None, ready: |locked| locked.state.reason() }
    }

    /// Waits until the hub to which the stream is attached goes down, or the stream has ended: the time to say goodbye.
    /// The stream ends by itself when the drain's window is over. Without a hub it waits for the end of the stream.
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
        Watch { shared: self.shared.clone(), ticket: None, ready }
    }

    /// The event as this stream sends it, if its hub allows that.
    fn check<'p>(&self, piece: CheckedEvent<'p>) -> Result<CheckedEvent<'p>, FrameError> {
        self.shared.rules.check(&piece, self.shared.control)?;
        Ok(piece.for_stream(self.shared.control))
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

/// The future of [`Sender::send`].
#[must_use = "nothing is sent until the future is awaited"]
#[derive(Debug)]
pub struct Sending<'s> {
    sender: &'s Sender,
    step: SendState,
    /// The place in the line of those who wait for room.
    ticket: Option<u64>,
    #[cfg(debug_assertions)]
    caller: &'static std::panic::Location<'static>,
}

#[derive(Debug)]
enum SendState {
    Send(Bytes),
    Done(Result<(), SendError>),
}

impl Future for Sending<'_> {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let bytes = match &this.step {
            SendState::Send(bytes) => bytes.clone(),
            SendState::Done(result) => return Poll::Ready(result.clone()),
        };
        let shared = &*this.sender.shared;
        let mut waker = Some(cx.waker().clone());
        let (mut wakes, mut waits_unread) = (false, false);
        let (result, next, old) = shared.with(|locked| {
            if !locked.state.is_active() {
                return (Poll::Ready(Err(SendError::Closed)), None, None);
            }
            let first = locked.first_ticket().is_none_or(|first| Some(first) == this.ticket);
            if first && bytes.len() <= locked.state.room() {
                wakes = locked.state.send(|pending| pending.push(bytes));
                let old = this.ticket.take().and_then(|ticket| locked.waiting().line.remove(&ticket)).flatten();
                return (Poll::Ready(Ok(())), locked.first_in_line(), old);
            }
            waits_unread = this.ticket.is_none() && !locked.state.is_read();
            let waiting = locked.waiting();
            let ticket = *this.ticket.get_or_insert_with(|| waiting.ticket());
            let old = waiting.line.insert(ticket, waker.take()).flatten();
            (Poll::Pending, None, old)
        });
        drop(old);
        if waits_unread {
            crate::runtime::trace::send_waits(shared.id);
            #[cfg(debug_assertions)]
            super::unread::warn(this.caller);
        }
        if let Poll::Ready(done) = &result {
            this.leave_line();
            this.step = SendState::Done(done.clone());
        }
        shared.wake(wakes, next);
        result
    }
}

impl Sending<'_> {
    fn leave_line(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let (own, next) =
            self.sender.shared.with(|locked| (locked.waiting().line.remove(&ticket), locked.first_in_line()));
        drop(own);
        if let Some(next) = next {
            next.wake();
        }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.leave_line();
    }
}

/// Waits for something that the stream becomes.
struct Watch<T> {
    shared: Arc<Shared>,
    ticket: Option<u64>,
    ready: fn(&LockedStream) -> Option<T>,
}

impl<T> Future for Watch<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        let mut waker = Some(cx.waker().clone());
        let (result, old) = this.shared.with(|locked| match (this.ready)(locked) {
            Some(value) => (Poll::Ready(value), None),
            None => {
                let waiting = locked.waiting();
                let ticket = *this.ticket.get_or_insert_with(|| waiting.ticket());
                (Poll::Pending, waker.take().and_then(|waker| waiting.watchers.insert(ticket, waker)))
            }
        });
        drop(old);
        result
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let old = self.shared.with(|locked| locked.waiting().watchers.remove(&ticket));
            drop(old);
        }
    }
}
