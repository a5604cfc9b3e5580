//! Hazard B13.
//!
//! Any bytes, cut anywhere, decode as the whole does. Within the limits, the decoder agrees with a literal
//! implementation of the standard.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sse_core::{DecodeError, Decoder};

#[path = "../../sse-core/tests/naive/mod.rs"]
mod naive;

use naive::{Interpreted, interpret};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    seed: Option<u8>,
    /// Small limits, so that inputs reach them; no limits for half of the inputs.
    limits: Option<(u8, u8)>,
    /// The lengths of the chunks, over and over; 0 is an empty chunk.
    cuts: [u8; 4],
    stream: &'a [u8],
}

fn decode<'c>(
    mut decoder: Decoder,
    chunks: impl Iterator<Item = &'c [u8]>,
) -> (Interpreted, Vec<(usize, DecodeError)>) {
    let mut out = Interpreted::default();
    let mut errors = Vec::new();
    for mut input in chunks {
        while let Some(event) = decoder.decode(&mut input) {
            match event {
                Ok(event) => {
                    out.events.push((event.event_type.into(), event.data.into(), event.last_event_id.into()));
                }
                Err(error) => errors.push((out.events.len(), error)),
            }
        }
        assert!(input.is_empty());
    }
    out.last_event_id = decoder.last_event_id().to_owned();
    out.retry = decoder.reconnection_time().map(|time| time.as_millis().try_into().expect("it was a u64"));
    (out, errors)
}

fn cut<'s>(mut stream: &'s [u8], cuts: &[u8; 4]) -> impl Iterator<Item = &'s [u8]> {
    let mut lengths: Vec<usize> = cuts.iter().map(|&length| length.into()).collect();
    if lengths.iter().all(|&length| length == 0) {
        lengths.push(1);
    }
    let mut lengths = lengths.into_iter().cycle();
    std::iter::from_fn(move || {
        let length = lengths.next().filter(|_| !stream.is_empty())?;
        let (chunk, rest) = stream.split_at(length.min(stream.len()));
        stream = rest;
        Some(chunk)
    })
}

fuzz_target!(|input: Input<'_>| {
    let seed = input.seed.map(|seed| seed.to_string()).unwrap_or_default();
    let mut decoder = Decoder::with_last_event_id(&seed);
    if let Some((line, event)) = input.limits {
        decoder = decoder.max_line_bytes(line.into()).max_event_bytes(event.into());
    }
    let whole = decode(decoder.clone(), std::iter::once(input.stream));
    assert_eq!(decode(decoder.clone(), cut(input.stream, &input.cuts)), whole);
    assert_eq!(decode(decoder, input.stream.chunks(1)), whole);
    if input.limits.is_none() {
        assert_eq!(whole, (interpret(input.stream, &seed), vec![]));
    }
});
