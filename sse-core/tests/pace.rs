//! A paced stream writes at most once per window, and loses nothing.

use futures_util::stream;
use proptest::prelude::*;
use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, Hub, LastEventId, Runtime, Sender, Sse};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const WINDOW: Duration = Duration::from_millis(40);

fn paced(clock: &Clock) -> Sse<Clock> {
    clock.sse().keep_alive(None).pace(WINDOW)
}

/// A channel whose opening block was read.
fn channel(clock: &Clock) -> (Sender, Reader<EventStream<Clock>>) {
    let (events, response) = paced(clock).channel();
    let mut client = clock.read(response);
    assert_eq!(client.text(), ":\nevent: sse-open\n\n");
    (events, client)
}

/// The data of all events.
fn data(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "{}").collect()
}

#[test]
fn the_first_event_leaves_at_once_and_the_others_of_its_window_together() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let mut client = clock.read(paced(&clock).subscribe(&hub, ["prices"]).into_response());
    client.text();
    hub.publish("prices", "1").unwrap();
    assert_eq!(data(&client.text()), ["1"]);
    for price in ["2", "3", "4"] {
        clock.advance(10 * MS);
        hub.publish("prices", price).unwrap();
        assert_eq!(client.text(), "");
    }
    clock.advance(10 * MS - MS);
    assert_eq!(client.text(), "");
    clock.advance(MS);
    let Poll::Ready(Some(chunk)) = client.poll() else { panic!("nothing at the end of the window") };
    assert_eq!(data(std::str::from_utf8(&chunk).unwrap()), ["2", "3", "4"], "one chunk");
    assert_eq!(client.text(), "");
}

#[test]
fn the_events_of_a_window_wake_the_task_twice_and_an_idle_stream_has_no_timer() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let mut client = clock.read(paced(&clock).subscribe(&hub, ["prices"]).into_response());
    client.text();
    hub.publish("prices", "1").unwrap();
    client.text();
    let before = client.wakes();
    for _ in 0..20 {
        clock.advance(MS);
        hub.publish("prices", "2").unwrap();
        client.text();
    }
    assert_eq!(client.wakes() - before, 1, "by the first event of the window");
    clock.advance(WINDOW);
    assert_eq!(client.wakes() - before, 2, "by the end of the window");
    assert_eq!(data(&client.text()).len(), 20);
    let before = client.wakes();
    clock.advance(1_000 * WINDOW);
    assert_eq!(client.wakes(), before, "nothing waits");
}

#[test]
fn a_sender_is_paced_and_the_end_sends_what_waits() {
    let clock = Clock::new();
    let (events, mut client) = channel(&clock);
    for event in ["1", "2", "3"] {
        events.try_send(event).unwrap();
        assert_eq!(client.text(), if event == "1" { "data: 1\n\n" } else { "" });
    }
    events.finish();
    assert_eq!(client.text(), "data: 2\n\ndata: 3\n\nevent: sse-end\nid: end\ndata: {}\n\n");
    assert!(client.has_ended());
}

#[test]
fn a_host_with_its_own_clock_learns_the_end_of_the_window() {
    let clock = Clock::new();
    let (events, response) = paced(&clock).channel();
    let (mut body, now) = (std::pin::pin!(response.into_body()), clock.now());
    let mut cx = Context::from_waker(Waker::noop());
    let mut read = |now| {
        let mut text = String::new();
        while let Poll::Ready(Some(chunk)) = body.as_mut().poll_chunk(now, &mut cx) {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        (text, body.deadline())
    };
    read(now);
    events.try_send("1").unwrap();
    assert_eq!(read(now), ("data: 1\n\n".into(), None));
    events.try_send("2").unwrap();
    assert_eq!(read(now + MS), ("".into(), Some(now + WINDOW)));
    assert_eq!(read(now + WINDOW), ("data: 2\n\n".into(), None));
}

#[test]
fn events_before_the_first_poll_begin_a_window() {
    let clock = Clock::new();
    let (events, response) = paced(&clock).channel();
    events.try_send("1").unwrap();
    let mut client = clock.read(response);
    assert!(client.text().ends_with("data: 1\n\n"));
    events.try_send("2").unwrap();
    assert_eq!(client.text(), "");
    clock.advance(WINDOW);
    assert_eq!(client.text(), "data: 2\n\n");
}

#[test]
fn a_drain_does_not_wait_for_the_window() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let (events, response) = paced(&clock).attach(&hub).channel();
    let mut client = clock.read(response);
    client.text();
    events.try_send("1").unwrap();
    client.text();
    events.try_send("2").unwrap();
    assert_eq!(client.text(), "");
    let _drain = hub.drain(Duration::ZERO);
    assert!(client.text().starts_with("data: 2\n\nretry: "));
    assert!(client.has_ended());
}

#[test]
fn the_future_of_run_works_on_during_a_window() {
    let clock = Clock::new();
    let (steps, mut step) = tokio::sync::mpsc::unbounded_channel::<u32>();
    let response = paced(&clock).run(async move |events| {
        while let Some(step) = step.recv().await {
            if step % 2 == 1 {
                events.send(step.to_string()).await?;
            }
        }
        Ok(())
    });
    let mut client = clock.read(response);
    client.text();
    steps.send(1).unwrap();
    assert_eq!(client.text(), "data: 1\n\n");
    for step in 2..=5 {
        // The future waits again after each step.
        steps.send(step).unwrap();
        assert_eq!(client.text(), "");
    }
    drop(steps);
    assert_eq!(client.text(), "data: 3\n\ndata: 5\n\nevent: sse-end\nid: end\ndata: {}\n\n", "the end does not wait");
}

#[test]
fn a_stream_of_events_is_read_during_a_window_up_to_64_kib() {
    let clock = Clock::new();
    let (items, events) = tokio::sync::mpsc::unbounded_channel::<String>();
    let polled = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = polled.clone();
    let source =
        futures_util::StreamExt::inspect(tokio_stream::wrappers::UnboundedReceiverStream::new(events), move |_| {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
    let mut client = clock.read(paced(&clock).stream(source));
    client.text();
    items.send("1".into()).unwrap();
    assert_eq!(client.text(), "data: 1\n\n");
    items.send("2".into()).unwrap();
    assert_eq!(client.text(), "");
    items.send("3".into()).unwrap();
    assert_eq!(client.text(), "");
    clock.advance(WINDOW);
    assert_eq!(client.poll(), Poll::Ready(Some("data: 2\n\ndata: 3\n\n".into())));
    assert_eq!(client.text(), "");
    let seen = polled.load(std::sync::atomic::Ordering::Relaxed);
    for _ in 0..100 {
        items.send("x".repeat(10_000)).unwrap();
        assert_eq!(client.text(), "");
    }
    assert_eq!(polled.load(std::sync::atomic::Ordering::Relaxed) - seen, 7, "the seventh passes 64 KiB");
    clock.advance(WINDOW);
    assert_eq!(data(&client.text()).len(), 100);
}

#[test]
fn a_keep_alive_is_sent_within_a_long_window() {
    let clock = Clock::new();
    let (events, response) = clock.sse().keep_alive(Duration::from_secs(1)).pace(Duration::from_secs(60)).channel();
    let mut client = clock.read(response);
    client.text();
    events.try_send("1").unwrap();
    client.text();
    events.try_send("2").unwrap();
    assert_eq!(client.text(), "");
    clock.advance(Duration::from_secs(1));
    assert_eq!(client.text(), ":\n");
    clock.advance(Duration::from_secs(59));
    assert!(client.text().contains("data: 2\n\n"));
}

#[test]
fn a_window_of_zero_is_none_and_an_endless_window_sends_the_first_events() {
    let clock = Clock::new();
    let (events, response) = clock.sse().keep_alive(None).pace(Duration::ZERO).channel();
    let mut client = clock.read(response);
    client.text();
    for event in ["1", "2"] {
        events.try_send(event).unwrap();
        assert_eq!(client.text(), format!("data: {event}\n\n"));
    }
    let (events, response) = clock.sse().keep_alive(None).pace(Duration::MAX).channel();
    let mut client = clock.read(response);
    client.text();
    for event in ["1", "2"] {
        events.try_send(event).unwrap();
        assert_eq!(client.text(), format!("data: {event}\n\n"), "no clock can represent the end of the window");
    }
}

#[test]
fn a_backlog_arrives_whole_before_the_first_window() {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let first = hub.publish("prices", "0").unwrap();
    for price in 1..=5_000 {
        hub.publish("prices", format!("{price} {}", "x".repeat(100))).unwrap();
    }
    let sse = clock.sse_after(LastEventId::Text(first.to_string().into())).keep_alive(None).pace(WINDOW);
    let mut client = clock.read(sse.subscribe(&hub, ["prices"]).into_response());
    assert_eq!(data(&client.text()).len(), 5_000);
}

/// One step of a random history: publish to a topic, send by the handle, or let time pass.
#[derive(Debug, Clone)]
enum Act {
    Publish(bool),
    Send,
    Pass(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![any::<bool>().prop_map(Act::Publish), Just(Act::Send), (1_u64..30).prop_map(Act::Pass)];
    proptest::collection::vec(act, 1..200)
}

/// Reads all that is ready, and returns whether there was something.
fn read(client: &mut Reader<impl futures_util::Stream<Item = bytes::Bytes>>, all: &mut String) -> bool {
    let text = client.text();
    all.push_str(&text);
    !text.is_empty()
}

proptest! {
    #[test]
    fn a_paced_stream_has_the_events_of_another_one_in_fewer_writes(acts in acts()) {
        let clock = Clock::new();
        let hub = Hub::builder().build_on(clock.clone());
        let open = |sse: Sse<Clock>| {
            let (events, response) = sse.keep_alive(None).subscribe(&hub, ["a", "b"]).with_sender();
            (events, clock.read(response))
        };
        let ((plain_sender, mut plain), (paced_sender, mut paced)) = (open(clock.sse()), open(clock.sse().pace(WINDOW)));
        let (mut plain_text, mut paced_text) = (String::new(), String::new());
        read(&mut plain, &mut plain_text);
        read(&mut paced, &mut paced_text);
        let (mut since, mut n) = (None, 0_u32);
        for act in acts {
            match act {
                Act::Publish(first) => {
                    n += 1;
                    hub.publish(if first { "a" } else { "b" }, n.to_string()).unwrap();
                }
                Act::Send => {
                    n += 1;
                    for sender in [&plain_sender, &paced_sender] {
                        sender.try_send(format!("own {n}")).unwrap();
                    }
                }
                Act::Pass(ms) => clock.advance(ms as u32 * MS),
            }
            read(&mut plain, &mut plain_text);
            let now = clock.now();
            if read(&mut paced, &mut paced_text) {
                prop_assert!(since.is_none_or(|since| now - since >= WINDOW), "two writes in one window");
                since = Some(now);
            }
        }
        clock.advance(WINDOW);
        read(&mut paced, &mut paced_text);
        let topics = |text: &str| data(text).into_iter().filter(|data| !data.starts_with("own")).map(str::to_owned).collect::<Vec<_>>();
        let own = |text: &str| data(text).into_iter().filter(|data| data.starts_with("own")).map(str::to_owned).collect::<Vec<_>>();
        let ids = |text: &str| text.lines().filter(|line| line.starts_with("id: ")).map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(topics(&paced_text), topics(&plain_text));
        prop_assert_eq!(own(&paced_text), own(&plain_text));
        prop_assert_eq!(ids(&paced_text), ids(&plain_text));
    }
}

#[test]
fn a_stream_that_ends_in_a_window_ends_at_once() {
    let clock = Clock::new();
    let mut client = clock.read(paced(&clock).stream(stream::iter(["1", "2"])));
    assert!(client.text().ends_with("data: 1\n\ndata: 2\n\nevent: sse-end\nid: end\ndata: {}\n\n"));
    assert!(client.has_ended());
}
