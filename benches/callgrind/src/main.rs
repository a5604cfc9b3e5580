//! One operation of a hub, so many times, beside so many topics: what `run.sh` counts the instructions of.
//!
//! `sse-callgrind OPERATION TOPICS TIMES`

use futures_core::Stream;
use sse_core::testing::Clock;
use sse_core::{Event, Hub};
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Waker};

const DATA: &str = "{\"title\":\"Rain\",\"text\":\"It will rain until tomorrow, and then it will rain some more.\"}";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [operation, topics, times] = &args[..] else { panic!("OPERATION TOPICS TIMES") };
    let (topics, times): (usize, usize) = (topics.parse().unwrap(), times.parse().unwrap());

    let clock = Clock::new();
    // No topic forgets by itself.
    let mut builder = Hub::builder().topic_bytes(usize::MAX);
    let mut events = 100_000;
    if operation == "publish-evicting" {
        // Each publish makes the oldest event of all go, of another topic if there are others; none loses its last.
        events = 200_000;
        builder = builder.hub_bytes(events * 110);
    }
    let hub = builder.build_on(clock.clone());
    let names: Vec<String> = (0..topics).map(|n| format!("a topic of many, {n}")).collect();
    // Every topic holds something; and the hub holds the same, however many there are.
    for n in 0..events {
        hub.publish(&names[n % topics], Event::data(DATA)).unwrap();
    }
    // Evenly over all topics, in no order that a cache would like.
    let name = |n: usize| &names[n.wrapping_mul(7_919) % topics];
    let handles: Vec<_> = (0..times.min(topics)).map(|n| hub.topic(name(n)).unwrap()).collect();
    let cx = &mut Context::from_waker(Waker::noop());
    for n in 0..times {
        match operation.as_str() {
            "publish" | "publish-evicting" => {
                black_box(hub.publish(name(n), Event::data(DATA)).unwrap());
            }
            "handle" => {
                black_box(handles[n % handles.len()].publish(Event::data(DATA)).unwrap());
            }
            "subscribe" => drop(black_box(clock.sse().subscribe(&hub, [name(n)]))),
            "subscribe-poll" => {
                let mut body = clock.sse().subscribe(&hub, [name(n)]).into_response().into_body();
                while black_box(Pin::new(&mut body).poll_next(cx)).is_ready() {}
            }
            _ => panic!("publish, publish-evicting, handle, subscribe or subscribe-poll"),
        }
    }
    // Taking all of that down again is not what is counted.
    std::process::exit(0);
}
