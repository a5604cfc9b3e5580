//! What compressed topics keep in memory.

use crate::pair::{Client, get};
use sse_core::Hub;
use sse_core::testing::Clock;
use std::time::Duration;

fn event(n: usize) -> String {
    format!("{n} {}", "the rain in spain ".repeat(6))
}

#[test]
fn compressed_bytes_exist_only_while_a_client_uses_them() {
    let clock = Clock::new();
    let hub = Hub::builder().gzip(|_| true).build_on(clock.clone());
    for n in 0..500 {
        hub.publish("a", event(n)).unwrap();
    }
    assert_eq!(hub.stats().compressed_bytes, 0);
    let mut client = Client::gzip(&clock, &hub, "a");
    for n in 0..500 {
        hub.publish("a", event(n)).unwrap();
        client.read();
    }
    let stats = hub.stats();
    assert!((1..stats.held_bytes / 4).contains(&stats.compressed_bytes), "{stats:?}");
    drop(client);
    assert_eq!(hub.stats().compressed_bytes, 0);
}

/// Text of 400 bytes that shrinks little.
fn noise(n: u64) -> String {
    let mut state = n + 1;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(33 + ((state >> 33) % 94) as u8)
    };
    (0..400).map(next).collect()
}

#[test]
fn compressed_bytes_count_towards_the_bound_of_the_hub() {
    let clock = Clock::new();
    let hub = Hub::builder().gzip(|_| true).hub_bytes(200_000).build_on(clock.clone());
    let mut client = Client::gzip(&clock, &hub, "a");
    for n in 0..2_000 {
        hub.publish("a", noise(n)).unwrap();
        assert_eq!(client.data(), noise(n));
        let stats = hub.stats();
        assert!(stats.held_bytes + stats.compressed_bytes <= 201_000, "{stats:?}");
    }
    assert!(hub.stats().held_bytes < 190_000);
}

#[test]
fn a_topic_that_keeps_one_event_keeps_few_compressed_bytes() {
    let clock = Clock::new();
    let hub = Hub::builder().gzip(|_| true).topic_events(1).build_on(clock.clone());
    let mut client = Client::gzip(&clock, &hub, "a");
    for n in 0..5_000 {
        hub.publish("a", event(n)).unwrap();
        assert_eq!(client.data(), event(n));
        assert!(hub.stats().compressed_bytes < 400, "{:?}", hub.stats());
    }
    assert!(client.wire < 5_000 * 40, "{}", client.wire);
}

#[test]
fn compressed_bytes_of_trimmed_events_do_not_take_the_room_of_other_topics() {
    let clock = Clock::new();
    let builder = || Hub::builder().gzip(|_| true).hub_bytes(200_000);
    let topics: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let publish = |hub: &Hub| {
        let mut clients: Vec<Client> = topics.iter().map(|topic| Client::gzip(&clock, hub, topic)).collect();
        for n in 0..60 {
            for (topic, client) in topics.iter().zip(&mut clients) {
                hub.publish(topic, noise(n)).unwrap();
                assert_eq!(client.data(), noise(n));
            }
        }
        clients
    };
    let hub = builder().topic_events(1).build_on(clock.clone());
    let clients = publish(&hub);
    assert_eq!(hub.stats().held_events, 20, "{:?}", hub.stats());
    drop(clients);
    assert_eq!(hub.stats().compressed_bytes, 0);

    let hub = builder().topic_age(Duration::from_secs(60)).build_on(clock.clone());
    let clients = publish(&hub);
    clock.advance(Duration::from_secs(120));
    let stats = hub.stats();
    assert_eq!((stats.held_events, stats.compressed_bytes), (0, 0), "{stats:?}");
    drop(clients);
    assert_eq!(hub.stats().compressed_bytes, 0);
}

#[test]
fn pieces_take_little_of_the_bound_of_the_hub() {
    let clock = Clock::new();
    let hub = Hub::builder().gzip(|_| true).hub_bytes(200_000).build_on(clock.clone());
    let mut client = Client::new(get(&clock, Some("gzip"), None).subscribe(&hub, ["a", "b"]), true);
    client.read();
    for n in 0..30 {
        let large = format!("{n} {}", "rain ".repeat(4_000));
        hub.publish("a", &*large).unwrap();
        assert_eq!(client.data(), large);
    }
    let stats = hub.stats();
    assert!(stats.compressed_bytes <= 25_000 && stats.held_bytes > 150_000, "{stats:?}");
}

#[test]
fn more_topics_than_compressors_share_them() {
    let clock = Clock::new();
    for compressors in [0, 1, 2] {
        let hub = Hub::builder().gzip(|_| true).gzip_compressors(compressors).build_on(clock.clone());
        let topics = ["a", "b", "c"];
        let mut clients: Vec<Client> = topics.iter().map(|topic| Client::gzip(&clock, &hub, topic)).collect();
        for n in 0..200 {
            for (topic, client) in topics.iter().zip(&mut clients) {
                hub.publish(topic, event(n)).unwrap();
                assert_eq!(client.data(), event(n));
            }
        }
    }
}

#[test]
fn several_threads_read_one_topic() {
    const EVENTS: usize = 2_000;
    let clock = Clock::new();
    let hub = Hub::builder().gzip(|_| true).build_on(clock.clone());
    let mut clients: Vec<Client> = (0..8).map(|_| Client::gzip(&clock, &hub, "a")).collect();
    std::thread::scope(|scope| {
        for clients in clients.chunks_mut(2) {
            scope.spawn(|| {
                for client in clients {
                    let mut seen = 0;
                    while seen < EVENTS {
                        for (_, data, _) in client.read() {
                            assert_eq!(data, event(seen));
                            seen += 1;
                        }
                        std::thread::yield_now();
                    }
                }
            });
        }
        for n in 0..EVENTS {
            hub.publish("a", event(n)).unwrap();
        }
    });
    assert_eq!(hub.stats().delivered, 8 * EVENTS as u64);
    drop(clients);
    assert_eq!(hub.stats().compressed_bytes, 0);
}
