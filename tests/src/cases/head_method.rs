//! The method HEAD.

use super::head::stream_head;
use super::topics::patience;
use crate::client::{Frame, Head, Http2, Request, frames};
use crate::failure::{alike, check, same};
use crate::{Case, Failure, Group, Target, Verdict};

const HEAD: &str = "HEAD is answered 200 with the head and nothing else: no steps run, no stream, no `x-stream-id`.";

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| Case::on(Group::HeadMethod, name, promise, HEAD, run);
    vec![
        case("head_has_the_required_headers", "HEAD is answered 200 with the headers of a stream", same_head),
        case("connection_is_usable_after_head", "after HEAD the connection serves the next request at once", reusable),
        case(
            "head_over_http2_has_no_data",
            "over HTTP/2 no data follows the head, and the connection stays usable",
            over_http2,
        )
        .with([Group::Http2]),
        case("plain_routes_answer_head", "routes without a stream answer HEAD too", plain),
        case(
            "plain_routes_answer_head_over_http2",
            "routes without a stream answer HEAD over HTTP/2 too",
            plain_over_http2,
        )
        .with([Group::Http2]),
        Case::own(
            Group::HeadMethod,
            "head_opens_no_stream",
            "HEAD opens no stream and runs no steps",
            HEAD,
            &[],
            |server| nothing_opened(server.target()),
        )
        .with([Group::Stats]),
    ]
}

/// The routes of streams that the server has.
fn routes(target: &Target) -> Result<Vec<&'static str>, Failure> {
    let mut routes = vec!["/script?steps=[]", "/fetch?steps=[]", "/optional"];
    if target.about()?.groups.iter().any(|group| group == Group::Resumption.as_str()) {
        routes.push("/topics?name=a");
    }
    Ok(routes)
}

fn head(path: &str) -> Request {
    Request::new("HEAD", path).header("accept", "text/event-stream")
}

fn same_head(target: &Target) -> Verdict {
    for path in routes(target)? {
        let head = target.read(&head(path))?.head;
        check(head.status == 200, || format!("{path}: {head}"))?;
        check(!head.has("x-stream-id"), || format!("{path}: {head}"))?;
        stream_head(&head).map_err(|failure| failure.at(path))?;
    }
    Ok(())
}

fn reusable(target: &Target) -> Verdict {
    let mut connection = target.connect()?;
    for path in routes(target)? {
        connection = connection.ask(&head(path))?.into_connection()?;
    }
    let mut response = connection.ask(&Request::script(r#"[{"send":{"data":"x"}},{"close":true}]"#))?;
    response.read_to_end(patience())?;
    alike("the GET after it", "data: x\n\n", response.body())
}

fn over_http2(target: &Target) -> Verdict {
    for path in routes(target)? {
        let seen = frames(target, &head(path))?;
        check(seen == [Frame::Headers(true)], || format!("{path}: {seen:?}"))?;
    }
    let client = Http2::open(target)?;
    for path in routes(target)? {
        let mut answer = client.ask(&head(path))?;
        check(answer.head.status == 200, || answer.head.status.to_string())?;
        stream_head(&Head::of(&answer.head))?;
        answer.read_until(None, patience())?;
        same("the body", "", answer.body())?;
    }
    let mut after = client.ask(&Request::script(r#"[{"send":{"data":"x"}},{"close":true}]"#))?;
    after.read_until(None, patience())?;
    alike("the GET after it", "data: x\n\n", after.body())
}

const PLAIN: [&str; 3] = ["/", "/about", "/optional"];

fn plain(target: &Target) -> Verdict {
    let mut connection = target.connect()?;
    for path in PLAIN {
        let response = connection.ask(&Request::new("HEAD", path))?;
        check(response.head.status == 200, || format!("{path}: {}", response.head))?;
        connection = response.into_connection()?;
    }
    Ok(())
}

fn plain_over_http2(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    for path in PLAIN {
        client.ask(&Request::new("HEAD", path))?.read_until(None, patience()).map_err(|failure| failure.at(path))?;
    }
    Ok(())
}

fn nothing_opened(target: &Target) -> Verdict {
    let routes = routes(target)?;
    let before = open(target)?;
    for path in routes {
        target.read(&head(path))?;
    }
    let after = open(target)?;
    check(before == after, || format!("{before} streams, then {after}"))
}

fn open(target: &Target) -> Result<u64, Failure> {
    let stats = target.stats()?;
    let streams = stats.get("streams").and_then(serde_json::Value::as_u64);
    streams.ok_or_else(|| Failure::new(format_args!("no number streams in {stats}")))
}
