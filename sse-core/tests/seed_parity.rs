//! The functions of the two libraries that this project started from, point by point, without a framework: HyperExpress'
//! `response.sse` and S42Core's class `SSE`. The tests in browsers cover `onmessage` and listeners.

use sse_core::testing::{Clock, Reader};
use sse_core::{Accepted, CloseReason, Event, EventStream, Policy, Request, SendError, Sender};
use std::collections::HashMap;
use std::time::Duration;
use tokio_test::{assert_pending, assert_ready_eq, task};

const SECOND: Duration = Duration::from_secs(1);

fn ask(method: &str, accept: &str) -> Option<Accepted> {
    Policy::default().check_optional(&Request::new(method, None, [("accept", accept.as_bytes())])).ok().flatten()
}

fn open(clock: &Clock) -> (Sender, Reader<EventStream<Clock>>) {
    let (events, response) = clock.sse().channel();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\nevent: sse-open\n\n");
    (events, reader)
}

// HyperExpress: `response.sse`.

#[test]
fn sse_is_undefined_if_the_request_is_not_eligible() {
    assert!(ask("GET", "text/event-stream").is_some());
    assert!(ask("GET", "text/html,application/xhtml+xml,*/*;q=0.8").is_none());
    assert!(ask("GET", "application/json").is_none());
    assert!(ask("POST", "application/json").is_none());
}

#[test]
fn open_returns_whether_it_opened_the_stream() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    assert!(events.open());
    assert!(!events.open());
    assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\n");
}

#[test]
fn close_returns_whether_it_closed_the_stream() {
    let (events, mut reader) = open(&Clock::new());
    assert!(events.close());
    assert!(!events.close());
    assert!(reader.has_ended());
}

#[test]
fn comment_returns_success_and_is_never_dispatched() {
    let (events, mut reader) = open(&Clock::new());
    assert!(events.comment("still here").is_ok());
    assert_eq!(reader.text(), ": still here\n");
    events.close();
    assert!(events.comment("too late").is_err());
}

#[test]
fn send_has_three_forms_that_return_success() {
    let (events, mut reader) = open(&Clock::new());
    assert!(events.try_send("data").is_ok());
    assert!(events.try_send(("event", "data")).is_ok());
    assert!(events.try_send(("id", "event", "data")).is_ok());
    assert_eq!(reader.text(), "data: data\n\nevent: event\ndata: data\n\nid: id\nevent: event\ndata: data\n\n");
    drop(reader);
    assert!(events.try_send("data").is_err());
    assert!(events.try_send(("event", "data")).is_err());
    assert!(events.try_send(("id", "event", "data")).is_err());
}

#[test]
fn send_reports_back_pressure() {
    let clock = Clock::new();
    let (events, _response) = clock.sse().buffer(10).channel();
    assert!(events.try_send("x").is_ok());
    assert_eq!(events.try_send("x"), Err(SendError::Full));
}

#[test]
fn active_is_true_while_the_stream_accepts_events() {
    let (events, reader) = open(&Clock::new());
    assert!(events.is_active());
    drop(reader);
    assert!(!events.is_active());
}

#[test]
fn the_first_send_opens_the_stream() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    assert!(events.try_send("hello").is_ok());
    assert!(!events.open());
    assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\ndata: hello\n\n");
}

#[test]
fn the_head_is_fixed_once_the_stream_is_open() {
    // The types ensure this: `header` is a method of `Sse`, which a stream consumes. A `Response` only shows its head.
    let (_events, response) = Clock::new().sse().header("x-before", "1").unwrap().channel();
    assert_eq!(response.headers().last(), Some(("x-before", "1")));
}

#[test]
fn a_close_notice_comes_when_the_client_leaves() {
    let (events, reader) = open(&Clock::new());
    let mut closed = task::spawn(events.closed());
    assert_pending!(closed.poll());
    drop(reader);
    assert!(closed.is_woken());
    assert_ready_eq!(closed.poll(), CloseReason::ClientLeft);
}

/// The example in the documentation of HyperExpress: a pool by stream ID. `once('close')` removes a stream.
#[test]
fn a_pool_broadcasts_and_removes_closed_streams() {
    let clock = Clock::new();
    let mut readers: Vec<_> = (0..3).map(|_| open(&clock)).collect();
    let mut pool: HashMap<_, _> = readers.iter().map(|(events, _)| (events.id(), events.clone())).collect();
    assert_eq!(pool.len(), 3, "an id of its own each");
    let broadcast = |pool: &mut HashMap<_, Sender>, event: &Event<'_>| {
        let frame = event.frame().unwrap();
        pool.retain(|_, events| events.try_send(&frame).is_ok());
    };
    broadcast(&mut pool, &Event::data("1").event("news"));
    let (left, reader) = readers.remove(1);
    drop(reader);
    broadcast(&mut pool, &Event::data("2").event("news"));
    assert_eq!(pool.len(), 2);
    assert!(!pool.contains_key(&left.id()));
    for (_, reader) in &mut readers {
        assert_eq!(reader.text(), "event: news\ndata: 1\n\nevent: news\ndata: 2\n\n");
    }
}

// S42Core: `new SSE(...)`.

#[test]
fn every_connection_has_a_uuid() {
    let clock = Clock::new();
    let (one, other) = (open(&clock).0, open(&clock).0);
    assert_ne!(one.id(), other.id());
    assert_eq!(one.id().get_version_num(), 4);
}

#[test]
fn a_welcome_event_brings_the_uuid() {
    let clock = Clock::new();
    let (events, response) = clock.sse().welcome().channel();
    events.try_send("next").unwrap();
    let expected =
        format!(":\nevent: sse-open\n\nevent: welcome\ndata: {{\"uuid\":\"{}\"}}\n\ndata: next\n\n", events.id());
    assert_eq!(clock.read(response).text(), expected);
}

#[test]
fn an_event_has_a_name_and_a_json_payload() {
    let (events, mut reader) = open(&Clock::new());
    events.try_send(Event::json(&serde_json::json!({"text": "two\nlines"})).event("message")).unwrap();
    assert_eq!(reader.text(), "event: message\ndata: {\"text\":\"two\\nlines\"}\n\n");
}

#[test]
fn graceful_close_delivers_pending_events() {
    let (events, mut reader) = open(&Clock::new());
    events.try_send(("bye", "{}")).unwrap();
    events.close();
    assert_eq!(reader.text(), "event: bye\ndata: {}\n\n");
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Closed));
}

/// The example in the README of S42Core: an event after 1 s, the end after 5 s.
#[test]
fn an_event_after_one_second_and_a_close_after_five() {
    let clock = Clock::new();
    let (events, response) = clock.sse().welcome().channel();
    let mut reader = clock.read(response);
    assert!(reader.text().starts_with(":\nevent: sse-open\n\nevent: welcome\n"));
    clock.advance(SECOND);
    events.try_send(Event::json(&serde_json::json!({"hello": "world"})).event("greeting")).unwrap();
    assert_eq!(reader.text(), "event: greeting\ndata: {\"hello\":\"world\"}\n\n");
    clock.advance(4 * SECOND);
    assert_eq!(reader.text(), "");
    events.close();
    assert!(reader.has_ended());
}
