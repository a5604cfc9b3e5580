//! Streams on tokio's clock, which tokio pauses here and advances when all tasks are idle.

use futures_util::StreamExt;
use sse_core::{CloseReason, Hub, Policy, Request, SendError, Sse, Tokio};
use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;

fn sse() -> Sse<Tokio> {
    Sse::new(
        Tokio,
        Policy::default().check(&Request::new("GET", None, [("accept", &b"text/event-stream"[..])])).unwrap(),
    )
}

const SECOND: Duration = Duration::from_secs(1);

/// Hazard E4.
#[tokio::test(start_paused = true)]
async fn an_idle_stream_is_kept_alive() {
    let (_events, response) = sse().channel();
    let mut body = pin!(response.into_body());
    assert_eq!(body.next().await.unwrap(), ":\nevent: sse-open\n\n");
    let start = Instant::now();
    assert_eq!(body.next().await.unwrap(), ":\n");
    assert!((7_500..=15_001).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    let start = Instant::now();
    for n in 1..4 {
        assert_eq!(body.next().await.unwrap(), ":\n");
        let gap = start.elapsed().as_millis() as i64 - n * 15_000;
        assert!((0..=4).contains(&gap), "{gap} ms late");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_postpones_the_keep_alive() {
    let (events, response) = sse().keep_alive(14 * SECOND).channel();
    let writer = tokio::spawn(async move {
        for n in 0..5 {
            tokio::time::sleep(7 * SECOND).await;
            events.send(n.to_string()).await.unwrap();
        }
        tokio::time::sleep(15 * SECOND).await;
    });
    let start = Instant::now();
    let mut body = pin!(response.into_body());
    let mut seen = Vec::new();
    while let Some(chunk) = body.next().await {
        seen.push((start.elapsed().as_secs(), String::from_utf8(chunk.to_vec()).unwrap()));
    }
    let mut expected = vec![(0, String::from(":\nevent: sse-open\n\n"))];
    expected.extend((0..5).map(|n| (7 * (n + 1), format!("data: {n}\n\n"))));
    let (at, keep_alive) = seen.pop().unwrap();
    assert_eq!(seen, expected);
    assert!((42..=49).contains(&at) && keep_alive == ":\n", "{keep_alive:?} after {at} s");
    writer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_and_a_drain_end_a_stream() {
    let (events, response) = sse().keep_alive(None).max_lifetime(100 * SECOND).channel();
    let start = Instant::now();
    let chunks: Vec<_> = response.into_body().collect().await;
    assert_eq!(chunks, [":\nevent: sse-open\n\n"]);
    assert!((80..=100).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(events.closed().await, CloseReason::Expired);

    let hub = Hub::new();
    let (events, response) = sse().attach(&hub).channel();
    let reader = tokio::spawn(response.into_body().collect::<Vec<_>>());
    tokio::task::yield_now().await;
    let start = Instant::now();
    assert_eq!(hub.drain(2 * SECOND).await, 0);
    assert!((2_000..2_010).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(events.closed().await, CloseReason::Drained);
    assert!(reader.await.unwrap().last().unwrap().starts_with(b"retry: "));
}

#[tokio::test(start_paused = true)]
async fn a_drain_gives_up_after_its_grace() {
    let hub = Hub::builder().drain_grace(3 * SECOND).build();
    let (_events, _unpolled) = sse().attach(&hub).channel();
    let start = Instant::now();
    assert_eq!(hub.drain(2 * SECOND).await, 1);
    assert!((5_000..5_010).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

/// Hazard E4.
#[tokio::test(start_paused = true)]
async fn deadlines_far_beyond_the_timer_neither_panic_nor_spin() {
    for far in [Duration::MAX, Duration::from_secs(u64::MAX / 4), Duration::from_secs(1 << 40)] {
        let (_events, response) = sse().keep_alive(far).max_lifetime(far).channel();
        let mut body = pin!(response.into_body());
        assert_eq!(body.next().await.unwrap(), ":\nevent: sse-open\n\n");
        let quiet = tokio::time::timeout(Duration::from_secs(3600), body.next()).await;
        assert!(quiet.is_err(), "{far:?}: {quiet:?}");
    }
}

#[test]
fn a_channel_is_made_outside_a_runtime_and_read_inside_one() {
    let hub = Hub::new();
    let (events, response) = sse().max_lifetime(3600 * SECOND).attach(&hub).channel();
    events.try_send("x").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let first = runtime.block_on(async move { pin!(response.into_body()).next().await });
    assert_eq!(first.unwrap(), ":\nevent: sse-open\n\ndata: x\n\n");
    drop(runtime);
    assert_eq!(events.try_send("x"), Err(SendError::Closed));
}

/// Hazard C8.
#[test]
fn body_dropped_after_its_runtime_reports_its_reason() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (events, response) = sse().channel();
    let mut body = Box::pin(response.into_body());
    runtime.block_on(async { assert!(body.next().await.is_some()) });
    runtime.block_on(async { assert!(tokio::time::timeout(Duration::ZERO, body.next()).await.is_err()) });
    drop(runtime);
    drop(body);
    assert_eq!(events.close_reason(), Some(CloseReason::ClientLeft));
}

#[test]
fn identifiers_differ() {
    let ids: std::collections::HashSet<_> = (0..1_000).map(|_| sse().channel().0.id()).collect();
    assert_eq!(ids.len(), 1_000);
}
