//! What the handle of a stream promises, call by call.

use futures_util::StreamExt;
use sse_core::testing::{Clock, Reader};
use sse_core::{
    CloseReason, Event, EventStream, Field, Frame, FrameError, Hub, Policy, Request, SendError, Sender, Sse,
};
use std::collections::HashSet;
use std::task::Poll;
use std::time::Duration;
use tokio_test::{assert_pending, assert_ready, assert_ready_eq, task};

/// A stream with this buffer, its opening block already read.
fn open_with_buffer(bytes: usize) -> (Sender, Reader<EventStream<Clock>>) {
    let clock = Clock::new();
    let (events, response) = clock.sse().buffer(bytes).channel();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\n");
    (events, reader)
}

fn open() -> (Sender, Reader<EventStream<Clock>>) {
    open_with_buffer(64 * 1024)
}

fn post(clock: &Clock) -> Sse<Clock> {
    let policy = Policy::default().methods(["POST"]);
    Sse::new(clock.clone(), policy.admit(&Request::new("POST", None, [])).unwrap())
}

/// `data: x\n\n`
const SMALL: usize = 9;

// Opening.

#[test]
fn the_first_send_opens_the_stream() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    events.try_send("x").unwrap();
    assert!(!events.open());
    assert_eq!(clock.read(response).text(), ":\ndata: x\n\n");
}

#[test]
fn open_is_true_for_the_call_that_opens() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    assert!(events.clone().open());
    assert!(!events.open());
    assert_eq!(clock.read(response).text(), ":\n");
}

#[test]
fn the_first_poll_opens_the_stream() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    assert_eq!(clock.read(response).poll(), Poll::Ready(Some(":\n".into())));
    assert!(!events.open());
}

#[test]
fn an_ended_stream_is_not_opened_again() {
    let clock = Clock::new();
    let (closed, response) = clock.sse().channel();
    closed.close();
    assert!(!closed.open());
    assert_eq!(clock.read(response).text(), ":\n");
    let (left, response) = clock.sse().channel();
    drop(response);
    assert!(!left.open());
}

#[test]
fn an_event_that_cannot_be_sent_does_not_open_the_stream() {
    let clock = Clock::new();
    let (events, _response) = clock.sse().channel();
    events.try_send(("a\nb", "x")).unwrap_err();
    assert!(events.open());
}

// Sending at once.

#[test]
fn pending_frames_leave_as_one_chunk() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    let mut reader = clock.read(response);
    events.try_send("1").unwrap();
    events.comment("2").unwrap();
    events.try_send(Event::data("3").frame().unwrap()).unwrap();
    assert_eq!(reader.poll(), Poll::Ready(Some(":\ndata: 1\n\n: 2\ndata: 3\n\n".into())));
    assert_eq!(reader.poll(), Poll::Pending);
}

#[test]
fn try_send_is_full_at_the_bound_and_not_before() {
    let (events, mut reader) = open_with_buffer(2 * SMALL);
    events.try_send("1").unwrap();
    events.try_send("2").unwrap();
    assert_eq!(events.try_send("3"), Err(SendError::Full));
    assert_eq!(events.comment(""), Err(SendError::Full));
    assert_eq!(reader.text(), "data: 1\n\ndata: 2\n\n");
    events.try_send("4").unwrap();
    assert_eq!(reader.text(), "data: 4\n\n");
}

#[test]
fn what_opens_the_stream_takes_no_room() {
    let clock = Clock::new();
    let (events, response) = clock.sse().buffer(SMALL).first(["a long first event"]).channel();
    events.open();
    events.try_send("1").unwrap();
    assert_eq!(events.try_send("2"), Err(SendError::Full));
    assert_eq!(clock.read(response).text(), ":\ndata: a long first event\n\ndata: 1\n\n");
}

#[test]
fn the_buffer_holds_64_kib_by_default() {
    let (events, _reader) = open();
    let kib = "x".repeat(1024 - "data: \n\n".len());
    for _ in 0..64 {
        events.try_send(&kib).unwrap();
    }
    assert_eq!(events.comment(""), Err(SendError::Full));
}

#[test]
fn an_event_larger_than_the_buffer_is_taken_when_nothing_is_pending() {
    let large = "x".repeat(1000);
    for buffer in [0, 1, 100] {
        let (events, mut reader) = open_with_buffer(buffer);
        events.try_send(&large).unwrap();
        assert_eq!(events.try_send("x"), Err(SendError::Full));
        assert_eq!(reader.bytes().len(), 1000 + "data: \n\n".len());
        events.try_send("x").unwrap();
        assert_eq!(events.try_send(&large), Err(SendError::Full));
        assert_eq!(reader.text(), "data: x\n\n");
    }
}

#[test]
fn a_comment_is_one_line_for_each_of_its_own() {
    let (events, mut reader) = open();
    events.comment("one\r\ntwo\rdata: three").unwrap();
    events.comment("").unwrap();
    assert_eq!(reader.text(), ": one\n: two\n: data: three\n:\n");
}

#[test]
fn every_form_of_an_event_can_be_sent() {
    let (events, mut reader) = open();
    let frame = Event::data("frame").frame().unwrap();
    events.try_send(Event::data("event").event("e").id("1")).unwrap();
    events.try_send("text").unwrap();
    events.try_send(String::from("string")).unwrap();
    let borrowed = String::from("borrowed");
    events.try_send(&borrowed).unwrap();
    events.try_send(std::borrow::Cow::from("cow")).unwrap();
    events.try_send(("type", "two")).unwrap();
    events.try_send(("2", String::from("type"), &String::from("three"))).unwrap();
    events.try_send(&frame).unwrap();
    events.try_send(frame).unwrap();
    events.try_send(Ok::<_, std::fmt::Error>("result")).unwrap();
    events.try_send(Event::json(&[1, 2])).unwrap();
    events.try_send(Event::checkpoint("3")).unwrap();
    events.try_send(Event::new()).unwrap();
    let expected = [
        "id: 1\nevent: e\ndata: event\n\n",
        "data: text\n\n",
        "data: string\n\n",
        "data: borrowed\n\n",
        "data: cow\n\n",
        "event: type\ndata: two\n\n",
        "id: 2\nevent: type\ndata: three\n\n",
        "data: frame\n\n",
        "data: frame\n\n",
        "data: result\n\n",
        "data: [1,2]\n\n",
        "id: 3\n\n",
    ];
    assert_eq!(reader.text(), expected.concat());
}

#[test]
fn a_frame_is_shared_by_its_streams_and_not_copied() {
    let frame = Event::data("one for all").frame().unwrap();
    for _ in 0..3 {
        let (events, mut reader) = open();
        events.try_send(&frame).unwrap();
        let Poll::Ready(Some(chunk)) = reader.poll() else { panic!("nothing came") };
        assert_eq!(chunk.as_ptr(), frame.as_bytes().as_ptr());
        assert_ready!(task::spawn(events.send(&frame)).poll()).unwrap();
        let Poll::Ready(Some(chunk)) = reader.poll() else { panic!("nothing came") };
        assert_eq!(chunk.as_ptr(), frame.as_bytes().as_ptr());
    }
}

#[test]
fn an_invalid_event_names_its_field_and_harms_nothing() {
    struct NotJson;
    impl serde::Serialize for NotJson {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let too_long = Duration::from_millis(2_147_483_648);
    let cases = [
        (Event::data("x").event("a\rb"), Some(Field::Event)),
        (Event::data("x").id("a\nb"), Some(Field::Id)),
        (Event::data("x").id("a\0b"), Some(Field::Id)),
        (Event::data("x").id(" a"), Some(Field::Id)),
        (Event::data("x").id("x".repeat(129)), Some(Field::Id)),
        (Event::data("x").retry(too_long), Some(Field::Retry)),
        (Event::data("x".repeat(1024 * 1024 + 1)), Some(Field::Data)),
        (Event::json(&NotJson), Some(Field::Data)),
    ];
    let (events, mut reader) = open();
    let _ = reader.poll();
    let wakes = reader.wakes();
    for (event, field) in cases {
        let Err(SendError::Invalid(error)) = events.try_send(event.clone()) else { panic!("{event:?} was sent") };
        assert_eq!(error.field(), field, "{event:?}");
        assert_eq!(assert_ready!(task::spawn(events.send(event)).poll()), Err(SendError::Invalid(error)));
    }
    let failed = events.try_send(Err::<Event<'_>, _>("the model is down"));
    assert_eq!(failed, Err(SendError::Invalid(FrameError::Source("the model is down".into()))));
    assert!(events.is_active());
    assert_eq!(reader.wakes(), wakes);
    events.try_send("unharmed").unwrap();
    assert_eq!(reader.text(), "data: unharmed\n\n");
}

// Waiting for room.

#[test]
fn sends_wait_for_room_and_go_in_order() {
    let (events, mut reader) = open_with_buffer(2 * SMALL);
    let mut sends: Vec<_> = (0..6).map(|n| task::spawn(events.send(n.to_string()))).collect();
    assert_ready_eq!(sends[0].poll(), Ok(()));
    assert_ready_eq!(sends[1].poll(), Ok(()));
    for send in &mut sends[2..] {
        assert_pending!(send.poll());
    }
    assert_eq!(reader.text(), "data: 0\n\ndata: 1\n\n");
    assert!(sends[2].is_woken(), "there is room, and nobody was told");
    // Those behind do not pass it, whoever is polled first.
    for send in sends[3..].iter_mut().rev() {
        assert_pending!(send.poll());
    }
    assert_ready_eq!(sends[2].poll(), Ok(()));
    assert!(sends[3].is_woken(), "there is more room, and nobody was told");
    assert_ready_eq!(sends[3].poll(), Ok(()));
    assert_pending!(sends[4].poll());
    assert_eq!(reader.text(), "data: 2\n\ndata: 3\n\n");
    assert_ready_eq!(sends[4].poll(), Ok(()));
    assert_ready_eq!(sends[5].poll(), Ok(()));
    assert_eq!(reader.text(), "data: 4\n\ndata: 5\n\n");
}

#[test]
fn a_send_is_encoded_by_the_call_and_borrows_no_event() {
    let (events, mut reader) = open();
    let mut send = {
        let text = String::from("short-lived");
        task::spawn(events.send((text.as_str(), text.as_str())))
    };
    assert_ready_eq!(send.poll(), Ok(()));
    assert_eq!(reader.text(), "event: short-lived\ndata: short-lived\n\n");
}

#[test]
fn a_send_that_nobody_polls_sends_nothing_and_holds_up_nobody() {
    let (events, mut reader) = open();
    let unpolled = events.send("never");
    events.try_send("x").unwrap();
    drop(unpolled);
    assert_eq!(reader.text(), "data: x\n\n");
}

#[test]
fn a_send_that_went_is_not_sent_again() {
    let (events, mut reader) = open();
    let mut send = task::spawn(events.send("once"));
    assert_ready_eq!(send.poll(), Ok(()));
    assert_ready_eq!(send.poll(), Ok(()));
    assert_eq!(reader.text(), "data: once\n\n");
}

#[test]
fn try_send_does_not_overtake_a_send_that_waits() {
    let (events, mut reader) = open_with_buffer(3 * SMALL);
    events.try_send("1").unwrap();
    let mut large = task::spawn(events.send("larger than the room"));
    assert_pending!(large.poll());
    assert_eq!(events.try_send("2"), Err(SendError::Full));
    assert_eq!(reader.text(), "data: 1\n\n");
    // Its turn has come, although it has not been polled since.
    assert_eq!(events.try_send("2"), Err(SendError::Full));
    assert_ready_eq!(large.poll(), Ok(()));
    assert_eq!(reader.text(), "data: larger than the room\n\n");
    events.try_send("2").unwrap();
}

#[test]
fn a_dropped_send_sends_nothing_and_the_next_in_line_goes() {
    let (events, mut reader) = open_with_buffer(2 * SMALL);
    events.try_send("1").unwrap();
    let mut first = task::spawn(events.send("too large for the room"));
    let mut second = task::spawn(events.send("2"));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    drop(first);
    assert!(second.is_woken(), "there is room for it now");
    assert_ready_eq!(second.poll(), Ok(()));
    assert_eq!(reader.text(), "data: 1\n\ndata: 2\n\n");
}

#[test]
fn a_send_dropped_after_its_wake_passes_it_on() {
    let (events, mut reader) = open_with_buffer(SMALL);
    events.try_send("1").unwrap();
    let mut sends: Vec<_> = (2..5).map(|n| task::spawn(events.send(n.to_string()))).collect();
    for send in &mut sends {
        assert_pending!(send.poll());
    }
    assert_eq!(reader.text(), "data: 1\n\n");
    let first = sends.remove(0);
    assert!(first.is_woken());
    drop(first);
    assert!(sends[0].is_woken());
    // One in the middle leaves no trace either.
    drop(sends.remove(0));
    assert!(sends[0].is_woken());
    assert_ready_eq!(sends[0].poll(), Ok(()));
    assert_eq!(reader.text(), "data: 4\n\n");
}

#[test]
fn a_send_that_moved_to_another_task_is_woken_there() {
    let (events, mut reader) = open_with_buffer(SMALL);
    events.try_send("1").unwrap();
    let mut send = Box::pin(events.send("2"));
    let (mut old, mut new) = (task::spawn(()), task::spawn(()));
    use std::future::Future;
    assert!(old.enter(|cx, _| send.as_mut().poll(cx)).is_pending());
    assert!(new.enter(|cx, _| send.as_mut().poll(cx)).is_pending());
    reader.bytes();
    assert!(new.is_woken());
    assert!(!old.is_woken());
}

#[test]
fn dropping_the_body_wakes_and_fails_every_waiting_send() {
    let (events, reader) = open_with_buffer(SMALL);
    events.try_send("1").unwrap();
    let mut sends: Vec<_> = (0..5).map(|n| task::spawn(events.send(n.to_string()))).collect();
    for send in &mut sends {
        assert_pending!(send.poll());
    }
    drop(reader);
    assert!(sends.iter().all(|send| send.is_woken()), "somebody was not told");
    for send in &mut sends {
        assert_ready_eq!(send.poll(), Err(SendError::Closed));
    }
    assert_eq!(events.try_send("x"), Err(SendError::Closed));
    assert_eq!(events.comment("x"), Err(SendError::Closed));
    assert_ready_eq!(task::spawn(events.send("x")).poll(), Err(SendError::Closed));
}

#[test]
fn close_wakes_and_fails_every_waiting_send() {
    let (events, mut reader) = open_with_buffer(SMALL);
    events.try_send("1").unwrap();
    let mut sends: Vec<_> = (0..5).map(|n| task::spawn(events.send(n.to_string()))).collect();
    for send in &mut sends {
        assert_pending!(send.poll());
    }
    events.close();
    assert!(sends.iter().all(|send| send.is_woken()));
    for send in &mut sends {
        assert_ready_eq!(send.poll(), Err(SendError::Closed));
    }
    assert_eq!(reader.text(), "data: 1\n\n");
}

#[test]
fn an_end_that_the_clock_brings_fails_waiting_sends_too() {
    let clock = Clock::new();
    let (events, response) = clock.sse().buffer(SMALL).max_lifetime(Duration::from_secs(1)).channel();
    let mut reader = clock.read(response);
    events.try_send("1").unwrap();
    let mut sends: Vec<_> = (0..3).map(|n| task::spawn(events.send(n.to_string()))).collect();
    for send in &mut sends {
        assert_pending!(send.poll());
    }
    clock.advance(Duration::from_secs(1));
    assert!(reader.has_ended());
    assert!(sends.iter().all(|send| send.is_woken()));
    for send in &mut sends {
        assert_ready_eq!(send.poll(), Err(SendError::Closed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_lose_and_reorder_nothing() {
    let (events, mut reader) = {
        let clock = Clock::new();
        let (events, response) = clock.sse().buffer(200).channel();
        (events, Box::pin(response.into_body()))
    };
    const EACH: usize = 2_000;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let events = events.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    events.send((writer.to_string(), n.to_string())).await.unwrap();
                }
            })
        })
        .collect();
    drop(events);
    let mut text = String::new();
    while let Some(chunk) = reader.next().await {
        assert!(chunk.len() <= 200 + 2, "more than the buffer in one chunk");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut next = [0; 4];
    for block in text.strip_prefix(":\n").unwrap().split_terminator("\n\n") {
        let (writer, n) = block.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let next = &mut next[writer.parse::<usize>().unwrap()];
        assert_eq!(n, next.to_string());
        *next += 1;
    }
    assert_eq!(next, [EACH; 4]);
}

// Ending.

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
    let (events, response) = clock.sse().first(["first"]).channel();
    events.close();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\ndata: first\n\n");
    assert!(reader.has_ended());
}

#[test]
fn finish_moves_the_client_to_the_id_end() {
    let (events, mut reader) = open();
    events.try_send("x").unwrap();
    assert!(events.finish());
    assert!(!events.finish());
    assert!(!events.close());
    assert_eq!(reader.text(), "data: x\n\nid: end\n\n");
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
    assert_eq!(reader.text(), "data: x\n\nid: end\n\n");
}

#[test]
fn a_stream_is_active_from_the_start_until_it_is_told_to_end_or_left() {
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

/// A stream brought to its end, and why.
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
    ("the body dropped", CloseReason::Gone, |_, _events, mut reader, _| {
        reader.bytes();
        drop(reader);
    }),
    ("the body dropped unpolled", CloseReason::Gone, |_, _events, reader, _| drop(reader)),
    ("close, and the body dropped with bytes pending", CloseReason::Gone, |_, events, mut reader, _| {
        reader.bytes();
        events.try_send("x").unwrap();
        events.close();
        drop(reader);
    }),
    ("finish, and the body dropped before the id", CloseReason::Gone, |_, events, mut reader, _| {
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
        // Of "every sender dropped" no other handle may be left, so the futures above are all there is.
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
    let (events, response) = clock.sse().first([("bad\ntype", "x")]).channel();
    let mut reader = clock.read(response);
    assert_eq!(reader.text(), ":\n");
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

// Wakes.

#[test]
fn a_send_wakes_the_reader_once_and_only_when_there_is_something() {
    let (events, mut reader) = open_with_buffer(2 * SMALL);
    assert_eq!(reader.wakes(), 0);
    events.try_send("1").unwrap();
    assert_eq!(reader.wakes(), 1);
    events.try_send("2").unwrap();
    assert_eq!(reader.wakes(), 1, "it is awake already");
    assert_eq!(reader.text(), "data: 1\n\ndata: 2\n\n");
    assert_ready!(task::spawn(events.send("3")).poll()).unwrap();
    assert_eq!(reader.wakes(), 2);
    assert_eq!(events.try_send("too large for the rest"), Err(SendError::Full));
    reader.bytes();
    let _ = events.try_send(("\n", "invalid"));
    assert!(!events.open());
    let _unharmed = (events.is_active(), events.id(), events.clone());
    assert_eq!(reader.wakes(), 2, "nothing happened");
    events.close();
    assert_eq!(reader.wakes(), 3);
    assert!(reader.has_ended());
    events.close();
    let _ = events.try_send("4");
    assert_eq!(reader.wakes(), 3, "nobody is there any more");
}

// Identity.

#[test]
fn every_connection_has_an_identifier_of_its_own() {
    let clock = Clock::new();
    let mut seen = HashSet::new();
    for _ in 0..1_000 {
        let (events, response) = clock.sse().channel();
        assert_eq!(response.id(), Some(events.id()));
        assert_eq!(events.clone().id(), events.id());
        assert_eq!(events.id().get_version_num(), 4);
        assert_eq!(response.into_body().id(), events.id());
        assert!(seen.insert(events.id()));
    }
}

#[test]
fn a_frame_says_what_it_is_in_debug_and_a_handle_too() {
    let (events, _reader) = open();
    assert!(format!("{events:?}").contains(&events.id().to_string()));
    let frame: Frame = Event::data("x").frame().unwrap();
    assert_eq!(format!("{frame:?}"), r#"Frame(b"data: x\n\n")"#);
}
