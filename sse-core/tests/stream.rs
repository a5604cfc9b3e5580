//! The body of a stream, as polled by a server.

use bytes::Bytes;
use futures_util::stream::FusedStream;
use http_body::Body;
use sse_core::testing::Clock;
use sse_core::{CloseReason, EventStream};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

fn poll_chunk(body: Pin<&mut EventStream<Clock>>, now: Instant) -> Poll<Option<Bytes>> {
    body.poll_chunk(now, &mut Context::from_waker(Waker::noop()))
}

/// Hazard G8.
#[test]
fn polls_after_the_end_return_none_without_work() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    let mut body = pin!(response.into_body());
    events.close();
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(body.as_mut().poll_chunk(Instant::now(), cx).is_ready());
    assert!(!body.is_ended());
    for _ in 0..100 {
        assert_eq!(body.as_mut().poll_chunk(Instant::now(), cx), Poll::Ready(None));
        assert_eq!(futures_util::Stream::poll_next(body.as_mut(), cx), Poll::Ready(None));
        assert!(matches!(body.as_mut().poll_frame(cx), Poll::Ready(None)));
        assert!(body.is_ended() && body.is_terminated() && body.is_end_stream());
        assert_eq!(body.deadline(), None);
    }
}

/// Hazard C8.
#[test]
fn end_is_counted_once() {
    let clock = Clock::new();
    let hub = sse_core::Hub::builder().build_on(clock.clone());
    let (events, response) = clock.sse().attach(&hub).channel();
    let mut reader = clock.read(response);
    events.close();
    assert!(reader.has_ended());
    assert!(reader.has_ended());
    drop(reader);
    drop(events);
    assert_eq!(hub.stats().ended(CloseReason::Closed), 1);
    assert_eq!(hub.stats().ended(CloseReason::ClientLeft), 0);
}

#[test]
fn a_host_with_a_clock_of_its_own_polls_at_the_deadlines() {
    let clock = Clock::new();
    let (events, response) =
        clock.sse().keep_alive(Duration::from_secs(10)).max_lifetime(Duration::from_secs(25)).channel();
    let mut body = pin!(response.into_body());
    let start = Instant::now();
    let mut written = Vec::new();
    let mut now = start;
    loop {
        match poll_chunk(body.as_mut(), now) {
            Poll::Ready(Some(chunk)) => written.push(chunk),
            Poll::Ready(None) => break,
            Poll::Pending => {
                let deadline = body.deadline().expect("something to wait for");
                assert!(deadline > now, "the time is over, and nothing came of it");
                now = deadline;
            }
        }
    }
    // The opening, keep-alives after 10 s and 20 s, and the end between 20 s and 25 s.
    assert_eq!(written, [":\nevent: sse-open\n\n", ":\n", ":\n"]);
    let lived = now - start;
    assert!((Duration::from_secs(20)..Duration::from_secs(26)).contains(&lived), "{lived:?}");
    assert_eq!(events.close_reason(), Some(CloseReason::Expired));
}

#[test]
fn stream_without_timers_has_no_deadline() {
    let clock = Clock::new();
    let (_events, response) = clock.sse().keep_alive(None).channel();
    let mut body = pin!(response.into_body());
    assert!(poll_chunk(body.as_mut(), Instant::now()).is_ready());
    assert!(poll_chunk(body.as_mut(), Instant::now()).is_pending());
    assert_eq!(body.deadline(), None);
}

/// Hazard G4.
#[test]
fn a_body_that_moved_to_another_task_is_woken_there() {
    let clock = Clock::new();
    let (events, response) = clock.sse().channel();
    let mut body = pin!(response.into_body());
    let (mut old, mut new) = (tokio_test::task::spawn(()), tokio_test::task::spawn(()));
    let mut poll = |cx: &mut Context<'_>| body.as_mut().poll_chunk(Instant::now(), cx);
    assert!(old.enter(|cx, _| poll(cx)).is_ready());
    assert!(old.enter(|cx, _| poll(cx)).is_pending());
    assert!(new.enter(|cx, _| poll(cx)).is_pending());
    events.try_send("x").unwrap();
    assert!(new.is_woken());
    assert!(!old.is_woken());
}

#[test]
fn prelude_is_sent_first_and_as_one_chunk() {
    let clock = Clock::new();
    let (events, response) = clock.sse().welcome().prelude(["1", "2"]).prelude([("b", "3")]).channel();
    events.try_send("4").unwrap();
    let id = events.id();
    assert_eq!(
        clock.read(response).text(),
        format!(
            ":\nevent: sse-open\n\nevent: welcome\ndata: {{\"uuid\":\"{id}\"}}\n\ndata: 1\n\ndata: 2\n\nevent: b\ndata: 3\n\ndata: 4\n\n"
        )
    );
}

#[test]
fn prelude_over_the_limit_is_not_sent() {
    let clock = Clock::new();
    let mib = "x".repeat(1024 * 1024 - 8);
    let (events, response) = clock.sse().prelude(std::iter::repeat_n(&mib, 8)).channel();
    assert_eq!(clock.read(response).bytes().len(), ":\nevent: sse-open\n\n".len() + 8 * 1024 * 1024);
    assert_eq!(events.close_reason(), Some(CloseReason::ClientLeft));

    let (events, response) = clock.sse().prelude(std::iter::repeat_n(&mib, 8)).prelude([""]).prelude(["x"]).channel();
    assert!(clock.read(response).text().starts_with(":\nevent: sse-open\n\nretry: "));
    assert_eq!(events.close_reason(), Some(CloseReason::Failed));

    let (_events, response) = clock.sse().welcome().prelude([Ok("good"), Err("bad"), Ok("late")]).channel();
    assert!(clock.read(response).text().starts_with(":\nevent: sse-open\n\nretry: "));
}

#[test]
fn debug_output_of_a_stream_names_its_id() {
    let (events, response) = Clock::new().sse().channel();
    assert!(format!("{:?}", response.into_body()).contains(&events.id().to_string()));
}
