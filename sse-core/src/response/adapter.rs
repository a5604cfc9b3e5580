//! The methods that all adapters share, written once.
//!
//! A framework's traits can only be implemented for types of the adapter's own crate, so each adapter declares its own
//! `Sse`, `SseResponse`, `Subscription` and `Error`. [`adapter!`](crate::adapter) adds every method that names no
//! framework, so that three adapters cannot differ.

/// Adds the common methods to the types `Sse`, `SseResponse`, `Subscription` and `Error` of an adapter.
///
/// The first argument is the import of the examples, the second the bounds of a stream of events: what the framework asks
/// of a body. The adapter declares the types as in sse-axum's `src/types.rs`.
#[macro_export]
macro_rules! adapter {
    ($import:literal, $($bounds:tt)+) => {
        impl Sse {
            /// Checks the request under the policy of its route, or the default one. The hub owns the streams.
            pub(crate) fn check(
                policy: Option<&$crate::Policy>,
                hub: Option<&$crate::Hub>,
                request: &$crate::Request<'_>,
            ) -> Result<Self, $crate::Rejection> {
                let accepted = policy.unwrap_or(&$crate::Policy::default()).check(request)?;
                Ok(Self($crate::Sse::new($crate::Tokio, accepted).owned_by(hub)))
            }

            /// The same on a route that has another answer too; `None` asks for that answer.
            pub(crate) fn check_optional(
                policy: Option<&$crate::Policy>,
                hub: Option<&$crate::Hub>,
                request: &$crate::Request<'_>,
            ) -> Result<Option<Self>, $crate::Rejection> {
                let accepted = policy.unwrap_or(&$crate::Policy::default()).check_optional(request)?;
                Ok(accepted.map(|accepted| Self($crate::Sse::new($crate::Tokio, accepted).owned_by(hub))))
            }

            /// The unique ID that the stream of this request will have.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     println!("{} opened", sse.id());
            ///     sse.channel().1
            /// }
            /// ```
            #[must_use]
            pub const fn id(&self) -> $crate::Uuid {
                self.0.id()
            }

            /// The last event ID of the client.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     let greeting = match sse.last_event_id() {
            ///         LastEventId::Absent => "welcome",
            ///         _ => "welcome back",
            ///     };
            ///     sse.prelude([greeting]).channel().1
            /// }
            /// ```
            #[must_use]
            pub const fn last_event_id(&self) -> &$crate::LastEventId {
                self.0.last_event_id()
            }

            /// Adds a response header; a name can occur more than once, as `set-cookie` does. A header named `cache-control`
            /// or `x-accel-buffering` replaces the one of the stream. The answer that asks a client to retry later has the
            /// headers too.
            ///
            /// # Errors
            /// [`HeaderError`] for a name or value that no header can have, and for a header that belongs to the stream or
            /// the connection, such as `content-type`.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> Result<SseResponse, Error> {
            ///     Ok(sse.header("x-feed", "news")?.channel().1)
            /// }
            /// ```
            pub fn header(self, name: &str, value: &str) -> Result<Self, $crate::HeaderError> {
                self.0.header(name, value).map(Self)
            }

            /// Sends the event `welcome` first, with the data `{"uuid":"..."}`: the identifier of the stream.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     sse.welcome().channel().1
            /// }
            /// ```
            pub fn welcome(self) -> Self {
                Self(self.0.welcome())
            }

            /// Sends a comment line when the stream has sent nothing for this long: 15 s by default. The first one comes
            /// after half to one interval. `None` and zero turn keep-alives off; the server then notices late or never that
            /// a client vanished.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     sse.keep_alive(std::time::Duration::from_secs(30)).channel().1
            /// }
            /// ```
            pub fn keep_alive(self, interval: impl Into<Option<::std::time::Duration>>) -> Self {
                Self(self.0.keep_alive(interval))
            }

            /// Writes at most once per window. The first event leaves at once. The events of the next `window` wait for its
            /// end, and leave as one write. Nothing is lost, and order and IDs stay. No window by default, and none for zero.
            ///
            /// ```
            #[doc = $import]
            /// fn prices(sse: Sse, hub: &Hub) -> SseResponse {
            ///     sse.pace(std::time::Duration::from_millis(40)).subscribe(hub, ["prices"]).into()
            /// }
            /// ```
            pub fn pace(self, window: ::std::time::Duration) -> Self {
                Self(self.0.pace(window))
            }

            /// Sends positions and the end of the stream as events of [`RESERVED_TYPES`], or without data. By default
            /// they are events if the request's `Accept` names `text/event-stream` or `text/*`. Over other methods than
            /// GET this changes nothing.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     sse.control_events(false).channel().1
            /// }
            /// ```
            pub fn control_events(self, on: bool) -> Self {
                Self(self.0.control_events(on))
            }

            /// Limits the pending bytes of a [`Sender`]: 64 KiB by default. At the limit `try_send` returns
            /// [`SendError::Full`] and `send` waits. An event larger than the limit is accepted when nothing is pending.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     sse.buffer(1024 * 1024).channel().1
            /// }
            /// ```
            pub fn buffer(self, bytes: usize) -> Self {
                Self(self.0.buffer(bytes))
            }

            /// Limits the size of an event, in bytes of its values. By default the limit is that of the hub for a
            /// subscription ([`max_event_bytes`](hub::HubBuilder::max_event_bytes)), else 1 MiB. A larger event is
            /// [`FrameError::TooLarge`]: `send` returns it, and a stream of events ends as [`CloseReason::Failed`].
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     sse.max_event_bytes(16 * 1024).channel().1
            /// }
            /// ```
            pub fn max_event_bytes(self, bytes: usize) -> Self {
                Self(self.0.max_event_bytes(bytes))
            }

            /// Ends the stream after this long, or up to a fifth earlier so that clients do not reconnect all at once.
            /// No limit by default.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     sse.max_lifetime(std::time::Duration::from_secs(3600)).channel().1
            /// }
            /// ```
            pub fn max_lifetime(self, lifetime: ::std::time::Duration) -> Self {
                Self(self.0.max_lifetime(lifetime))
            }

            /// Ends the stream at this moment, for example when a login ends: an `Instant`, a `SystemTime`, or
            /// [`UnixSeconds`] such as the `exp` of a token. A moment in the past ends the stream at its first poll. A body
            /// that nobody polls has no deadlines; its connection ends when the socket does, see [`apply_socket_limits`].
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse, exp: u64) -> SseResponse {
            ///     sse.expires_at(UnixSeconds(exp)).channel().1
            /// }
            /// ```
            pub fn expires_at(self, moment: impl $crate::IntoMoment) -> Self {
                Self(self.0.expires_at(moment))
            }

            /// Sets the key of the stream, usually the user, for [`Hub::close_by_key`] and
            /// [`max_streams_per_key`](hub::HubBuilder::max_streams_per_key). It counts on a stream that belongs to a hub.
            ///
            /// # Errors
            /// [`KeyTooLong`] for more than 256 bytes; use a digest of a longer one.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse, hub: &Hub, user: &str) -> Result<Subscription, Error> {
            ///     Ok(sse.key(user)?.subscribe(hub, ["news"]))
            /// }
            /// ```
            pub fn key(self, key: impl AsRef<str>) -> Result<Self, $crate::KeyTooLong> {
                self.0.key(key).map(Self)
            }

            /// Attaches a channel or a stream of events to this hub: the stream counts towards `max_streams`, and a drain
            /// ends it. On a route that was given a hub, every channel and stream belongs to that hub without this call. A
            /// subscription belongs to the hub that it follows, and is rejected if this is another one.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse, hub: &Hub) -> SseResponse {
            ///     sse.attach(hub).channel().1
            /// }
            /// ```
            pub fn attach(self, hub: &$crate::Hub) -> Self {
                Self(self.0.attach(hub))
            }

            /// Calls this once when the stream has ended, with the reason and, if the stream failed, the error: the place to
            /// count and to log failures, which no client receives. It must not block. A stream that never opened calls
            /// nothing.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     sse.on_end(|reason, error| println!("{reason} {error:?}")).channel().1
            /// }
            /// ```
            pub fn on_end(
                self,
                call: impl FnOnce($crate::CloseReason, Option<&$crate::FrameError>) + Send + Sync + 'static,
            ) -> Self {
                Self(self.0.on_end(call))
            }

            /// Sends these events before anything else, however large the buffer is; at most 8 MiB in all. An event that
            /// cannot be sent ends the stream as [`CloseReason::Failed`], before any of them.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     sse.prelude([("state", "all of it")]).channel().1
            /// }
            /// ```
            pub fn prelude(self, events: impl IntoIterator<Item: $crate::IntoFrame>) -> Self {
                Self(self.0.prelude(events))
            }

            /// Opens a stream with a sender. The stream ends when the sender ends it, or when the last clone of the sender
            /// is dropped.
            ///
            /// ```
            #[doc = $import]
            /// fn import(sse: Sse) -> SseResponse {
            ///     let (events, response) = sse.channel();
            ///     // The import goes on without the client. Work for one client belongs into `run`.
            ///     tokio::spawn(async move {
            ///         for row in 0..1000 {
            ///             let _ = events.send(row.to_string()).await;
            ///         }
            ///         events.finish();
            ///     });
            ///     response
            /// }
            /// ```
            pub fn channel(self) -> ($crate::Sender, SseResponse) {
                let (sender, response) = self.0.channel();
                (sender, SseResponse(response.erase()))
            }

            /// Opens a stream that one future writes. The server polls the future as part of the response, and drops the
            /// future when the client leaves. `Ok(())` [finishes](Sender::finish) the stream, so that the client stops. `Err`
            /// and a panic end the stream as [`CloseReason::Failed`]. The client does not receive the error, which goes to
            /// [`on_end`](Self::on_end) and to `tracing`.
            ///
            /// [`Sender::send`] waits while the client reads more slowly than the future sends. The future may be dropped at
            /// every `await`. Work that must outlive its client needs [`channel`](Self::channel) and a task.
            ///
            /// ```
            #[doc = $import]
            /// fn countdown(sse: Sse) -> SseResponse {
            ///     sse.run(async move |events| {
            ///         for n in (0..=10).rev() {
            ///             events.send(n.to_string()).await?;
            ///         }
            ///         Ok(())
            ///     })
            /// }
            /// ```
            pub fn run<W, F>(self, work: W) -> SseResponse
            where
                W: FnOnce($crate::Sender) -> F + $($bounds)+,
                F: Future<Output = $crate::stream::RunResult> + $($bounds)+,
            {
                let response = self.0.run(work);
                SseResponse(response.map(|body| body.map_source(|source| $crate::hub::AnySource::Stream(Box::pin(source) as _))))
            }

            /// Sends these events, or results of events. When they end, the stream [finishes](Sender::finish). An `Err`, or
            /// an event that cannot be sent, ends the stream as [`CloseReason::Failed`], and nothing of that item reaches
            /// the client.
            ///
            /// ```
            #[doc = $import]
            /// fn tokens(sse: Sse) -> SseResponse {
            ///     sse.stream(futures_util::stream::iter(["to", "ken"]))
            /// }
            /// ```
            pub fn stream<S>(self, events: S) -> SseResponse
            where
                S: $crate::stream::ItemStream<Item: $crate::IntoFrame> + $($bounds)+,
            {
                let response = self.0.stream(events);
                SseResponse(response.map(|body| body.map_source(|source| $crate::hub::AnySource::Stream(Box::pin(source) as _))))
            }

            /// Follows these topics of the hub. A client that brings a last event ID resumes strictly after it.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse, hub: &Hub) -> Subscription {
            ///     sse.subscribe(hub, ["news", "weather"])
            /// }
            /// ```
            pub fn subscribe<K>(self, hub: &$crate::Hub, topics: impl $crate::hub::IntoTopics<K>) -> Subscription {
                Subscription(self.0.subscribe(hub, topics))
            }
        }

        impl SseResponse {
            /// The identifier of the stream; `None` if the response opens none.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse) -> SseResponse {
            ///     let (_events, response) = sse.channel();
            ///     println!("{:?}", response.id());
            ///     response
            /// }
            /// ```
            #[must_use]
            pub const fn id(&self) -> Option<$crate::Uuid> {
                self.0.id()
            }

            /// Whether the response opens no stream: the hub drains or is full, or a call cannot succeed. The response is
            /// the whole answer.
            ///
            /// ```
            #[doc = $import]
            /// fn is_open(response: &SseResponse) -> bool {
            ///     !response.is_rejected()
            /// }
            /// ```
            #[must_use]
            pub const fn is_rejected(&self) -> bool {
                self.0.is_rejected()
            }
        }

        impl Subscription {
            /// The identifier of the stream; `None` if the response opens none.
            ///
            /// ```
            #[doc = $import]
            /// fn id(feed: &Subscription) -> Option<Uuid> {
            ///     feed.id()
            /// }
            /// ```
            #[must_use]
            pub const fn id(&self) -> Option<$crate::Uuid> {
                self.0.id()
            }

            /// Whether no stream opens: the hub drains or is full, or there is an [`error`](Self::error).
            ///
            /// ```
            #[doc = $import]
            /// fn is_open(feed: &Subscription) -> bool {
            ///     !feed.is_rejected()
            /// }
            /// ```
            #[must_use]
            pub const fn is_rejected(&self) -> bool {
                self.0.is_rejected()
            }

            /// The outcome of the client's last event ID.
            ///
            /// ```
            #[doc = $import]
            /// fn board(sse: Sse, hub: &Hub) -> Subscription {
            ///     let feed = sse.subscribe(hub, ["board"]);
            ///     match feed.resumption() {
            ///         Resumption::Resumed => feed, // the missed changes follow
            ///         _ => feed.prelude([("board", "the whole board")]),
            ///     }
            /// }
            /// ```
            #[must_use]
            pub const fn resumption(&self) -> $crate::Resumption {
                self.0.resumption()
            }

            /// Sends stored events to a new client: none by default. A client that resumes receives the missed events
            /// instead.
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse, hub: &Hub) -> Subscription {
            ///     sse.subscribe(hub, ["news"]).replay(Replay::Last(50))
            /// }
            /// ```
            pub fn replay(self, replay: $crate::Replay) -> Self {
                Self(self.0.replay(replay))
            }

            /// Sends stored events of one topic to a new client, whatever [`replay`](Self::replay) sets for the other
            /// topics. Call it after `replay`. A topic that the subscription does not name ends the stream as
            /// [`CloseReason::Failed`].
            ///
            /// ```
            #[doc = $import]
            /// fn news(sse: Sse, hub: &Hub) -> Subscription {
            ///     sse.subscribe(hub, ["news", "readers"]).replay_topic("readers", Replay::Last(1))
            /// }
            /// ```
            pub fn replay_topic(self, topic: &str, replay: $crate::Replay) -> Self {
                Self(self.0.replay_topic(topic, replay))
            }

            /// Sends no event up to this one, for example the event with which a user joined a room. A client with an
            /// earlier last event ID receives a gap, and then the events after `id`.
            ///
            /// ```
            #[doc = $import]
            /// fn room(sse: Sse, hub: &Hub, joined: EventId) -> Subscription {
            ///     sse.subscribe(hub, ["room"]).not_before(joined)
            /// }
            /// ```
            pub fn not_before(self, id: $crate::hub::EventId) -> Self {
                Self(self.0.not_before(id))
            }

            /// Sends these events before anything else, for example a snapshot; see [`Sse::prelude`]. They must have no IDs.
            ///
            /// ```
            #[doc = $import]
            /// fn board(sse: Sse, hub: &Hub) -> Subscription {
            ///     sse.subscribe(hub, ["board"]).prelude([("board", "the whole board")])
            /// }
            /// ```
            pub fn prelude(self, events: impl IntoIterator<Item: $crate::IntoFrame>) -> Self {
                Self(self.0.prelude(events))
            }

            /// The error of a call that cannot succeed, for example too many topics. The subscription opens no stream then.
            ///
            /// ```
            #[doc = $import]
            /// fn reason(feed: &Subscription) -> Option<String> {
            ///     feed.error().map(|error| error.to_string())
            /// }
            /// ```
            #[must_use]
            pub const fn error(&self) -> Option<&$crate::hub::SubscribeError> {
                self.0.error()
            }

            /// The response, and a sender for this one stream beside its topics. Its events must have no IDs.
            ///
            /// ```
            #[doc = $import]
            /// fn room(sse: Sse, hub: &Hub) -> SseResponse {
            ///     let (events, response) = sse.subscribe(hub, ["room"]).with_sender();
            ///     let _ = events.try_send(("hint", "for you alone"));
            ///     response
            /// }
            /// ```
            pub fn with_sender(self) -> ($crate::Sender, SseResponse) {
                let (sender, response) = self.0.with_sender();
                (sender, SseResponse(response.erase()))
            }
        }

        impl From<Subscription> for SseResponse {
            fn from(subscription: Subscription) -> Self {
                Self(subscription.0.into_response().erase())
            }
        }

        impl Error {
            /// The error; `downcast_ref` finds its type.
            ///
            /// ```
            #[doc = $import]
            /// let error = Error::from(KeyTooLong(300));
            /// assert!(error.get_ref().is::<KeyTooLong>());
            /// ```
            #[must_use]
            pub fn get_ref(&self) -> &(dyn ::std::error::Error + Send + Sync + 'static) {
                &*self.error
            }

            /// The rejection, if the request opens no stream. Its answer is the answer of this error.
            ///
            /// ```
            #[doc = $import]
            /// assert_eq!(Error::from(Rejection::Finished).rejection(), Some(&Rejection::Finished));
            /// ```
            #[must_use]
            pub fn rejection(&self) -> Option<&$crate::Rejection> {
                self.error.downcast_ref()
            }

            /// The rejection; without one the error goes to `tracing`, after which the answer is 500.
            pub(crate) fn rejection_or_log(&self) -> Option<&$crate::Rejection> {
                let rejection = self.rejection();
                if rejection.is_none() {
                    $crate::__handler_failed(&*self.error);
                }
                rejection
            }

            /// The body of the 500.
            pub(crate) const BODY: &str = "the server failed to answer this request\n";
        }

        impl<E: ::std::error::Error + Send + Sync + 'static> From<E> for Error {
            fn from(error: E) -> Self {
                Self::new(error.into())
            }
        }

        impl ::std::fmt::Debug for Error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.error.fmt(f)
            }
        }

        impl ::std::fmt::Display for Error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.error, f)
            }
        }

        #[doc(inline)]
        pub use $crate::__typed::{DecodeEvents, Events};
        #[doc(no_inline)]
        pub use $crate::hub::{EventId, InvalidEventId, PublishError, SubscribeError, Topic};
        #[doc(no_inline)]
        pub use $crate::{
            AcceptMode, AppliedLimits, BlockError, CloseReason, Event, EventStream, Frame, FrameError, HeaderError, Hub,
            IntoFrame, KeyTooLong, LastEventId, MessageEvent, PayloadError, Policy, PolicyError, RESERVED_TYPES, Rejection, Replay, Resumption, SendError,
            Sender, SocketLimits, Stats, UnixSeconds, Uuid, apply_socket_limits, hub, stream,
        };
    };
}
