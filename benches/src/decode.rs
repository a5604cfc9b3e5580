//! Decoding: from chunks as TCP cuts them to events.

use crate::measure::Case;
use crate::shapes::Wire;
use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use memchr::memchr2_iter;
use sse_core_0_2 as other;
use std::convert::Infallible;
use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A longer line takes eventsource-stream quadratic time.
const EVENTSOURCE_STREAM_BYTES: usize = 32 * 1024;

pub fn cases(recording: Option<&Path>) -> std::io::Result<Vec<Case>> {
    Ok(Wire::all(recording)?.into_iter().flat_map(|wire| of(Rc::new(wire))).collect())
}

fn of(wire: Rc<Wire>) -> Vec<Case> {
    let case = |contender, run: fn(&[Bytes]) -> usize| {
        let wire = wire.clone();
        Case::new(&format!("decode: {}", wire.name), contender, wire.events, move || {
            assert_eq!(run(black_box(&wire.chunks)), wire.events);
        })
    };
    let scan = {
        let wire = wire.clone();
        Case::new(&format!("decode: {}", wire.name), "memchr2 scan", wire.events, move || {
            let breaks = wire.chunks.iter().map(|chunk| memchr2_iter(b'\r', b'\n', chunk).count());
            black_box(breaks.sum::<usize>());
        })
    };
    let mut cases = vec![
        case("ours, `Decoder::decode`", ours_borrowed).not_peer(),
        case("ours, `into_owned` each", ours_owned).not_peer(),
        case("ours, `decode_stream`", |chunks| drain(sse_core::Decoder::new().decode_stream(source(chunks))))
            .not_peer(),
        case("sse-core 0.2, `SseDecoder`", other_core),
        case("sse-core 0.2, `SseStream`", |chunks| drain(other::SseStream::new(source(chunks)))),
        case("sse-stream 0.3", |chunks| drain(sse_stream::SseByteStream::new(source(chunks)))),
    ];
    if wire.chunks.iter().map(Bytes::len).sum::<usize>() / wire.events < EVENTSOURCE_STREAM_BYTES {
        cases.push(case("eventsource-stream 0.2", |chunks| drain(source(chunks).eventsource())));
    }
    cases.push(scan.not_peer());
    cases
}

fn source(chunks: &[Bytes]) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
    stream::iter(chunks.iter().cloned().map(Ok))
}

fn drain<T>(events: impl Stream<Item = T>) -> usize {
    let mut events = pin!(events);
    let mut cx = Context::from_waker(Waker::noop());
    let mut count = 0;
    loop {
        match events.poll_next_unpin(&mut cx) {
            Poll::Ready(Some(event)) => {
                black_box(event);
                count += 1;
            }
            Poll::Ready(None) => return count,
            // Gives other tasks of the runtime their turn.
            Poll::Pending => {}
        }
    }
}

fn ours(chunks: &[Bytes], mut each: impl FnMut(sse_core::MessageEvent<'_>)) -> usize {
    let mut decoder = sse_core::Decoder::new();
    let mut count = 0;
    for chunk in chunks {
        let mut input: &[u8] = chunk;
        while let Some(event) = decoder.decode(&mut input) {
            each(event.expect("an event within limits"));
            count += 1;
        }
    }
    count
}

fn ours_borrowed(chunks: &[Bytes]) -> usize {
    ours(chunks, |event| {
        black_box(event);
    })
}

fn ours_owned(chunks: &[Bytes]) -> usize {
    ours(chunks, |event| {
        black_box(event.into_owned());
    })
}

fn other_core(chunks: &[Bytes]) -> usize {
    let mut decoder = other::SseDecoder::new();
    let mut count = 0;
    for chunk in chunks {
        let mut input = chunk.clone();
        while let Some(event) = decoder.next(&mut input) {
            black_box(event.expect("an event within limits"));
            count += 1;
        }
    }
    count
}
