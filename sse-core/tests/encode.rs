//! The encoder: encoded bytes, rejected events, and that a decoder returns the original values.

use proptest::prelude::*;
use sse_core::{Decoder, Event, Field, FrameError, MAX_EVENT_BYTES, MAX_ID_BYTES, MAX_RETRY};
use std::time::Duration;

fn encode(event: &Event<'_>) -> Result<String, FrameError> {
    event.frame().map(|frame| String::from_utf8(frame.as_bytes().to_vec()).unwrap())
}

/// The decoded bytes: `(type, data, id)` of each event, the last event ID, the reconnection time.
type Read = (Vec<(String, String, String)>, String, Option<Duration>);

fn read(bytes: &str) -> Read {
    let mut decoder = Decoder::new();
    let mut input = bytes.as_bytes();
    let mut events = Vec::new();
    while let Some(event) = decoder.decode(&mut input) {
        let event = event.unwrap();
        events.push((event.event_type.into(), event.data.into(), event.last_event_id.into()));
    }
    (events, decoder.last_event_id().to_owned(), decoder.reconnection_time())
}

/// Replaces each line break by LF, as a client does.
fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Hazards A2, A4 and A5.
#[test]
fn encoded_events_decode_to_the_same_values() {
    let message = |data: &str| vec![("message".to_owned(), data.to_owned(), String::new())];
    let of = |event_type: &str, data: &str, id: &str| vec![(event_type.to_owned(), data.to_owned(), id.to_owned())];
    for (event, bytes, events) in [
        (Event::new(), "", vec![]),
        (Event::data("tick"), "data: tick\n\n", message("tick")),
        (Event::data(""), "data:\n\n", message("")),
        (Event::data(" "), "data:  \n\n", message(" ")),
        (Event::data(" x"), "data:  x\n\n", message(" x")),
        (Event::data(":x"), "data: :x\n\n", message(":x")),
        (Event::data("\n"), "data:\ndata:\n\n", message("\n")),
        (Event::data("a\n\n\nb"), "data: a\ndata:\ndata:\ndata: b\n\n", message("a\n\n\nb")),
        (Event::data("a\r\nb\rc\nd"), "data: a\ndata: b\ndata: c\ndata: d\n\n", message("a\nb\nc\nd")),
        (Event::data("a\n\rb\r"), "data: a\ndata:\ndata: b\ndata:\n\n", message("a\n\nb\n")),
        (Event::data("x "), "data: x \n\n", message("x ")),
        (Event::data("a\0b"), "data: a\0b\n\n", message("a\0b")),
        (Event::data("\u{feff}x"), "data: \u{feff}x\n\n", message("\u{feff}x")),
        (Event::data("\u{1f980}"), "data: \u{1f980}\n\n", message("\u{1f980}")),
        (Event::data("id: 9\nevent: x"), "data: id: 9\ndata: event: x\n\n", message("id: 9\nevent: x")),
        (Event::data("x").retry(Duration::from_millis(2_147_483_647)), "retry: 2147483647\ndata: x\n\n", message("x")),
        (Event::data("a\u{2028}\u{85}\u{b}b"), "data: a\u{2028}\u{85}\u{b}b\n\n", message("a\u{2028}\u{85}\u{b}b")),
        (Event::data("x").event("note"), "event: note\ndata: x\n\n", of("note", "x", "")),
        (Event::data("x").event(""), "data: x\n\n", message("x")),
        (Event::data("x").event(" note "), "event:  note \ndata: x\n\n", of(" note ", "x", "")),
        (Event::data("x").event("message"), "event: message\ndata: x\n\n", message("x")),
        (Event::data("x").id("7"), "id: 7\ndata: x\n\n", of("message", "x", "7")),
        (Event::data("x").id(""), "id:\ndata: x\n\n", message("x")),
        (Event::data("x").comment("why"), ": why\ndata: x\n\n", message("x")),
        (
            Event::data("x").comment("c").id("7").event("e").retry(Duration::from_millis(2500)),
            ": c\nid: 7\nevent: e\nretry: 2500\ndata: x\n\n",
            of("e", "x", "7"),
        ),
        (Event::data("x").retry(Duration::from_micros(1_999)), "retry: 1\ndata: x\n\n", message("x")),
        // A client does not dispatch an event without data.
        (Event::without_data().event("note"), "event: note\n\n", vec![]),
        (Event::new().event(""), "", vec![]),
        (Event::new().retry(Duration::ZERO), "retry: 0\n\n", vec![]),
        (Event::without_data().id("42"), "id: 42\n\n", vec![]),
        (
            Event::checkpoint("42"),
            "event: sse-position\nid: 42\ndata: {}\n\n",
            vec![("sse-position".into(), "{}".into(), "42".into())],
        ),
        (
            Event::checkpoint("").comment("c").retry(Duration::from_secs(1)),
            ": c\nevent: sse-position\nretry: 1000\nid:\ndata: {}\n\n",
            vec![("sse-position".into(), "{}".into(), String::new())],
        ),
        (Event::without_data().id("42").event("x"), "id: 42\nevent: x\n\n", vec![]),
        (Event::new().comment(""), ":\n", vec![]),
        (Event::new().comment("one\r\ntwo\rthree\n"), ": one\n: two\n: three\n:\n", vec![]),
    ] {
        assert_eq!(encode(&event).unwrap(), bytes, "{event:?}");
        assert_eq!(read(bytes).0, events, "{event:?}");
        assert_eq!(read(bytes).1, event.event_id().unwrap_or_default(), "{event:?}");
    }
}

/// Hazards A1 and A2.
#[test]
fn none_of_24_injections_adds_a_field() {
    const FORGED: &str = "data: forged";
    let payloads = ["\r", "\n", "\r\n", "\n\n", "\0", "\u{feff}"].map(|text| (text, format!("a{text}{FORGED}")));
    for (text, payload) in &payloads {
        let is_break = text.contains(['\r', '\n']);

        let expected = match *text {
            _ if is_break => Err(FrameError::LineBreak(Field::Event)),
            _ => Ok(format!("event: {payload}\ndata: x\n\n")),
        };
        assert_eq!(encode(&Event::data("x").event(payload)), expected, "{text:?} in an event type");

        let expected = match *text {
            _ if is_break => Err(FrameError::LineBreak(Field::Id)),
            "\0" => Err(FrameError::ControlInId),
            _ => Ok(format!("id: {payload}\ndata: x\n\n")),
        };
        assert_eq!(encode(&Event::data("x").id(payload)), expected, "{text:?} in an id");

        let lines = |name: &str| match *text {
            "\n\n" => format!("{name} a\n{name}\n{name} {FORGED}\n"),
            _ if is_break => format!("{name} a\n{name} {FORGED}\n"),
            _ => format!("{name} {payload}\n"),
        };
        let expected = format!("{}data: x\n\n", lines(":"));
        assert_eq!(encode(&Event::data("x").comment(payload)).unwrap(), expected, "{text:?} in a comment");
        assert_eq!(read(&expected).0, [("message".into(), "x".into(), String::new())]);

        let expected = format!("{}\n", lines("data:"));
        assert_eq!(encode(&Event::data(payload)).unwrap(), expected, "{text:?} in data");
        assert_eq!(read(&expected).0, [("message".into(), with_lf(payload), String::new())]);
    }
}

/// Hazard B7.
#[test]
fn id_that_no_header_can_carry_is_rejected() {
    let longest = "x".repeat(MAX_ID_BYTES);
    let longer = "x".repeat(MAX_ID_BYTES + 1);
    for (id, expected) in [
        (&*longest, None),
        ("\u{feff}", None),
        ("in the middle", None),
        (&longer, Some(FrameError::IdTooLong(MAX_ID_BYTES + 1))),
        ("\u{7f}", Some(FrameError::ControlInId)),
        ("\t", Some(FrameError::ControlInId)),
        ("\u{85}", Some(FrameError::ControlInId)),
        (" 1", Some(FrameError::EdgeSpaceInId)),
        ("1 ", Some(FrameError::EdgeSpaceInId)),
        (" ", Some(FrameError::EdgeSpaceInId)),
    ] {
        assert_eq!(Event::data("x").id(id).frame().err(), expected, "{id:?}");
    }
}

#[test]
fn first_invalid_field_is_reported_in_the_order_id_event_data_retry() {
    let late = MAX_RETRY + Duration::from_millis(1);
    let large = "x".repeat(MAX_EVENT_BYTES + 1);
    let event = Event::data(&*large).retry(late);
    assert_eq!(event.clone().event("\n").id("\n").frame().unwrap_err().field(), Some(Field::Id));
    assert_eq!(event.clone().event("\n").frame().unwrap_err().field(), Some(Field::Event));
    assert_eq!(event.frame().unwrap_err().field(), Some(Field::Data));
    assert_eq!(Event::new().retry(late).frame().unwrap_err().field(), Some(Field::Retry));
}

/// Hazard B4.
#[test]
fn event_of_max_event_bytes_is_accepted_and_a_larger_one_rejected() {
    let half = "x".repeat(MAX_EVENT_BYTES / 2);
    // The second line counts with its line end, name and space.
    let second = &half["\ndata: ".len()..];
    for (event, over) in [
        (Event::data(half.clone() + &half), Event::data(half.clone() + &half + "x")),
        (Event::data(format!("{half}\n{second}")), Event::data(format!("{half}\n{second}x"))),
        (Event::data(&*half).event(&*half), Event::data(half.clone() + "x").event(&*half)),
        (Event::data(&half[1..]).event(&*half).id("7"), Event::data(&*half).event(&*half).id("7")),
        (Event::data(&*half).comment(&*half), Event::data(&*half).comment(half.clone() + "x")),
    ] {
        let bytes = encode(&event).unwrap();
        let (events, ..) = read(&bytes);
        assert_eq!(events.len(), 1);
        assert_eq!(Some(&*events[0].1), event.data_text());
        assert_eq!(over.frame(), Err(FrameError::TooLarge { bytes: MAX_EVENT_BYTES + 1, limit: MAX_EVENT_BYTES }));
    }
}

/// Hazard H4.
#[test]
fn retry_above_max_retry_is_rejected() {
    let event = Event::new().retry(MAX_RETRY + Duration::from_nanos(0));
    assert_eq!(encode(&event).unwrap(), "retry: 2147483647\n\n");
    assert_eq!(read("retry: 2147483647\n\n").2, Some(MAX_RETRY));
    for over in [MAX_RETRY + Duration::from_millis(1), Duration::MAX] {
        assert_eq!(Event::new().retry(over).frame(), Err(FrameError::RetryTooLong));
    }
}

/// Hazard A8.
#[test]
fn json_with_raw_line_breaks_stays_one_event() {
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    for line_break in ["\n", "\r", "\r\n"] {
        let rendered = raw(&format!("{{{line_break}\"a\":{line_break}{line_break}1}}"));
        let bytes = encode(&Event::json(&rendered)).unwrap();
        assert_eq!(bytes, "data: {\ndata: \"a\":\ndata: \ndata: 1}\n\n".replace("data: \n", "data:\n"));
        assert_eq!(read(&bytes).0, [("message".into(), "{\n\"a\":\n\n1}".into(), String::new())]);
    }
}

/// Text with many line breaks, field names and spaces.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\r",
            "\n",
            "\r\n",
            "\n\n",
            " ",
            "  ",
            ":",
            "\0",
            "\u{feff}",
            "\u{2028}",
            "\u{85}",
            "data: x",
            "id: 1",
            "event: e",
            "retry: 1",
            "data",
            "\u{1f422}",
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn event() -> impl Strategy<Value = Event<'static>> {
    use prop::option::of;
    // Half of the types are valid; with random text most events would be rejected.
    let name = || prop_oneof![text(), "[ -~]{0,6}"];
    (of(text()), of(name()), of(name()), of(text()), of(0u64..=2_147_483_648)).prop_map(
        |(data, event_type, id, comment, retry)| {
            let mut event = data.map_or_else(Event::new, Event::data);
            if let Some(event_type) = event_type {
                event = event.event(event_type);
            }
            if let Some(id) = id {
                event = event.id(id);
            }
            if let Some(comment) = comment {
                event = event.comment(comment);
            }
            if let Some(ms) = retry {
                event = event.retry(Duration::from_millis(ms));
            }
            event
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Hazards A1, A3 and A4.
    #[test]
    fn what_is_read_is_what_was_meant(event in event()) {
        let Ok(bytes) = encode(&event) else { return Ok(()) };
        prop_assert!(!bytes.contains('\r'));
        let (events, id, retry) = read(&bytes);
        prop_assert_eq!(&id, event.event_id().unwrap_or_default());
        prop_assert_eq!(retry, event.reconnection_time());
        let event_type = event.event_type().filter(|text| !text.is_empty()).unwrap_or("message");
        let expected = event.data_text().map(|data| (event_type.to_owned(), with_lf(data), id));
        prop_assert_eq!(events, Vec::from_iter(expected));
    }

    /// Hazards A1 and A2.
    #[test]
    fn each_line_written_is_a_field_that_was_given(event in event()) {
        let Ok(bytes) = encode(&event) else { return Ok(()) };
        let lines = |text: Option<&str>| text.map_or(0, |text| with_lf(text).split('\n').count());
        let count = |name: &str| bytes.lines().filter(|line| line.starts_with(name)).count();
        prop_assert_eq!(count("data:"), lines(event.data_text()));
        prop_assert_eq!(count(":"), lines(event.comment_text()));
        prop_assert_eq!(count("event:"), usize::from(event.event_type().is_some_and(|text| !text.is_empty())));
        prop_assert_eq!(count("id:"), usize::from(event.event_id().is_some()));
        prop_assert_eq!(count("retry:"), usize::from(event.reconnection_time().is_some()));
        let blank = bytes.matches("\n\n").count();
        let fields = count("data:") + count("event:") + count("id:") + count("retry:");
        prop_assert_eq!(blank, usize::from(fields > 0));
        prop_assert_eq!(bytes.lines().count(), fields + count(":") + blank);
    }

    /// Hazard A1.
    #[test]
    fn a_block_does_not_leak_into_the_next(one in event(), two in event()) {
        let (Ok(first), Ok(second)) = (encode(&one), encode(&two)) else { return Ok(()) };
        // A comment alone is not a block, and belongs to the next block.
        let together = read(&format!("{first}{second}")).0;
        let apart: Vec<_> = [read(&first).0, read(&second).0].concat();
        let text = |events: Vec<(String, String, String)>| events.into_iter().map(|(t, d, _)| (t, d)).collect::<Vec<_>>();
        prop_assert_eq!(text(together), text(apart));
    }
}
