//! HTTP/2 with prior knowledge, on the same port.

use super::opening::{self, END, OPEN};
use super::topics::{Follow, publish, topic};
use crate::client::{Http2, Request};
use crate::failure::{check, same};
use crate::target::ANSWER;
use crate::{Case, Group, Target, Verdict};
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| {
        Case::on(Group::Http2, name, promise, "CONFORMANCE; RFC 9113", run)
    };
    vec![
        case("a_stream_over_http2", "the same head and bytes as over HTTP/1", stream),
        case("streams_share_a_connection", "one stream does not hold up another", share),
        case("posted_over_http2", "POST opens a stream over HTTP/2 too", posted),
        case("a_reset_is_noticed", "a client that resets its stream is gone within two keep-alives and 1 s", reset),
        case("refused_over_http2", "405, 406 and 400 over HTTP/2", refused),
        case("finished_over_http2", "a client that was finished is answered 204 over HTTP/2 too", finished),
        case("a_topic_over_http2", "topics resume over HTTP/2, by the same bytes", topics)
            .with([Group::Resumption, Group::Publish]),
    ]
}

fn stream(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::script(r#"[{"send":{"data":"x"}},{"finish":true}]"#))?;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        check(answer.header(name) == Some(value), || format!("{name} is {:?}", answer.header(name)))?;
    }
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "content-length"] {
        check(answer.header(name).is_none(), || format!("{name}: {:?}", answer.header(name)))?;
    }
    answer.read_until(None, ANSWER)?;
    same("the body", format!("{OPEN}data: x\n\n{END}"), answer.body())
}

fn share(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut quiet = client.ask(&Request::script("[]"))?;
    quiet.read_until(Some(OPEN.as_bytes()), ANSWER)?;
    let mut busy = client.ask(&Request::script(r#"[{"send":{"data":"x"}},{"close":true}]"#))?;
    busy.read_until(None, ANSWER)?;
    same("the body", format!("{OPEN}data: x\n\n"), busy.body())?;
    check(!quiet.is_ended(), || "the other stream has ended".to_owned())
}

fn posted(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::fetch(r#"[{"send":{"data":"posted"}},{"close":true}]"#))?;
    answer.read_until(None, ANSWER)?;
    same("the body", ":\ndata: posted\n\n", answer.body())
}

fn reset(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::script("[]"))?;
    answer.read_until(Some(OPEN.as_bytes()), ANSWER)?;
    let id = answer.header("x-stream-id").unwrap_or_default().to_owned();
    drop(answer);
    let keep_alive = Duration::from_millis(target.about()?.keep_alive_ms);
    target.ended(&id, "gone", keep_alive * 2 + Duration::from_secs(1))
}

fn finished(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::script("[]").header("last-event-id", "end"))?;
    check(answer.head.status == 204, || answer.head.status.to_string())?;
    answer.read_until(None, ANSWER)?;
    same("the body", "", answer.body())
}

fn topics(target: &Target) -> Verdict {
    let name = topic("http2");
    let ids = [publish(target, &name, "1")?, publish(target, &name, "2")?];
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Follow::of([&name]).after(&ids[0]).request())?;
    check(answer.header("x-resumption") == Some("resumed"), || format!("{:?}", answer.head.headers))?;
    let replayed = format!("data: 2\nid: {}\n\n", ids[1]);
    answer.read_until(Some(replayed.as_bytes()), ANSWER)?;
    let replay = opening::at(&ids[0], answer.body())? + &replayed;
    let live = publish(target, &name, "3")?;
    let live = format!("data: 3\nid: {live}\n\n");
    answer.read_until(Some(live.as_bytes()), ANSWER)?;
    same("the body", replay + &live, answer.body())
}

fn refused(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    for (status, request) in [
        (405, Request::new("DELETE", "/script").header("accept", "text/event-stream")),
        (406, Request::get("/script").header("accept", "text/html")),
        (400, Request::get("/script").header("accept", "text/event-stream")),
    ] {
        let answer = client.ask(&request)?;
        check(answer.head.status == status, || format!("{}, not {status}", answer.head.status))?;
    }
    Ok(())
}
