//! What every adapter offers, written once.
//!
//! A framework's traits can only be implemented for types of the adapter's own crate. [`adapter!`](crate::adapter)
//! declares those types and everything about them that names no framework, so that three adapters cannot differ.

/// Declares `Sse`, `SseResponse`, `Subscription`, `Refused` and `Error` in an adapter, over the core's types on tokio.
///
/// The argument is what a stream of events must be beside a stream: what the framework asks of a body.
///
/// ```
/// sse_core::adapter!(Send + 'static);
/// ```
#[macro_export]
macro_rules! adapter {
    ($($bounds:tt)+) => {
        /// A request that may open an event stream, and how the stream shall be. Take it as an argument of a handler.
        ///
        /// A request that may not is answered 405 or 406 in its place, and HEAD with the head of the stream; one whose
        /// stream was [finished](Sender::finish) is answered 204.
        #[derive(Debug)]
        #[must_use = "no stream opens until this becomes a response"]
        pub struct Sse($crate::Sse<$crate::Tokio>);

        impl Sse {
            /// Takes the request under the policy of its route, or the default one; its streams are this hub's.
            fn check(
                policy: Option<&$crate::Policy>,
                hub: Option<&$crate::Hub>,
                request: &$crate::Request<'_>,
            ) -> Result<Self, Refused> {
                let admitted = policy.unwrap_or(&$crate::Policy::default()).check(request).map_err(Refused::new)?;
                Ok(Self($crate::Sse::new($crate::Tokio, admitted).owned_by(hub)))
            }

            /// As [`Sse::check`], on a route that has another answer too; `None` asks for that one.
            fn check_optional(
                policy: Option<&$crate::Policy>,
                hub: Option<&$crate::Hub>,
                request: &$crate::Request<'_>,
            ) -> Result<Option<Self>, Refused> {
                let admitted = policy.unwrap_or(&$crate::Policy::default()).check_optional(request).map_err(Refused::new)?;
                Ok(admitted.map(|admitted| Self($crate::Sse::new($crate::Tokio, admitted).owned_by(hub))))
            }

            /// The last event ID that the client brought.
            #[must_use]
            pub const fn last_event_id(&self) -> &$crate::LastEventId {
                self.0.last_event_id()
            }

            /// Adds a response header; the same name may come again, as `set-cookie` does. One of `cache-control` and
            /// `x-accel-buffering` replaces the stream's own. An answer that asks the client to come later has them too.
            ///
            /// # Errors
            /// A name or value that no header can have, or a header that is not the handler's, as `content-type`.
            pub fn header(self, name: &str, value: &str) -> Result<Self, $crate::HeaderError> {
                self.0.header(name, value).map(Self)
            }

            /// Begins the stream with the event `welcome`, whose data is `{"uuid":"..."}`: the connection's identifier.
            pub fn welcome(self) -> Self {
                Self(self.0.welcome())
            }

            /// Writes a comment line when nothing was written for this long: 15 s by default. The first one comes
            /// earlier, at a moment drawn from half to one interval, and one after data from nine tenths on. `None` and zero turn it off; the server then
            /// notices late or never that a client vanished.
            pub fn keep_alive(self, interval: impl Into<Option<::std::time::Duration>>) -> Self {
                Self(self.0.keep_alive(interval))
            }

            /// Sends positions and the end of the stream as events of [`RESERVED_TYPES`], or without data. By default
            /// they are events if the request's `Accept` names `text/event-stream` or `text/*`. Over other methods than
            /// GET this changes nothing.
            pub fn control_events(self, on: bool) -> Self {
                Self(self.0.control_events(on))
            }

            /// Bounds what a [`Sender`] may have pending, in bytes: 64 KiB by default. At the bound `try_send` answers
            /// `Full` and `send` waits; an event that is larger than the bound is taken when nothing is pending.
            pub fn buffer(self, bytes: usize) -> Self {
                Self(self.0.buffer(bytes))
            }

            /// The largest event that the stream sends, in bytes of its values: by default the limit of its hub for a
            /// subscription ([`max_event_bytes`](hub::HubBuilder::max_event_bytes)), else 1 MiB. A larger event is
            /// [`FrameError::TooLarge`]: `send` returns it, and a stream of events ends as [`CloseReason::Failed`].
            pub fn max_event_bytes(self, bytes: usize) -> Self {
                Self(self.0.max_event_bytes(bytes))
            }

            /// Ends the stream after this long, or up to a fifth earlier so that clients do not come back all at once.
            /// Without it a stream lasts as long as it likes.
            pub fn max_lifetime(self, lifetime: ::std::time::Duration) -> Self {
                Self(self.0.max_lifetime(lifetime))
            }

            /// Ends the stream at this moment, as when a login ends: an `Instant`, a `SystemTime`, or [`UnixSeconds`] as in
            /// the `exp` of a token. A moment in the past ends the stream at its first poll. A body that nobody polls has no deadlines; its
            /// connection ends when the socket does, see [`apply_socket_limits`].
            pub fn expires_at(self, moment: impl $crate::IntoMoment) -> Self {
                Self(self.0.expires_at(moment))
            }

            /// Names whose stream it is, for [`Hub::close_by_key`] and
            /// [`max_streams_per_key`](hub::HubBuilder::max_streams_per_key). It counts on a stream that is attached to a
            /// hub.
            ///
            /// # Errors
            /// [`KeyTooLong`] for more than 256 bytes; use a digest of what is longer.
            pub fn key(self, key: impl AsRef<str>) -> Result<Self, $crate::KeyTooLong> {
                self.0.key(key).map(Self)
            }

            /// Makes a channel or a stream of events one of this hub's: it counts towards `max_streams` and is ended by
            /// a drain. On a route that was given a hub, every channel and stream is that hub's without this. A
            /// subscription is attached to the hub that it follows, and rejected if this is another one.
            pub fn attach(self, hub: &$crate::Hub) -> Self {
                Self(self.0.attach(hub))
            }

            /// Calls this once when the stream has ended, with the reason and, if it failed, the error: the place to count
            /// and to log failures, which no client is told of. It must not block. A stream that never opened calls
            /// nothing.
            pub fn on_end(
                self,
                call: impl FnOnce($crate::CloseReason, Option<&$crate::FrameError>) + Send + Sync + 'static,
            ) -> Self {
                Self(self.0.on_end(call))
            }

            /// Sends these events before anything else, however large the buffer is; at most 8 MiB in all. One that
            /// cannot be sent ends the stream as [`CloseReason::Failed`], before any of them.
            pub fn prelude(self, events: impl IntoIterator<Item: $crate::IntoFrame>) -> Self {
                Self(self.0.prelude(events))
            }

            /// A stream with a handle. It ends when the handle says so, or when the last clone of it is dropped.
            pub fn channel(self) -> ($crate::Sender, SseResponse) {
                let (sender, response) = self.0.channel();
                (sender, SseResponse(response))
            }

            /// A stream of these events, or of results of them. When they end it [finishes](Sender::finish); an `Err`,
            /// or an event that cannot be sent, ends it as [`CloseReason::Failed`] and nothing of that item reaches the
            /// client.
            pub fn stream<S>(self, events: S) -> SseResponse<$crate::stream::StreamSource<S>>
            where
                S: $crate::stream::ItemStream<Item: $crate::IntoFrame> + $($bounds)+,
            {
                SseResponse(self.0.stream(events))
            }

            /// Follows these topics of the hub, from where the client's last event ID says.
            pub fn subscribe<K>(self, hub: &$crate::Hub, topics: impl $crate::hub::IntoTopics<K>) -> Subscription {
                Subscription(self.0.subscribe(hub, topics))
            }
        }

        /// The response that opens a stream. Its head is fixed; return it from the handler.
        #[derive(Debug)]
        #[must_use = "the stream opens when the response is returned"]
        pub struct SseResponse<S = $crate::stream::Live>($crate::Response<$crate::EventStream<$crate::Tokio, S>>);

        impl<S> SseResponse<S> {
            /// The connection's identifier; `None` if the stream was refused because its hub drains or is full.
            #[must_use]
            pub const fn id(&self) -> Option<$crate::Uuid> {
                self.0.id()
            }
        }

        /// A stream that follows topics of a hub. Return it from the handler, or ask it first what was missed.
        #[derive(Debug)]
        #[must_use = "the stream opens when the subscription is returned"]
        pub struct Subscription($crate::Subscription<$crate::Tokio>);

        impl Subscription {
            /// The connection's identifier; `None` if the stream was refused because the hub drains or is full.
            #[must_use]
            pub const fn id(&self) -> Option<$crate::Uuid> {
                self.0.id()
            }

            /// What became of the client's last event ID.
            #[must_use]
            pub const fn resumption(&self) -> $crate::Resumption {
                self.0.resumption()
            }

            /// Sends stored events to a new client: none by default. A client that resumes receives what it missed
            /// instead.
            pub fn replay(self, replay: $crate::Replay) -> Self {
                Self(self.0.replay(replay))
            }

            /// Sends stored events of one topic to a new client, whatever [`replay`](Self::replay) says for the other
            /// topics. Call it after `replay`. A topic that the subscription does not name ends the stream as
            /// [`CloseReason::Failed`].
            pub fn replay_topic(self, topic: &str, replay: $crate::Replay) -> Self {
                Self(self.0.replay_topic(topic, replay))
            }

            /// Sends these events, a snapshot for one, before anything else; as [`Sse::prelude`]. They may have no ids.
            pub fn prelude(self, events: impl IntoIterator<Item: $crate::IntoFrame>) -> Self {
                Self(self.0.prelude(events))
            }

            /// Why the subscription opens no stream, if the handler asks for one that cannot be.
            #[must_use]
            pub const fn error(&self) -> Option<&$crate::hub::SubscribeError> {
                self.0.error()
            }

            /// The response, and a handle of this one stream beside its topics. What it sends may have no ids.
            pub fn with_sender(self) -> ($crate::Sender, SseResponse) {
                let (sender, response) = self.0.with_sender();
                (sender, SseResponse(response))
            }
        }

        impl From<Subscription> for SseResponse {
            fn from(subscription: Subscription) -> Self {
                Self(subscription.0.into_response())
            }
        }

        /// A request that opens no stream, and its answer: 405, 406, 403, the head alone, or 204.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Refused {
            reason: $crate::Rejection,
            /// The connection must end with the answer; few frameworks leave that to an adapter.
            ends_connection: bool,
        }

        impl Refused {
            const fn new(reason: $crate::Rejection) -> Self {
                Self { reason, ends_connection: false }
            }

            /// Why.
            #[must_use]
            pub const fn reason(&self) -> &$crate::Rejection {
                &self.reason
            }
        }

        impl ::std::fmt::Display for Refused {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.reason.fmt(f)
            }
        }

        impl ::std::error::Error for Refused {}

        /// Any error that a handler meets, as its answer: 500 without a word of the error, which goes to `tracing` as
        /// `handler.failed`. A [`Refused`] keeps the answer that it has.
        ///
        /// Every type that is a [`std::error::Error`] becomes one by `?`: [`HeaderError`], [`hub::PublishError`],
        /// [`SendError`] and [`FrameError`] as well as a database's.
        pub struct Error(::std::boxed::Box<dyn ::std::error::Error + Send + Sync>);

        impl Error {
            /// The error itself; `downcast_ref` tells which one it is.
            #[must_use]
            pub fn get_ref(&self) -> &(dyn ::std::error::Error + Send + Sync + 'static) {
                &*self.0
            }

            /// The answer of a [`Refused`], or a log line, after which the answer is 500.
            fn refused(&self) -> Option<&Refused> {
                let refused = self.0.downcast_ref();
                if refused.is_none() {
                    $crate::__handler_failed(&*self.0);
                }
                refused
            }

            /// The body of the 500.
            const BODY: &str = "the server failed to answer this request\n";
        }

        impl<E: ::std::error::Error + Send + Sync + 'static> From<E> for Error {
            fn from(error: E) -> Self {
                Self(error.into())
            }
        }

        impl ::std::fmt::Debug for Error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl ::std::fmt::Display for Error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        #[doc(inline)]
        pub use $crate::__typed::{DecodeEvents, Events};
        #[doc(no_inline)]
        pub use $crate::{
            AcceptMode, BlockError, AppliedLimits, CloseReason, Event, EventStream, Frame, FrameError, HeaderError, Hub, IntoFrame,
            KeyTooLong, LastEventId, MessageEvent, PayloadError, Policy, PolicyError, RESERVED_TYPES, Rejection, Replay, Resumption, SendError, Sender,
            SocketLimits, Stats, UnixSeconds, Uuid, apply_socket_limits, hub, stream,
        };
    };
}
