//! The calls of `Sse` whose response can belong to a hub: channels and subscriptions have one type of body.

use super::Hub;
use super::registry::owner;
use super::subscribe::open_subscription;
use super::subscription::Subscription;
use super::topic_names::IntoTopics;
use super::topic_source::TopicSource;
use crate::response::options::Sse;
use crate::response::response::Response;
use crate::runtime::runtime::Runtime;
use crate::stream::owner::StreamOwner;
use crate::stream::{EventStream, Sender};

impl<R: Runtime> Sse<R> {
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
        self.attached = Some(owner(&hub.inner));
        self
    }

    /// As [`Sse::attach`], for a channel or a stream of events that is attached to no other hub: what a hub that was given
    /// to a whole route does for each of its streams.
    pub fn owned_by(mut self, hub: Option<&Hub>) -> Self {
        self.owner = hub.map(|hub| owner(&hub.inner));
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
    pub fn channel(self) -> (Sender, Response<EventStream<R, TopicSource>>) {
        let response = self.respond(TopicSource::default());
        (Sender::new(response.body().shared().clone(), true), response)
    }

    /// A place in this hub's history: the events of these topics, or of one topic, from where the client's last event ID
    /// says. See [`Subscription`] and [`IntoTopics`].
    pub fn subscribe<K>(self, hub: &Hub, topics: impl IntoTopics<K>) -> Subscription<R> {
        open_subscription(self, hub, topics)
    }

    /// The hub that it was attached to, if that is another one.
    pub(crate) fn is_attached_elsewhere(&self, hub: &Hub) -> bool {
        self.attached.as_ref().is_some_and(|attached| attached.address() != hub.inner.address())
    }
}
