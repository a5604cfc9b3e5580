//! The decoder: a table of cases, the limits, and a comparison with a second implementation of the standard.

mod naive;

use naive::{Interpreted, interpret};
use proptest::prelude::*;
use sse_core::{DecodeError, Decoder};

/// Decodes the chunks. Returns the result and the errors.
fn decode<'c>(
    mut decoder: Decoder,
    chunks: impl IntoIterator<Item = &'c [u8]>,
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
        assert!(input.is_empty(), "None means that all was read");
    }
    out.last_event_id = decoder.last_event_id().to_owned();
    out.retry = decoder.reconnection_time().map(|time| u64::try_from(time.as_millis()).unwrap());
    (out, errors)
}

/// The result is the same for the whole stream, byte by byte, and for every split in two.
fn decode_every_way(decoder: &Decoder, stream: &[u8]) -> (Interpreted, Vec<(usize, DecodeError)>) {
    let whole = decode(decoder.clone(), [stream]);
    assert_eq!(decode(decoder.clone(), stream.chunks(1)), whole, "byte by byte: {stream:?}");
    for at in 0..=stream.len() {
        let (one, two) = stream.split_at(at);
        assert_eq!(decode(decoder.clone(), [one, &[], two]), whole, "cut at {at}: {stream:?}");
    }
    whole
}

/// `(name, stream, events as (type, data, id), last event ID, retry)`
type Row<'a> = (&'a str, &'a [u8], &'a [(&'a str, &'a str, &'a str)], &'a str, Option<u64>);

const TABLE: &[Row<'_>] = &[
    ("nothing", b"", &[], "", None),
    ("blank lines alone", b"\n\r\n\r\r\n\n", &[], "", None),
    ("LF then CRLF", b"data:a\n\r\n", &[("message", "a", "")], "", None),
    ("CR then LF is one ending", b"data:a\r\ndata:b\r\n\r\n", &[("message", "a\nb", "")], "", None),
    ("CRLF then CR", b"data:a\r\n\r", &[("message", "a", "")], "", None),
    ("CR CR", b"data:a\r\r", &[("message", "a", "")], "", None),
    ("CR LF LF", b"data:a\r\n\ndata:b\n\n", &[("message", "a", ""), ("message", "b", "")], "", None),
    ("LF CR is two endings", b"data:a\n\rdata:b\n\n", &[("message", "a", ""), ("message", "b", "")], "", None),
    ("CR CRLF", b"data:a\r\r\ndata:b\r\r\n", &[("message", "a", ""), ("message", "b", "")], "", None),
    ("mixed endings in one block", b"data:a\rdata:b\ndata:c\r\ndata:d\r\r", &[("message", "a\nb\nc\nd", "")], "", None),
    ("BOM before data", b"\xef\xbb\xbfdata:a\n\n", &[("message", "a", "")], "", None),
    ("BOM before a blank line", b"\xef\xbb\xbf\n\ndata:a\n\n", &[("message", "a", "")], "", None),
    ("BOM before CR LF", b"\xef\xbb\xbf\r\ndata:a\n\n", &[("message", "a", "")], "", None),
    ("BOM before a comment", b"\xef\xbb\xbf: c\ndata:a\n\n", &[("message", "a", "")], "", None),
    ("BOM before the longest name", b"\xef\xbb\xbfevent: long type\ndata:a\n\n", &[("long type", "a", "")], "", None),
    ("BOM alone", b"\xef\xbb\xbf", &[], "", None),
    ("two BOMs: the second is part of a name", b"\xef\xbb\xbf\xef\xbb\xbfdata:a\n\n", &[], "", None),
    ("BOM after a blank line", b"\n\xef\xbb\xbfdata:a\n\n", &[], "", None),
    ("BOM cut short", b"\xef\xbbdata:a\n\ndata:b\n\n", &[("message", "b", "")], "", None),
    ("BOM's first byte alone", b"\xef\ndata:b\n\n", &[("message", "b", "")], "", None),
    ("BOM in data is data", b"data:\xef\xbb\xbfa\n\n", &[("message", "\u{feff}a", "")], "", None),
    ("UTF-16 BOM is bad UTF-8", b"\xff\xfedata:a\n\ndata:b\n\n", &[("message", "b", "")], "", None),
    ("name only", b"data\n\n", &[("message", "", "")], "", None),
    ("two names only", b"data\ndata\n\n", &[("message", "\n", "")], "", None),
    ("data, then an empty line of data", b"data:a\ndata\n\n", &[("message", "a\n", "")], "", None),
    ("an empty line of data, then data", b"data:\ndata:a\n\n", &[("message", "\na", "")], "", None),
    ("one space goes", b"data:  a \n\n", &[("message", " a ", "")], "", None),
    ("a tab stays", b"data:\ta\n\n", &[("message", "\ta", "")], "", None),
    ("only a space", b"data: \n\n", &[("message", "", "")], "", None),
    ("colons in the value", b"data::a:b\n\n", &[("message", ":a:b", "")], "", None),
    ("names are not trimmed", b"data :a\n data:b\n\n", &[], "", None),
    ("names are case-sensitive", b"Data:a\nDATA:b\n\n", &[], "", None),
    ("longer and shorter names", b"datas:a\ndat:b\neventx:c\ni:d\nids:e\nretry1:5\n\n", &[], "", None),
    ("a name with NUL", b"da\0ta:a\n\n", &[], "", None),
    ("comments between data", b":x\ndata:a\n:y\ndata:b\n:z\n\n", &[("message", "a\nb", "")], "", None),
    ("a comment that looks like a field", b":data:a\n\n", &[], "", None),
    ("the type is of one block", b"event:x\ndata:a\n\ndata:b\n\n", &[("x", "a", ""), ("message", "b", "")], "", None),
    ("a type without data is forgotten", b"event:x\n\ndata:b\n\n", &[("message", "b", "")], "", None),
    ("the last type counts", b"event:x\nevent:y\ndata:a\n\n", &[("y", "a", "")], "", None),
    ("an empty type is message", b"event:x\nevent\ndata:a\n\n", &[("message", "a", "")], "", None),
    ("the type may come after data", b"data:a\nevent:x\ndata:b\n\n", &[("x", "a\nb", "")], "", None),
    ("a type with NUL", b"event:\0\ndata:a\n\n", &[("\0", "a", "")], "", None),
    ("the id stays", b"id:1\ndata:a\n\ndata:b\n\n", &[("message", "a", "1"), ("message", "b", "1")], "1", None),
    ("the id may come after data", b"data:a\nid:1\n\n", &[("message", "a", "1")], "1", None),
    ("an id without data", b"id:1\n\ndata:b\n\n", &[("message", "b", "1")], "1", None),
    ("an id that is not committed", b"id:1\ndata:a\n\nid:2\ndata:b\n", &[("message", "a", "1")], "1", None),
    ("an empty id clears", b"id:1\ndata:a\n\nid\ndata:b\n\n", &[("message", "a", "1"), ("message", "b", "")], "", None),
    ("an id with NUL at its start", b"id:1\nid:\x002\ndata:a\n\n", &[("message", "a", "1")], "1", None),
    ("an id with NUL at its end", b"id:2\0\ndata:a\n\n", &[("message", "a", "")], "", None),
    ("an id that is NUL", b"id:\0\ndata:a\n\n", &[("message", "a", "")], "", None),
    ("an id that is not UTF-8", b"id:\xff\ndata:a\n\n", &[("message", "a", "\u{fffd}")], "\u{fffd}", None),
    ("an id keeps its spaces", b"id:  1 \ndata:a\n\n", &[("message", "a", " 1 ")], " 1 ", None),
    ("retry", b"retry:10\n", &[], "", Some(10)),
    ("retry without its line's end", b"retry:10", &[], "", None),
    ("retry with a space", b"retry: 10\n", &[], "", Some(10)),
    ("retry with two spaces", b"retry:  10\n", &[], "", None),
    ("retry with a sign", b"retry:+10\nretry:-10\n", &[], "", None),
    ("retry with a point", b"retry:1.5\n", &[], "", None),
    ("retry in hexadecimal", b"retry:0x10\nretry:1e3\n", &[], "", None),
    ("retry in other digits", "retry:\u{661}\u{662}\nretry:\u{ff11}\n".as_bytes(), &[], "", None),
    ("retry of nothing keeps the last", b"retry:10\nretry:\nretry\n", &[], "", Some(10)),
    ("retry of 0", b"retry:10\nretry:0\n", &[], "", Some(0)),
    ("retry with leading zeros", b"retry:00000000000000000000000000010\n", &[], "", Some(10)),
    ("retry of u64::MAX", b"retry:18446744073709551615\n", &[], "", Some(u64::MAX)),
    ("retry over u64::MAX", b"retry:10\nretry:18446744073709551616\n", &[], "", Some(10)),
    ("retry that is not UTF-8", b"retry:10\xff\n", &[], "", None),
    (
        "separators of Unicode are data",
        "data:a\u{2028}b\u{2029}c\u{85}d\n\n".as_bytes(),
        &[("message", "a\u{2028}b\u{2029}c\u{85}d", "")],
        "",
        None,
    ),
    ("VT, FF, NUL are data", b"data:a\x0bb\x0cc\0d\n\n", &[("message", "a\x0bb\x0cc\0d", "")], "", None),
    ("four bytes of UTF-8", "data:\u{1f422}\n\n".as_bytes(), &[("message", "\u{1f422}", "")], "", None),
    ("UTF-8 cut at 1 of 4", b"data:\xf0\n\n", &[("message", "\u{fffd}", "")], "", None),
    ("UTF-8 cut at 2 of 4", b"data:\xf0\x9f\n\n", &[("message", "\u{fffd}", "")], "", None),
    ("UTF-8 cut at 3 of 4", b"data:\xf0\x9f\x90\n\n", &[("message", "\u{fffd}", "")], "", None),
    (
        "UTF-8 cut by a line's end",
        b"data:\xf0\x9f\ndata:\x90\xa2\n\n",
        &[("message", "\u{fffd}\n\u{fffd}\u{fffd}", "")],
        "",
        None,
    ),
    ("a lone continuation", b"data:a\x80b\n\n", &[("message", "a\u{fffd}b", "")], "", None),
    ("an overlong slash", b"data:\xc0\xaf\n\n", &[("message", "\u{fffd}\u{fffd}", "")], "", None),
    ("an encoded surrogate", b"data:\xed\xa0\x80\n\n", &[("message", "\u{fffd}\u{fffd}\u{fffd}", "")], "", None),
    ("beyond U+10FFFF", b"data:\xf4\x90\x80\x80\n\n", &[("message", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}", "")], "", None),
    (
        "a maximal subpart",
        b"data:\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41\n\n",
        &[("message", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}A", "")],
        "",
        None,
    ),
    ("no blank line, no event", b"data:a\n", &[], "", None),
    ("no end of line, no event", b"data:a\n\ndata:b", &[("message", "a", "")], "", None),
];

#[test]
fn every_case_decodes_the_same_at_every_split() {
    for &(name, stream, events, last_event_id, retry) in TABLE {
        let expected = Interpreted {
            events: events.iter().map(|&(t, d, i)| (t.to_owned(), d.to_owned(), i.to_owned())).collect(),
            last_event_id: last_event_id.to_owned(),
            retry,
        };
        assert_eq!(interpret(stream, ""), expected, "the naive interpreter: {name}");
        assert_eq!(decode_every_way(&Decoder::new(), stream), (expected, vec![]), "{name}");
    }
}

#[test]
fn a_line_ends_at_its_cr_without_look_ahead() {
    let mut decoder = Decoder::new();
    let mut input: &[u8] = b"data:a\r\r";
    assert!(decoder.decode(&mut input).is_some());
    let mut input: &[u8] = b"\ndata:b\r";
    assert_eq!(decoder.decode(&mut input), None, "the LF belongs to the CR before it");
    let mut input: &[u8] = b"\r";
    assert_eq!(decoder.decode(&mut input).unwrap().unwrap().data, "b");
}

#[test]
fn initial_last_event_id_stays_until_an_event_has_one() {
    let decoder = Decoder::with_last_event_id("7");
    let (out, _) = decode_every_way(&decoder, b"data:a\n\nid:8\ndata:b\n\nid\n\ndata:c\n\n");
    assert_eq!(out.events.iter().map(|event| &*event.2).collect::<Vec<_>>(), ["7", "8", ""]);
}

#[test]
fn text_of_a_whole_event_is_borrowed_from_the_chunk() {
    let chunk = b"id: 1\ndata: tick\n\n";
    let mut decoder = Decoder::new();
    let event = decoder.decode(&mut chunk.as_slice()).unwrap().unwrap();
    assert_eq!(event.data, "tick");
    assert!(chunk.as_ptr_range().contains(&event.data.as_ptr()));
}

const LINE: DecodeError = DecodeError::LineTooLong { limit: 4 };
const EVENT: DecodeError = DecodeError::EventTooLarge { limit: 4 };

/// `(name, max_line_bytes, max_event_bytes, stream, data of the events, errors and how many events came before, last event ID)`
type LimitRow<'a> = (&'a str, usize, usize, &'a [u8], &'a [&'a str], &'a [(usize, DecodeError)], &'a str);

const LIMITS: &[LimitRow<'_>] = &[
    ("a line at the limit", 4, 99, b"data: 1234\n\ndata:1234\n\n", &["1234", "1234"], &[], ""),
    ("a line over it", 4, 99, b"data: 12345\n\ndata: 1\n\n", &["1"], &[(0, LINE)], ""),
    ("the space is not counted, the next is", 4, 99, b"data:  123\n\ndata:  1234\n\n", &[" 123"], &[(1, LINE)], ""),
    ("an id over it", 4, 99, b"id:12345\ndata:a\n\ndata:b\n\n", &["b"], &[(0, LINE)], ""),
    ("a type over it", 4, 99, b"event:12345\ndata:a\n\ndata:b\n\n", &["b"], &[(0, LINE)], ""),
    ("a retry over it", 4, 99, b"retry:12345\ndata:a\n\ndata:b\n\n", &["b"], &[(0, LINE)], ""),
    (
        "comments and unknown fields have no limit",
        4,
        4,
        b":123456789012345\nunknown:12345\nunknown12345\ndata:a\n\n",
        &["a"],
        &[],
        "",
    ),
    ("an unfinished line over it", 4, 99, b"data: 12345678901234567890", &[], &[(0, LINE)], ""),
    ("once for a block with two", 4, 99, b"data:12345\ndata:12345\nid:12345\n\ndata:a\n\n", &["a"], &[(0, LINE)], ""),
    ("in each of two blocks", 4, 99, b"data:12345\n\ndata:12345\n\ndata:a\n\n", &["a"], &[(0, LINE), (0, LINE)], ""),
    ("resumes after CRs", 4, 99, b"data:12345\r\rdata:a\r\rdata:b\r\r", &["a", "b"], &[(0, LINE)], ""),
    ("resumes after CRLFs", 4, 99, b"data:12345\r\n\r\ndata:a\r\n\r\n", &["a"], &[(0, LINE)], ""),
    (
        "the block's id is not taken before it",
        4,
        99,
        b"id:1\ndata:a\n\nid:2\ndata:12345\n\ndata:b\n\n",
        &["a", "b"],
        &[(1, LINE)],
        "1",
    ),
    ("nor after it", 4, 99, b"id:1\ndata:a\n\ndata:12345\nid:2\n\ndata:b\n\n", &["a", "b"], &[(1, LINE)], "1"),
    ("its type is forgotten", 4, 99, b"event:x\ndata:12345\n\ndata:b\n\n", &["b"], &[(0, LINE)], ""),
    ("an event at the limit", 99, 4, b"data:12\ndata:3\n\ndata:a\n\n", &["12\n3", "a"], &[], ""),
    ("an event over it", 99, 4, b"data:12\ndata:34\n\ndata:a\n\n", &["a"], &[(0, EVENT)], ""),
    ("one line over it", 99, 4, b"data:12345\n\ndata:a\n\n", &["a"], &[(0, EVENT)], ""),
    ("the type counts, before data", 99, 4, b"event:xy\ndata:12\n\nevent:xy\ndata:123\n\n", &["12"], &[(1, EVENT)], ""),
    ("the type counts, after data", 99, 4, b"data:12\nevent:xy\n\ndata:123\nevent:xy\n\n", &["12"], &[(1, EVENT)], ""),
    ("only the last type counts", 99, 4, b"event:xyz\nevent:x\ndata:123\n\n", &["123"], &[], ""),
    (
        "empty lines count their LF",
        99,
        4,
        b"data\ndata\ndata\ndata\ndata\n\ndata\ndata\ndata\ndata\ndata\ndata\n\n",
        &["\n\n\n\n"],
        &[(1, EVENT)],
        "",
    ),
    ("the id does not count", 99, 4, b"id:123456\ndata:1234\n\n", &["1234"], &[], "123456"),
    ("the limit met first is told: the line's", 4, 6, b"data:1234567\n\n", &[], &[(0, LINE)], ""),
    ("the limit met first is told: the event's", 6, 4, b"data:1234567\n\n", &[], &[(0, EVENT)], ""),
    ("the line's where both are met at once", 4, 4, b"data:12345\n\n", &[], &[(0, LINE)], ""),
    ("the event's where less is left of it", 4, 4, b"data:1\ndata:12345\n\n", &[], &[(0, EVENT)], ""),
    (
        "bytes count, not characters",
        4,
        99,
        b"data:\xf0\x9f\x90\xa2\n\ndata:\xf0\x9f\x90\xa2a\n\n",
        &["\u{1f422}"],
        &[(1, LINE)],
        "",
    ),
    (
        "limits of 0",
        0,
        0,
        b"data\n\ndata:a\n\nid:1\n\nid\ndata\n\n",
        &["", ""],
        &[(1, DecodeError::LineTooLong { limit: 0 }), (1, DecodeError::LineTooLong { limit: 0 })],
        "",
    ),
    ("no limits", usize::MAX, usize::MAX, b"event:x\ndata:a\ndata:b\n\n", &["a\nb"], &[], ""),
];

/// Hazard B13.
#[test]
fn limits_hold_to_the_byte_at_every_split_and_decoding_resumes() {
    for &(name, line, event, stream, data, errors, last_event_id) in LIMITS {
        let decoder = Decoder::new().max_line_bytes(line).max_event_bytes(event);
        let (out, told) = decode_every_way(&decoder, stream);
        assert_eq!(out.events.iter().map(|event| &*event.1).collect::<Vec<_>>(), data, "{name}");
        assert_eq!(told, errors, "{name}");
        assert_eq!(out.last_event_id, last_event_id, "{name}");
    }
}

#[test]
fn retry_before_a_skipped_block_stays() {
    let decoder = Decoder::new().max_line_bytes(4);
    let (out, _) = decode_every_way(&decoder, b"retry:10\ndata:12345\nretry:20\n\n");
    assert_eq!(out.retry, Some(10));
}

#[test]
fn a_line_and_an_event_of_one_mebibyte_are_within_the_default_limits() {
    let value = "x".repeat(1 << 20);
    for (stream, errors) in [
        (format!("data: {value}\n\n"), vec![]),
        (format!("data: {value}x\n\n"), vec![(0, DecodeError::LineTooLong { limit: 1 << 20 })]),
        (format!("event: e\ndata: {value}\n\n"), vec![(0, DecodeError::EventTooLarge { limit: 1 << 20 })]),
        (format!("data: {}\ndata:\n\n", &value[1..]), vec![]),
        ("data\n".repeat((1 << 20) + 1) + "\n", vec![]),
        ("data\n".repeat((1 << 20) + 2) + "\n", vec![(0, DecodeError::EventTooLarge { limit: 1 << 20 })]),
    ] {
        for size in [1, 1_460, usize::MAX] {
            let (out, told) = decode(Decoder::new(), stream.as_bytes().chunks(size));
            assert_eq!(told, errors);
            assert_eq!(out.events.len(), usize::from(errors.is_empty()));
        }
    }
}

/// Streams of texts that decoders often handle wrongly.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "\r\r", "\n\r"]).prop_map(Vec::from),
        6 => prop::sample::select(vec!["data", "event", "id", "retry", "data:", "data: ", "event: ", "id: ", "retry: ", "dat", "other: "])
            .prop_map(Vec::from),
        3 => prop::sample::select(vec![":", " ", "\0", "\u{feff}", "1", "42", "18446744073709551616", "\u{2028}", "\u{1f422}", "abcdefgh"])
            .prop_map(Vec::from),
        2 => prop::sample::select(vec![&b"\xff"[..], b"\xf0\x9f", b"\x80", b"\xef\xbb", b"\xbf", b"\xed\xa0\x80", b"\xc3"]).prop_map(Vec::from),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn cut<'s>(stream: &'s [u8], cuts: &[prop::sample::Index]) -> Vec<&'s [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).chain([0, stream.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Hazard A5.
    #[test]
    fn the_decoder_reads_as_the_standard_does(stream in streams(), cuts: Vec<prop::sample::Index>, seed in "[0-9]?") {
        let expected = interpret(&stream, &seed);
        let decoder = Decoder::with_last_event_id(&seed);
        prop_assert_eq!(decode(decoder.clone(), [&stream[..]]), (expected, vec![]));
        let whole = decode(decoder.clone(), [&stream[..]]);
        prop_assert_eq!(decode(decoder, cut(&stream, &cuts)), whole);
    }

    #[test]
    fn limits_do_not_depend_on_the_split(stream in streams(), cuts: Vec<prop::sample::Index>, line in 0usize..9, event in 0usize..9) {
        let decoder = Decoder::new().max_line_bytes(line).max_event_bytes(event);
        let whole = decode(decoder.clone(), [&stream[..]]);
        prop_assert_eq!(decode(decoder, cut(&stream, &cuts)), whole);
    }

    #[test]
    fn an_event_after_a_blank_line_is_read_whatever_came_before(stream in streams(), limit in 0usize..9) {
        let mut stream = stream;
        stream.extend_from_slice(b"\n\n\ndata\n\n");
        let (out, _) = decode(Decoder::new().max_line_bytes(limit).max_event_bytes(limit), [&stream[..]]);
        prop_assert_eq!(&out.events.last().unwrap().1, "");
    }
}
