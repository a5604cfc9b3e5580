//! HTTP/2 with prior knowledge, on the same port.

use super::disconnect::{OTHERWISE, SLACK, otherwise};
use super::head::stream_head;
use super::topics::{Follow, patience, publish, topic};
use crate::client::{Head, Http2, Request, Seen};
use crate::failure::{alike, check, same};
use crate::{Case, Group, Target, Verdict};

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| {
        Case::on(Group::Http2, name, promise, "HTTP/2 with prior knowledge is answered on the same port.", run)
    };
    vec![
        case(
            "stream_over_http2_has_the_same_head_and_events",
            "a stream over HTTP/2 has the same head and events as over HTTP/1",
            stream,
        ),
        case(
            "open_stream_does_not_block_another",
            "an open stream does not block another stream of the connection",
            share,
        ),
        case("post_over_http2_opens_a_stream", "POST opens a stream over HTTP/2 too", posted),
        case(
            "failed_post_over_http2_is_reset",
            "a failed stream over POST ends with RST_STREAM after its events",
            failed,
        ),
        Case::on(
            Group::Http2,
            "reset_stream_is_noticed",
            "a client that resets its stream is `gone` within two keep-alive intervals and 1 s",
            OTHERWISE,
            reset,
        )
        .timed(SLACK),
        case("rejections_over_http2_have_the_same_status", "405, 406 and 400 are the same over HTTP/2", refused),
        case(
            "last_event_id_end_over_http2_is_204",
            "a GET with the last event ID `end` is answered 204 over HTTP/2 too",
            finished,
        ),
        case("topic_stream_over_http2_resumes", "topics resume over HTTP/2", topics)
            .with([Group::Resumption, Group::Publish]),
    ]
}

fn stream(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::script(r#"[{"send":{"data":"x"}},{"finish":true}]"#))?;
    stream_head(&Head::of(&answer.head))?;
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "content-length"] {
        check(answer.header(name).is_none(), || format!("{name}: {:?}", answer.header(name)))?;
    }
    answer.read_until(None, patience())?;
    alike("the stream", "data: x\n\nid: end\n\n", answer.body())
}

fn share(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut quiet = client.ask(&Request::script("[]"))?;
    quiet.read_bytes(1, patience())?;
    let mut busy = client.ask(&Request::script(r#"[{"send":{"data":"x"}},{"close":true}]"#))?;
    busy.read_until(None, patience())?;
    alike("the stream", "data: x\n\n", busy.body())?;
    check(!quiet.is_ended(), || "the other stream has ended".to_owned())
}

fn failed(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::fetch(r#"[{"send":{"data":"half"}},{"fail":true}]"#))?;
    let read = answer.read_until(None, patience());
    alike("the stream", "data: half\n\n", answer.body())?;
    let why = read.err().map(|failure| failure.to_string()).unwrap_or_default();
    check(why.contains("Reset"), || format!("no reset: {why:?}"))
}

fn posted(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::fetch(r#"[{"send":{"data":"posted"}},{"close":true}]"#))?;
    answer.read_until(None, patience())?;
    alike("the stream", "data: posted\n\n", answer.body())
}

fn reset(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::script("[]"))?;
    answer.read_bytes(1, patience())?;
    let id = answer.header("x-stream-id").unwrap_or_default().to_owned();
    drop(answer);
    target.ended(&id, "gone", otherwise(target)?)
}

fn finished(target: &Target) -> Verdict {
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Request::script("[]").header("last-event-id", "end"))?;
    check(answer.head.status == 204, || answer.head.status.to_string())?;
    answer.read_until(None, patience())?;
    same("the body", "", answer.body())
}

fn topics(target: &Target) -> Verdict {
    let name = topic("http2");
    let ids = [publish(target, &name, "1")?, publish(target, &name, "2")?];
    let client = Http2::open(target)?;
    let mut answer = client.ask(&Follow::of([&name]).after(&ids[0]).request())?;
    check(answer.header("x-resumption") == Some("resumed"), || format!("{:?}", answer.head.headers))?;
    answer.read_id(&ids[1], patience())?;
    let live = publish(target, &name, "3")?;
    answer.read_id(&live, patience())?;
    let Seen { events, .. } = Seen::of(answer.body(), None);
    let seen: Vec<_> = events.into_iter().map(|event| (event.data, event.id)).collect();
    let expected = [("2".to_owned(), ids[1].clone()), ("3".to_owned(), live)];
    check(seen == expected, || format!("expected {expected:?}\n    received {seen:?}"))
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
