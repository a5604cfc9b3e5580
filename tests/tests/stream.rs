//! `conformance --stream URL`: the findings about right streams and about wrong ones.

use serde_json::{Value, json};
use sse_conformance::client::Request;
use sse_conformance::probe::{Findings, Mark, Probe};
use sse_conformance::process::Server;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

const COMMAND: &str = env!("CARGO_BIN_EXE_conformance");

/// A server that answers every request with this head, and then sends each of these pieces after 20 ms. A request with
/// the header `last-event-id` gets the second list. The connection stays open.
fn server(head: &'static str, pieces: &'static [&'static str], resumed: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events?a=b", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            std::thread::spawn(move || {
                let (mut request, mut piece) = (Vec::new(), [0; 4096]);
                while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                    match socket.read(&mut piece) {
                        Ok(read @ 1..) => request.extend_from_slice(&piece[..read]),
                        _ => return,
                    }
                }
                let request = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let pieces = if request.contains("last-event-id") { resumed } else { pieces };
                let _ = socket.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes());
                for piece in pieces.iter().take(if request.starts_with("head") { 0 } else { usize::MAX }) {
                    std::thread::sleep(Duration::from_millis(20));
                    let _ = socket.write_all(piece.as_bytes());
                }
                // Until the client has disconnected.
                while socket.read(&mut piece).is_ok_and(|read| read > 0) {}
            });
        }
    });
    url
}

const HEAD: &str = "content-type: text/event-stream\r\ncache-control: no-store, no-transform\r\nx-accel-buffering: no";
const RIGHT: [&str; 4] = [":\nretry: 2000\n\n", "id: 1\ndata: a\n\n", "id: 2\ndata: b\n\n", "id: 3\ndata: c\n\n"];

fn probe(url: &str) -> Findings {
    Probe::new(url).unwrap().watch(Duration::from_millis(1500)).run().unwrap()
}

fn mark(findings: &Findings, name: &str) -> Mark {
    findings.get(name).unwrap_or_else(|| panic!("no {name} in {findings}")).mark
}

#[test]
fn a_right_stream_has_nothing_wrong() {
    let findings = probe(&server(HEAD, &RIGHT, &["id: 2\ndata: b\n\n", "id: 3\ndata: c\n\n"]));
    assert_eq!(findings.wrong(), 0, "{findings}");
    for name in
        ["status", "type", "head", "first byte", "caching", "proxies", "buffering", "end", "retry", "ids", "resume"]
    {
        assert_eq!(mark(&findings, name), Mark::Ok, "{findings}");
    }
}

#[test]
fn each_wrong_stream_is_named() {
    let mut wrong = Vec::new();
    let mut expect = |name: &'static str, head, pieces: &'static [&'static str], resumed: &'static [&'static str]| {
        let url = server(head, pieces, resumed);
        wrong.push((name, std::thread::spawn(move || probe(&url))));
    };
    expect("type", "content-type: text/plain", &RIGHT, &[]);
    expect("caching", "content-type: text/event-stream", &RIGHT, &[]);
    expect("buffering", HEAD, &[":\n\n", "data: a\n"], &[]);
    expect("fields", HEAD, &[":\n\n", "Data: a\n\n"], &[]);
    expect("retry", HEAD, &["retry: 1\ndata: a\n\n"], &[]);
    expect("first byte", HEAD, &[], &[]);
    expect("resume", HEAD, &RIGHT, &["id: 1\ndata: a\n\n", "id: 2\ndata: b\n\n"]);
    expect("resume", HEAD, &RIGHT, &["id: 3\ndata: c\n\n"]);
    expect("resume", HEAD, &RIGHT, &[":\n\n"]);
    for (name, findings) in wrong {
        let findings = findings.join().unwrap();
        assert_eq!(mark(&findings, name), Mark::Wrong, "{name}: {findings}");
    }
}

#[test]
fn streams_of_topics_of_this_workspace_have_nothing_wrong() {
    let server = env!("CARGO_BIN_EXE_conformance-server");
    let server = Server::start(Command::new(server).args(["--adapter", "axum", "--keep-alive-ms", "300"])).unwrap();
    let events: Vec<Value> = (0..5).map(|n| json!({ "topic": "news", "data": n.to_string() })).collect();
    let publish = Request::new("POST", "/publish").body(Value::from(events).to_string());
    assert_eq!(server.target().read(&publish).unwrap().head.status, 200);
    let url = format!("http://{}/topics?name=news&from=oldest", server.target().address());
    let output = Command::new(COMMAND).args(["--stream", &url, "--seconds", "3"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in
        ["ok     resume       strictly after the first ID; 4 events", "ok     HTTP/2", "ok     close        noticed"]
    {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.ends_with("nothing is wrong\n"), "{text}");
}

#[test]
fn a_server_without_the_routes_is_told_of_the_other_way() {
    let url = server(HEAD, &RIGHT, &[]);
    let base = url.strip_suffix("/events?a=b").unwrap();
    let output = Command::new(COMMAND).args([base, "--patience-ms", "1000"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("conformance --stream URL") && words.contains("/about"), "{words}");
    let output = Command::new(COMMAND).args(["--stream", "https://127.0.0.1/"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("is not an http:// URL"), "{words}");
}

#[cfg(unix)]
#[test]
fn the_table_of_hazards_ends_quietly_when_its_reader_has_seen_enough() {
    let hazards = env!("CARGO_BIN_EXE_hazards");
    let output = Command::new("sh").arg("-c").arg(format!("'{hazards}' | head -1")).output().unwrap();
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    let help = Command::new(hazards).arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).lines().count() < 15);
}
