//! Opening a stream, sending without waiting, and the identity of a sender.

use super::*;

// Opening.

#[test]
fn the_first_send_opens_the_stream() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    events.try_send("x").unwrap();
    assert!(!events.open());
    assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\ndata: x\n\n");
}

#[test]
fn open_is_true_for_the_call_that_opens() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    assert!(events.clone().open());
    assert!(!events.open());
    assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\n");
}

/// Hazard E3.
#[test]
fn the_first_poll_opens_the_stream() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    assert_eq!(clock.read(response).poll(), Poll::Ready(Some(":\nevent: sse-open\n\n".into())));
    assert!(!events.open());
}

#[test]
fn an_ended_stream_is_not_opened_again() {
    let clock = Clock::new();
    let (closed, response) = clock.sse().channel();
    closed.close();
    assert!(!closed.open());
    assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\n");
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
    assert_eq!(reader.poll(), Poll::Ready(Some(":\nevent: sse-open\n\ndata: 1\n\n: 2\ndata: 3\n\n".into())));
    assert_eq!(reader.poll(), Poll::Pending);
}

/// Hazard B1.
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
fn opening_bytes_do_not_count_towards_the_buffer() {
    let clock = Clock::new();
    let (events, response) = clock.sse().buffer(SMALL).prelude(["a long first event"]).channel();
    events.open();
    events.try_send("1").unwrap();
    assert_eq!(events.try_send("2"), Err(SendError::Full));
    assert_eq!(clock.read(response).text(), ":\nevent: sse-open\n\ndata: a long first event\n\ndata: 1\n\n");
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
fn event_larger_than_the_buffer_is_accepted_by_an_empty_buffer() {
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
fn comment_has_one_line_per_line_of_text() {
    let (events, mut reader) = open();
    events.comment("one\r\ntwo\rdata: three").unwrap();
    events.comment("").unwrap();
    assert_eq!(reader.text(), ": one\n: two\n: data: three\n:\n");
}

#[test]
fn every_type_of_into_frame_can_be_sent() {
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
        "event: sse-position\nid: 3\ndata: {}\n\n",
    ];
    assert_eq!(reader.text(), expected.concat());
}

/// Hazard B3.
#[test]
fn streams_share_the_bytes_of_a_frame() {
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

/// Hazard A3.
#[test]
fn invalid_event_is_an_error_and_the_stream_continues() {
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
fn debug_output_shows_the_bytes_of_a_frame_and_the_id_of_a_sender() {
    let (events, _reader) = open();
    assert!(format!("{events:?}").contains(&events.id().to_string()));
    let frame: Frame = Event::data("x").frame().unwrap();
    assert_eq!(format!("{frame:?}"), r#"Frame(b"data: x\n\n")"#);
}
