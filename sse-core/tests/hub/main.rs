//! The public API of the hub. Each test shows one promise, in bytes where possible. The clock stands still.

mod beginning;
mod ending;
mod ids;
mod limits;
mod listening;
mod publishing;
mod reading;
mod resumption;
mod retention;
mod state;
mod topics;

use sse_core::hub::{EventId, HubBuilder, MAX_TOPIC_BYTES, PublishError};
use sse_core::testing::{Clock, Reader};
use sse_core::{
    CloseReason, Event, EventStream, FrameError, Hub, LastEventId, Policy, Replay, Request, Resumption, SendError, Sse,
    Subscription,
};
use std::fmt::Display;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A hub and its clock. Streams start with `retry: 0`, so that their bytes are known.
struct World {
    clock: Clock,
    hub: Hub,
}

impl World {
    fn new() -> Self {
        Self::with(|bounds| bounds)
    }

    fn with(bounds: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        Self::on(Clock::new(), bounds)
    }

    fn on(clock: Clock, bounds: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        let hub = bounds(Hub::builder().retry(Duration::ZERO)).build_on(clock.clone());
        Self { clock, hub }
    }

    /// Publishes these data, one event each.
    fn publish<const N: usize>(&self, topic: &str, data: [&str; N]) -> [EventId; N] {
        data.map(|data| self.hub.publish(topic, Event::data(data)).unwrap())
    }

    /// A client without an ID subscribes to these topics.
    fn fresh<const N: usize>(&self, topics: [&str; N]) -> Subscription<Clock> {
        self.clock.sse().subscribe(&self.hub, topics)
    }

    /// A client with this ID subscribes to these topics.
    fn after<const N: usize>(&self, id: impl Display, topics: [&str; N]) -> Subscription<Clock> {
        self.clock.sse_after(LastEventId::Text(id.to_string().into())).subscribe(&self.hub, topics)
    }
}

fn read(subscription: Subscription<Clock>) -> Reader<EventStream<Clock>> {
    Reader::new(subscription.into_response().into_body())
}

/// The first bytes of a subscription.
fn text(subscription: Subscription<Clock>) -> String {
    read(subscription).text()
}

/// The opening block with a position.
fn opening(id: EventId) -> String {
    format!(":\nevent: sse-position\nretry: 0\nid: {id}\ndata: {{}}\n\n")
}

fn block(data: impl Display, id: EventId) -> String {
    format!("data: {data}\nid: {id}\n\n")
}

fn trimmed(topic: &str, id: EventId) -> String {
    format!("event: gap\ndata: {{\"reason\":\"trimmed\",\"topic\":\"{topic}\"}}\nid: {id}\n\n")
}

/// The opening block of a stream that sends no position yet.
const OPEN: &str = ":\nevent: sse-open\nretry: 0\n\n";

/// A position update.
fn moved(id: EventId) -> String {
    format!("event: sse-position\nid: {id}\ndata: {{}}\n\n")
}

/// The first bytes for a client with an unknown ID.
fn unknown(id: EventId) -> String {
    format!("{OPEN}event: gap\ndata: {{\"reason\":\"unknown\"}}\nid: {id}\n\n")
}

/// The ID of a position, from a hub with the same seed.
fn at(position: u64, _: EventId) -> EventId {
    let twin = World::new();
    let opening = text(twin.fresh(["news"]));
    let zero = opening.lines().find_map(|line| line.strip_prefix("id: ")).and_then(EventId::parse).unwrap();
    (0..position).fold(zero, |_, _| twin.publish("news", ["x"])[0])
}
