//! The end of a stream, and its reports to waiters.

use super::*;

#[test]
fn close_delivers_what_is_pending_and_then_ends() {
    let (events, mut reader) = open();
    events.try_send("last words").unwrap();
    assert!(events.close());
    assert!(!events.close());
    assert!(!events.finish());
    assert_eq!(events.try_send("too late"), Err(SendError::Closed));
    assert_eq!(events.close_reason(), None);
    assert_eq!(reader.poll(), Poll::Ready(Some("data: last words\n\n".into())));
    assert_eq!(reader.poll(), Poll::Ready(None));
    assert_eq!(events.close_reason(), Some(CloseReason::Closed));
}

#[test]
fn a_stream_closed_before_it_was_read_still_opens() {
    let clock = Clock::new();
    let (events, response) = clock.sse().prelude(["first"]).channel();
    events.close();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\nevent: sse-open\n\ndata: first\n\n");
    assert!(reader.has_ended());
}

/// Hazard H3.
#[test]
fn finish_moves_the_client_to_the_id_end() {
    let (events, mut reader) = open();
    events.try_send("x").unwrap();
    assert!(events.finish());
    assert!(!events.finish());
    assert!(!events.close());
    assert_eq!(reader.text(), "data: x\n\nevent: sse-end\nid: end\ndata: {}\n\n");
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Finished));
}

#[test]
fn finish_is_a_plain_close_on_other_methods_than_get() {
    let clock = Clock::new();
    let (events, response) = post(&clock).channel();
    events.try_send("x").unwrap();
    assert!(events.finish());
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\ndata: x\n\n");
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Closed));
}

#[test]
fn the_end_goes_through_a_full_buffer() {
    let (events, mut reader) = open_with_buffer(SMALL);
    events.try_send("x").unwrap();
    assert!(events.finish());
    assert_eq!(reader.text(), "data: x\n\nevent: sse-end\nid: end\ndata: {}\n\n");
}

#[test]
fn stream_is_active_until_close_or_until_the_client_leaves() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    assert!(events.is_active());
    let mut reader = clock.read(response);
    reader.bytes();
    assert!(events.is_active());
    events.close();
    assert!(!events.is_active());
    assert!(reader.has_ended());
    assert!(!events.is_active());
    let (events, reader) = open();
    drop(reader);
    assert!(!events.is_active());
}

#[test]
fn dropping_every_sender_ends_the_stream_after_what_is_pending() {
    let (events, mut reader) = open();
    let clone = events.clone();
    let closed = clone.closed();
    events.try_send("1").unwrap();
    drop(events);
    assert_eq!(reader.text(), "data: 1\n\n");
    assert!(!reader.has_ended(), "a clone is left");
    clone.try_send("2").unwrap();
    let wakes = reader.wakes();
    drop(clone);
    assert_eq!(reader.text(), "data: 2\n\n");
    assert!(reader.has_ended());
    assert_eq!(reader.wakes(), wakes, "it was awake already");
    assert_ready_eq!(task::spawn(closed).poll(), CloseReason::Closed);
}

#[test]
fn dropping_the_last_sender_wakes_the_reader() {
    let (events, mut reader) = open();
    let _ = reader.poll();
    let wakes = reader.wakes();
    drop(events);
    assert_eq!(reader.wakes(), wakes + 1);
    assert_eq!(reader.poll(), Poll::Ready(None));
}

/// An ended stream and its reason.
type Ending = fn(&Clock, Sender, Reader<EventStream<Clock>>, Hub);

const ENDINGS: &[(&str, CloseReason, Ending)] = &[
    ("close", CloseReason::Closed, |_, events, mut reader, _| {
        events.close();
        assert!(reader.has_ended());
    }),
    ("every sender dropped", CloseReason::Closed, |_, events, mut reader, _| {
        drop(events);
        assert!(reader.has_ended());
    }),
    ("close, and the body dropped with nothing pending", CloseReason::Closed, |_, events, mut reader, _| {
        reader.bytes();
        events.close();
        drop(reader);
    }),
    ("finish", CloseReason::Finished, |_, events, mut reader, _| {
        events.finish();
        assert!(reader.has_ended());
    }),
    ("the body dropped", CloseReason::ClientLeft, |_, _events, mut reader, _| {
        reader.bytes();
        drop(reader);
    }),
    ("the body dropped unpolled", CloseReason::ClientLeft, |_, _events, reader, _| drop(reader)),
    ("close, and the body dropped with bytes pending", CloseReason::ClientLeft, |_, events, mut reader, _| {
        reader.bytes();
        events.try_send("x").unwrap();
        events.close();
        drop(reader);
    }),
    ("finish, and the body dropped before the id", CloseReason::ClientLeft, |_, events, mut reader, _| {
        reader.bytes();
        events.finish();
        drop(reader);
    }),
    ("a drain", CloseReason::Drained, |clock, _events, mut reader, hub| {
        let _draining = hub.drain(Duration::from_secs(1));
        clock.advance(Duration::from_secs(1));
        assert!(reader.has_ended());
    }),
    ("a lifetime", CloseReason::Expired, |clock, _events, mut reader, _| {
        clock.advance(Duration::from_secs(100));
        assert!(reader.has_ended());
    }),
];

#[test]
fn every_clone_reads_the_reason_any_number_of_times() {
    for (what, reason, end) in ENDINGS {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let (events, response) = clock.sse().attach(&hub).max_lifetime(Duration::from_secs(100)).channel();
        let mut waiting: Vec<_> = (0..3).map(|_| task::spawn(events.clone().closed())).collect();
        for closed in &mut waiting {
            assert_pending!(closed.poll());
        }
        let reader = clock.read(response);
        let handle = hub.clone();
        // `SendersDropped` requires that no sender exists, so only the futures above remain.
        end(&clock, events, reader, handle);
        for closed in &mut waiting {
            assert!(closed.is_woken(), "{what}: nobody told");
            assert_ready_eq!(closed.poll(), *reason, "{what}");
            assert_ready_eq!(closed.poll(), *reason, "{what}");
        }
        assert_eq!(hub.stats().ended(*reason), 1, "{what}");
        assert_eq!(hub.stats().streams, 0, "{what}");
    }
}

#[test]
fn closed_waits_until_what_was_pending_is_delivered() {
    let (events, mut reader) = open();
    events.try_send("x").unwrap();
    let mut closed = task::spawn(events.closed());
    assert_pending!(closed.poll());
    events.close();
    assert_pending!(closed.poll());
    assert_eq!(events.close_reason(), None);
    reader.bytes();
    assert!(closed.is_woken());
    assert_ready_eq!(closed.poll(), CloseReason::Closed);
    assert_ready_eq!(task::spawn(events.clone().closed()).poll(), CloseReason::Closed);
    assert_eq!(events.close_reason(), Some(CloseReason::Closed));
}

#[test]
fn a_source_that_fails_ends_its_stream_as_failed() {
    let clock = Clock::new();
    let (events, response) = clock.sse().prelude([("bad\ntype", "x")]).channel();
    let mut reader = clock.read(response);
    assert!(reader.text().starts_with(":\nevent: sse-open\n\nretry: "));
    assert_eq!(events.close_reason(), Some(CloseReason::Failed));
    assert_eq!(events.try_send("x"), Err(SendError::Closed));
}

#[test]
fn waiting_for_a_drain_ends_with_the_stream() {
    let (events, reader) = open();
    let mut draining = task::spawn(events.draining());
    assert_pending!(draining.poll());
    drop(reader);
    assert!(draining.is_woken());
    assert_ready!(draining.poll());
}
