//! Requests the same stream in other ways.

use super::Probe;
use super::report::{Finding, note, ok, wrong};
use crate::cases::is_stream;
use crate::client::{Head, Http2};
use std::time::{Duration, Instant};

/// How long each of these requests may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) const ALL: [fn(&Probe) -> Finding; 5] = [head, compression, cors, http2, close];

fn head(probe: &Probe) -> Finding {
    const NAME: &str = "HEAD";
    let answer = match probe.url.target.ask(&probe.request().with_method("HEAD")) {
        Ok(answer) => answer,
        Err(failure) => return wrong(NAME, format_args!("no answer: {failure}")),
    };
    let (status, stream) = (answer.head.status, is_stream(&answer.head));
    let shown = answer.head.to_string();
    match answer.into_connection().and_then(|connection| connection.silent(Duration::from_millis(500))) {
        Err(failure) => wrong(NAME, format_args!("a body follows the head: {failure}")),
        Ok(()) if status == 200 && stream => ok(NAME, "200 with the head of the stream and nothing else"),
        Ok(()) if status == 405 => note(NAME, "405"),
        Ok(()) => note(NAME, format_args!("another answer than to GET: {shown}")),
    }
}

fn compression(probe: &Probe) -> Finding {
    const NAME: &str = "compression";
    let asked = Instant::now();
    let mut stream = match probe.url.target.ask(&probe.request().header("accept-encoding", "gzip, deflate, br, zstd")) {
        Ok(stream) => stream,
        Err(failure) => return wrong(NAME, format_args!("no answer to a client that accepts it: {failure}")),
    };
    let encoding = stream.head.header("content-encoding").unwrap_or("identity").to_owned();
    if encoding == "identity" {
        return ok(NAME, "none");
    }
    match stream.read_bytes(1, PATIENCE) {
        Ok(()) => note(
            NAME,
            format_args!(
                "{encoding}; its first byte came after {} ms. Each event must be flushed",
                asked.elapsed().as_millis()
            ),
        ),
        Err(_) => {
            wrong(NAME, format_args!("{encoding}, and no byte within {PATIENCE:?}: the compressor holds events back"))
        }
    }
}

fn cors(probe: &Probe) -> Finding {
    const NAME: &str = "CORS";
    let origin = "https://page.example";
    match probe.url.target.ask(&probe.request().header("origin", origin)) {
        Ok(answer) => match answer.head.header("access-control-allow-origin") {
            None => ok(NAME, "pages of other origins may not read the stream"),
            Some(allowed) if allowed == origin && answer.head.has("access-control-allow-credentials") => {
                wrong(NAME, "any page may read the stream with the cookies of its visitor")
            }
            Some(allowed) => note(NAME, format_args!("pages of other origins may read the stream: {allowed}")),
        },
        Err(failure) => note(NAME, format_args!("no answer to a page of another origin: {failure}")),
    }
}

fn http2(probe: &Probe) -> Finding {
    const NAME: &str = "HTTP/2";
    let asked = Http2::open(&probe.url.target).and_then(|client| {
        let answer = client.ask_within(&probe.request(), PATIENCE)?;
        Ok((answer.head.status.as_u16(), is_stream(&Head::of(&answer.head))))
    });
    match asked {
        Ok((200, true)) => ok(NAME, "the same stream, with prior knowledge"),
        Ok((status, _)) => wrong(NAME, format_args!("{status} with prior knowledge, and no stream")),
        Err(_) => note(NAME, "not without TLS: browsers open at most six streams of HTTP/1.1 to one origin"),
    }
}

/// Closes the client's half of the connection. A server sees nothing else of a client that disconnects.
fn close(probe: &Probe) -> Finding {
    const NAME: &str = "close";
    let stream = probe.url.target.ask(&probe.request()).and_then(|mut stream| {
        stream.read_bytes(1, PATIENCE)?;
        stream.connection().close_half()?;
        Ok(stream)
    });
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(failure) => return note(NAME, format_args!("not judged: {failure}")),
    };
    let closed = Instant::now();
    // Both an orderly and an abrupt end will do.
    let ended = stream.read_for(PATIENCE).is_err() || stream.is_ended();
    if ended && closed.elapsed() < PATIENCE {
        return ok(NAME, format_args!("noticed after {} ms", closed.elapsed().as_millis()));
    }
    note(
        NAME,
        format_args!(
            "the server writes on for {PATIENCE:?} after the client closed its half; look whether it notices clients that left"
        ),
    )
}
