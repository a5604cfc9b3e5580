//! Clients of HTTP/1.0.

use super::topics::patience;
use crate::client::Request;
use crate::failure::{alike, check};
use crate::{Case, Group, Target, Verdict};

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| {
        Case::on(
            Group::Http10,
            name,
            promise,
            "A client of HTTP/1.0 receives neither chunks nor a length, and the end of the stream closes the connection.",
            run,
        )
    };
    vec![
        case(
            "response_has_no_chunks",
            "a client of HTTP/1.0 receives no chunk sizes, and the end of the stream closes the connection",
            plain,
        ),
        case("head_closes_the_connection", "HEAD gets a head only, and the connection closes", |target| {
            let answer = target.ask(&Request::script("[]").with_method("HEAD").http10())?;
            check(answer.head.status == 200, || answer.head.to_string())?;
            answer.into_connection()?.ends(patience())
        }),
        case(
            "keep_alive_request_gets_no_chunks",
            "a client of HTTP/1.0 that asks to keep the connection receives no chunk sizes either",
            keep_alive,
        ),
    ]
}

const STEPS: &str = r#"[{"send":{"data":"x"}},{"sleep":50},{"send":{"data":"y"}},{"close":true}]"#;

fn plain(target: &Target) -> Verdict {
    read(target, &Request::script(STEPS).http10())
}

fn keep_alive(target: &Target) -> Verdict {
    read(target, &Request::script(STEPS).http10().header("connection", "keep-alive"))
}

fn read(target: &Target, request: &Request) -> Verdict {
    let response = target.read(request)?;
    for name in ["transfer-encoding", "content-length"] {
        check(!response.head.has(name), || format!("{name} in {}", response.head))?;
    }
    // `Target::read` ends with the connection, because HTTP/1.0 has no other framing here.
    alike("the stream", "data: x\n\ndata: y\n\n", response.body())
}
