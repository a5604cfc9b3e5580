//! Decodes the vectors through `/decode`.

use crate::client::Request;
use crate::failure::check;
use crate::{Case, Failure, Group, Target, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

/// A stream and the events that an event source dispatches. Each character of a chunk stands for the byte of the same
/// value.
#[derive(Debug, Deserialize)]
struct Vector {
    name: String,
    chunks: Vec<String>,
    initial_last_event_id: Option<String>,
    events: Value,
    retry: Value,
    last_event_id: String,
}

const LIMIT: &str = "with `\"errors\":[...]` where a limit was met and decoding went on";

pub(super) fn cases() -> Vec<Case> {
    let vectors: Result<Vec<Vector>, _> = serde_json::from_str(include_str!("../../vectors/event-stream.json"));
    let vectors = vectors.unwrap_or_default();
    let source = "the body is an event stream; fed to the decoder in chunks of N bytes (0: whole)";
    let promise = "a decoder dispatches exactly the events of a browser, however the bytes are cut";
    let mut cases: Vec<_> = vectors
        .into_iter()
        .map(|vector| {
            Case::on(Group::Decoding, vector.name.clone(), promise, source, move |target| decode(target, &vector))
        })
        .collect();
    cases.push(Case::on(
        Group::Decoding,
        "event_over_a_limit_is_reported_once",
        "an event over a limit is reported once, however short its lines, and its ID is not kept",
        LIMIT,
        many_lines,
    ));
    cases.push(Case::on(Group::Decoding, "crlf_cut_at_every_byte_is_one_break", promise, source, cut));
    cases.push(Case::on(
        Group::Decoding,
        "decoding_continues_after_a_limit",
        "an event over a limit is reported once, and the next event is decoded",
        LIMIT,
        limit,
    ));
    cases
}

/// Chunks of every length, so that a chunk ends between CR and LF after each line except the first.
fn cut(target: &Target) -> Verdict {
    let body = "data: a\r\n".repeat(5) + "\r\n";
    let event = json!({ "type": "message", "data": "a\na\na\na\na", "id": "" });
    let expected = json!({ "events": [event], "retry": null, "last_event_id": "" });
    for chunk in 1..=body.len() {
        let seen = post(target, &format!("/decode?chunk={chunk}"), body.clone().into_bytes())?;
        check(seen == expected, || format!("in chunks of {chunk}\n    expected {expected}\n    received {seen}"))?;
    }
    Ok(())
}

fn decode(target: &Target, vector: &Vector) -> Verdict {
    let bytes: Vec<u8> = vector.chunks.concat().chars().map(|c| c as u8).collect();
    let expected = json!({ "events": vector.events, "retry": vector.retry, "last_event_id": vector.last_event_id });
    // Byte by byte would take a request per length and find nothing more in the one long vector.
    for chunk in [0, 1, 2, 3, 7] {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("chunk", &chunk.to_string());
        if let Some(seed) = &vector.initial_last_event_id {
            query.append_pair("seed", seed);
        }
        let mut seen = post(target, &format!("/decode?{}", query.finish()), bytes.clone())?;
        // A number beyond 64 bits may be kept or ignored.
        if seen.get("retry").and_then(Value::as_f64).is_some_and(|ms| ms > 1e18) {
            seen["retry"] = expected["retry"].clone();
        }
        check(seen == expected, || format!("in chunks of {chunk}\n    expected {expected}\n    received {seen}"))?;
    }
    Ok(())
}

fn limit(target: &Target) -> Verdict {
    let body = format!("data: 1\n\ndata: {}\n\ndata: 3\n\n", "x".repeat(2 * 1024 * 1024));
    let seen = post(target, "/decode?chunk=1000", body.into_bytes())?;
    let data = |at: usize| seen.pointer(&format!("/events/{at}/data")).and_then(Value::as_str);
    let errors = seen.get("errors").and_then(Value::as_array).map_or(0, Vec::len);
    check((data(0), data(1), errors) == (Some("1"), Some("3"), 1), || seen.to_string())
}

fn many_lines(target: &Target) -> Verdict {
    let lines = format!("data: {}\n", "x".repeat(1000)).repeat(2000);
    let body = format!("id: 1\ndata: 1\n\nid: 2\n{lines}\ndata: 3\n\n");
    let seen = post(target, "/decode?chunk=4096", body.into_bytes())?;
    let events = json!([{ "type": "message", "data": "1", "id": "1" }, { "type": "message", "data": "3", "id": "1" }]);
    let errors = seen.get("errors").and_then(Value::as_array).map_or(0, Vec::len);
    check(seen.get("events") == Some(&events) && errors == 1, || seen.to_string())
}

fn post(target: &Target, path: &str, body: Vec<u8>) -> Result<Value, Failure> {
    let response = target.read(&Request::new("POST", path).body(body))?;
    check(response.head.status == 200, || response.head.to_string())?;
    Ok(serde_json::from_slice(response.body())?)
}
