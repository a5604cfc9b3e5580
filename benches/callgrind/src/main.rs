//! Runs one operation of a hub a given number of times, with a given number of topics, so that `run.sh` can count the
//! instructions.
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
    // No topic trims events by its own bound.
    let mut builder = Hub::builder().topic_bytes(usize::MAX);
    let mut events = 100_000;
    if operation == "publish-evicting" {
        // Each publish trims the oldest event of the hub, of another topic if there are others. No topic loses its last
        // event.
        events = 200_000;
        builder = builder.hub_bytes(events * 110);
    }
    let hub = builder.build_on(clock.clone());
    let names: Vec<String> = (0..topics).map(|n| format!("a topic of many, {n}")).collect();
    // Every topic holds events, and the hub holds the same total for every number of topics.
    for n in 0..events {
        hub.publish(&names[n % topics], Event::data(DATA)).unwrap();
    }
    // Evenly over all topics, in an order that no cache can predict.
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
    // Skips the drop of the hub, which must not be counted.
    std::process::exit(0);
}
