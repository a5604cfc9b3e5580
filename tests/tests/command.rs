//! The command `conformance`: a wrong server fails, the report shows the bytes, and a feature that the server does not
//! offer never counts as passed.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

/// A server that answers every request with the same few bytes, and lists these groups in `/about`.
fn wrong_server(groups: &'static str, answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = [0; 4096];
            let read = socket.read(&mut request).unwrap_or(0);
            let about = request[..read].starts_with(b"GET /about");
            let _ = socket.write_all(if about { about_text(groups) } else { answer.to_owned() }.as_bytes());
        }
    });
    url
}

fn about_text(groups: &str) -> String {
    let json = format!(r#"{{"name":"wrong","groups":{groups},"keep_alive_ms":100}}"#);
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{json}")
}

fn conformance(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_conformance")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

const DOUBLED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    cache-control: no-cache\r\nx-stream-id: 1\r\n\r\n:\ndata: a\ndata: \ndata: b\n\n";

#[test]
fn a_wrong_server_fails_and_its_bytes_are_shown() {
    let url = wrong_server(r#"["head","framing"]"#, DOUBLED);
    let (output, text) = conformance(&[&url, "--group", "head", "--group", "framing"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("FAILED        head::stream_head_has_the_required_headers"), "{text}");
    assert!(text.contains("cache-control: no-cache"), "the head is shown: {text}");
    assert!(text.contains(r"data: a\ndata: \ndata: b"), "the bytes are shown: {text}");
    assert!(text.contains("promise: ") && text.contains("source:  "), "{text}");
    assert!(text.contains("FAILED        framing::"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("wrong: "), "{text}");
}

#[test]
fn what_is_not_offered_is_never_passed() {
    let url = wrong_server(r#"["framing"]"#, DOUBLED);
    let (output, text) = conformance(&[&url, "--group", "head", "--json"]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["server"], &json["counts"]["passed"]), (&Value::from("wrong"), &Value::from(0)));
    for case in json["cases"].as_array().unwrap() {
        assert_eq!(case["outcome"], "out-of-scope");
        assert_eq!(case["detail"], "not offered");
        assert!(case["promise"].is_string() && case["source"].is_string() && case["ms"].is_u64());
    }
}

#[test]
fn what_needs_options_is_out_of_scope_for_a_url() {
    let url = wrong_server(r#"["retention"]"#, DOUBLED);
    let (_, text) = conformance(&[&url, "--group", "retention"]);
    assert!(
        text.contains("out of scope  retention::topic_events_bounds_the_topic: needs options: --topic-events 3"),
        "{text}"
    );
    assert!(!text.contains("ok  "), "{text}");
}

#[test]
fn what_needs_another_server_is_out_of_scope_for_one_url() {
    let url = wrong_server(r#"["nodes","resumption","publish"]"#, DOUBLED);
    let (output, text) = conformance(&[&url, "--case", "one_order"]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("out of scope  nodes::both_servers_have_one_order: needs another server of the same history"),
        "{text}"
    );
    let (output, text) = conformance(&[&url, "--also", &url, "--case", "one_order"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
}

#[test]
fn nothing_to_judge_is_no_success() {
    let (output, _) = conformance(&["http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    for nothing in [["--group", "no-such"], ["--case", "no such case"]] {
        let (output, _) = conformance(&[&nothing[..], &["http://127.0.0.1:1"]].concat());
        assert_eq!(output.status.code(), Some(2));
    }
}

#[cfg(unix)]
#[test]
fn a_server_that_does_not_start_is_shown_with_what_it_said() {
    let (output, _) = conformance(&["--", "sh", "-c", "echo no such port >&2; exit 3"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("ended with 3\nno such port"), "{words}");
}

#[test]
fn the_list_tells_promise_and_source() {
    let (output, text) = conformance(&["--list", "--group", "resumption"]);
    assert!(output.status.success());
    assert!(text.starts_with("resumption::opens_with_retry_and_position\n    a stream opens with"), "{text}");
    assert_eq!(text.lines().count() % 2, 0);
}

#[test]
fn a_server_that_it_starts_is_judged_on_its_options_too() {
    let server = env!("CARGO_BIN_EXE_conformance-server");
    let groups = ["--group", "retention", "--group", "compression", "--group", "nodes"];
    let (output, text) = conformance(&[&groups[..], &["--", server, "--adapter", "core"]].concat());
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("ok            retention::topic_events_bounds_the_topic"), "{text}");
    assert!(text.contains("out of scope  compression::stream_is_not_compressed: an option is not offered"), "{text}");
    assert!(text.contains("out of scope  nodes::both_servers_have_one_order: not offered"), "{text}");
}
