//! The head of a stream.

use super::opening::OPEN;
use super::topics::{Follow, topic};
use crate::client::{Head, Request};
use crate::failure::{check, same};
use crate::{Case, Group, Target, Verdict};
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    let case =
        |name: &str, promise, source, run: fn(&Target) -> Verdict| Case::on(Group::Head, name, promise, source, run);
    vec![
        case(
            "a_stream_has_exactly_these_headers",
            "the head of a stream says its type, and nothing that would hold it back",
            "DESIGN 4.2; WHATWG HTML 9.2.5",
            exact,
        ),
        case(
            "topics_have_the_same_headers",
            "and beside them what became of the client's id",
            "DESIGN 4.2; CONFORMANCE, routes",
            |target| {
                same(
                    "the headers",
                    expected("x-resumption: fresh\n"),
                    headers(&target.ask(&Follow::of([&topic("head")]).request())?.head),
                )
            },
        )
        .with([Group::Resumption]),
        case("no_header_belongs_to_one_hop", "no header of a stream belongs to the connection", "RFC 9110 7.6.1", hops),
        case("a_stream_tells_its_id", "x-stream-id is a UUID, another one for each stream", "CONFORMANCE, routes", ids),
        case(
            "the_head_leaves_before_any_event",
            "the head and the first bytes leave within 50 ms, so that `open` fires",
            "DESIGN 4.3",
            first_byte,
        ),
        case("an_error_is_no_stream", "405, 406 and 400 have another type, or none", "WHATWG HTML 9.2.3", errors),
    ]
}

fn exact(target: &Target) -> Verdict {
    same("the headers", expected(""), headers(&target.script("[]")?.head))
}

fn expected(more: &str) -> String {
    format!("cache-control: no-store, no-transform\ncontent-type: text/event-stream\nx-accel-buffering: no\n{more}")
}

fn headers(head: &Head) -> String {
    // The server's own, the framing's, the application's; `identity` is no encoding.
    let others = ["date", "server", "transfer-encoding", "x-stream-id"];
    let mut headers: Vec<_> = head.headers.iter().filter(|(name, _)| !others.contains(&name.as_str())).collect();
    headers.retain(|(name, value)| !(name == "content-encoding" && value == "identity"));
    headers.sort();
    headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

fn hops(target: &Target) -> Verdict {
    let head = target.script("[]")?.head;
    for name in ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "content-length"] {
        check(!head.has(name), || format!("{name} in {head}"))?;
    }
    check(head.header("transfer-encoding") == Some("chunked"), || format!("not chunked: {head}"))
}

fn ids(target: &Target) -> Verdict {
    let (one, other) = (target.script("[]")?.stream_id()?, target.script("[]")?.stream_id()?);
    check(one != other, || format!("twice {one}"))?;
    let groups: Vec<_> = one.split('-').map(str::len).collect();
    let hex = one.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    check(hex && groups == [8, 4, 4, 4, 12], || format!("no UUID: {one}"))
}

fn first_byte(target: &Target) -> Verdict {
    // A busy machine is no fault of the server's: one of five will do.
    let mut last = Ok(());
    for _ in 0..5 {
        let connection = target.connect()?;
        let asked = std::time::Instant::now();
        let mut response = connection.ask(&Request::script(r#"[{"sleep":60000}]"#))?;
        last = response.read_until(OPEN, Duration::from_secs(5));
        let took = asked.elapsed();
        last = last.and_then(|()| check(took < Duration::from_millis(50), || format!("it took {took:?}")));
        if last.is_ok() {
            break;
        }
    }
    last
}

fn errors(target: &Target) -> Verdict {
    let accept = |request: Request, value: &str| request.header("accept", value);
    let requests = [
        (405, accept(Request::new("PUT", "/script?steps=[]"), "text/event-stream")),
        (406, accept(Request::get("/script?steps=[]"), "text/html")),
        (400, accept(Request::get("/script?steps=["), "text/event-stream")),
    ];
    for (status, request) in requests {
        let head = target.read(&request)?.head;
        check(head.status == status, || format!("not {status}: {head}"))?;
        check(head.header("content-type") != Some("text/event-stream"), || format!("a stream: {head}"))?;
    }
    Ok(())
}
