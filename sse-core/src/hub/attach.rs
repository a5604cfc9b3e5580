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
    /// Attaches a channel or a stream of events to this hub. The stream counts towards `max_streams`, and a drain ends the
    /// stream. A subscription belongs to its own hub without this call. A subscription that is attached to another hub is
    /// rejected with [`SubscribeError::OtherHub`](crate::hub::SubscribeError::OtherHub).
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

    /// Sets the hub of a route, which owns every channel and every stream of events that is not attached to another hub.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// # let hub = Hub::builder().build_on(clock.clone());
    /// let (_events, _response) = clock.sse().owned_by(Some(&hub)).channel();
    /// assert_eq!(hub.stats().streams, 1);
    /// ```
    pub fn owned_by(mut self, hub: Option<&Hub>) -> Self {
        self.owner = hub.map(|hub| owner(&hub.inner));
        self
    }

    /// Opens a stream with a sender. The stream ends when the sender ends the stream, or when the last clone of the sender is
    /// dropped.
    ///
    /// ```
    /// # let clock = sse_core::testing::Clock::new();
    /// let (events, response) = clock.sse().channel();
    /// events.try_send("hello")?;
    /// drop(events); // the last sender: the stream ends, and a browser reconnects
    /// let mut reader = clock.read(response);
    /// assert_eq!(reader.text(), ":\nevent: sse-open\n\ndata: hello\n\n");
    /// assert!(reader.has_ended());
    /// # Ok::<(), sse_core::SendError>(())
    /// ```
    pub fn channel(self) -> (Sender, Response<EventStream<R, TopicSource>>) {
        let response = self.respond(TopicSource::default());
        (Sender::new(response.body().shared().clone(), true), response)
    }

    /// Follows these topics of the hub, or one topic. A client that brings a last event ID resumes after this event.
    /// [`IntoTopics`] lists the accepted types.
    ///
    /// ```
    /// # use {sse_core::Hub, sse_core::testing::Clock};
    /// # let clock = Clock::new();
    /// # let hub = Hub::builder().build_on(clock.clone());
    /// let mut client = clock.read(clock.sse().subscribe(&hub, ["news", "weather"]).into_response());
    /// assert!(client.text().starts_with(":\nevent: sse-position\n"));
    /// let id = hub.publish("weather", "rain")?;
    /// assert_eq!(client.text(), format!("data: rain\nid: {id}\n\n"));
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn subscribe<K>(self, hub: &Hub, topics: impl IntoTopics<K>) -> Subscription<R> {
        open_subscription(self, hub, topics)
    }

    /// Whether the stream is attached to another hub.
    pub(crate) fn is_attached_elsewhere(&self, hub: &Hub) -> bool {
        self.attached.as_ref().is_some_and(|attached| attached.address() != hub.inner.address())
    }
}
