//! The bounds of one topic, where they differ from those of its hub.

use super::Hub;
use super::publish::{PublishError, Topic, check_name};

/// The bounds of one topic, for [`Hub::topic_with`]. A bound that is not set is that of the hub.
///
/// ```
/// use sse_core::Hub;
/// use sse_core::hub::TopicBounds;
///
/// let hub = Hub::new();
/// let price = hub.topic_with("price", TopicBounds::new().events(1))?;
/// price.publish("7")?;
/// price.publish("8")?;
/// assert_eq!(hub.stats().held_events, 1);
/// # Ok::<(), sse_core::hub::PublishError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "bounds have no effect until `Hub::topic_with`"]
pub struct TopicBounds {
    pub(super) bytes: Option<usize>,
    pub(super) events: Option<usize>,
}

impl TopicBounds {
    /// The bounds of the hub.
    pub const fn new() -> Self {
        Self { bytes: None, events: None }
    }

    /// Sets the maximum size of the stored events of the topic, in bytes as they are sent, in place of
    /// [`HubBuilder::topic_bytes`](super::HubBuilder::topic_bytes). [`hub_bytes`](super::HubBuilder::hub_bytes) still holds.
    ///
    /// ```
    /// # use sse_core::{Hub, hub::TopicBounds};
    /// let hub = Hub::new();
    /// let answer = hub.topic_with("answer", TopicBounds::new().bytes(100))?;
    /// for _ in 0..10 {
    ///     answer.publish("x".repeat(20))?; // 42 bytes with `data: ` and the ID
    /// }
    /// assert_eq!(hub.stats().held_events, 2);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Sets the maximum number of stored events of the topic, in place of
    /// [`HubBuilder::topic_events`](super::HubBuilder::topic_events). 0 counts as 1. [`TopicBounds`] has an example.
    pub const fn events(mut self, events: usize) -> Self {
        self.events = Some(events);
        self
    }
}

impl Hub {
    /// Returns a handle of one topic, as [`topic`](Self::topic) does, and sets the bounds of this topic. The next publish
    /// trims to the new bounds. The hub forgets them with the topic, so keep the handle as long as they matter.
    ///
    /// # Errors
    /// [`PublishError::TopicName`] and [`PublishError::TooManyTopics`].
    ///
    /// ```
    /// # use sse_core::{Hub, hub::TopicBounds};
    /// let hub = Hub::builder().topic_events(1).build();
    /// let chat = hub.topic_with("chat", TopicBounds::new().events(50))?;
    /// chat.publish("hello")?;
    /// chat.publish("world")?;
    /// assert_eq!(hub.stats().held_events, 2);
    /// # Ok::<(), sse_core::hub::PublishError>(())
    /// ```
    pub fn topic_with(&self, name: impl AsRef<str>, bounds: TopicBounds) -> Result<Topic, PublishError> {
        let name = name.as_ref();
        check_name(name)?;
        let topic = Topic::new(self.clone(), name)?;
        topic.shared().lock().extra().bounds = bounds;
        Ok(topic)
    }
}
