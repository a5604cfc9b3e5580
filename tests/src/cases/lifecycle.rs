//! Open, send, close, finish.

use super::opening::{END, OPEN};
use crate::client::Request;
use crate::failure::{check, same};
use crate::target::ANSWER;
use crate::{Case, Group, Target, Verdict};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, run: fn(&Target) -> Verdict| {
        Case::on(Group::Lifecycle, name, promise, source, run)
    };
    vec![
        case("close_ends_the_body", "close delivers what is pending and ends the body", "DESIGN 3, close", close),
        case(
            "close_from_outside",
            "a stream is closed by its handle from anywhere",
            "CONFORMANCE, /streams/ID/close",
            close_outside,
        ),
        case(
            "what_became_of_it_is_kept",
            "a stream's end is told for a while, and it can be closed again to no effect",
            "CONFORMANCE, /streams/ID",
            kept,
        ),
        case(
            "finish_then_204",
            "finish moves the id to `end`, and a request with it is answered 204",
            "DESIGN 3, finish; WHATWG HTML 9.2.3",
            finish,
        ),
        case(
            "finish_of_a_post_is_a_close",
            "clients of other methods do not come back, so finish is a close",
            "DESIGN 3, finish",
            finish_post,
        ),
        case(
            "end_means_nothing_to_a_post",
            "a POST that brings the id `end` opens a stream",
            "DESIGN 3, finish",
            end_post,
        ),
        case("a_done_script_stays_open", "a stream lasts until somebody ends it", "CONFORMANCE, /script", stays_open),
        case(
            "nothing_after_the_end",
            "what is sent after close or finish is not written",
            "DESIGN 3, Sender",
            after_end,
        ),
        case("welcome_tells_the_id", "the first event tells the connection's own id", "CONFORMANCE, welcome", welcome),
        case(
            "a_refused_field_ends_nothing",
            "an event that cannot be sent is refused by name, and the stream goes on",
            "CONFORMANCE, refused",
            refused,
        ),
        case(
            "events_leave_at_once",
            "an event is not held back until the next one",
            "HyperExpress, response.sse; S42Core, class SSE",
            at_once,
        ),
        case(
            "more_than_the_buffer",
            "a send waits for room: nothing is lost, cut or reordered",
            "DESIGN 3, send",
            much,
        ),
        case(
            "an_event_now_and_the_end_later",
            "S42Core's example: an event after a while, closed later",
            "HyperExpress, response.sse; S42Core, class SSE",
            s42core,
        ),
        case("a_posted_script", "POST opens a stream where the policy allows it", "DESIGN 4.5", posted),
        case(
            "streams_are_counted",
            "an open stream is attached to the hub, and leaves it at its end",
            "CONFORMANCE, /stats",
            counted,
        ),
    ]
}

fn close(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"last"}},{"close":true}]"#)?;
    stream.read_to_end(ANSWER)?;
    same("the body", format!("{OPEN}data: last\n\n"), stream.body())?;
    target.ended(&stream.stream_id()?, "closed", SECOND)?;
    stream.into_connection()?.ask(&Request::get("/about")).map(drop)
}

fn close_outside(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_until("data: x\n\n", ANSWER)?;
    let id = stream.stream_id()?;
    let state = target.state(&id)?;
    check(state.active && state.reason.is_none(), || format!("open, and yet {state:?}"))?;
    let closed = target.read(&Request::new("POST", format!("/streams/{id}/close")).body(""))?;
    check(closed.head.status == 204, || closed.head.to_string())?;
    stream.read_to_end(SECOND)?;
    target.ended(&id, "closed", SECOND)
}

fn kept(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"finish":true}]"#)?;
    stream.read_to_end(ANSWER)?;
    let id = stream.stream_id()?;
    target.ended(&id, "finished", SECOND)?;
    drop(stream);
    // A minute is promised, and not waited for.
    std::thread::sleep(SECOND / 4);
    let closed = target.read(&Request::new("POST", format!("/streams/{id}/close")).body(""))?;
    check(closed.head.status == 204, || closed.head.to_string())?;
    let state = target.state(&id)?;
    check(!state.active && state.reason.as_deref() == Some("finished"), || format!("{state:?}"))
}

fn finish(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"id":"7","data":"x"}},{"finish":true}]"#)?;
    stream.read_to_end(ANSWER)?;
    same("the body", format!("{OPEN}id: 7\ndata: x\n\n{END}"), stream.body())?;
    target.ended(&stream.stream_id()?, "finished", SECOND)?;
    let again = target.read(&Request::script("[]").header("last-event-id", "end"))?;
    check(again.head.status == 204 && again.body().is_empty(), || format!("not 204: {}", again.head))?;
    // Any other id is the application's.
    let other = target.ask(&Request::script("[]").header("last-event-id", "endless"))?;
    check(other.head.status == 200, || format!("not 200: {}", other.head))
}

fn finish_post(target: &Target) -> Verdict {
    let mut stream = target.ask(&Request::fetch(r#"[{"send":{"data":"x"}},{"finish":true}]"#))?;
    stream.read_to_end(ANSWER)?;
    same("the body", ":\ndata: x\n\n", stream.body())?;
    target.ended(&stream.stream_id()?, "closed", SECOND)
}

fn end_post(target: &Target) -> Verdict {
    let stream = target.ask(&Request::fetch(r#"[{"close":true}]"#).header("last-event-id", "end"))?;
    check(stream.head.status == 200, || stream.head.to_string())
}

fn stays_open(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_until("data: x\n\n", ANSWER)?;
    stream.read_for(Duration::from_millis(300))?;
    check(!stream.is_ended(), || "it ended by itself".to_owned())?;
    let state = target.state(&stream.stream_id()?)?;
    check(state.active, || format!("{state:?}"))
}

fn after_end(target: &Target) -> Verdict {
    for end in ["close", "finish"] {
        let steps = format!(r#"[{{"{end}":true}},{{"send":{{"data":"late"}}}},{{"comment":"late"}}]"#);
        let body = target.run(&steps)?;
        check(!body.windows(4).any(|bytes| bytes == b"late"), || crate::failure::show(&body))?;
    }
    Ok(())
}

fn welcome(target: &Target) -> Verdict {
    let steps = r#"[{"send":{"data":"x"}},{"close":true}]"#;
    let path = format!("{}&welcome=1", Request::script_path(steps));
    for request in [Request::get(path), Request::new("POST", "/fetch?welcome=1").body(steps)] {
        let stream = target.read(&request)?;
        let id = stream.stream_id()?;
        let expected = format!(":\nevent: welcome\ndata: {{\"uuid\":\"{id}\"}}\n\ndata: x\n\n");
        same("the body", expected, stream.body())?;
    }
    Ok(())
}

fn refused(target: &Target) -> Verdict {
    let rows = [
        ("id", r#"{"id":"a\nb","data":"x"}"#),
        ("id", r#"{"id":" a","data":"x"}"#),
        ("id", r#"{"id":"a\u0001","data":"x"}"#),
        ("event", r#"{"event":"a\rb","data":"x"}"#),
        ("event", r#"{"event":"sse-position","data":"x"}"#),
        ("event", r#"{"event":"sse-open","data":"x"}"#),
        ("event", r#"{"event":"sse-end","id":"7","data":"x"}"#),
        ("event", r#"{"event":"sse-later"}"#),
        ("retry", r#"{"retry":2147483648,"data":"x"}"#),
        ("retry", r#"{"retry":99999999999999999999999,"data":"x"}"#),
        ("id", r#"{"retry":2147483648,"event":"\n","id":"\n"}"#),
        ("event", r#"{"retry":2147483648,"event":"\n","id":"fine"}"#),
    ];
    for (field, event) in rows {
        let body = target.run(&format!(r#"[{{"send":{event}}},{{"send":{{"data":"on"}}}},{{"close":true}}]"#))?;
        same(event, format!("{OPEN}event: refused\ndata: {field}\n\ndata: on\n\n"), body)?;
    }
    Ok(())
}

fn at_once(target: &Target) -> Verdict {
    let steps = r#"[{"send":{"data":"1"}},{"sleep":300},{"send":{"data":"2"}},{"sleep":60000}]"#;
    let mut stream = target.script(steps)?;
    let asked = Instant::now();
    stream.read_until("data: 1\n\n", Duration::from_millis(250))?;
    stream.read_until("data: 2\n\n", SECOND)?;
    let took = asked.elapsed();
    check(took >= Duration::from_millis(200), || format!("both came within {took:?}"))
}

fn much(target: &Target) -> Verdict {
    let text = "y".repeat(1000);
    let steps: Vec<_> = (0..2000).map(|n| format!(r#"{{"send":{{"data":"{n} {text}"}}}}"#)).collect();
    let mut stream = target.ask(&Request::fetch(format!("[{},{{\"close\":true}}]", steps.join(","))))?;
    stream.read_to_end(Duration::from_secs(20))?;
    let events: Vec<_> = (0..2000).map(|n| format!("data: {n} {text}\n\n")).collect();
    same("the body", format!(":\n{}", events.concat()), stream.body())
}

fn s42core(target: &Target) -> Verdict {
    let steps =
        r#"[{"open":true},{"sleep":100},{"json":{"event":"test","payload":{"n":1}}},{"sleep":200},{"close":true}]"#;
    same("the body", format!("{OPEN}event: test\ndata: {{\"n\":1}}\n\n"), target.run(steps)?)
}

fn posted(target: &Target) -> Verdict {
    let mut stream = target.ask(&Request::fetch(r#"[{"send":{"data":"posted"}}]"#))?;
    check(stream.head.status == 200, || stream.head.to_string())?;
    stream.read_until("data: posted\n\n", SECOND)
}

fn counted(target: &Target) -> Verdict {
    // Other cases open streams meanwhile, so this looks at ends, which are only ever added to.
    let finished = || target.stats().map(|stats| stats.pointer("/ends/finished").and_then(serde_json::Value::as_u64));
    let before = finished()?;
    target.run(r#"[{"finish":true}]"#)?;
    let after = finished()?;
    check(after > before, || format!("finished: {before:?}, then {after:?}"))
}
