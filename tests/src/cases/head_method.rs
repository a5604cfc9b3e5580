//! The method HEAD.

use super::opening::OPEN;
use crate::client::{Frame, Head, Http2, Request, frames};
use crate::failure::{check, same};
use crate::target::ANSWER;
use crate::{Case, Failure, Group, Target, Verdict};

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| {
        Case::on(Group::HeadMethod, name, promise, "DESIGN 4.2; RFC 9110 9.3.2", run)
    };
    vec![
        case(
            "the_head_of_a_stream",
            "HEAD is answered with the status and headers that GET has, and no length",
            same_head,
        ),
        case("the_connection_can_be_used_again", "after HEAD the connection takes the next request at once", reusable),
        case("head_over_http2", "over HTTP/2 no data follows, and the connection goes on", over_http2)
            .with([Group::Http2]),
        case("head_of_the_plain_routes", "routes that are no streams answer HEAD too", plain),
        case("plain_routes_over_http2", "so they do over HTTP/2", plain_over_http2).with([Group::Http2]),
        Case::own(
            Group::HeadMethod,
            "nothing_is_opened",
            "HEAD opens no stream and runs no steps",
            "CONFORMANCE, routes",
            &[],
            |server| nothing_opened(server.target()),
        )
        .with([Group::Http2, Group::Stats]),
    ]
}

/// The routes of streams, as far as the server has them.
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

fn lines(head: &Head) -> String {
    let own = ["date", "transfer-encoding", "x-stream-id", "x-resumption"];
    let kept = head.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut lines: Vec<_> = kept.map(|(name, value)| format!("{name}: {value}\n")).collect();
    lines.sort();
    lines.concat()
}

fn same_head(target: &Target) -> Verdict {
    let expected = lines(&target.script("[]")?.head);
    for path in routes(target)? {
        let head = target.read(&head(path))?.head;
        check(head.status == 200, || format!("{path}: {head}"))?;
        check(!head.has("x-stream-id") && !head.has("content-length"), || format!("{path}: {head}"))?;
        same(path, &expected, lines(&head))?;
    }
    Ok(())
}

fn reusable(target: &Target) -> Verdict {
    let mut connection = target.connect()?;
    for path in routes(target)? {
        connection = connection.ask(&head(path))?.into_connection()?;
    }
    let mut response = connection.ask(&Request::script(r#"[{"close":true}]"#))?;
    response.read_to_end(ANSWER)?;
    same("the body of the GET after it", OPEN, response.body())
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
        check(answer.header("content-type") == Some("text/event-stream"), || format!("{:?}", answer.head.headers))?;
        answer.read_until(None, ANSWER)?;
        same("the body", "", answer.body())?;
    }
    let mut after = client.ask(&Request::script(r#"[{"close":true}]"#))?;
    after.read_until(None, ANSWER)?;
    same("the body of the GET after it", OPEN, after.body())
}

const PLAIN: [&str; 4] = ["/", "/about", "/optional", "/stats"];

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
        client.ask(&Request::new("HEAD", path))?.read_until(None, ANSWER).map_err(|failure| failure.at(path))?;
    }
    Ok(())
}

fn nothing_opened(target: &Target) -> Verdict {
    let routes = routes(target)?;
    let before = target.stats()?;
    for path in routes {
        target.read(&head(path))?;
        Http2::open(target)?.ask(&head(path))?.read_until(None, ANSWER)?;
    }
    let after = target.stats()?;
    same("the counters", before.to_string(), after.to_string())
}
