//! Streams that stay open: clients that read slowly, stall or leave, and clients that close half of the connection.

use crate::client::{self, Exchange, connect, exchange_half_closed};
use crate::servers::{AXUM, SERVERS, Server};
use crate::{get, last, same_by};
use sse_axum::{Event, Hub};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Waits for a condition, within the bound of every test.
fn wait(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "no {what} within 30 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Opens the stream of the hub of a server, with a key of its own so that tests can run side by side.
fn open(server: &Server, requests: &str) -> TcpStream {
    let mut socket = connect(server.at);
    let before = server.hub.stats().streams;
    socket.write_all(requests.as_bytes()).unwrap();
    wait("stream", || server.hub.stats().streams > before);
    socket
}

/// One test for each server, because the tests count the streams of its hub.
fn with_hub(test: impl Fn(&Server, &Hub)) {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for server in std::iter::once(&*AXUM).chain(&*SERVERS) {
        test(server, &server.hub);
    }
}

#[test]
fn every_event_of_a_hub_arrives_once_and_in_order() {
    with_hub(|server, hub| {
        let mut socket = open(server, &get("/"));
        for n in 0..1000 {
            hub.publish("news", Event::data(format!("event {n}"))).unwrap();
            if n % 97 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        // The chunk of the last event is complete.
        while !(bytes.ends_with(b"\n\n\r\n") && bytes.windows(10).any(|window| window == b"event 999\n")) {
            let read = socket.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "{}", server.name);
            bytes.extend_from_slice(&buffer[..read]);
        }
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let body = String::from_utf8(client::dechunk(&bytes[head..]).0).unwrap();
        let data: Vec<&str> =
            body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "{}").collect();
        let expected: Vec<String> =
            std::iter::once("first".to_owned()).chain((0..1000).map(|n| format!("event {n}"))).collect();
        assert_eq!(data, expected, "{}", server.name);
        drop(socket);
        wait("end", || hub.stats().streams == 0);
    });
}

#[test]
fn server_notices_that_the_client_of_a_silent_stream_left() {
    with_hub(|server, hub| {
        drop(open(server, &get("/")));
        wait("end", || hub.stats().streams == 0);
    });
}

/// A client that pipelined may have closed only its half, so a write finds that it left.
#[test]
fn write_notices_that_a_client_with_waiting_requests_left() {
    with_hub(|server, hub| {
        drop(open(server, &(get("/") + &get("/plain"))));
        wait("end", || {
            hub.publish("news", Event::data("x")).unwrap();
            hub.stats().streams == 0
        });
    });
}

/// The answer to the last request depends on when the server notices the end, on hyper too.
#[test]
fn client_that_closes_its_half_gets_the_answers_to_all_requests_before_the_last() {
    let requests = get("/counted/3") + &get("/frames/9") + &get("/plain") + &get("/plain");
    same_by(|server| {
        let mut exchange = exchange_half_closed(server.at, requests.as_bytes());
        assert!(exchange.responses.len() >= 3, "{}: {}", server.name, crate::summary(&exchange));
        exchange.responses.truncate(3);
        exchange
    });
}

/// The answer before the stream fills the socket, so the head of the stream waits in hyper's write buffer.
#[test]
fn head_of_a_stream_waits_behind_an_unread_answer() {
    let run = |server: &Server, bytes: usize| {
        let mut socket = connect(server.at);
        let requests = get(&format!("/big/{bytes}")) + &get("/counted/100") + &last("/frames/9");
        socket.write_all(requests.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        client::read_all(socket)
    };
    for server in &*SERVERS {
        let bytes = if server.drips { 20_000 } else { 6 << 20 };
        let (found, expected) = (run(server, bytes), run(&AXUM, bytes));
        assert!(found == expected, "{}", server.name);
        assert_eq!(found.responses.len(), 3);
    }
}

#[test]
fn client_that_stalls_gets_every_event_afterwards() {
    let run = |server: &Server, events: usize| -> Exchange {
        let mut socket = connect(server.at);
        let requests = get(&format!("/counted/{events}")) + &last(&format!("/frames/{}", events / 10));
        socket.write_all(requests.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        client::read_all(socket)
    };
    for server in &*SERVERS {
        let events = if server.drips { 200 } else { 60_000 };
        let (found, expected) = (run(server, events), run(&AXUM, events));
        assert!(found == expected, "{}", server.name);
        assert!(found.responses.iter().all(|response| response.whole));
    }
}

/// More bytes than are read ahead: the rest waits in the kernel.
#[test]
fn requests_beyond_the_limit_of_reading_ahead_are_answered() {
    let padded = get("/frames/1").replace("host:", &format!("x-pad: {}\r\nhost:", "p".repeat(3000)));
    let requests = get("/counted/200") + &padded.repeat(20) + &last("/plain");
    let exchange = same_by(|server| client::exchange(server.at, requests.as_bytes()));
    assert_eq!(exchange.responses.len(), 22);
}
