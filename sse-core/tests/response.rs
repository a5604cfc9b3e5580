//! The head of a response: what it is, what a handler may change, and what not.

use sse_core::testing::Clock;
use sse_core::{HeaderError, STREAM_HEADERS};

fn headers(configure: impl FnOnce(sse_core::Sse<Clock>) -> Result<sse_core::Sse<Clock>, HeaderError>) -> Vec<String> {
    let clock = Clock::new();
    let (_events, response) = configure(clock.sse()).unwrap().channel();
    assert_eq!(response.status(), 200);
    response.headers().map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn the_head_is_that_of_an_event_stream() {
    let expected =
        ["content-type: text/event-stream", "cache-control: no-store, no-transform", "x-accel-buffering: no"];
    assert_eq!(headers(Ok), expected);
    assert_eq!(STREAM_HEADERS.map(|(name, value)| format!("{name}: {value}")), expected);
}

#[test]
fn a_stream_of_events_has_the_same_head() {
    let clock = Clock::new();
    let response = clock.sse().header("x-a", "1").unwrap().stream(futures_util::stream::empty::<&str>());
    let last = response.headers().last();
    assert_eq!(last, Some(("x-a", "1")));
    assert_eq!(response.headers().count(), STREAM_HEADERS.len() + 1);
}

#[test]
fn a_handlers_header_is_added_or_takes_the_place_of_one_of_ours() {
    let own = headers(|sse| {
        sse.header("X-Own", "a b")?.header("Cache-Control", "private")?.header("X-Accel-Buffering", "yes")
    });
    assert_eq!(
        own,
        ["content-type: text/event-stream", "x-own: a b", "cache-control: private", "x-accel-buffering: yes"]
    );
}

#[test]
fn a_header_that_is_set_again_is_the_last_one() {
    assert_eq!(headers(|sse| sse.header("x-own", "1")?.header("X-OWN", "2")).last().unwrap(), "x-own: 2");
}

#[test]
fn headers_of_the_stream_or_of_one_hop_are_refused() {
    for name in [
        "Content-Type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "Connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "UPGRADE",
    ] {
        let refused = Clock::new().sse().header(name, "x").unwrap_err();
        assert_eq!(refused, HeaderError::Fixed(name.to_ascii_lowercase()));
        assert!(refused.to_string().contains(&name.to_ascii_lowercase()));
    }
}

#[test]
fn what_no_header_can_hold_is_refused() {
    for name in ["", "a b", "a:", "a\r\nb", "ä", "a\0", "(a)"] {
        assert!(matches!(Clock::new().sse().header(name, "x"), Err(HeaderError::Name(_))), "{name:?}");
    }
    for value in ["a\r\nset-cookie: x", "a\n", "\0", "\x7f", "ä", "\u{1b}"] {
        assert!(matches!(Clock::new().sse().header("x-own", value), Err(HeaderError::Value(_))), "{value:?}");
    }
    for value in ["", " ", "a\tb", "!~"] {
        assert!(Clock::new().sse().header("x-own", value).is_ok(), "{value:?}");
    }
}
