//! Topics of the hub, and coming back with a last event ID.

use crate::client::{Request, Response};
use crate::failure::{check, same, show};
use crate::target::ANSWER;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, run: fn(&Target) -> Verdict| {
        Case::on(Group::Resumption, name, promise, "CONFORMANCE, /topics; DESIGN 5", run)
    };
    vec![
        case("a_feed_opens_with_retry_and_a_position", "the first block tells `retry: 3000` and a position", opening),
        case(
            "what_is_published_arrives",
            "an event reaches the readers of its topic, with the id that publish gave",
            arrives,
        ),
        case("a_client_resumes_strictly_after_its_id", "what came meanwhile is replayed, nothing twice", resumes),
        case(
            "the_first_position_resumes",
            "a client that saw no event resumes from the opening's position",
            first_position,
        ),
        case("an_unknown_id_is_a_gap", "an id that is not known is told as a gap, and the stream goes on", unknown),
        case("from_counts_without_an_id", "oldest, and the newest n of the topics together", from),
        case("a_batch_is_all_or_none", "one invalid event of a batch refuses all of it", batch),
    ]
}

/// Cases share a server, so each has topics of its own.
fn topic() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("case-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn publish(target: &Target, topic: &str, texts: &[&str]) -> Result<Vec<String>, Failure> {
    let events: Vec<_> = texts.iter().map(|text| serde_json::json!({ "topic": topic, "data": text })).collect();
    let answer = target.read(&Request::new("POST", "/publish").body(serde_json::to_vec(&events)?))?;
    check(answer.head.status == 200, || format!("{}, {}", answer.head, show(answer.body())))?;
    let ids: Value = serde_json::from_slice(answer.body())?;
    let ids = ids.get("ids").and_then(Value::as_array).into_iter().flatten();
    Ok(ids.filter_map(|id| id.as_str().map(str::to_owned)).collect())
}

fn follow(target: &Target, query: &str, last_event_id: Option<&str>) -> Result<Response, Failure> {
    let request = Request::get(format!("/topics?name={query}")).header("accept", "text/event-stream");
    let stream =
        target.ask(&last_event_id.into_iter().fold(request, |request, id| request.header("last-event-id", id)))?;
    check(stream.head.status == 200, || stream.head.to_string())?;
    Ok(stream)
}

fn outcome(stream: &Response, expected: &str) -> Verdict {
    let seen = stream.head.header("x-resumption").unwrap_or_default();
    check(seen == expected, || format!("x-resumption is {seen:?}, not {expected:?}"))
}

/// The position that the opening block tells.
fn position(stream: &mut Response) -> Result<String, Failure> {
    stream.read_until("\n\n", ANSWER)?;
    let text = String::from_utf8_lossy(stream.body()).into_owned();
    check(text.lines().any(|line| line == "retry: 3000"), || format!("no retry: {text:?}"))?;
    let id = text.lines().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned);
    id.ok_or_else(|| Failure::new(format_args!("no position: {text:?}")))
}

fn opening(target: &Target) -> Verdict {
    let mut stream = follow(target, &topic(), None)?;
    outcome(&stream, "fresh")?;
    position(&mut stream).map(drop)
}

fn arrives(target: &Target) -> Verdict {
    let topic = topic();
    let mut stream = follow(target, &topic, None)?;
    position(&mut stream)?;
    let opening = stream.body().len();
    let ids = publish(target, &topic, &["one", "two"])?;
    // A keep-alive comes later than this.
    stream.read_for(Duration::from_millis(300))?;
    let [one, two] = &*ids else { return Err(Failure::new(format_args!("not two ids: {ids:?}"))) };
    let expected = [(one, "one"), (two, "two")].map(|(id, text)| format!("data: {text}\nid: {id}\n\n"));
    let seen = stream.body().get(opening..).unwrap_or_default();
    // Where the `id` stands among the fields means nothing.
    let other = [(one, "one"), (two, "two")].map(|(id, text)| format!("id: {id}\ndata: {text}\n\n"));
    if seen == other.concat().as_bytes() { Ok(()) } else { same("the events", expected.concat(), seen) }
}

fn resumes(target: &Target) -> Verdict {
    let topic = topic();
    let ids = publish(target, &topic, &["1", "2", "3"])?;
    let mut stream = follow(target, &topic, ids.first().map(String::as_str))?;
    outcome(&stream, "resumed")?;
    stream.read_for(Duration::from_millis(300))?;
    texts(&stream, &["2", "3"])
}

fn first_position(target: &Target) -> Verdict {
    let topic = topic();
    let mut stream = follow(target, &topic, None)?;
    let id = position(&mut stream)?;
    drop(stream);
    publish(target, &topic, &["missed"])?;
    let mut stream = follow(target, &topic, Some(&id))?;
    outcome(&stream, "resumed")?;
    stream.read_for(Duration::from_millis(300))?;
    texts(&stream, &["missed"])
}

fn unknown(target: &Target) -> Verdict {
    for id in ["nonsense", "18446744073709551615-00000000", "1-1-1", "\u{ff}"] {
        let topic = topic();
        let mut stream = follow(target, &topic, Some(id))?;
        outcome(&stream, "gap")?;
        stream.read_for(Duration::from_millis(200))?;
        publish(target, &topic, &["on"])?;
        stream.read_for(Duration::from_millis(200))?;
        texts(&stream, &[r#"{"reason":"unknown"}"#, "on"]).map_err(|failure| failure.at(format_args!("{id:?}")))?;
        check(stream.body().windows(11).any(|bytes| bytes == b"event: gap\n"), || show(stream.body()))?;
    }
    Ok(())
}

fn from(target: &Target) -> Verdict {
    let (one, other) = (topic(), topic());
    for n in 0..3 {
        publish(target, &one, &[&format!("a{n}")])?;
        publish(target, &other, &[&format!("b{n}")])?;
    }
    let rows: [(&str, &[&str]); 3] =
        [("live", &[]), ("oldest", &["a0", "b0", "a1", "b1", "a2", "b2"]), ("last:3", &["b1", "a2", "b2"])];
    for (from, expected) in rows {
        let mut stream = follow(target, &format!("{one}&name={other}&from={from}"), None)?;
        stream.read_for(Duration::from_millis(200))?;
        texts(&stream, expected).map_err(|failure| failure.at(from))?;
    }
    let refused = target.read(&Request::get(format!("/topics?name={one}&from=yesterday")))?.head;
    check(refused.status == 400, || refused.to_string())
}

fn batch(target: &Target) -> Verdict {
    let topic = topic();
    let body = serde_json::json!([{ "topic": topic, "data": "fine" }, { "topic": topic, "event": "a\nb" }]);
    let answer = target.read(&Request::new("POST", "/publish").body(body.to_string()))?;
    let error: Value = serde_json::from_slice(answer.body())?;
    check(answer.head.status == 400 && error.get("error").is_some(), || format!("{}, {error}", answer.head))?;
    let mut stream = follow(target, &format!("{topic}&from=oldest"), None)?;
    stream.read_for(Duration::from_millis(200))?;
    texts(&stream, &[])
}

/// The data of the events on a stream.
fn texts(stream: &Response, expected: &[&str]) -> Verdict {
    let (mut decoder, mut input, mut seen) = (sse_core::Decoder::new(), stream.body(), Vec::new());
    while let Some(event) = decoder.decode(&mut input) {
        seen.push(event.map_or_else(|error| error.to_string(), |event| event.data.into_owned()));
    }
    check(seen == expected, || format!("expected {expected:?}, saw {seen:?} in {}", show(stream.body())))
}
