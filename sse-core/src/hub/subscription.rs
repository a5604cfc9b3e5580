//! stub
use super::Hub;
use crate::runtime::Runtime;
use crate::stream::EventStream;
use crate::{IntoFrame, Response, Sender, Sse};

/// Where a subscription begins, if the client brought no known id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// With what is published from now on.
    #[default]
    Live,
    /// With the oldest event from which every topic is whole.
    Oldest,
    /// With the newest `n` events of the topics together, as far as they are kept.
    Last(usize),
}

/// What became of the client's last event ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resumption {
    /// It brought none.
    Fresh,
    /// The stream goes on strictly after it, and nothing is missing.
    Resumed,
    /// Something is missing, and the stream says so in its place.
    Gap,
}

impl Resumption {
    /// Whether something is missing.
    #[must_use]
    pub const fn is_gap(self) -> bool {
        matches!(self, Self::Gap)
    }

    /// One lower-case word, for a header or a log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Resumed => "resumed",
            Self::Gap => "gap",
        }
    }
}

/// A stream that follows topics of a hub.
#[derive(Debug)]
pub struct Subscription<R: Runtime> {
    response: Response<EventStream<R>>,
}

impl<R: Runtime> Subscription<R> {
    pub(crate) fn new(sse: Sse<R>, _hub: &Hub, _topics: impl IntoIterator<Item: AsRef<str>>) -> Self {
        Self { response: sse.channel().1 }
    }

    /// Where to begin, if the client brought no known id: live by default.
    pub fn from(self, _start: Start) -> Self {
        self
    }

    /// Events to send first.
    pub fn first(self, _events: impl IntoIterator<Item: IntoFrame>) -> Self {
        self
    }

    /// The connection's identifier.
    #[must_use]
    pub const fn id(&self) -> Option<uuid::Uuid> {
        self.response.id()
    }

    /// What became of the client's last event ID.
    #[must_use]
    pub const fn resumption(&self) -> Resumption {
        Resumption::Fresh
    }

    /// A handle beside the topics' events.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender::new(self.response.body().shared().clone(), false)
    }

    /// The response.
    pub fn into_response(self) -> Response<EventStream<R>> {
        self.response
    }
}
