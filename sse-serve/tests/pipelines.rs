//! Random pipelines over a connection in memory: heads of random length, cut anywhere, with pauses, through pipes of random size.
//! Every response arrives once, complete and in order, whatever the pieces.

mod given;

use axum::body::Body;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::stream;
use given::given;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use sse_serve::Detach;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A stream of frames without a pause.
    Ready(u8),
    /// A stream that is pending before each frame.
    Slow(u8),
    /// A response that stays on hyper.
    Plain(u16),
    /// A stream after the body of a request, which the handler reads or leaves.
    Posted {
        length: u16,
        is_read: bool,
    },
    NotFound,
}

#[derive(Debug, Clone)]
struct Pipeline {
    requests: Vec<(Kind, u16)>,
    /// Lengths of the pieces that the client writes, in turn; after a piece of odd length the client pauses.
    pieces: Vec<u16>,
    /// Lengths of the client's reads, in turn; after a read of odd length the client pauses.
    reads: Vec<u16>,
    pipe: usize,
    /// After so many bytes of responses the client leaves.
    leaves_after: Option<usize>,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => (0u8..9).prop_map(Kind::Ready),
        3 => (0u8..5).prop_map(Kind::Slow),
        2 => (0u16..3000).prop_map(Kind::Plain),
        2 => (0u16..3000, proptest::bool::ANY).prop_map(|(length, is_read)| Kind::Posted { length, is_read }),
        1 => Just(Kind::NotFound),
    ]
}

fn pipelines() -> impl Strategy<Value = Pipeline> {
    let padding = prop_oneof![8 => 0u16..300, 2 => 300u16..12_000];
    let pieces = || prop::collection::vec(prop_oneof![1u16..8, 1u16..400, 400u16..9000], 1..8);
    let leaves = prop::option::weighted(0.2, 0usize..20_000);
    let pipe = prop_oneof![1usize..16, 16usize..4096, Just(1 << 16)];
    (prop::collection::vec((kind(), padding), 1..8), pieces(), pieces(), pipe, leaves).prop_map(
        |(requests, pieces, reads, pipe, leaves_after)| Pipeline { requests, pieces, reads, pipe, leaves_after },
    )
}

fn frame(n: usize) -> String {
    format!("{n} {}\n", "f".repeat(n * 613 % 3001))
}

fn routes() -> Router {
    let ready = async |Path(n): Path<usize>| {
        (Extension(Detach), Body::from_stream(stream::iter((0..n).map(|n| Ok::<_, io::Error>(frame(n))))))
    };
    let slow = async |Path(n): Path<usize>| {
        let frames = stream::unfold(0, move |at| async move {
            tokio::time::sleep(Duration::from_millis(3)).await;
            (at < n).then(|| (Ok::<_, io::Error>(frame(at)), at + 1))
        });
        (Extension(Detach), Body::from_stream(frames))
    };
    let read = async |body: String| (Extension(Detach), Body::from_stream(stream::iter([Ok::<_, io::Error>(body)])));
    let unread = async || (Extension(Detach), Body::from_stream(stream::iter([Ok::<_, io::Error>("unread")])));
    Router::new()
        .route("/ready/{n}", any(ready))
        .route("/slow/{n}", any(slow))
        .route("/plain/{n}", any(async |Path(n): Path<usize>| "p".repeat(n).into_response()))
        .route("/read", any(read))
        .route("/unread", any(unread))
}

fn request(kind: Kind, padding: u16, is_last: bool) -> String {
    let padding = "x".repeat(padding.into());
    let close = if is_last { "connection: close\r\n" } else { "" };
    let head = |method: &str, path: &str, more: &str| {
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nx-pad: {padding}\r\n{close}{more}\r\n")
    };
    match kind {
        Kind::Ready(n) => head("GET", &format!("/ready/{n}"), ""),
        Kind::Slow(n) => head("GET", &format!("/slow/{n}"), ""),
        Kind::Plain(n) => head("GET", &format!("/plain/{n}"), ""),
        Kind::NotFound => head("GET", "/none", ""),
        Kind::Posted { length, is_read } => {
            let path = if is_read { "/read" } else { "/unread" };
            head("POST", path, &format!("content-length: {length}\r\n")) + &"b".repeat(length.into())
        }
    }
}

/// The status and the body of the answer.
fn answer(kind: Kind) -> (u16, String) {
    let frames = |n: u8| (0..n.into()).map(frame).collect();
    match kind {
        Kind::Ready(n) | Kind::Slow(n) => (200, frames(n)),
        Kind::Plain(n) => (200, "p".repeat(n.into())),
        Kind::NotFound => (404, String::new()),
        Kind::Posted { length, is_read: true } => (200, "b".repeat(length.into())),
        Kind::Posted { is_read: false, .. } => (200, "unread".to_owned()),
    }
}

/// Every complete response, and an error if a framing is broken.
fn parse(mut rest: &str) -> (Vec<(u16, String)>, &str) {
    let mut found = Vec::new();
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let status = head[9..12].parse().expect("a status");
        let mut body = String::new();
        let mut after = after;
        if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
            let length: usize = length.parse().expect("a length");
            let Some(whole) = after.get(..length) else { return (found, rest) };
            body.push_str(whole);
            after = &after[length..];
        } else {
            assert!(head.contains("transfer-encoding: chunked"), "{head}");
            loop {
                let Some((size, data)) = after.split_once("\r\n") else { return (found, rest) };
                let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
                let Some(whole) = data.get(..size + 2) else { return (found, rest) };
                assert_eq!(&whole[size..], "\r\n");
                body.push_str(&whole[..size]);
                after = &data[size + 2..];
                if size == 0 {
                    break;
                }
            }
        }
        found.push((status, body));
        rest = after;
    }
    (found, rest)
}

/// Returns everything that the server sent, and whether it then sent nothing for ten minutes of the virtual clock. Panics if the
/// server does not end.
async fn run(pipeline: &Pipeline) -> (String, bool) {
    let (giver, listener) = given();
    let (stop, stopped) = oneshot::channel::<()>();
    let server =
        sse_serve::serve(listener, routes()).with_graceful_shutdown(async move { drop(stopped.await) }).into_future();
    let server = tokio::spawn(server);
    let (mut from_server, mut to_server) = tokio::io::split(giver.connect_through(pipeline.pipe));

    let last = pipeline.requests.len() - 1;
    let requests: String =
        pipeline.requests.iter().enumerate().map(|(n, (kind, padding))| request(*kind, *padding, n == last)).collect();
    let pieces = pipeline.pieces.clone();
    let writing = tokio::spawn(async move {
        let mut rest = requests.as_bytes();
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min((*piece).into()));
            // The server may close the connection early.
            if to_server.write_all(now).await.is_err() || later.is_empty() {
                break;
            }
            rest = later;
            if piece % 2 == 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        to_server
    });
    let (mut received, mut hangs) = (Vec::new(), false);
    for length in pipeline.reads.iter().cycle() {
        if pipeline.leaves_after.is_some_and(|bytes| received.len() >= bytes) {
            break;
        }
        let mut buffer = vec![0; (*length).into()];
        match tokio::time::timeout(Duration::from_secs(600), from_server.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(read)) => received.extend_from_slice(&buffer[..read]),
            Err(_) => {
                hangs = true;
                break;
            }
        }
        if length % 2 == 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    // The client leaves.
    writing.abort();
    drop((from_server, writing.await));
    let _ = stop.send(());
    // The clock is virtual: this is not a wait.
    tokio::time::timeout(Duration::from_secs(600), server).await.expect("the server ends").expect("no panic").unwrap();
    (String::from_utf8(received).expect("ASCII"), hangs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_sent_twice(pipeline in pipelines()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (received, hangs) = runtime.block_on(run(&pipeline));
        let (found, rest) = parse(&received);
        let expected: Vec<_> = pipeline.requests.iter().map(|(kind, _)| answer(*kind)).collect();
        // After an unread body hyper can close the connection, or leave it open and read no further request. So it does below
        // `axum::serve`.
        let may_close = pipeline.requests.iter().position(|(kind, _)| matches!(kind, Kind::Posted { is_read: false, .. }));
        prop_assert!(expected.starts_with(&found), "other responses");
        prop_assert!(!hangs || may_close.is_some(), "the connection hangs");
        match (pipeline.leaves_after, may_close) {
            (Some(_), _) => {}
            (None, Some(n)) => prop_assert!(found.len() > n, "{} responses of {}", found.len(), expected.len()),
            (None, None) => {
                prop_assert_eq!(found.len(), expected.len());
                prop_assert_eq!(rest, "");
            }
        }
    }
}
