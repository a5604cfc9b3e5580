//! Which streams are compressed, and what their heads say.

use crate::pair::{Client, get};
use sse_core::testing::Clock;
use sse_core::{Hub, Policy, Rejection, Request, Sse};
use std::time::Duration;

fn hub(clock: &Clock) -> Hub {
    Hub::builder().gzip(|topic| topic != "secret").build_on(clock.clone())
}

/// The values of `content-encoding` and `vary`.
fn head<'n, 'v>(headers: impl Iterator<Item = (&'n str, &'v str)>) -> (Option<String>, Option<String>) {
    let mut found = (None, None);
    for (name, value) in headers {
        match name {
            "content-encoding" => found.0 = Some(value.to_owned()),
            "vary" => found.1 = Some(value.to_owned()),
            _ => {}
        }
    }
    found
}

fn texts(encoding: Option<&str>, vary: Option<&str>) -> (Option<String>, Option<String>) {
    (encoding.map(str::to_owned), vary.map(str::to_owned))
}

#[test]
fn a_stream_is_compressed_if_the_client_accepts_gzip_and_all_topics_are() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let compressed = texts(Some("gzip"), Some("accept-encoding"));
    let plain = texts(None, Some("accept-encoding"));
    for (encoding, topics, expected) in [
        (Some("gzip"), &["a"][..], &compressed),
        (Some("br, gzip;q=0.1"), &["a", "b"], &compressed),
        (Some("*"), &["a"], &compressed),
        (None, &["a"], &plain),
        (Some("gzip;q=0"), &["a"], &plain),
        (Some("identity, gzip;q=0.5"), &["a"], &plain),
        (Some("br"), &["a"], &plain),
        (Some("gzip"), &["secret"], &(None, None)),
        (Some("gzip"), &["a", "secret"], &(None, None)),
    ] {
        let response = get(&clock, encoding, None).subscribe(&hub, topics).into_response();
        assert_eq!(&head(response.headers()), expected, "{encoding:?} {topics:?}");
        let bytes = clock.read(response).bytes();
        assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), *expected == compressed);
        assert_eq!(bytes.starts_with(b":\nevent: sse-position\n"), *expected != compressed);
    }
}

#[test]
fn channels_and_streams_over_post_are_plain() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let (_events, response) = get(&clock, Some("gzip"), None).attach(&hub).channel();
    assert_eq!(head(response.headers()), (None, None));
    let request = Request::new("POST", None, [("accept-encoding", b"gzip".as_slice())]);
    let sse = Sse::new(clock.clone(), Policy::fetch().check(&request).unwrap());
    let response = sse.subscribe(&hub, ["a"]).into_response();
    assert_eq!(head(response.headers()), texts(None, Some("accept-encoding")));
    assert_eq!(clock.read(response).text(), ":\n");
}

#[test]
fn an_answer_that_opens_no_stream_is_plain() {
    let clock = Clock::new();
    let hub = hub(&clock);
    drop(hub.drain(Duration::ZERO));
    let response = get(&clock, Some("gzip"), None).subscribe(&hub, ["a"]).into_response();
    assert_eq!(head(response.headers()).0, None);
    assert!(clock.read(response).text().contains("sse-later"));
}

#[test]
fn the_answer_to_head_has_the_head_of_the_stream() {
    let head_of = |policy: Policy, encoding: &str| {
        let request = Request::new("HEAD", None, [("accept-encoding", encoding.as_bytes())]);
        policy.check(&request).unwrap_err()
    };
    let compressed = || Policy::default().compressed(true);
    let rejection = head_of(compressed(), "gzip");
    assert_eq!(head(rejection.headers()), texts(Some("gzip"), Some("accept-encoding")));
    assert_eq!((rejection.status(), rejection.body(), rejection.is_head()), (200, String::new(), true));
    let plain = head_of(compressed(), "gzip;q=0");
    assert_eq!(head(plain.headers()), texts(None, Some("accept-encoding")));
    assert_eq!(plain.headers().next(), Some(("content-type", "text/event-stream")));
    assert_eq!(head_of(Policy::default(), "gzip"), Rejection::Head);
}

#[test]
fn every_end_is_decoded_and_has_no_trailer() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let mut finished = Client::gzip(&clock, &hub, "a");
    finished.sender.finish();
    finished.read();
    assert!(finished.ended && finished.plain.ends_with(b"event: sse-end\nid: end\ndata: {}\n\n"));

    let mut closed = Client::gzip(&clock, &hub, "a");
    closed.sender.close();
    closed.read();
    assert!(closed.ended);

    let mut drained = Client::gzip(&clock, &hub, "a");
    hub.publish("a", "the last one").unwrap();
    drop(hub.drain(Duration::ZERO));
    clock.advance(Duration::from_secs(1));
    drained.read();
    let text = String::from_utf8_lossy(&drained.plain);
    assert!(drained.ended && text.rsplit_once("retry: ").is_some_and(|(_, last)| last.ends_with("\n\n")));
}

#[test]
fn a_stream_that_ends_before_its_first_byte_is_an_empty_gzip_file() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let sse = get(&clock, Some("gzip"), None).key("ann").unwrap();
    let mut client = Client::new(sse.subscribe(&hub, ["a"]), true);
    assert_eq!(hub.close_by_key("ann"), 1);
    client.read();
    assert!(client.ended && client.plain.is_empty());
    assert_eq!(client.chunks.concat(), b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0");
    assert_eq!(hub.stats().streams, 0);

    // A stream that has a head is left as it is.
    let sse = get(&clock, Some("gzip"), None).key("bob").unwrap();
    let mut client = Client::new(sse.subscribe(&hub, ["a"]), true);
    client.read();
    let before = client.wire;
    assert_eq!(hub.close_by_key("bob"), 1);
    client.read();
    assert!(client.ended && client.wire == before);
}

#[test]
fn a_stream_that_fails_before_its_first_event_is_decoded() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let subscription = get(&clock, Some("gzip"), None).subscribe(&hub, ["a"]).prelude(["x".repeat(2 * 1024 * 1024)]);
    let mut client = Client::new(subscription, true);
    client.read();
    let text = String::from_utf8_lossy(&client.plain).into_owned();
    assert!(client.ended && text.starts_with(":\n") && text.contains("retry: "), "{text}");
}
