//! The head of a response, and the headers that a handler may change.

use sse_core::HeaderError;
use sse_core::testing::Clock;

fn headers(configure: impl FnOnce(sse_core::Sse<Clock>) -> Result<sse_core::Sse<Clock>, HeaderError>) -> Vec<String> {
    let clock = Clock::new();
    let (_events, response) = configure(clock.sse()).unwrap().channel();
    assert_eq!(response.status(), 200);
    response.headers().map(|(name, value)| format!("{name}: {value}")).collect()
}

/// Hazards E1 and E6.
#[test]
fn response_has_the_head_of_an_event_stream() {
    let expected =
        ["content-type: text/event-stream", "cache-control: no-store, no-transform", "x-accel-buffering: no"];
    assert_eq!(headers(Ok), expected);
}

#[test]
fn a_stream_of_events_has_the_same_head() {
    let clock = Clock::new();
    let response = clock.sse().header("x-a", "1").unwrap().stream(futures_util::stream::empty::<&str>());
    let last = response.headers().last();
    assert_eq!(last, Some(("x-a", "1")));
    assert_eq!(response.headers().count(), 4);
}

#[test]
fn handlers_header_is_added_or_replaces_a_default() {
    let own = headers(|sse| {
        sse.header("X-Own", "a b")?.header("Cache-Control", "private")?.header("X-Accel-Buffering", "yes")
    });
    assert_eq!(
        own,
        ["content-type: text/event-stream", "x-own: a b", "cache-control: private", "x-accel-buffering: yes"]
    );
}

#[test]
fn last_value_of_a_header_counts() {
    assert_eq!(headers(|sse| sse.header("x-own", "1")?.header("X-OWN", "2")).last().unwrap(), "x-own: 2");
}

/// Hazard E5.
#[test]
fn stream_and_hop_by_hop_headers_are_rejected() {
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
fn invalid_header_names_and_values_are_rejected() {
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
