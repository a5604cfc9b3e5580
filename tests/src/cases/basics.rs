//! The promises that every server of event streams should keep. These cases judge the decoded events and not the bytes,
//! so the spelling of a server is free.

use super::topics::patience;
use crate::client::{Event, Request, Seen};
use crate::failure::{check, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::json;
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    let texts = [
        ("plain_text_arrives", "x"),
        ("leading_space_is_kept", " x"),
        ("empty_data_arrives", ""),
        ("line_feed_is_kept", "a\nb"),
        ("crlf_arrives_as_one_line_feed", "a\r\nb"),
        ("carriage_return_arrives_as_line_feed", "a\rb"),
        ("trailing_line_break_is_kept", "a\n"),
        ("blank_lines_are_kept", "\n\n"),
        ("field_lines_in_data_stay_data", "data: x\n:y\nid: 3"),
        ("other_unicode_breaks_are_text", "a\u{2028}b\u{85}c\u{b}d"),
        ("nul_and_byte_order_mark_are_kept", "\u{feff}a\0b"),
    ];
    let source = super::framing::READS;
    let text = |(name, text): (&'static str, &'static str)| {
        Case::on(
            Group::Basics,
            name,
            "text arrives unchanged, with each line break as one line feed",
            source,
            move |target| arrives(target, text),
        )
    };
    let case =
        |name: &str, promise, source, run: fn(&Target) -> Verdict| Case::on(Group::Basics, name, promise, source, run);
    let injection = "No text of an application becomes a field, an event or an ID that the application did not mean.";
    let mut cases: Vec<_> = texts.into_iter().map(text).collect();
    cases.extend([
        case("type_and_id_arrive", "the type, the ID and the data of an event arrive", source, fields),
        case("retry_arrives", "the reconnection time of an event arrives", source, |target| {
            let (seen, bytes) = run(target, &json!([{ "send": { "retry": 1234, "data": "x" } }, { "close": true }]))?;
            check(seen.retry == Some(1234), || format!("read {seen:?}\n    of {bytes}"))
        }),
        case("line_break_in_type_forges_no_event", "a line break in an event type forges no event, and the stream goes on", injection, |target| {
            forges_nothing(target, "event")
        }),
        case("line_break_in_id_forges_no_event", "a line break in an ID forges no event, and the stream goes on", injection, |target| {
            forges_nothing(target, "id")
        }),
        case("line_break_in_comment_forges_no_event", "a line break in a comment forges no event, and the stream goes on", injection, |target| {
            forges_nothing(target, "comment")
        }),
        Case::own(
            Group::Basics,
            "first_bytes_are_sent_before_any_event",
            "the first bytes of the body are sent before any event, so that `open` fires",
            super::head::FIRST,
            &["--keep-alive-ms", "0"],
            |server| first_bytes(server.target()),
        ),
        case(
            "connection_serves_the_next_request_after_head",
            "HEAD gets a head only, and the connection serves the next request",
            "HEAD is answered 200 with the head and nothing else: no steps run, no stream, no `x-stream-id`.",
            head,
        ),
        case("http_1_0_client_reads_no_chunk_sizes", "a client of HTTP/1.0 receives no chunk sizes", "A client of HTTP/1.0 receives neither chunks nor a length, and the end of the stream closes the connection.", old_client),
        case(
            "idle_stream_receives_bytes",
            "an idle stream receives bytes that dispatch no event",
            "A stream on which nothing was written for the interval gets bytes that dispatch no event.",
            kept_alive,
        ),
        case("disconnected_client_is_noticed", "the server notices a client that disconnects", super::disconnect::OTHERWISE, noticed).timed(super::disconnect::SLACK),
        Case::own(
            Group::Basics,
            "sigterm_ends_the_process_with_open_streams",
            "SIGTERM ends the process while streams are open",
            "SIGTERM and SIGINT drain the hub and exit 0, at the latest when the drain deadline is over.",
            &[],
            goes_down,
        ),
    ]);
    cases
}

/// Runs these steps and returns the events that a client reads.
fn run(target: &Target, steps: &serde_json::Value) -> Result<(Seen, String), Failure> {
    let body = target.run(&steps.to_string())?;
    Ok((Seen::of(&body, None), show(&body)))
}

fn arrives(target: &Target, text: &str) -> Verdict {
    let (seen, bytes) =
        run(target, &json!([{ "send": { "data": text } }, { "send": { "data": "next" } }, { "close": true }]))?;
    let expected = [&*text.replace("\r\n", "\n").replace('\r', "\n"), "next"];
    check(seen.data() == expected, || {
        format!("expected {expected:?}\n    read     {:?}\n    of       {bytes}", seen.data())
    })
}

fn fields(target: &Target) -> Verdict {
    let steps = json!([{ "send": { "event": "tick", "id": "7", "data": "x" } }, { "close": true }]);
    let (seen, bytes) = run(target, &steps)?;
    let event = Event { event_type: "tick".into(), data: "x".into(), id: "7".into() };
    check(seen.events == [event], || format!("read {seen:?}\n    of {bytes}"))
}

/// The server may reject or alter the text. In both cases the text must not become an event, and the next event must
/// arrive.
fn forges_nothing(target: &Target, field: &str) -> Verdict {
    for line_break in ["\n", "\r", "\r\n", "\n\n", "\r\r"] {
        let text = format!("a{line_break}data: forged{line_break}id: forged");
        let steps =
            json!([{ "send": { field: text, "data": "x" } }, { "send": { "data": "next" } }, { "close": true }]);
        let (seen, bytes) = run(target, &steps).map_err(|failure| failure.at(format_args!("{text:?} as {field}")))?;
        let forged = seen.events.iter().any(|event| event.data.contains("forged") || event.id == "forged");
        let goes_on = seen.events.last().is_some_and(|event| event.data == "next");
        check(!forged && goes_on, || format!("{text:?} as {field}: read {seen:?}\n    of {bytes}"))?;
    }
    Ok(())
}

/// Neither an event nor a keep-alive comes here, so the first bytes can only be the opening.
pub(super) fn first_bytes(target: &Target) -> Verdict {
    target.script(r#"[{"sleep":600000},{"send":{"data":"x"}}]"#)?.read_bytes(1, patience())
}

fn head(target: &Target) -> Verdict {
    let request = Request::script(r#"[{"sleep":300},{"close":true}]"#).with_method("HEAD");
    let connection = target.ask(&request)?.into_connection()?;
    let next = connection.ask(&Request::get("/about"))?;
    check(next.head.status == 200, || next.head.to_string())
}

fn old_client(target: &Target) -> Verdict {
    let steps = r#"[{"send":{"data":"x"}},{"sleep":50},{"send":{"data":"y"}},{"close":true}]"#;
    let stream = target.read(&Request::script(steps).http10())?;
    check(!stream.head.has("transfer-encoding"), || stream.head.to_string())?;
    check(stream.seen().data() == ["x", "y"], || show(stream.body()))
}

fn kept_alive(target: &Target) -> Verdict {
    let interval = Duration::from_millis(target.about()?.keep_alive_ms);
    if interval.is_zero() {
        return Err(Failure::out_of_scope("keep-alives are off"));
    }
    let mut stream = target.script("[]")?;
    stream.read_bytes(1, patience())?;
    // Reads the rest of the opening.
    stream.read_for(interval / 4)?;
    let before = stream.body().len();
    stream.read_bytes(before + 1, interval * 2 + patience())?;
    check(stream.seen().events.is_empty(), || format!("a keep-alive that is an event: {}", show(stream.body())))
}

fn noticed(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_events(1, patience())?;
    let id = stream.stream_id()?;
    drop(stream);
    target.ended(&id, "gone", super::disconnect::otherwise(target)?)
}

fn goes_down(mut server: Server) -> Verdict {
    let mut stream = server.target().script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_events(1, patience())?;
    server.terminate()?;
    server.wait(patience()).map(drop)
}
