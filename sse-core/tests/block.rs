//! Parsing of blocks from other servers. A parsed and encoded block means the same to a client as the original.

use proptest::prelude::*;
use sse_core::{BlockError, Decoder, Event, FrameError, Hub, MAX_EVENT_BYTES};
use std::time::Duration;

fn rewritten(block: &str) -> String {
    let frame = Event::parse(block.as_bytes()).unwrap().frame().unwrap();
    String::from_utf8(frame.as_bytes().to_vec()).unwrap()
}

#[test]
fn parse_accepts_every_line_end_and_spacing() {
    for (block, ours) in [
        ("data: x\n\n", "data: x\n\n"),
        ("data: x\r\r", "data: x\n\n"),
        ("data:x\r\n\r\n", "data: x\n\n"),
        ("data: x\r\n\r", "data: x\n\n"),
        ("data:  x \n\n", "data:  x \n\n"),
        ("data\ndata\n\n", "data:\ndata:\n\n"),
        ("data: a\nid: 7\ndata: b\nevent: e\n\n", "id: 7\nevent: e\ndata: a\ndata: b\n\n"),
        ("id\n\n", "id:\n\n"),
        ("event: a\nevent:\ndata: x\n\n", "data: x\n\n"),
        ("retry: 0250\n\n", "retry: 250\n\n"),
        (":ping\n\n", ": ping\n"),
        (":\n", ":\n"),
        ("data: x\n: why\n\n", ": why\ndata: x\n\n"),
        ("\n", ""),
        ("", ""),
    ] {
        assert_eq!(rewritten(block), ours, "{block:?}");
    }
}

#[test]
fn parse_error_names_the_line() {
    for (block, error) in [
        (&b"data: x\n"[..], BlockError::Unended),
        (b"data: x", BlockError::Unended),
        (b": x", BlockError::Unended),
        (b"data: x\n\n\n", BlockError::Continues),
        (b"\ndata: x\n\n", BlockError::Continues),
        (b"data: x\n\nd", BlockError::Continues),
        (b"\xef\xbb\xbfdata: x\n\n", BlockError::NoField(1)),
        (b"data: x\ndata : y\n\n", BlockError::NoField(2)),
        (b"Data: x\n\n", BlockError::NoField(1)),
        (b" data: x\n\n", BlockError::NoField(1)),
        (b"retry: 1.5\n\n", BlockError::NoField(1)),
        (b"retry:\n\n", BlockError::NoField(1)),
        (b"data: \xff\n\n", BlockError::NotUtf8),
    ] {
        assert_eq!(Event::parse(block), Err(error), "{}", block.escape_ascii());
    }
}

#[test]
fn parsed_event_is_validated_like_any_other() {
    let refused = |block: &str| Event::parse(block.as_bytes()).unwrap().frame().unwrap_err();
    assert_eq!(refused("id: a\0b\n\n"), FrameError::ControlInId);
    assert_eq!(refused(&format!("id: {}\n\n", "x".repeat(129))), FrameError::IdTooLong(129));
    assert_eq!(refused("retry: 2147483648\n\n"), FrameError::RetryTooLong);
    assert_eq!(refused("retry: 99999999999999999999999\n\n"), FrameError::RetryTooLong);
    assert!(matches!(refused(&format!("data: {}\n\n", "x".repeat(MAX_EVENT_BYTES + 1))), FrameError::TooLarge { .. }));
}

#[test]
fn hub_publishes_a_parsed_block_without_an_id() {
    let hub = Hub::new();
    let publish = |block: &'static str| hub.publish("news", Event::parse(block.as_bytes()));
    assert!(publish("event: rain\ndata: x\n\n").is_ok());
    assert!(publish("id: 7\ndata: x\n\n").is_err());
    assert!(publish("event: gap\ndata: x\n\n").is_err());
    assert!(publish("data: x").is_err());
    assert_eq!(hub.stats().published, 1);
}

/// The result of decoding an event stream: the events, the last event ID, the reconnection time.
fn read(stream: &[u8]) -> (Vec<(String, String, String)>, String, Option<Duration>) {
    let mut decoder = Decoder::new();
    let (mut input, mut events) = (stream, Vec::new());
    while let Some(event) = decoder.decode(&mut input) {
        let event = event.unwrap();
        events.push((event.event_type.into(), event.data.into(), event.last_event_id.into()));
    }
    (events, decoder.last_event_id().to_owned(), decoder.reconnection_time())
}

/// Valid blocks, and some that are almost valid.
fn blocks() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        9 => prop::sample::select(vec!["data: x", "data:x", "data", "data:  ü ", "event: e", "event", "id: 7", "id", "retry: 9", ": c", "::"]),
        1 => prop::sample::select(vec!["", "da", "\u{feff}data", "retry: x", "id: \0"]),
    ];
    let line = (line, prop::sample::select(vec!["\n", "\r", "\r\n"])).prop_map(|(line, end)| line.to_owned() + end);
    let end = prop::sample::select(vec!["\n", "\r\n", "\r", ""]);
    (prop::collection::vec(line, 0..6), end).prop_map(|(lines, end)| lines.concat() + end)
}

proptest! {
    #[test]
    fn a_client_reads_from_the_frame_what_it_reads_from_the_block(block in blocks()) {
        if let Ok(Ok(frame)) = Event::parse(block.as_bytes()).map(|event| event.frame()) {
            // Other blocks before and after, so that no line moves between blocks.
            let between = |block: &[u8]| [b"data: before\n\n", block, b"data: after\n\n"].concat();
            prop_assert_eq!(read(&between(frame.as_bytes())), read(&between(block.as_bytes())));
        }
    }

    #[test]
    fn a_frame_of_our_own_is_read_as_what_it_is(
        id in prop::option::of("[a-z0-9]{0,4}"), event in prop::option::of("[ -~]{0,4}"),
        data in prop::option::of("[ :\r\na-z]{0,9}"), comment in prop::option::of("[ :\r\na-z]{0,9}"),
        retry in prop::option::of(0u64..5000),
    ) {
        let mut written = data.map_or(Event::without_data(), Event::data);
        if let Some(id) = id { written = written.id(id) }
        if let Some(event) = event { written = written.event(event) }
        if let Some(comment) = comment { written = written.comment(comment) }
        if let Some(retry) = retry { written = written.retry(Duration::from_millis(retry)) }
        let frame = written.frame().unwrap();
        prop_assert_eq!(Event::parse(frame.as_bytes()).unwrap().frame().unwrap(), frame);
    }

    #[test]
    fn no_bytes_panic(block in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = Event::parse(&block).map(|event| event.frame());
    }
}
