//! Hazards B8, B10 and B11.
//!
//! Any bytes as `Last-Event-ID` give a named outcome, never an error. On a hub a client receives nothing that a client
//! without an ID could not have, unless the ID equals an ID of this hub.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sse_core::testing::Clock;
use sse_core::{Hub, LastEventId, Policy, Request, Resumption, Sse};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    lines: Vec<&'a [u8]>,
    query: Option<&'a str>,
    /// Sends an ID of the hub with one changed byte.
    real: Option<(u8, u8, u8)>,
}

fuzz_target!(|input: Input<'_>| {
    let clock = Clock::new();
    let hub = Hub::builder().topic_events(3).build_on(clock.clone());
    let ids: Vec<String> = (0..5).map(|n| hub.publish("a", n.to_string()).unwrap().to_string()).collect();
    let secret = hub.publish("secret", "of another").unwrap().to_string();

    let real = input.real.map(|(which, at, byte)| {
        let mut id = ids[usize::from(which) % ids.len()].clone().into_bytes();
        let at = usize::from(at) % id.len();
        id[at] = byte;
        id
    });
    let lines: Vec<&[u8]> = real.as_deref().into_iter().chain(input.lines.iter().copied()).collect();
    let headers = lines.iter().map(|&line| ("last-event-id", line));
    let Ok(admitted) = Policy::default().check(&Request::new("GET", input.query, headers)) else {
        // The one rejection: the client with the ID `end` must stay away.
        assert!(lines.iter().all(|line| *line == b"end") || input.query.is_some());
        return;
    };
    let known = match &admitted.last_event_id {
        LastEventId::Text(text) => {
            assert!(!text.is_empty() && text.len() <= 128);
            // The ID of position 0 was never issued. An ID of another topic counts as known.
            ids.iter().chain([&secret]).zip(1..).find(|(id, _)| ***id == **text).map(|(_, position)| position)
        }
        _ => None,
    };
    let feed = Sse::new(clock.clone(), admitted).subscribe(&hub, ["a"]);
    let resumption = feed.resumption();
    let text = clock.read(feed.into_response()).text();
    assert!(text.starts_with("retry: ") && !text.contains("secret") && !text.contains("of another"), "{text}");
    // The ring holds 2, 3 and 4, at the positions 3, 4 and 5.
    match known {
        Some(at) => {
            assert_eq!(resumption == Resumption::Resumed, at >= 2, "{text}");
            for n in 0..5 {
                assert_eq!(text.contains(&format!("data: {n}\n")), n + 1 > at && n > 1, "{n} after {at}: {text}");
            }
        }
        None => assert!(!text.contains("data: 4"), "{text}"),
    }
});
