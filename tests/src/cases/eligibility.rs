//! Which requests open a stream.

use super::head::{is_stream, list};
use crate::client::Request;
use crate::failure::check;
use crate::{Case, Group, Target, Verdict};
use std::collections::BTreeSet;

/// A method, a route, the lines of `Accept`, and the status.
type AcceptRow = (&'static str, &'static str, &'static [&'static [u8]], u16);

const STREAM: &[u8] = b"text/event-stream";

#[rustfmt::skip]
const TABLE: [AcceptRow; 40] = [
    ("GET", "/script?steps=[]", &[], 200),
    ("GET", "/script?steps=[]", &[b""], 200),
    ("GET", "/script?steps=[]", &[b"*/*"], 200),
    ("GET", "/script?steps=[]", &[b"text/*"], 200),
    ("GET", "/script?steps=[]", &[STREAM], 200),
    ("GET", "/script?steps=[]", &[b"Text/Event-Stream"], 200),
    ("GET", "/script?steps=[]", &[b"text/event-stream; charset=utf-8"], 200),
    ("GET", "/script?steps=[]", &[b"text/html, text/event-stream"], 200),
    ("GET", "/script?steps=[]", &[b"text/html", STREAM], 200),
    ("GET", "/script?steps=[]", &[b"text/event-stream;q=0.001"], 200),
    ("GET", "/script?steps=[]", &[b"text/event-stream;q=bogus"], 200),
    ("GET", "/script?steps=[]", &[b"nonsense, text/event-stream"], 200),
    ("GET", "/script?steps=[]", &[b",, text/event-stream ,"], 200),
    ("GET", "/script?steps=[]", &[b"*/*;q=0, text/event-stream"], 200),
    ("GET", "/script?steps=[]", &[b"text/html,application/xhtml+xml,*/*;q=0.8"], 200),
    ("GET", "/script?steps=[]", &[b"text/*;q=0, */*"], 406),
    ("GET", "/script?steps=[]", &[b"text/event-stream;q=0"], 406),
    ("GET", "/script?steps=[]", &[b"text/event-stream;q=0.000, */*"], 406),
    ("GET", "/script?steps=[]", &[b"text/event-stream;q=0, text/*, */*"], 406),
    ("GET", "/script?steps=[]", &[b"text/html"], 406),
    ("GET", "/script?steps=[]", &[b"application/json, text/plain"], 406),
    ("GET", "/script?steps=[]", &[b"text/event-streams"], 406),
    ("GET", "/script?steps=[]", &[b"application/event-stream"], 406),
    ("POST", "/script?steps=[]", &[STREAM], 405),
    ("PUT", "/script?steps=[]", &[STREAM], 405),
    ("DELETE", "/script?steps=[]", &[STREAM], 405),
    ("OPTIONS", "/script?steps=[]", &[STREAM], 405),
    ("PATCH", "/script?steps=[]", &[STREAM], 405),
    // The server must check the method before `Accept`, and both before the steps.
    ("POST", "/script?steps=[]", &[b"text/html"], 405),
    ("POST", "/script?steps=[", &[b"text/html"], 405),
    ("GET", "/script?steps=[", &[b"text/html"], 406),
    ("GET", "/script?steps=[", &[STREAM], 400),
    ("GET", "/script", &[STREAM], 400),
    ("GET", "/fetch?steps=[]", &[STREAM], 200),
    ("POST", "/fetch", &[STREAM], 400),
    ("POST", "/fetch", &[b"text/html"], 406),
    ("PUT", "/fetch", &[STREAM], 405),
    ("HEAD", "/script", &[STREAM], 200),
    ("HEAD", "/script", &[b"text/html"], 406),
    ("GET", "/topics", &[STREAM], 400),
];

const ROUTES: &str = "They take any method and leave 405 (`allow: GET, HEAD` as a set), 406 and HEAD to the adapter; the order is 405, 406, 400.";
const ACCEPT: &str = "A GET opens a stream if its `Accept` accepts `text/event-stream` by range, q-value and specificity (RFC 9110 12.5.1), or is absent.";

/// `Accept` of a request to a route that has another answer too, and whether the server must open a stream.
#[rustfmt::skip]
const OPTIONAL: [(&str, &[&str], bool); 9] = [
    ("absent", &[], false),
    ("a browser's navigation", &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], false),
    ("anything", &["*/*"], false),
    ("named with q 0", &["text/event-stream;q=0, */*"], false),
    ("another type", &["application/json"], false),
    ("named", &["text/event-stream"], true),
    ("named among others", &["text/html, text/event-stream;q=0.1"], true),
    ("named on a line of its own", &["text/html", "text/event-stream"], true),
    ("text", &["text/*"], true),
];

pub(super) fn cases() -> Vec<Case> {
    let group = Group::Eligibility;
    let mut cases: Vec<_> = TABLE.into_iter().enumerate().map(row).collect();
    cases.push(Case::on(
        group,
        "optional_stream_by_another_method_is_405",
        "`Accept` alone decides whether the client requests a stream; by another method a stream is 405",
        "By another method than GET and HEAD, `/optional` answers 405 to an `Accept` that names the type, and 200 to one that does not.",
        |target| {
            for (accept, status) in [("text/html", 200), ("text/html, text/event-stream", 405)] {
                let head = target.read(&Request::new("POST", "/optional").header("accept", accept).body(""))?.head;
                check(head.status == status, || format!("{accept}: not {status}: {head}"))?;
            }
            Ok(())
        },
    ));
    cases.push(Case::on(group, "405_lists_the_methods", "405 lists the methods of the route", ROUTES, |target| {
        allows(target, "/script", &["GET", "HEAD"])?;
        allows(target, "/fetch", &["GET", "HEAD", "POST"])
    }));
    cases.push(
        Case::on(
            group,
            "405_of_topics_lists_the_methods",
            "405 of `/topics` lists the methods of the route",
            ROUTES,
            |target| allows(target, "/topics?name=a", &["GET", "HEAD"]),
        )
        .with([Group::Resumption]),
    );
    cases.push(Case::on(
        group,
        "optional_stream_opens_only_if_accept_names_the_type",
        "a route with another answer opens a stream only if `Accept` names the type",
        "takes the stream as an option: one that was not named in `Accept` gets 200 `text/plain` and the body `not an event stream request`; else one event `hello` and the end",
        optional,
    ));
    cases
}

fn row((at, (method, path, accept, status)): (usize, AcceptRow)) -> Case {
    let lines: Vec<_> = accept.iter().map(|line| String::from_utf8_lossy(line)).collect();
    let accept_text = if lines.is_empty() { "no accept".to_owned() } else { lines.join(" + ") };
    let name = format!("row_{:02} {method} {path} ({accept_text}) is {status}", at + 1);
    let promise = "the method decides first, then `Accept` by range, q-value and specificity, then the handler";
    let topics = path.starts_with("/topics").then_some(Group::Resumption);
    Case::on(Group::Eligibility, name, promise, ACCEPT, move |target| {
        let mut request = Request::new(method, path);
        for line in accept {
            request = request.header("accept", line);
        }
        if method != "GET" && method != "HEAD" {
            request = request.body("");
        }
        let head = target.ask(&request)?.head;
        check(head.status == status, || format!("not {status}: {head}"))?;
        let streams = is_stream(&head);
        check(streams == (status == 200), || format!("of the wrong type: {head}"))
    })
    .with(topics)
}

fn allows(target: &Target, path: &str, allowed: &[&str]) -> Verdict {
    let head = target.read(&Request::new("DELETE", path).header("accept", STREAM))?.head;
    let seen = list(&head, "allow");
    let allowed = allowed.iter().map(|method| method.to_ascii_lowercase()).collect::<BTreeSet<_>>();
    check(seen == allowed, || format!("{path} allows {seen:?}, not {allowed:?}: {head}"))
}

fn optional(target: &Target) -> Verdict {
    for (what, accept, streams) in OPTIONAL {
        let request = accept.iter().fold(Request::get("/optional"), |request, line| request.header("accept", line));
        let response = target.read(&request)?;
        let body = String::from_utf8_lossy(response.body());
        let content_type = response.head.header("content-type").unwrap_or_default();
        if streams {
            let hello = response.seen().events.into_iter().map(|event| event.event_type).eq(["hello"]);
            check(hello && is_stream(&response.head), || format!("{what}: {}, {body:?}", response.head))?;
        } else {
            let plain = body == "not an event stream request" && content_type.starts_with("text/plain");
            check(plain && response.head.status == 200, || format!("{what}: {}, {body:?}", response.head))?;
        }
    }
    Ok(())
}
