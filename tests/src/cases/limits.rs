//! Limits on requests, and malformed requests.

use super::head::is_stream;
use super::topics::{Follow, patience, post, publish, topic};
use crate::client::{Request, Response};
use crate::failure::{alike, check, show};
use crate::{Case, Group, Target, Verdict};
use std::time::{Duration, Instant};

const BODIES: &str = "Bodies up to 8 MiB are accepted, larger ones get 413.";
/// The sentence of the contract about a server that is full or drains.
pub(super) const LATER: &str = "A server that is full or drains answers a GET with 200, a `retry` from 1000 to 5000 and the end, and a POST with 503 and `retry-after`; it opens no stream.";
const SLACK: Duration = Duration::from_secs(1);

pub(super) fn cases() -> Vec<Case> {
    let case =
        |name: &str, promise, source, run: fn(&Target) -> Verdict| Case::on(Group::Limits, name, promise, source, run);
    vec![
        case(
            "malformed_steps_are_400",
            "malformed steps get 400, and no stream",
            "A malformed `steps` gets 400 and no stream.",
            malformed,
        ),
        case(
            "unknown_paths_and_ids_are_404",
            "unknown paths and unknown stream IDs are 404",
            "A path that is not in the table is 404.",
            unknown,
        ),
        case(
            "long_query_is_accepted",
            "a query with a script of 60,000 bytes is accepted",
            "A query of 64 KiB is accepted.",
            long,
        ),
        case("eight_mebibytes_are_accepted", "a body of 8 MiB is accepted", BODIES, eight),
        case("larger_body_is_413", "a larger body gets 413", BODIES, more),
        Case::own(
            Group::Limits,
            "max_lifetime_ends_the_stream",
            "a stream ends at its lifetime, or up to a fifth earlier, as `expired`",
            "A stream ends at its lifetime or up to a fifth earlier, as `expired`.",
            &["--max-lifetime-ms", "1000"],
            |server| lifetime(server.target()),
        )
        .timed(SLACK),
        Case::own(
            Group::Limits,
            "max_streams_asks_to_retry_later",
            "a client over the limit of streams is asked to retry later, until a stream ends",
            LATER,
            &["--max-streams", "2"],
            |server| streams(server.target()),
        ),
        Case::own(
            Group::Limits,
            "channel_replaces_the_retry_of_a_refusal",
            "the next stream of a client that was asked to retry later opens with the normal reconnection time",
            "`retry: N` LF LF follows the opening block of any other GET stream, before any event.",
            &["--max-streams", "1"],
            |server| normal_again(server.target()),
        ),
        Case::own(
            Group::Limits,
            "max_streams_counts_topic_streams",
            "every stream counts toward the limit, also a stream of topics, and HEAD does not count",
            "0: no limit; every stream counts",
            &["--max-streams", "2"],
            |server| every_stream(server.target()),
        )
        .with([Group::Resumption]),
        case(
            "topic_name_over_256_bytes_is_400",
            "a topic name of more than 256 bytes opens no stream",
            "A topic name has at most 256 bytes; `/topics` and `/publish` answer 400 to a longer one.",
            name,
        )
        .with([Group::Resumption]),
        Case::own(
            Group::Limits,
            "max_topics_makes_room",
            "at the bound a topic without subscribers makes room, and its clients receive a gap later",
            "bound on topics. At the bound a topic without subscribers makes room; its clients get a gap later",
            &["--max-topics", "2"],
            |server| topics(server.target()),
        )
        .with([Group::Resumption, Group::Publish]),
        Case::own(
            Group::Limits,
            "more_topics_than_max_topics_per_stream_is_400",
            "a request with more different topic names gets 400, and no stream",
            "a `/topics` request with more different names: 400, no stream",
            &["--max-topics-per-stream", "2"],
            |server| topics_of_a_stream(server.target()),
        )
        .with([Group::Resumption]),
        Case::own(
            Group::Limits,
            "event_larger_than_the_buffer_is_sent",
            "an event larger than the buffer is sent when the buffer is empty",
            "An event larger than `--buffer-bytes` is taken when the buffer is empty.",
            &["--buffer-bytes", "16"],
            |server| buffer(server.target()),
        ),
    ]
}

fn malformed(target: &Target) -> Verdict {
    let scripts = [
        "",
        "x",
        "{}",
        "[",
        "[1]",
        r#"[{}]"#,
        r#"[{"jump":true}]"#,
        r#"[{"send":1}]"#,
        r#"[{"send":{"dta":"x"}}]"#,
        r#"[{"send":{"data":1}}]"#,
        r#"[{"send":{"retry":-1}}]"#,
        r#"[{"send":{"retry":1.5}}]"#,
        r#"[{"sleep":"1"}]"#,
        r#"[{"open":true,"close":true}]"#,
        r#"["open"]"#,
        "[] []",
    ];
    for steps in scripts {
        for request in [Request::script(steps), Request::fetch(steps)] {
            let head = target.read(&request)?.head;
            let refused = head.status == 400 && !head.has("x-stream-id");
            check(refused, || format!("{} of {steps}: {head}", request.to_bytes().escape_ascii()))?;
        }
    }
    let head = target.read(&Request::fetch(b"[{\"comment\":\"\xff\"}]".as_slice()))?.head;
    check(head.status == 400, || format!("not UTF-8: {head}"))
}

fn unknown(target: &Target) -> Verdict {
    let id = "00000000-0000-4000-8000-000000000000";
    let requests = [
        Request::get("/nowhere"),
        Request::get(format!("/streams/{id}")),
        Request::get("/streams/none"),
        Request::new("POST", format!("/streams/{id}/close")).body(""),
        Request::get("/script/more"),
    ];
    for request in requests {
        let head = target.read(&request)?.head;
        check(head.status == 404, || format!("{}: {head}", request.to_bytes().escape_ascii()))?;
    }
    Ok(())
}

fn long(target: &Target) -> Verdict {
    let data = "q".repeat(59_900);
    let steps = format!(r#"[{{"send":{{"data":"{data}"}}}},{{"close":true}}]"#);
    alike("the stream", format!("data: {data}\n\n"), target.run(&steps)?)
}

const MOST: usize = 8 * 1024 * 1024;

fn eight(target: &Target) -> Verdict {
    let mut steps = r#"[{"send":{"data":"read"}},{"close":true}]"#.to_owned();
    steps.push_str(&" ".repeat(MOST - steps.len()));
    alike("the stream", "data: read\n\n", target.read(&Request::fetch(steps))?.body())
}

fn more(target: &Target) -> Verdict {
    let offered = target.about()?.groups;
    for (path, group) in [("/fetch", Group::Limits), ("/decode", Group::Decoding), ("/publish", Group::Publish)] {
        if !offered.iter().any(|offered| offered == group.as_str()) {
            continue;
        }
        let request = Request::new("POST", path).header("accept", "text/event-stream");
        let head = target.read(&request.body(vec![b' '; MOST + 1]))?.head;
        check(head.status == 413, || format!("{path}: {head}"))?;
    }
    Ok(())
}

fn lifetime(target: &Target) -> Verdict {
    let asked = Instant::now();
    let mut stream = target.script("[]")?;
    stream.read_to_end(patience())?;
    let took = asked.elapsed();
    let in_time = (Duration::from_millis(790)..Duration::from_secs(1) + SLACK).contains(&took);
    check(in_time, || format!("the stream lasted {took:?}"))?;
    target.ended(&stream.stream_id()?, "expired", patience())
}

fn streams(target: &Target) -> Verdict {
    let (one, other) = (target.script("[]")?, target.script("[]")?);
    let refused = target.read(&Request::script("[]"))?;
    retry_later(&refused)?;
    let id = one.stream_id()?;
    drop(one);
    target.ended(&id, "gone", patience())?;
    let third = target.script("[]")?;
    check(third.head.has("x-stream-id"), || third.head.to_string())?;
    drop(other);
    Ok(())
}

fn normal_again(target: &Target) -> Verdict {
    let steps = r#"[{"send":{"data":"x"}}]"#;
    let mut one = target.script(steps)?;
    let before = one.read_events(1, patience())?;
    check(before.retry.is_none(), || format!("a `retry` before any refusal: {}", show(one.body())))?;
    retry_later(&target.read(&Request::script(steps))?)?;
    let id = one.stream_id()?;
    drop(one);
    target.ended(&id, "gone", patience())?;
    let mut next = target.script(steps)?;
    let seen = next.read_events(1, patience())?;
    check(seen.retry.is_some_and(|ms| (2000..=4000).contains(&ms)), || show(next.body()))
}

fn every_stream(target: &Target) -> Verdict {
    let name = topic("counted");
    let (one, _other) = (Follow::of([&name]).open(target)?, target.script("[]")?);
    let head = Follow::of([&name]).request().with_method("HEAD");
    check(target.read(&head)?.head.status == 200, || "HEAD was not answered 200".to_owned())?;
    let refused = target.read(&Follow::of([&name]).request())?;
    retry_later(&refused)?;
    let posted = target.read(&Request::fetch("[]"))?.head;
    check(posted.status == 503 && posted.has("retry-after"), || posted.to_string())?;
    let id = one.stream_id()?;
    drop(one);
    target.ended(&id, "gone", patience())?;
    Follow::of([&name]).expect(target, "fresh").map(drop)
}

fn name(target: &Target) -> Verdict {
    let long = "n".repeat(257);
    let head = target.read(&Follow::of([&long]).request())?.head;
    let refused = head.status == 400 && !head.has("x-stream-id") && !head.has("x-resumption");
    check(refused, || head.to_string())?;
    if target.about()?.groups.iter().any(|offered| offered == Group::Publish.as_str()) {
        let publish = post("/publish", serde_json::json!({ "topic": long, "data": "x" }).to_string());
        let head = target.read(&publish)?.head;
        check(head.status == 400, || format!("/publish: {head}"))?;
    }
    Ok(())
}

fn topics(target: &Target) -> Verdict {
    let [quiet, followed, new, other] = ["quiet", "followed", "new", "other"].map(topic);
    let ids = ["1", "2"].map(|data| publish(target, &quiet, data));
    let [seen, last] = ids.into_iter().collect::<Result<Vec<_>, _>>()?.try_into().unwrap_or_default();
    publish(target, &followed, "1")?;
    let mut stream = Follow::of([&followed]).expect(target, "fresh")?;
    // The hub has room for two topics, and one of them has a subscriber.
    publish(target, &new, "1")?;
    publish(target, &followed, "2")?;
    let live = stream.read_events(1, patience())?;
    check(live.data() == ["2"], || show(stream.body()))?;
    let mut back = Follow::of([&quiet]).after(&seen).expect(target, "gap")?;
    let gap = back.read_events(1, patience())?;
    let told = gap.events.first().is_some_and(|event| event.event_type == "gap" && event.id == last);
    check(told, || show(back.body()))?;
    // Now both topics have a subscriber.
    retry_later(&target.read(&Follow::of([&other]).request())?)
}

fn topics_of_a_stream(target: &Target) -> Verdict {
    let [one, two, three] = ["one", "two", "three"].map(topic);
    Follow::of([&one, &two, &one, &two]).expect(target, "fresh")?;
    let head = target.read(&Follow::of([&one, &two, &three]).request())?.head;
    let refused = head.status == 400 && !head.has("x-stream-id") && !head.has("x-resumption");
    check(refused, || head.to_string())
}

/// The answer must ask the client to reconnect later, and open no stream.
pub(super) fn retry_later(answer: &Response) -> Verdict {
    let (head, seen) = (&answer.head, answer.seen());
    let retry = seen.retry.is_some_and(|ms| (1000..=5000).contains(&ms));
    let soft = head.status == 200 && !head.has("x-stream-id") && !head.has("x-resumption") && is_stream(head);
    let later = answer.reader().reserved().last().is_some_and(|event| event.event_type == "sse-later");
    check(soft && retry && later && seen.events.is_empty(), || format!("{head}, {}", show(answer.body())))
}

fn buffer(target: &Target) -> Verdict {
    let text = "z".repeat(100);
    let steps = format!(r#"[{{"send":{{"data":"{text}"}}}},{{"send":{{"data":"{text}"}}}},{{"close":true}}]"#);
    alike("the stream", format!("data: {text}\n\ndata: {text}\n\n"), target.run(&steps)?)
}
