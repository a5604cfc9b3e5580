//! The trait bounds and sizes that servers require, checked by the compiler.

use sse_core::hub::Draining;
use sse_core::stream::{Sending, StreamSource};
use sse_core::testing::Clock;
use sse_core::{CloseReason, Event, EventStream, Frame, FrameError, Hub, Response, SendError, Sender, Sse, Tokio};
use std::fmt::Debug;

const fn shared<T: Send + Sync + 'static>() {}
const fn sent<T: Send + 'static>() {}
const fn shown<T: Debug>() {}
const fn error<T: std::error::Error + Clone + PartialEq + Send + Sync + 'static>() {}
const fn value<T: Send + Sync>(_: &T) {}

const _: () = {
    shared::<EventStream<Tokio>>();
    shared::<EventStream<Clock>>();
    shared::<Response<EventStream<Tokio>>>();
    shared::<Sender>();
    shared::<Sending<'static>>();
    shared::<Hub>();
    shared::<Draining>();
    shared::<Sse<Tokio>>();
    shared::<Event<'static>>();
    shared::<Frame>();
    shared::<CloseReason>();
    error::<FrameError>();
    error::<SendError>();
    shown::<(EventStream<Tokio>, Sender, Sending<'static>, Hub, Draining, Sse<Tokio>)>();
    shown::<EventStream<Tokio, StreamSource<NotDebug>>>();
    // A stream of events is `Send` and `Sync` if its source is.
    sent::<EventStream<Tokio, StreamSource<SendOnly>>>();
    shared::<EventStream<Tokio, StreamSource<NotDebug>>>();
};

struct NotDebug;
type SendOnly = std::cell::Cell<u8>;

#[test]
fn futures_of_a_sender_can_be_spawned() {
    let (events, _response) = Clock::new().sse().channel();
    value(&events.closed());
    value(&events.draining());
    value(&events.send("x"));
}

#[test]
fn a_body_is_small() {
    // One body per connection; frameworks put the body into a box. The timer alone has 112 bytes.
    let body = size_of::<EventStream<Tokio>>();
    assert!(body <= 256, "{body} bytes");
    assert!(size_of::<Sender>() <= 16);
    assert!(size_of::<Sending<'_>>() <= 256, "{}", size_of::<Sending<'_>>());
}
