//! The decoder over a stream of chunks.

use bytes::Bytes;
use futures_core::stream::FusedStream;
use futures_util::{FutureExt, StreamExt, stream};
use sse_core::{DecodeError, DecodeStream, DecodeStreamError, Decoder};
use std::convert::Infallible;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn data<E>(
    events: Vec<Result<sse_core::MessageEvent<'static>, DecodeStreamError<E>>>,
) -> Vec<Result<String, DecodeStreamError<E>>> {
    events.into_iter().map(|event| event.map(|event| event.data.into())).collect()
}

#[tokio::test]
async fn chunks_of_bytes_and_of_results_decode_to_the_same_events() {
    let chunks = ["\u{feff}id: 1\nda", "ta: a\n\nda", "", "ta: b\n", "\nretry: 5\n", "data: never finished"];
    let plain = stream::iter(chunks.map(Bytes::from));
    let mut events = Decoder::new().decode_stream(plain);
    assert_eq!(events.next().await.unwrap().unwrap().data, "a");
    assert_eq!(events.next().await.unwrap().unwrap().last_event_id, "1");
    assert_eq!(events.next().await, None);
    assert_eq!(events.decoder().last_event_id(), "1");
    assert_eq!(events.decoder().reconnection_time(), Some(Duration::from_millis(5)));

    let results = stream::iter(chunks.map(Ok::<_, Infallible>));
    assert_eq!(data(Decoder::new().decode_stream(results).collect().await), [Ok("a".into()), Ok("b".into())]);
    let vecs = stream::iter(chunks.map(Vec::from));
    assert_eq!(data(Decoder::new().decode_stream(vecs).collect().await), [Ok("a".into()), Ok("b".into())]);
}

#[tokio::test]
async fn events_of_one_chunk_are_returned_one_by_one() {
    let body = stream::iter([Bytes::from("data\n\n".repeat(1_000))]);
    assert_eq!(Decoder::new().decode_stream(body).count().await, 1_000);
}

#[tokio::test]
async fn failed_source_ends_the_stream_after_earlier_events() {
    let body = stream::iter([Ok("data: a\n\ndata: b\n"), Err("reset"), Ok("\ndata: c\n\n")]);
    let mut events = Decoder::new().decode_stream(body);
    assert!(!events.is_terminated());
    assert_eq!(events.next().await.unwrap().unwrap().data, "a");
    assert_eq!(events.next().await, Some(Err(DecodeStreamError::Source("reset"))));
    assert!(events.is_terminated());
    assert_eq!(events.next().await, None);
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn block_over_a_limit_is_an_error_and_later_blocks_follow() {
    let body = stream::iter(["data: a\n\nda", "ta: 12345\n\nda", "ta: b\n\n"].map(Bytes::from));
    let events = Decoder::new().max_line_bytes(4).decode_stream(body);
    let limit = DecodeStreamError::Decode(DecodeError::LineTooLong { limit: 4 });
    assert_eq!(data(events.collect().await), [Ok("a".into()), Err(limit), Ok("b".into())]);
}

#[tokio::test]
async fn a_source_is_dropped_when_it_ends_and_not_polled_again() {
    let held = std::sync::Arc::new(());
    let weak = std::sync::Arc::downgrade(&held);
    let mut polls = 0;
    let body = stream::poll_fn(move |_| {
        let _ = &held;
        polls += 1;
        match polls {
            1 => Poll::Ready(Some(Bytes::from_static(b"data: a\n\n"))),
            2 => Poll::Ready(None),
            _ => panic!("polled after its end"),
        }
    });
    let mut events = Decoder::new().decode_stream(body);
    assert!(events.next().await.is_some());
    assert!(weak.upgrade().is_some());
    assert_eq!(events.next().await, None);
    assert!(weak.upgrade().is_none());
    assert_eq!(events.next().await, None);
}

/// Hazard G10.
#[test]
fn ten_million_empty_chunks_yield_to_other_tasks_without_recursion() {
    const CHUNKS: usize = 10_000_000;
    let body = || stream::repeat(Bytes::new()).take(CHUNKS).chain(stream::iter([Bytes::from_static(b"data: a\n\n")]));

    // Another task runs long before the last chunk.
    let mut events = Decoder::new().decode_stream(body());
    assert!(events.next().now_or_never().is_none());

    let read = move || {
        let mut events = Decoder::new().decode_stream(body());
        let mut context = Context::from_waker(Waker::noop());
        let mut polls = 0;
        loop {
            polls += 1;
            if let Poll::Ready(event) = events.poll_next_unpin(&mut context) {
                assert_eq!(event.unwrap().unwrap().data, "a");
                return polls;
            }
        }
    };
    let polls = std::thread::Builder::new().stack_size(256 * 1024).spawn(read).unwrap().join().unwrap();
    assert!(polls > 10_000);
}

#[tokio::test]
async fn stream_that_yielded_is_polled_again() {
    let body = stream::repeat(Bytes::from_static(b": still here\n\n")).take(100_000);
    assert_eq!(Decoder::new().decode_stream(body).count().await, 0);
}

#[test]
fn decode_stream_is_send_and_sync_if_its_source_is() {
    fn check<T: Send + Sync + Unpin + 'static>(_: &T) {}
    check(&Decoder::new());
    let events: DecodeStream<stream::Iter<std::array::IntoIter<Bytes, 1>>> =
        Decoder::new().decode_stream(stream::iter([Bytes::new()]));
    check(&events);
}

#[test]
fn error_names_the_source_or_the_decoder() {
    use std::error::Error;
    let source = DecodeStreamError::Source(std::io::Error::other("reset"));
    assert_eq!(source.to_string(), "the source of the event stream failed");
    assert_eq!(source.source().unwrap().to_string(), "reset");
    let decode: DecodeStreamError<Infallible> = DecodeStreamError::Decode(DecodeError::EventTooLarge { limit: 9 });
    assert_eq!(decode.to_string(), "an event has more than 9 bytes; `Decoder::max_event_bytes` sets the limit");
}
