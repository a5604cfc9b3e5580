//! Clients of HTTP/1.1, and the framing of a stream for them.

use super::topics::patience;
use crate::client::Request;
use crate::failure::{alike, check};
use crate::{Case, Group, Target, Verdict};

pub(super) fn cases() -> Vec<Case> {
    let case =
        |name: &str, promise, source, run: fn(&Target) -> Verdict| Case::on(Group::Http11, name, promise, source, run);
    vec![
        case(
            "stream_ends_with_the_last_chunk",
            "a stream is sent in chunks, and ends with the last chunk",
            "Over HTTP/1.1 a stream ends with the last chunk, and its connection serves the next request unless the client asked to close it.",
            chunks,
        ),
        case(
            "connection_serves_the_next_request_after_a_stream",
            "after a stream the connection serves the next request",
            KEEPS,
            lives_on,
        ),
        case(
            "connection_close_is_honoured",
            "the connection closes after the stream if the client asks for that",
            KEEPS,
            close,
        ),
        case("request_sent_byte_by_byte_is_read", "a request may arrive in any pieces", HTTP, bytes),
        case("header_names_ignore_case", "the names of headers ignore case", HTTP, names).with([Group::Eligibility]),
        case("chunked_request_body_is_read", "a posted script may arrive in chunks", HTTP, chunked),
        case(
            "upgrade_is_never_agreed_to",
            "a request for another protocol gets a stream in valid framing or a rejection, and no response agrees to the upgrade",
            UPGRADE,
            upgrade,
        ),
        case("malformed_request_is_rejected", "malformed requests are rejected, and open no stream", HTTP, malformed),
    ]
}

const KEEPS: &str = "Over HTTP/1.1 a stream ends with the last chunk, and its connection serves the next request unless the client asked to close it.";
const HTTP: &str = "The server reads requests as RFC 9110 and RFC 9112 say: in any pieces, with names in any case, with bodies in chunks; it answers malformed ones by 400 or more, or closes.";

const UPGRADE: &str = "A request with `Upgrade:` in any spelling gets a stream in valid framing, or a rejection. No response has `connection: upgrade` or `upgrade`.";

const STEPS: &str = r#"[{"send":{"data":"x"}},{"close":true}]"#;
const BODY: &str = "data: x\n\n";

fn chunks(target: &Target) -> Verdict {
    let stream = target.read(&Request::script(STEPS))?;
    check(stream.head.version == "HTTP/1.1" && !stream.head.has("content-length"), || stream.head.to_string())?;
    check(super::head::list(&stream.head, "transfer-encoding").contains("chunked"), || stream.head.to_string())?;
    alike("the stream", BODY, stream.body())
}

fn lives_on(target: &Target) -> Verdict {
    let mut connection = target.connect()?;
    for _ in 0..3 {
        let mut stream = connection.ask(&Request::script(STEPS))?;
        stream.read_to_end(patience())?;
        alike("the stream", BODY, stream.body())?;
        connection = stream.into_connection()?;
    }
    Ok(())
}

fn close(target: &Target) -> Verdict {
    let mut stream = target.ask(&Request::script(STEPS).header("connection", "close"))?;
    stream.read_to_end(patience())?;
    alike("the stream", BODY, stream.body())?;
    stream.into_connection()?.ends(patience())
}

fn bytes(target: &Target) -> Verdict {
    let mut connection = target.connect()?;
    for byte in Request::script(STEPS).to_bytes() {
        connection.send(&[byte])?;
    }
    let mut stream = connection.answer(false)?;
    stream.read_to_end(patience())?;
    alike("the stream", BODY, stream.body())
}

fn names(target: &Target) -> Verdict {
    let head = target.read(&Request::get(Request::script_path(STEPS)).header("ACCEPT", "text/html"))?.head;
    check(head.status == 406, || head.to_string())?;
    let end = target.read(&Request::script(STEPS).header("LAST-event-ID", "end"))?.head;
    check(end.status == 204, || end.to_string())
}

fn chunked(target: &Target) -> Verdict {
    let head =
        "POST /fetch HTTP/1.1\r\nhost: conformance\r\naccept: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut connection = target.connect()?;
    connection.send(head.as_bytes())?;
    for piece in STEPS.as_bytes().chunks(7) {
        connection.send(format!("{:x}\r\n", piece.len()).as_bytes())?;
        connection.send(&[piece, b"\r\n"].concat())?;
    }
    connection.send(b"0\r\n\r\n")?;
    let mut stream = connection.answer(false)?;
    stream.read_to_end(patience())?;
    alike("the stream", BODY, stream.body())
}

fn upgrade(target: &Target) -> Verdict {
    let asks: [&[(&str, &str)]; 6] = [
        &[("connection", "upgrade"), ("upgrade", "websocket")],
        &[("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket"), ("sec-websocket-version", "13")],
        &[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")],
        // nginx sends this line to a server when its client asked for no upgrade.
        &[("connection", "upgrade")],
        &[("upgrade", "websocket")],
        &[("connection", "upgrade"), ("upgrade", "foo/2")],
    ];
    let requests = [
        Request::script(STEPS),
        Request::script(STEPS).with_method("HEAD"),
        Request::script(STEPS).with_method("PUT").body(""),
        Request::script(STEPS).header("last-event-id", "end"),
        Request::get(Request::script_path(STEPS)).header("accept", "text/html"),
    ];
    for ask in asks {
        for request in &requests {
            let request = ask.iter().fold(request.clone(), |request, (name, value)| request.header(name, value));
            let stream = target.read(&request)?;
            let head = &stream.head;
            let agrees = super::head::list(head, "connection").contains("upgrade");
            check(!agrees && !head.has("upgrade"), || format!("{ask:?}: {head}"))?;
            if head.status == 200 && request.method == "GET" {
                alike("the stream", BODY, stream.body())?;
            }
        }
    }
    Ok(())
}

fn malformed(target: &Target) -> Verdict {
    for bytes in ["GET\r\n\r\n", "GET /script?steps=[] HTTP/1.1\r\nho st: x\r\n\r\n", "\u{1}\r\n\r\n"] {
        let mut connection = target.connect()?;
        connection.send(bytes.as_bytes())?;
        // Some servers close the connection without an answer, which is a valid rejection.
        if let Ok(answer) = connection.answer(false) {
            check(answer.head.status >= 400, || format!("{bytes:?}: {}", answer.head))?;
        }
    }
    Ok(())
}
