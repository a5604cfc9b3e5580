//! The calls of a sender.

mod ending;
mod sending;
mod unread;
mod waiting;
mod wakes;

use futures_util::StreamExt;
use sse_core::testing::{Clock, Reader};
use sse_core::{
    CloseReason, Event, EventStream, Field, Frame, FrameError, Hub, Policy, Request, SendError, Sender, Sse,
};
use std::collections::HashSet;
use std::task::Poll;
use std::time::Duration;
use tokio_test::{assert_pending, assert_ready, assert_ready_eq, task};

/// A stream with this buffer. The opening block was read.
fn open_with_buffer(bytes: usize) -> (Sender, Reader<EventStream<Clock>>) {
    let clock = Clock::new();
    let (events, response) = clock.sse().buffer(bytes).channel();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    (events, reader)
}

fn open() -> (Sender, Reader<EventStream<Clock>>) {
    open_with_buffer(64 * 1024)
}

fn post(clock: &Clock) -> Sse<Clock> {
    let policy = Policy::default().methods(["POST"]);
    Sse::new(clock.clone(), policy.check(&Request::new("POST", None, [])).unwrap())
}

/// `data: x\n\n`
const SMALL: usize = 9;
