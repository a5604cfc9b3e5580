//! The size limit of an event: of a hub, of a stream, and of an encoded frame.

use sse_core::hub::PublishError;
use sse_core::testing::Clock;
use sse_core::{CloseReason, Event, FrameError, Hub, IntoFrame, MAX_EVENT_BYTES, SendError};

/// Events of every shape, each with its size.
fn events() -> Vec<(Event<'static>, usize)> {
    vec![
        (Event::data("12345"), 5),
        (Event::data(""), 0),
        // The second line counts with its prefix and line end: `data: 2` and a line feed.
        (Event::data("1\n2"), 1 + "data: 2\n".len()),
        (Event::data("\n\n"), "data:\n".len() * 2),
        (Event::data("data: 1").event("data"), 7 + 4),
        (Event::data(":").comment("a\r\nb"), 1 + 1 + ": b\n".len()),
        (Event::data("1").comment(""), 1),
        (Event::new().comment("id: 7\nevent: x"), 5 + ": event: x\n".len()),
        (Event::data(" 1").retry(std::time::Duration::from_secs(1)), 2),
    ]
}

#[test]
fn event_and_its_frame_have_the_same_size() {
    for (event, bytes) in events() {
        let large = Hub::builder().max_event_bytes(bytes).build_on(Clock::new());
        assert!(large.publish("t", event.clone()).is_ok(), "{event:?}");
        assert!(large.publish("t", event.frame().unwrap()).is_ok(), "{event:?}");
        assert!(large.check("t", event.clone()).is_ok(), "{event:?}");
        let Some(limit) = bytes.checked_sub(1) else { continue };
        let small = Hub::builder().max_event_bytes(limit).build_on(Clock::new());
        let too_large = Err(PublishError::Invalid(FrameError::TooLarge { bytes, limit }));
        assert_eq!(small.publish("t", event.clone()), too_large, "{event:?}");
        assert_eq!(small.publish("t", event.frame().unwrap()), too_large, "the frame of {event:?}");
        assert_eq!(event.frame_up_to(limit), Err(FrameError::TooLarge { bytes, limit }), "{event:?}");
        assert_eq!(small.stats().published, 0);
    }
}

#[test]
fn event_with_an_id_and_its_frame_have_the_same_size() {
    let event = Event::data("1").id("22").event("333");
    let sse = || Clock::new().sse().max_event_bytes(5);
    let too_large = Err(SendError::Invalid(FrameError::TooLarge { bytes: 6, limit: 5 }));
    let (events, _response) = sse().channel();
    assert_eq!(events.try_send(event.clone()), too_large);
    assert_eq!(events.try_send(event.frame().unwrap()), too_large);
    let (events, _response) = sse().max_event_bytes(6).channel();
    assert_eq!(events.try_send(event.clone()), Ok(()));
    assert_eq!(events.try_send(event.frame().unwrap()), Ok(()));
}

#[test]
fn limits_above_the_default_apply_to_every_call() {
    let text = "x".repeat(MAX_EVENT_BYTES + 1);
    let clock = Clock::new();
    let hub = Hub::builder().max_event_bytes(text.len()).build_on(clock.clone());
    hub.publish("t", &text).unwrap();
    assert!(text.as_str().into_frame().is_err(), "the default limit");
    hub.publish("t", Event::data(&text).frame_up_to(text.len())).unwrap();
    assert_eq!(hub.check("t", Event::data(&text)).unwrap().as_bytes().len(), text.len() + "data: \n\n".len());

    let sse = || clock.sse().buffer(4 * MAX_EVENT_BYTES).max_event_bytes(text.len());
    let (events, response) = sse().prelude([&text]).channel();
    events.try_send(&text).unwrap();
    assert_eq!(clock.read(response).text().matches(&text).count(), 2);
    let response = sse().stream(futures_util::stream::iter([text.clone()]));
    assert_eq!(clock.read(response).text().matches(&text).count(), 1);

    // The sender of a subscription has the limit of the hub.
    let (events, response) = clock.sse().buffer(4 * MAX_EVENT_BYTES).subscribe(&hub, "t").with_sender();
    events.try_send(&text).unwrap();
    assert_eq!(clock.read(response).text().matches(&text).count(), 1);
}

#[test]
fn stream_of_events_with_a_too_large_event_fails_before_it() {
    let clock = Clock::new();
    let response = clock.sse().max_event_bytes(1).stream(futures_util::stream::iter(["1", "22", "3"]));
    let mut reader = clock.read(response);
    let text = reader.text();
    assert!(text.contains("data: 1\n\n") && !text.contains("22"), "{text}");
    assert!(reader.has_ended());

    let (events, response) = clock.sse().max_event_bytes(1).prelude(["22"]).channel();
    let mut reader = clock.read(response);
    assert!(!reader.text().contains("22") && reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Failed));
}
