//! Memory and time of the decoder on hostile streams. A counting allocator measures memory, so this is a separate test
//! binary.

use sse_core::{Decoder, MessageEvent};
use sse_test_support::alloc::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// Returns the peak of allocated bytes while the decoder receives `first` and `times` times `piece`, and the number of
/// events.
fn peak(first: &[u8], piece: &[u8], times: usize) -> (usize, usize) {
    let mut decoder = Decoder::new();
    let mut events = 0;
    let before = alloc::live();
    alloc::reset_peak();
    for mut input in std::iter::once(first).chain(std::iter::repeat_n(piece, times)) {
        while let Some(event) = decoder.decode(&mut input) {
            events += usize::from(event.is_ok());
        }
    }
    (alloc::peak() - before, events)
}

/// Hazard B13.
#[test]
fn hostile_stream_needs_less_than_two_mebibytes() {
    let long = vec![b'x'; 64 * 1024];
    let empty_lines = b"data\n".repeat(10_000);
    for (name, first, piece) in [
        ("data without an end", &b"data:"[..], &long[..]),
        ("an id without an end", b"id:", &long),
        ("a type without an end", b"event:", &long),
        ("a retry without an end", b"retry:", &b"0".repeat(64 * 1024)),
        ("a name without an end", b"", &long),
        ("a comment without an end", b":", &long),
        ("empty lines of data without a blank line", b"", &empty_lines),
        ("short comments", b"", &b":\n".repeat(10_000)),
        ("ids alone", b"", &b"id:0123456789\n".repeat(1_000)),
        ("blank lines", b"", &b"\n".repeat(10_000)),
    ] {
        let (peak, events) = peak(first, piece, 1_000);
        assert!(peak < 2 * MIB, "{name}: {peak} bytes");
        assert_eq!(events, 0, "{name}");
    }
}

/// Hazard B13.
#[test]
fn values_at_the_limit_need_a_small_multiple_of_the_limits() {
    let value = "x".repeat(MIB);
    let bad = b"\xff".repeat(MIB);
    let mut block = Vec::new();
    for name in ["id", "event", "retry", "id"] {
        for value in [value.as_bytes(), &bad] {
            block.extend_from_slice(name.as_bytes());
            block.push(b':');
            block.extend_from_slice(value);
            block.extend_from_slice(if name == "event" { b"\n\n" } else { b"\n" });
        }
    }
    block.extend_from_slice(b"\ndata:");
    block.extend_from_slice(&bad);
    block.extend_from_slice(b"\n\n");
    for size in [1_460, usize::MAX] {
        let mut decoder = Decoder::new();
        let before = alloc::live();
        alloc::reset_peak();
        for _ in 0..3 {
            for mut input in block.chunks(size) {
                while let Some(event) = decoder.decode(&mut input) {
                    event.unwrap();
                }
            }
        }
        // An invalid byte becomes U+FFFD, which has three bytes.
        assert!(alloc::peak() - before < 20 * MIB, "{}", alloc::peak() - before);
    }
}

#[test]
fn decoding_in_the_steady_state_allocates_nothing() {
    let stream = "id: 1\nevent: article\ndata: {}\n\n: still here\ndata: two\ndata: lines\n\nretry: 5\n\n".repeat(100);
    let mut decoder = Decoder::new();
    let mut run = || {
        let before = alloc::calls();
        let mut events = 0;
        for mut input in stream.as_bytes().chunks(97) {
            while let Some(event) = decoder.decode(&mut input) {
                events += usize::from(!event.unwrap().data.is_empty());
            }
        }
        assert_eq!(events, 200);
        alloc::calls() - before
    };
    assert!(run() > 0, "the allocator counts");
    assert_eq!(run(), 0);
}

#[test]
fn an_owned_event_of_type_message_without_id_allocates_its_data_alone() {
    let mut decoder = Decoder::new();
    let mut input: &[u8] = b"\ndata: tick\n\n";
    let event = decoder.decode(&mut input).unwrap().unwrap();
    let before = alloc::calls();
    let event: MessageEvent<'static> = event.into_owned();
    assert_eq!(alloc::calls() - before, 1);
    assert_eq!(event.event_type, "message");
}

/// A decoder that scans the open line again for each byte would need hours.
/// Hazard B13.
#[test]
fn decoding_byte_by_byte_takes_linear_time() {
    for (first, byte) in
        [(&b"data:"[..], b"x"), (b":", b"x"), (b"", b"x"), (b"id:", b"x"), (b"", b"\n"), (b"data:", b"\r")]
    {
        peak(first, byte, 2 * MIB);
    }
}
