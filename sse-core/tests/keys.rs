//! Keys and expiry: the streams of a key are counted and closed together, and a stream can end at a fixed moment.

use sse_core::testing::Clock;
use sse_core::{CloseReason, Hub, Runtime};
use std::time::Duration;

/// Hazard E12.
#[test]
fn close_by_key_ends_all_streams_of_a_key_at_once() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let (events, response) = clock.sse().key("ann").unwrap().attach(&hub).channel();
    let (others, other) = clock.sse().key("bob").unwrap().attach(&hub).channel();
    let (mut ann, mut bob) = (clock.read(response), clock.read(other));
    let mut feed = clock.read(clock.sse().key("ann").unwrap().subscribe(&hub, ["news"]).into_response());
    let _ = (ann.bytes(), bob.bytes(), feed.bytes());
    let woken = ann.wakes();

    events.try_send("secret").unwrap();
    assert_eq!(hub.close_by_key("ann"), 2);
    assert!(ann.wakes() > woken);
    assert_eq!(ann.text(), "", "what was pending is not delivered");
    assert!(ann.has_ended() && feed.has_ended() && !bob.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Closed));
    assert!(others.is_active());
    assert_eq!(hub.close_by_key("ann"), 0);
    assert_eq!(hub.stats().ended(CloseReason::Closed), 2);
}

/// Hazards C7 and E12.
#[test]
fn close_by_key_frees_the_key_of_a_stream_that_is_never_polled() {
    let clock = Clock::new();
    let hub = Hub::builder().max_streams_per_key(1).build_on(clock.clone());
    let (events, stalled) = clock.sse().key("ann").unwrap().attach(&hub).channel();
    events.try_send("x".repeat(60_000)).unwrap();
    assert!(clock.sse().key("ann").unwrap().attach(&hub).channel().1.id().is_none(), "one is the bound");
    assert!(clock.sse().key("bob").unwrap().attach(&hub).channel().1.id().is_some(), "for each key");

    assert_eq!(hub.close_by_key("ann"), 1);
    assert!(!events.is_active());
    let (_again, response) = clock.sse().key("ann").unwrap().attach(&hub).channel();
    assert!(response.id().is_some(), "the stalled one no longer counts for its key");
    drop(stalled);
    assert!(
        clock.sse().key("ann").unwrap().attach(&hub).channel().1.id().is_none(),
        "nor did its drop free another place"
    );
}

/// Hazards B5 and E13.
#[test]
fn a_dropped_stream_frees_its_place_of_a_key() {
    let clock = Clock::new();
    let hub = Hub::builder().max_streams_per_key(2).build_on(clock.clone());
    for _ in 0..100 {
        let one = clock.sse().key("ann").unwrap().subscribe(&hub, ["news"]);
        let two = clock.sse().key("ann").unwrap().subscribe(&hub, ["news"]);
        assert!(one.id().is_some() && two.id().is_some());
        assert!(clock.sse().key("ann").unwrap().subscribe(&hub, ["news"]).id().is_none());
    }
    assert_eq!(hub.stats().streams, 0);
}

/// Hazard E12.
#[test]
fn expires_at_ends_a_stream_without_keep_alive_too() {
    let clock = Clock::new();
    let moment = clock.now() + Duration::from_secs(90);
    let sse = clock.sse().keep_alive(None).max_lifetime(Duration::from_secs(600)).expires_at(moment);
    let (events, response) = sse.channel();
    let mut reader = clock.read(response);
    assert!(!reader.has_ended());
    clock.advance(Duration::from_millis(89_999));
    assert!(!reader.has_ended());
    let woken = reader.wakes();
    clock.advance(Duration::from_millis(1));
    assert_eq!(reader.wakes(), woken + 1);
    assert!(reader.has_ended());
    assert_eq!(events.close_reason(), Some(CloseReason::Expired));
}

/// Hazard B19.
#[test]
fn streams_of_a_key_leave_in_any_order_and_the_others_keep_it() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let open = |n: usize| {
        let sse = clock.sse().attach(&hub);
        let sse = if n.is_multiple_of(3) { sse } else { sse.key(["ann", "bob"][n % 2]).unwrap() };
        sse.channel()
    };
    // Miri runs this test too, a thousand times slower.
    let streams = if cfg!(miri) { 200 } else { 2_000 };
    let mut crowd: Vec<_> = (0..streams).map(|n| (n, open(n))).collect();
    // In a scattered order, and enough of them that the tables shrink in between.
    for left in (1..=streams - 10).rev() {
        drop(crowd.swap_remove(left * 7_919 % crowd.len()));
    }
    crowd.extend((streams..streams + 10).map(|n| (n, open(n))));
    assert_eq!(hub.stats().streams, crowd.len());
    for key in ["ann", "bob"] {
        let of_key = |n: &usize| !n.is_multiple_of(3) && ["ann", "bob"][n % 2] == key;
        let count = crowd.iter().filter(|(n, _)| of_key(n)).count();
        assert_eq!(hub.close_by_key(key), count, "{key}");
        for (n, (sender, _)) in crowd.iter().filter(|(n, _)| of_key(n)) {
            assert!(!sender.is_active(), "stream {n} of {key}");
        }
    }
    let active = crowd.iter().filter(|(_, (sender, _))| sender.is_active());
    assert!(active.clone().count() > 0 && active.into_iter().all(|(n, _)| n.is_multiple_of(3)));
    drop(crowd);
    assert_eq!(hub.stats().streams, 0);
}
