//! Hazards A1, A2, A3 and A4.
//!
//! Any fields are either rejected or come back from the decoder unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sse_core::{Decoder, Event};
use std::time::Duration;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    comment: Option<&'a str>,
    id: Option<&'a str>,
    event_type: Option<&'a str>,
    data: Option<&'a str>,
    retry: Option<Duration>,
}

fuzz_target!(|input: Input<'_>| {
    let mut event = input.data.map_or_else(Event::new, Event::data);
    if let Some(comment) = input.comment {
        event = event.comment(comment);
    }
    if let Some(id) = input.id {
        event = event.id(id);
    }
    if let Some(event_type) = input.event_type {
        event = event.event(event_type);
    }
    if let Some(time) = input.retry {
        event = event.retry(time);
    }
    let Ok(frame) = event.frame() else { return };
    let bytes = frame.as_bytes();
    assert!(!bytes.contains(&b'\r'));
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"));

    // The next event shows that this event left nothing open.
    let stream = [bytes, b"\ndata: next\n\n"].concat();
    let mut unread = stream.as_slice();
    let mut decoder = Decoder::new();
    let id = input.id.unwrap_or_default();
    if let Some(data) = input.data {
        let read =
            decoder.decode(&mut unread).expect("an event with data is dispatched").expect("and within the limits");
        assert_eq!(read.data, data.replace("\r\n", "\n").replace('\r', "\n"));
        assert_eq!(read.event_type, input.event_type.filter(|text| !text.is_empty()).unwrap_or("message"));
        assert_eq!(read.last_event_id, id);
    }
    let next = decoder.decode(&mut unread).expect("the next event").expect("and within the limits");
    assert_eq!((&*next.event_type, &*next.data, &*next.last_event_id), ("message", "next", id));
    assert_eq!(decoder.decode(&mut unread), None);
    let retry = input.retry.and_then(|time| u64::try_from(time.as_millis()).ok()).map(Duration::from_millis);
    assert_eq!(decoder.reconnection_time(), retry);
});
