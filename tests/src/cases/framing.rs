//! The meaning of each kind of step to a client. A table in the tests of `sse-core` has the bytes of this project's own
//! encoder.

use super::topics::patience;
use crate::client::Request;
use crate::failure::{alike, alike_json, check};
use crate::{Case, Group, Verdict};
use sse_test_support::reader::Reader;

/// A name, the steps, and one spelling of the events that a client must read.
#[rustfmt::skip]
const TABLE: [(&str, &str, &str); 35] = [
    ("data_alone_is_an_event", r#"[{"send":{"data":"hello"}}]"#, "data: hello\n\n"),
    ("all_fields_of_an_event_arrive", r#"[{"send":{"id":"7","event":"note","data":"x","retry":2500,"comment":"c"}}]"#,
        ": c\nid: 7\nevent: note\nretry: 2500\ndata: x\n\n"),
    ("an_absent_field_writes_no_line", r#"[{"send":{"event":"note","data":"x"}}]"#, "event: note\ndata: x\n\n"),
    ("a_null_field_is_absent", r#"[{"send":{"id":null,"data":"x"}}]"#, "data: x\n\n"),
    ("empty_data_is_an_event", r#"[{"send":{"data":""}}]"#, "data:\n\n"),
    ("lf_makes_two_lines", r#"[{"send":{"data":"a\nb"}}]"#, "data: a\ndata: b\n\n"),
    ("cr_makes_two_lines", r#"[{"send":{"data":"a\rb"}}]"#, "data: a\ndata: b\n\n"),
    ("crlf_is_one_break", r#"[{"send":{"data":"a\r\nb"}}]"#, "data: a\ndata: b\n\n"),
    ("lfcr_is_two_breaks", r#"[{"send":{"data":"a\n\rb"}}]"#, "data: a\ndata:\ndata: b\n\n"),
    ("a_break_at_the_end_makes_an_empty_line", r#"[{"send":{"data":"a\n"}}]"#, "data: a\ndata:\n\n"),
    ("data_of_line_breaks_alone_is_kept", r#"[{"send":{"data":"\n\n"}}]"#, "data:\ndata:\ndata:\n\n"),
    ("a_leading_space_is_kept", r#"[{"send":{"data":"  two"}}]"#, "data:   two\n\n"),
    ("a_trailing_space_is_kept", r#"[{"send":{"data":"x "}}]"#, "data: x \n\n"),
    ("a_leading_colon_is_kept", r#"[{"send":{"data":": x"}}]"#, "data: : x\n\n"),
    ("a_field_in_data_is_data", r#"[{"send":{"data":"id: 9\nevent: x"}}]"#, "data: id: 9\ndata: event: x\n\n"),
    ("nul_in_data_is_kept", r#"[{"send":{"data":"a\u0000b"}}]"#, "data: a\0b\n\n"),
    ("a_byte_order_mark_in_data_is_kept", r#"[{"send":{"data":"\ufeffx"}}]"#, "data: \u{feff}x\n\n"),
    ("other_breaks_of_unicode_are_text", r#"[{"send":{"data":"a\u2028b\u0085c\u000bd"}}]"#, "data: a\u{2028}b\u{85}c\u{b}d\n\n"),
    ("text_beyond_the_basic_plane_is_kept", r#"[{"send":{"data":"\ud83e\udd80"}}]"#, "data: \u{1f980}\n\n"),
    ("empty_type_is_message", r#"[{"send":{"event":"","data":"x"}}]"#, "data: x\n\n"),
    ("an_empty_id_clears_the_id", r#"[{"send":{"id":"7","data":"x"}},{"send":{"id":"","data":"y"}}]"#, "id: 7\ndata: x\n\nid:\ndata: y\n\n"),
    ("an_id_alone_is_a_block", r#"[{"send":{"id":"7"}}]"#, "id: 7\n\n"),
    ("retry_alone_is_a_block", r#"[{"send":{"retry":0}}]"#, "retry: 0\n\n"),
    ("longest_retry_is_accepted", r#"[{"send":{"retry":2147483647}}]"#, "retry: 2147483647\n\n"),
    ("longest_id_is_accepted", r#"[{"send":{"id":"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"}}]"#,
        "id: 01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567\n\n"),
    ("longer_id_is_rejected", r#"[{"send":{"id":"012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"}}]"#, "event: refused\ndata: id\n\n"),
    ("json_payload_is_one_event", r#"[{"json":{"event":"tick","payload":{"text":"a\nb","n":[1,null]}}}]"#,
        "event: tick\ndata: {\"text\":\"a\\nb\",\"n\":[1,null]}\n\n"),
    ("json_payload_may_be_a_string", r#"[{"json":{"event":"tick","payload":"x"}}]"#, "event: tick\ndata: \"x\"\n\n"),
    ("comment_dispatches_nothing", r#"[{"comment":"still here"}]"#, ": still here\n"),
    ("comment_of_two_lines_is_kept", r#"[{"comment":"a\r\nb"}]"#, ": a\n: b\n"),
    ("empty_comment_dispatches_nothing", r#"[{"comment":""}]"#, ":\n"),
    ("checkpoint_moves_the_id_without_an_event", r#"[{"checkpoint":"9"}]"#, "id: 9\n\n"),
    ("second_open_changes_nothing", r#"[{"open":true},{"open":true},{"send":{"data":"x"}}]"#, "data: x\n\n"),
    ("types_error_and_open_are_rejected", r#"[{"send":{"event":"error","data":"x"}},{"send":{"event":"open","data":"x"}}]"#,
        "event: refused\ndata: event\n\nevent: refused\ndata: event\n\n"),
    ("steps_run_in_order", r#"[{"send":{"data":"1"}},{"comment":"2"},{"send":{"data":"3"}},{"checkpoint":"4"}]"#,
        "data: 1\n\n: 2\ndata: 3\n\nid: 4\n\n"),
];

/// The sentences of the contract.
pub(super) const READS: &str =
    "A client reads every event once and in order, with the type, the data and the ID that were sent.";
pub(super) const REFUSED: &str = "An event of more than 1 MiB in its fields together is refused as `data`.";

pub(super) const CANNOT_BE_SENT: &str = "The fields that cannot be sent are: `id` with a control character, with a space at either end or of more than 128 bytes; `event` with a line break; `retry` over 2147483647.";
const OF_THE_PAGE: &str = "The types `error` and `open` are refused as `event` on streams over GET and in `/publish`: an `EventSource` fires them itself.";

pub(super) fn cases() -> Vec<Case> {
    let promise = "a client reads exactly the content of the step";
    let rows = TABLE.into_iter().map(|(name, steps, bytes)| {
        let (promise, source) = match name {
            "longer_id_is_rejected" => ("an ID of more than 128 bytes is rejected", CANNOT_BE_SENT),
            "types_error_and_open_are_rejected" => {
                ("the types that an `EventSource` fires itself are rejected", OF_THE_PAGE)
            }
            _ => (promise, READS),
        };
        Case::on(Group::Framing, name, promise, source, move |target| {
            // A step closes the stream, so that the case reads all of it.
            let steps = format!("{},{{\"close\":true}}]", steps.trim_end_matches(']'));
            let seen = target.run(&steps)?;
            let alike = if steps.contains("\"json\"") { alike_json } else { alike };
            alike("the stream", bytes.as_bytes(), &seen)?;
            comments(bytes.as_bytes(), &seen)
        })
    });
    let large = Case::on(Group::Framing, "event_over_one_mebibyte_is_rejected", promise, REFUSED, |target| {
        let data = "x".repeat(1024 * 1024);
        let steps = format!(r#"[{{"send":{{"data":"{data}"}}}},{{"send":{{"data":"{data}y"}}}},{{"close":true}}]"#);
        let mut response = target.ask(&Request::fetch(steps))?;
        response.read_to_end(patience())?;
        alike("the stream", format!("data: {data}\n\nevent: refused\ndata: data\n\n").as_bytes(), response.body())
    });
    rows.chain([large]).collect()
}

/// The comments with text must arrive in their order. Empty comments are keep-alives.
fn comments(expected: &[u8], seen: &[u8]) -> Verdict {
    let [expected, seen] = [expected, seen].map(|bytes| {
        let mut reader = Reader::new();
        reader.read(bytes);
        reader.comments().iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>()
    });
    check(expected == seen, || format!("expected the comments {expected:?}\n    read {seen:?}"))
}
