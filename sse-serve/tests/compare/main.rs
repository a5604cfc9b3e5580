//! Byte for byte as `axum::serve`, on the same router.

mod client;
mod layers;
mod routes;
mod servers;
mod streams;

use client::{End, Exchange, exchange};
use servers::{AXUM, SERVERS, Server};

/// A request of an event stream.
fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n")
}

/// The last request on a connection.
fn last(path: &str) -> String {
    get(path).replace("host:", "connection: close\r\nhost:")
}

/// Sends the same requests to all servers, and compares heads without dates, bodies, framing, and the end of the connection.
/// Returns the exchange with `axum::serve`.
fn same(requests: &str) -> Exchange {
    same_by(|server| exchange(server.at, requests.as_bytes()))
}

fn same_by(run: impl Fn(&Server) -> Exchange) -> Exchange {
    let expected = run(&AXUM);
    for server in &*SERVERS {
        let found = run(server);
        assert!(found == expected, "on {}: {}\nexpected: {}", server.name, summary(&found), summary(&expected));
    }
    expected
}

fn summary(exchange: &Exchange) -> String {
    let responses = exchange.responses.iter().map(|response| {
        let (head, length) = (response.head.lines().next().unwrap_or_default(), response.body.len());
        format!("{head}, {length} B, whole: {}", response.whole)
    });
    format!("{:?}, {:?}", responses.collect::<Vec<_>>(), exchange.end)
}

/// The chunks have the same boundaries, too.
fn same_bytes(requests: &str) {
    let read = |server: &Server| {
        use std::io::Write;
        let mut socket = client::connect(server.at);
        socket.write_all(requests.as_bytes()).unwrap();
        let (bytes, end) = client::read_raw(socket);
        assert_eq!(end, End::Closed);
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.split_inclusive("\r\n").filter(|line| !line.starts_with("date:")).collect();
        lines.concat()
    };
    let expected = read(&AXUM);
    for server in &*SERVERS {
        assert!(read(server) == expected, "other bytes on {}", server.name);
    }
}

fn statuses(exchange: &Exchange) -> Vec<&str> {
    exchange.responses.iter().map(|response| &response.head[9..12]).collect()
}

#[test]
fn chunks_have_the_boundaries_of_hyper() {
    same_bytes(&(get("/frames/20") + &get("/empty-frames") + &get("/trailers") + &last("/frames/3")));
}

#[test]
fn empty_body_is_the_last_chunk() {
    same_bytes(&(get("/frames/0") + &last("/frames/0")));
}

#[test]
fn stream_ends_and_the_connection_serves_the_next_request() {
    let exchange = same(&(get("/counted/400") + &last("/plain")));
    assert_eq!(exchange.responses[1].body, b"plain");
}

#[test]
fn pipelined_requests_are_answered_in_their_turn() {
    let requests = get("/counted/1") + &get("/counted/2") + &get("/plain") + &get("/counted/30") + &get("/counted/0");
    let exchange = same(&(requests.clone() + &requests + &last("/counted/5")));
    assert_eq!(exchange.responses.len(), 11);
    assert!(exchange.responses.iter().all(|response| response.whole));
}

#[test]
fn connection_closes_if_the_request_asks_for_it() {
    assert_eq!(same(&last("/counted/3")).end, End::Closed);
    same(&get("/frames/3").replace("host:", "connection: x, CLOSE\r\nhost:"));
    same(&get("/frames/3").replace("host:", "connection: close\r\nconnection: x\r\nhost:"));
}

#[test]
fn connection_closes_if_the_response_asks_for_it() {
    let exchange = same(&get("/closing/frames/9"));
    assert!(exchange.responses[0].whole);
}

/// The response closes the connection, and the client has sent more requests: no reset destroys the response.
#[test]
fn unread_requests_do_not_reset_a_closed_connection() {
    for server in &*SERVERS {
        for _ in 0..5 {
            let exchange = exchange(server.at, (last("/frames/9") + &get("/plain").repeat(50)).as_bytes());
            assert_eq!(exchange.end, End::Closed, "{}", server.name);
            assert!(exchange.responses[0].whole);
            assert_eq!(exchange.responses.len(), 1);
        }
    }
}

#[test]
fn http_1_0_client_gets_neither_chunks_nor_keep_alive() {
    same(&get("/counted/3").replace("HTTP/1.1", "HTTP/1.0"));
    same(&get("/counted/3").replace("HTTP/1.1", "HTTP/1.0").replace("host:", "connection: keep-alive\r\nhost:"));
}

#[test]
fn rejections_stay_as_they_are() {
    let head = get("/counted/3").replace("GET", "HEAD");
    let method = get("/counted/3").replace("GET", "PUT");
    let accept = get("/counted/3").replace("text/event-stream", "text/html");
    same_bytes(&(head + &method + &accept + &get("/no") + &last("/plain")));
}

#[test]
fn malformed_request_is_answered_by_hyper() {
    let exchange = same(&(get("/counted/2") + "what\r\n\r\n"));
    assert_eq!(statuses(&exchange), ["200", "400"]);
}

#[test]
fn request_body_that_was_read_may_precede_a_stream() {
    let post = "POST /posted HTTP/1.1\r\nhost: x\r\n";
    let sized = format!("{post}content-length: 5\r\n\r\nhello");
    let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    let empty = format!("{post}content-length: 0\r\n\r\n");
    let exchange = same(&(sized + &chunked + &empty + &last("/plain")));
    assert_eq!(exchange.responses.len(), 4);
}

#[test]
fn request_body_that_was_not_read_stays_on_hyper() {
    let exchange =
        same(&("POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello".to_owned() + &last("/plain")));
    assert_eq!(exchange.responses.last().unwrap().body, b"plain");
    let exchange = same(
        &("POST /half-read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
            .to_owned()
            + &last("/plain")),
    );
    assert!(String::from_utf8_lossy(&exchange.responses[0].body).contains("data: true 2\n"));
}

#[test]
fn expect_continue_is_answered() {
    let request =
        "POST /posted HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    let exchange = same(&(request.to_owned() + "hello"));
    assert_eq!(exchange.responses.last().map(|response| response.whole), Some(true));
}

#[test]
fn request_with_upgrade_stays_on_hyper() {
    let ask = "GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello";
    let exchange = same(&(get("/counted/2") + ask));
    assert_eq!(exchange.rest, b"olleh");
    same(&last("/counted/2").replace("host:", "upgrade: websocket\r\nhost:"));
}

#[test]
fn marked_responses_of_other_kinds_stay_on_hyper() {
    let requests = get("/status/201") + &get("/sized") + &get("/status/404") + &get("/named-trailers");
    same(&(requests.clone() + &last("/plain")));
    same(&(requests.replace("host:", "te: trailers\r\nhost:") + &last("/plain")));
    same(&get("/http10"));
}

/// Over GET the core ends a failed stream with `retry`.
#[test]
fn stream_that_fails_ends_as_on_hyper() {
    let drawn = |exchange: Exchange| {
        let body = String::from_utf8(exchange.responses[0].body.clone()).unwrap();
        let lines: Vec<&str> = body.lines().filter(|line| !line.starts_with("retry: ")).collect();
        (exchange.responses[0].head.clone(), lines.join("\n"), exchange.responses[0].whole, exchange.end)
    };
    let expected = drawn(exchange(AXUM.at, last("/fails").as_bytes()));
    for server in &*SERVERS {
        assert_eq!(drawn(exchange(server.at, last("/fails").as_bytes())), expected, "{}", server.name);
    }
}

#[test]
fn body_that_breaks_has_no_last_chunk() {
    let exchange = same(&get("/breaks-later"));
    assert_eq!((exchange.responses[0].whole, &exchange.responses[0].body[..]), (false, &b"data: x\n\n"[..]));
}

/// The one difference: hyper closes the connection with the head unsent.
#[test]
fn body_that_breaks_at_once_sends_its_head_and_has_no_last_chunk() {
    assert_eq!(exchange(AXUM.at, get("/breaks-first").as_bytes()).responses, []);
    for server in &*SERVERS {
        let exchange = exchange(server.at, get("/breaks-first").as_bytes());
        let response = &exchange.responses[0];
        assert_eq!((statuses(&exchange), response.whole), (vec!["200"], false), "{}", server.name);
        assert_eq!((&response.body[..], &exchange.end), (&b"data: x\n\n"[..], &End::Closed));
    }
}

#[test]
fn many_connections_at_once_get_their_own_events() {
    let requests = |n: usize| get(&format!("/counted/{n}")) + &get("/frames/7") + &last("/plain");
    let run = |server: &Server| {
        let clients: Vec<_> = (0..30)
            .map(|n| {
                let at = server.at;
                std::thread::spawn(move || exchange(at, requests(n).as_bytes()))
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    };
    let expected = run(&AXUM);
    for server in &*SERVERS {
        assert!(run(server) == expected, "{}", server.name);
    }
}
