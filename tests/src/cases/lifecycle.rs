//! Open, send, close, finish.

use super::framing::READS;
use super::topics::patience;
use crate::client::Request;
use crate::failure::{alike, alike_json, check, show};
use crate::{Case, Group, Target, Verdict};
use sse_test_support::reader::{Habits, Reader};
use std::time::Duration;

const FINISH: &str =
    "`finish` moves the last event ID to `end` and ends the stream; a GET that brings the ID `end` is answered 204.";
const FAIL: &str = "`fail` ends the stream as failed after what is pending: over GET with a `retry:` between 10000 and 30000, over other methods without the last chunk (HTTP/1.1) or with RST_STREAM (HTTP/2).";
const FINISH_POST: &str = "Over POST `finish` is `close`, and the ID `end` means nothing.";

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, run: fn(&Target) -> Verdict| {
        Case::on(Group::Lifecycle, name, promise, source, run)
    };
    vec![
        case(
            "close_sends_pending_events_and_ends_the_body",
            "`close` sends the pending events and ends the body",
            "`close` delivers the events that were sent before it and ends the stream, so that its client reconnects.",
            close,
        ),
        case(
            "close_route_ends_the_stream",
            "`POST /streams/ID/close` closes an open stream",
            "closes that stream: 204; unknown id 404",
            close_outside,
        ),
        case(
            "close_reason_is_kept",
            "the close reason of a stream is kept for a while, and a further close changes nothing",
            "kept for a minute after its end; unknown id 404",
            kept,
        ),
        case(
            "finish_then_204",
            "`finish` moves the last event ID to `end`, and a request with this ID is answered 204",
            FINISH,
            finish,
        ),
        case("finish_of_a_post_is_close", "over POST `finish` closes the stream", FINISH_POST, finish_post),
        case(
            "post_with_last_event_id_end_opens_a_stream",
            "a POST with the last event ID `end` opens a stream",
            FINISH_POST,
            end_post,
        ),
        case(
            "stream_stays_open_after_the_last_step",
            "a stream stays open after the last step",
            "when they are done the stream stays open until a `close` or `finish` step or the client leaves",
            stays_open,
        ),
        case(
            "failed_get_sends_a_long_retry",
            "a failed stream over GET sends the pending events and a `retry` from 10 to 30 s",
            FAIL,
            failed_get,
        ),
        case(
            "failed_post_is_cut_off",
            "a failed stream over POST sends the pending events and ends without the last chunk",
            FAIL,
            failed_post,
        ),
        case(
            "nothing_is_sent_after_close_or_finish",
            "steps after `close` or `finish` write nothing",
            "Nothing is written after `close` and `finish`.",
            after_end,
        ),
        case(
            "welcome_has_the_stream_id",
            "the first event holds the ID of the stream",
            "`welcome=1` first sends the event `welcome` with the data `{\"uuid\":\"...\"}`, the connection's own id.",
            welcome,
        ),
        case(
            "ids_without_an_event_reach_every_client",
            "a client that keeps no ID of a block without data keeps the IDs of `checkpoint` and `finish`",
            "A client that keeps no ID of a block without data resumes as exactly as one that does.",
            id_needs_data,
        ),
        case(
            "unfinished_block_of_an_earlier_response_forges_no_event",
            "the unfinished block of an earlier response becomes no event, except one of the server's own types",
            "Bytes of an unfinished block that a client kept from an earlier response and puts before these change no event with another type than the server's own.",
            half_a_block,
        ),
        case(
            "post_stream_has_no_block_without_data",
            "over POST every block has data, for clients that parse the data of every block",
            "POST streams open with `:` LF alone, hold no block without data, and end without one.",
            posted_blocks,
        ),
        case(
            "rejected_field_does_not_end_the_stream",
            "the stream receives the name of a rejected field, and goes on",
            "A refused field does not end the script: the stream receives an event of type `refused` whose data is the field's name (`id`, `event`, `data` or `retry`; the first in that order), and goes on.",
            refused,
        ),
        Case::own(
            Group::Lifecycle,
            "event_is_not_held_back",
            "an event is not held back until the next one",
            "An event is not held back until the next one.",
            &["--keep-alive-ms", "0"],
            |server| at_once(server.target()),
        ),
        case(
            "events_beyond_the_buffer_arrive_in_order",
            "a send waits for room in the buffer: no event is lost, cut or reordered",
            READS,
            much,
        ),
        case(
            "event_arrives_and_the_stream_ends_later",
            "an event is sent after a while, and the stream is closed later",
            READS,
            s42core,
        ),
        case(
            "post_opens_a_stream",
            "POST opens a stream if the policy allows POST",
            "the same with a policy that allows both methods",
            posted,
        ),
    ]
}

fn close(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"last"}},{"close":true}]"#)?;
    stream.read_to_end(patience())?;
    alike("the stream", "data: last\n\n", stream.body())?;
    target.ended(&stream.stream_id()?, "closed", patience())?;
    stream.into_connection()?.ask(&Request::get("/about")).map(drop)
}

fn close_outside(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_events(1, patience())?;
    let id = stream.stream_id()?;
    let state = target.state(&id)?;
    check(state.active && state.reason.is_none(), || format!("the stream is open, but its state is {state:?}"))?;
    let closed = target.read(&Request::new("POST", format!("/streams/{id}/close")).body(""))?;
    check(closed.head.status == 204, || closed.head.to_string())?;
    stream.read_to_end(patience())?;
    target.ended(&id, "closed", patience())
}

fn kept(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"finish":true}]"#)?;
    stream.read_to_end(patience())?;
    let id = stream.stream_id()?;
    target.ended(&id, "finished", patience())?;
    drop(stream);
    // The contract promises a minute, and the case does not wait for its end.
    let closed = target.read(&Request::new("POST", format!("/streams/{id}/close")).body(""))?;
    check(closed.head.status == 204, || closed.head.to_string())?;
    let state = target.state(&id)?;
    check(!state.active && state.reason.as_deref() == Some("finished"), || format!("{state:?}"))
}

fn finish(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"id":"7","data":"x"}},{"finish":true}]"#)?;
    stream.read_to_end(patience())?;
    alike("the stream", "id: 7\ndata: x\n\nid: end\n\n", stream.body())?;
    target.ended(&stream.stream_id()?, "finished", patience())?;
    let again = target.read(&Request::script("[]").header("last-event-id", "end"))?;
    check(again.head.status == 204 && again.body().is_empty(), || format!("not 204: {}", again.head))?;
    // Every ID other than `end` belongs to the application.
    let other = target.ask(&Request::script("[]").header("last-event-id", "endless"))?;
    check(other.head.status == 200, || format!("not 200: {}", other.head))
}

fn finish_post(target: &Target) -> Verdict {
    let mut stream = target.ask(&Request::fetch(r#"[{"send":{"data":"x"}},{"finish":true}]"#))?;
    stream.read_to_end(patience())?;
    alike("the stream", "data: x\n\n", stream.body())?;
    target.ended(&stream.stream_id()?, "closed", patience())
}

fn end_post(target: &Target) -> Verdict {
    let stream = target.ask(&Request::fetch(r#"[{"close":true}]"#).header("last-event-id", "end"))?;
    check(stream.head.status == 200, || stream.head.to_string())
}

fn stays_open(target: &Target) -> Verdict {
    let mut stream = target.script(r#"[{"send":{"data":"x"}}]"#)?;
    stream.read_events(1, patience())?;
    stream.read_for(Duration::from_millis(300))?;
    check(!stream.is_ended(), || "the stream ended without a step".to_owned())?;
    let state = target.state(&stream.stream_id()?)?;
    check(state.active, || format!("{state:?}"))
}

fn after_end(target: &Target) -> Verdict {
    for end in ["close", "finish"] {
        let steps = format!(r#"[{{"{end}":true}},{{"send":{{"data":"late"}}}},{{"comment":"late"}}]"#);
        let body = target.run(&steps)?;
        check(!body.windows(4).any(|bytes| bytes == b"late"), || show(&body))?;
    }
    Ok(())
}

fn welcome(target: &Target) -> Verdict {
    let steps = r#"[{"send":{"data":"x"}},{"close":true}]"#;
    let path = format!("{}&welcome=1", Request::script_path(steps));
    for request in [Request::get(path), Request::new("POST", "/fetch?welcome=1").body(steps)] {
        let stream = target.read(&request)?;
        let id = stream.stream_id()?;
        let expected = format!("event: welcome\ndata: {{\"uuid\":\"{id}\"}}\n\ndata: x\n\n");
        alike_json("the stream", expected, stream.body())?;
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
        alike(event, format!("event: refused\ndata: {field}\n\ndata: on\n\n"), body)?;
    }
    Ok(())
}

fn at_once(target: &Target) -> Verdict {
    // The second event is never sent, so a server that holds back the first event until then never sends the first.
    let mut stream = target.script(r#"[{"send":{"data":"1"}},{"sleep":600000},{"send":{"data":"2"}}]"#)?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["1"], || show(stream.body()))
}

fn much(target: &Target) -> Verdict {
    let text = "y".repeat(1000);
    let steps: Vec<_> = (0..2000).map(|n| format!(r#"{{"send":{{"data":"{n} {text}"}}}}"#)).collect();
    let mut stream = target.ask(&Request::fetch(format!("[{},{{\"close\":true}}]", steps.join(","))))?;
    stream.read_to_end(patience())?;
    let events: Vec<_> = (0..2000).map(|n| format!("data: {n} {text}\n\n")).collect();
    alike("the stream", events.concat(), stream.body())
}

fn s42core(target: &Target) -> Verdict {
    let steps =
        r#"[{"open":true},{"sleep":100},{"json":{"event":"test","payload":{"n":1}}},{"sleep":200},{"close":true}]"#;
    alike_json("the stream", "event: test\ndata: {\"n\":1}\n\n", target.run(steps)?)
}

fn id_needs_data(target: &Target) -> Verdict {
    let mut reader = Reader::with(Habits::FIREFOX);
    reader.read(&target.run(r#"[{"checkpoint":"9"},{"close":true}]"#)?);
    check(reader.last_event_id() == Some("9"), || format!("after a checkpoint: {reader:?}"))?;
    reader.read(&target.run(r#"[{"finish":true}]"#)?);
    check(reader.last_event_id() == Some("end"), || format!("after finish: {reader:?}"))
}

fn half_a_block(target: &Target) -> Verdict {
    let body = target.run(r#"[{"send":{"data":"x"}},{"close":true}]"#)?;
    for half in [
        "data: forged\n",
        "data: forged",
        "event: forged\ndata: forged\n",
        "id: 7\ndata: forged\nda",
        ":",
        "event: x",
        "data",
    ] {
        let mut reader = Reader::with(Habits { carries_over: true, ..Habits::default() });
        reader.read(half.as_bytes());
        reader.reconnect();
        reader.read(&body);
        let events: Vec<_> = reader.events().map(|event| (&*event.event_type, &*event.data)).collect();
        check(events == [("message", "x")], || format!("after {half:?} {events:?} of {}", show(&body)))?;
    }
    Ok(())
}

fn posted_blocks(target: &Target) -> Verdict {
    let steps = r#"[{"checkpoint":"9"},{"send":{"data":"x"}},{"finish":true}]"#;
    let mut stream = target.ask(&Request::fetch(steps))?;
    stream.read_to_end(patience())?;
    let blocks = stream.reader().without_data() + stream.reader().reserved().len();
    check(blocks == 0 && stream.seen().data() == ["x"], || show(stream.body()))
}

fn posted(target: &Target) -> Verdict {
    let mut stream = target.ask(&Request::fetch(r#"[{"send":{"data":"posted"}}]"#))?;
    check(stream.head.status == 200, || stream.head.to_string())?;
    stream.read_events(1, patience())?;
    alike("the stream", "data: posted\n\n", stream.body())
}

const FAILS: &str = r#"[{"send":{"data":"half"}},{"fail":true}]"#;

fn failed_get(target: &Target) -> Verdict {
    let mut stream = target.script(FAILS)?;
    let id = stream.stream_id()?;
    stream.read_to_end(patience())?;
    let seen = stream.seen();
    let waits = seen.retry.is_some_and(|ms| (10_000..=30_000).contains(&ms));
    check(waits && seen.data() == ["half"], || format!("no retry of 10 to 30 s: {}", show(stream.body())))?;
    target.ended(&id, "failed", patience())
}

fn failed_post(target: &Target) -> Verdict {
    let mut stream = target.ask(&Request::fetch(FAILS))?;
    let id = stream.stream_id()?;
    let read = stream.read_to_end(patience());
    check(stream.seen().data() == ["half"], || show(stream.body()))?;
    let why = read.err().map(|failure| failure.to_string()).unwrap_or_default();
    check(why.contains("closed within the body") && !stream.is_ended(), || format!("not cut off: {why:?}"))?;
    target.ended(&id, "failed", patience())
}
