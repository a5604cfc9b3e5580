//! What clients share, when a client joins the others, and when it leaves them.

use crate::pair::{Client, get};
use sse_core::testing::Clock;
use sse_core::{Hub, Replay};
use std::time::Duration;

/// A stored block without bytes.
const NOTHING: &[u8] = &[0, 0, 0, 0xff, 0xff];

fn hub(clock: &Clock) -> Hub {
    Hub::builder().gzip(|_| true).build_on(clock.clone())
}

/// An event of about 150 bytes.
fn event(n: usize) -> String {
    format!("{{\"n\":{n},\"text\":\"{}\"}}", "the rain in spain ".repeat(6))
}

fn last_chunk(client: &Client) -> &[u8] {
    client.chunks.last().unwrap()
}

#[test]
fn clients_that_read_at_the_same_pace_receive_the_same_bytes_in_memory() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::gzip(&clock, &hub, "a")).collect();
    for n in 0..600 {
        hub.publish("a", event(n)).unwrap();
        for client in &mut clients {
            assert_eq!(client.data(), event(n));
        }
        let chunks: Vec<*const u8> = clients.iter().map(|client| last_chunk(client).as_ptr()).collect();
        assert!(chunks.iter().all(|chunk| *chunk == chunks[0]), "{n}");
    }
    let plain: usize = (0..600).map(|n| event(n).len() + 30).sum();
    assert!(clients[0].wire < plain / 4, "{} of {plain}", clients[0].wire);
}

/// A chunk that decodes alone, with the bytes of its event in it, is a stored block.
fn is_stored(client: &Client, text: &str) -> bool {
    last_chunk(client).windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_client_that_joins_late_receives_stored_blocks_until_the_next_key_point() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let mut first = Client::gzip(&clock, &hub, "a");
    let mut second = Client::gzip(&clock, &hub, "a");
    let mut third = Client::gzip(&clock, &hub, "a");
    for n in 0..50 {
        hub.publish("a", event(n)).unwrap();
        for client in [&mut first, &mut second, &mut third] {
            assert_eq!(client.data(), event(n));
        }
    }
    let mut late = Client::gzip(&clock, &hub, "a");
    let mut stored = 0;
    for n in 50..300 {
        hub.publish("a", event(n)).unwrap();
        for client in [&mut first, &mut second, &mut third, &mut late] {
            assert_eq!(client.data(), event(n));
        }
        stored += usize::from(is_stored(&late, &event(n)));
        assert!(!is_stored(&first, &event(n)));
    }
    // The next key point is 16 KiB after the last one.
    assert!((30..110).contains(&stored), "{stored}");
    assert_eq!(last_chunk(&first).as_ptr(), last_chunk(&late).as_ptr());
}

#[test]
fn most_clients_need_a_key_point_so_it_comes_at_once() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let mut first = Client::gzip(&clock, &hub, "a");
    hub.publish("a", event(0)).unwrap();
    first.data();
    let mut second = Client::gzip(&clock, &hub, "a");
    hub.publish("a", event(1)).unwrap();
    assert_eq!((first.data(), second.data()), (event(1), event(1)));
    assert_eq!(last_chunk(&first).as_ptr(), last_chunk(&second).as_ptr());
}

/// The bytes of a client on the wire while `others` run before each event.
fn wire_beside(mut others: impl FnMut(&Clock, &Hub)) -> usize {
    let clock = Clock::new();
    let hub = hub(&clock);
    let mut client = Client::gzip(&clock, &hub, "a");
    for n in 0..1_000 {
        others(&clock, &hub);
        hub.publish("a", event(n)).unwrap();
        assert_eq!(client.data(), event(n));
    }
    client.wire
}

#[test]
fn clients_that_stall_or_join_and_leave_again_and_again_do_not_make_each_event_a_key_point() {
    let alone = wire_beside(|_, _| {});
    let mut stalled = Vec::new();
    let beside_stalled = wire_beside(|clock, hub| {
        if stalled.len() < 3 {
            stalled.push(Client::gzip(clock, hub, "a"));
        }
    });
    let mut last = None;
    let beside_joining = wire_beside(|clock, hub| {
        last.take().map(|mut last: Client| last.read());
        last = Some(Client::gzip(clock, hub, "a"));
    });
    for wire in [beside_stalled, beside_joining] {
        assert!(wire * 2 < alone * 3, "{wire} bytes beside the others, {alone} bytes without them");
    }
}

#[test]
fn a_client_on_the_track_that_stalls_does_not_keep_others_from_joining() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let mut stalled: Vec<Client> = (0..5).map(|_| Client::gzip(&clock, &hub, "a")).collect();
    hub.publish("a", event(0)).unwrap();
    stalled.iter_mut().for_each(|client| assert_eq!(client.data(), event(0)));
    let mut late = Client::gzip(&clock, &hub, "a");
    let mut stored = 0;
    for n in 1..200 {
        hub.publish("a", event(n)).unwrap();
        assert_eq!(late.data(), event(n));
        stored += usize::from(is_stored(&late, &event(n)));
    }
    assert!(stored < 120, "{stored}");
    for client in &mut stalled {
        let events: Vec<String> = client.read().into_iter().map(|(_, data, _)| data).collect();
        assert_eq!(events, (1..200).map(event).collect::<Vec<_>>());
    }
}

#[test]
fn a_keep_alive_decodes_to_nothing_and_the_client_stays_with_the_others() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let (mut first, mut second) = (Client::gzip(&clock, &hub, "a"), Client::gzip(&clock, &hub, "a"));
    hub.publish("a", event(0)).unwrap();
    assert_eq!((first.data(), second.data()), (event(0), event(0)));
    clock.advance(Duration::from_secs(15));
    assert!(first.read().is_empty());
    assert_eq!(last_chunk(&first), NOTHING);
    hub.publish("a", event(1)).unwrap();
    assert_eq!((first.data(), second.data()), (event(1), event(1)));
    assert!(!is_stored(&first, &event(1)));
}

#[test]
fn a_client_with_an_event_of_its_own_leaves_the_others_and_joins_again() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::gzip(&clock, &hub, "a")).collect();
    for n in 0..3 {
        hub.publish("a", event(n)).unwrap();
        clients.iter_mut().for_each(|client| assert_eq!(client.data(), event(n)));
    }
    clients[0].sender.try_send("only you").unwrap();
    assert_eq!(clients[0].data(), "only you");
    assert!(is_stored(&clients[0], "data: only you\n\n"));
    let mut stored = 0;
    for n in 3..300 {
        hub.publish("a", event(n)).unwrap();
        clients.iter_mut().for_each(|client| assert_eq!(client.data(), event(n)));
        stored += usize::from(is_stored(&clients[0], &event(n)));
        assert!(!is_stored(&clients[1], &event(n)));
    }
    assert!((1..120).contains(&stored), "{stored}");
    assert_eq!(last_chunk(&clients[0]).as_ptr(), last_chunk(&clients[1]).as_ptr());
}

#[test]
fn a_resume_reads_the_blocks_of_the_others() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let mut live = Client::gzip(&clock, &hub, "a");
    let mut ids = Vec::new();
    for n in 0..1_000 {
        ids.push(hub.publish("a", event(n)).unwrap().to_string());
        live.read();
    }
    let wire_of_live = live.wire;
    let held = hub.stats().compressed_bytes;
    let subscription = get(&clock, Some("gzip"), Some(&ids[10])).subscribe(&hub, ["a"]);
    let mut back = Client::new(subscription, true);
    let events: Vec<String> = back.read().into_iter().map(|(_, data, _)| data).collect();
    assert_eq!(events, (11..1_000).map(event).collect::<Vec<_>>());
    assert!(back.wire < wire_of_live + 8_000, "{} and {wire_of_live}", back.wire);
    // Only the piece up to the first segment is new.
    assert!(hub.stats().compressed_bytes < held + 40_000);
}

#[test]
fn the_first_client_replays_segments_that_are_compressed_once() {
    let clock = Clock::new();
    let hub = hub(&clock);
    for n in 0..1_000 {
        hub.publish("a", event(n)).unwrap();
    }
    let open = || Client::new(get(&clock, Some("gzip"), None).subscribe(&hub, ["a"]).replay(Replay::All), true);
    let (mut first, mut second) = (open(), open());
    let events = first.read();
    assert_eq!((events.len(), second.read()), (1_000, events));
    assert!(first.wire < 1_000 * 150 / 10, "{}", first.wire);
    assert_eq!(first.chunks[1].as_ptr(), second.chunks[1].as_ptr());
}

#[test]
fn large_events_of_several_topics_are_compressed_and_small_ones_are_stored() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let subscription = get(&clock, Some("gzip"), None).subscribe(&hub, ["a", "b"]);
    let mut client = Client::new(subscription, true);
    client.read();
    let large = "rain ".repeat(500);
    hub.publish("a", &*large).unwrap();
    assert_eq!(client.data(), large);
    assert!(last_chunk(&client).len() < 200);
    hub.publish("b", "small").unwrap();
    assert_eq!(client.data(), "small");
    assert!(is_stored(&client, "data: small\n"));
}

#[test]
fn a_state_topic_is_compressed_for_each_client_alone() {
    let clock = Clock::new();
    let hub = hub(&clock);
    // Subscribes before the topic becomes a state topic.
    let mut early = Client::gzip(&clock, &hub, "a");
    let state = hub.state_topic("a").unwrap();
    for n in 0..200 {
        state.set(format!("key {}", n % 20), event(n)).unwrap();
    }
    state.remove("key 0").unwrap();
    let mut late = Client::new(get(&clock, Some("gzip"), None).subscribe(&hub, ["a"]), true);
    let newest: Vec<String> = (181..200).map(event).collect();
    let data = |client: &mut Client| client.read().into_iter().map(|(_, data, _)| data).collect::<Vec<_>>();
    assert_eq!(data(&mut late), newest);
    let changes = data(&mut early);
    assert_eq!(changes[..19], newest);
    assert_eq!(changes[19], "{\"key\":\"key 0\"}");
    state.set("key 1", "changed").unwrap();
    assert_eq!((data(&mut early), data(&mut late)), (vec!["changed".into()], vec!["changed".into()]));
}

#[test]
fn bytes_of_two_state_topics_are_never_compressed_together() {
    let secret = "token=Zq81xPw0vv7Lk2Mm9QtR";
    let wire_with = |guess: &str| {
        let clock = Clock::new();
        let hub = hub(&clock);
        let (theirs, ours) = (hub.state_topic("a").unwrap(), hub.state_topic("b").unwrap());
        theirs.set("key", format!("{} {secret}", "x".repeat(2_000))).unwrap();
        ours.set("key", format!("{} {guess}", "y".repeat(2_000))).unwrap();
        let mut client = Client::new(get(&clock, Some("gzip"), None).subscribe(&hub, ["a", "b"]), true);
        assert_eq!(client.read().len(), 2);
        client.wire
    };
    // The text of a stranger is as long after compression whether it repeats the secret of another topic or not.
    let (right, wrong) = (wire_with(secret), wire_with("token=qA93nYd1uu8Hj4Bb6WxS"));
    assert!(right.abs_diff(wrong) < 8, "{right} and {wrong} bytes");
}

#[test]
fn a_paced_client_joins_the_others_and_decodes_each_window_at_its_end() {
    let clock = Clock::new();
    let hub = hub(&clock);
    let window = Duration::from_millis(40);
    let mut paced = Client::new(get(&clock, Some("gzip"), None).pace(window).subscribe(&hub, ["a"]), true);
    let mut other = Client::gzip(&clock, &hub, "a");
    paced.read();
    let (mut seen, mut sent) = (Vec::new(), Vec::new());
    for n in 0..400 {
        hub.publish("a", event(n)).unwrap();
        sent.push(event(n));
        assert_eq!(other.data(), event(n));
        let read = paced.read();
        assert!(n == 0 || read.is_empty() || n % 4 == 0, "only at the end of a window: {n}");
        seen.extend(read.into_iter().map(|(_, data, _)| data));
        clock.advance(window / 4);
    }
    seen.extend(paced.read().into_iter().map(|(_, data, _)| data));
    assert_eq!(seen, sent);
    assert!(paced.wire < 400 * event(0).len() / 2, "{} bytes", paced.wire);
}
