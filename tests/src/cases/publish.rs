//! Publishing: all or nothing, and the resulting events.

use super::framing::READS;
use super::topics::{Follow, patience, position, post, publish, publish_all, topic};
use crate::failure::{check, show};
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::{Value, json};

const SUBSCRIBERS: &str = "An event reaches every subscriber of its topic, and no other client.";

pub(super) fn cases() -> Vec<Case> {
    let case =
        |name: &str, promise, source, run: fn(&Target) -> Verdict| Case::on(Group::Publish, name, promise, source, run);
    let route = "or an array of them; answers 200 `{\"ids\":[...]}`";
    vec![
        case(
            "event_and_array_of_events_get_ids",
            "one event or each event of an array gets an ID of its own",
            route,
            ids,
        ),
        case("empty_array_publishes_nothing", "an empty array publishes nothing", route, nothing),
        case(
            "invalid_event_rejects_the_whole_array",
            "if one event of an array is invalid, none is published",
            route,
            all_or_nothing,
        ),
        case("invalid_body_is_400_with_an_error", "an invalid body gets 400 and `{\"error\":\"...\"}`", route, errors),
        case(
            "event_has_the_published_fields_and_id",
            "an event of a topic has the published fields and the ID of the answer",
            READS,
            fields,
        ),
        case(
            "hostile_data_stays_data",
            "text cannot become a field, an event or an ID",
            "No text of an application becomes a field, an event or an ID that the application did not mean.",
            hostile,
        ),
        case(
            "event_reaches_only_subscribers_of_the_topic",
            "an event reaches the subscribers of its topic and no other client",
            SUBSCRIBERS,
            only_its_topic,
        ),
        case(
            "event_reaches_every_subscriber",
            "every subscriber of a topic receives every event",
            SUBSCRIBERS,
            every_reader,
        ),
        Case::own(
            Group::Publish,
            "publish_wakes_subscribers",
            "a publish wakes the subscriber 200 times of 200, with keep-alives off",
            "An event leaves when it is published, and not at the next keep-alive.",
            &["--keep-alive-ms", "0"],
            |server| woken(server.target()),
        ),
        case(
            "any_topic_name_up_to_256_bytes_is_accepted",
            "a topic name is any text of up to 256 bytes",
            "A topic name has at most 256 bytes; `/topics` and `/publish` answer 400 to a longer one.",
            any_name,
        ),
        case(
            "published_event_over_one_mebibyte_is_rejected",
            "an event of 1 MiB arrives, and a larger one is rejected",
            super::framing::REFUSED,
            large,
        ),
    ]
}

fn ids(target: &Target) -> Verdict {
    let name = topic("ids");
    let one = publish(target, &name, "1")?;
    let many = publish_all(
        target,
        &json!([{ "topic": name, "data": "2" }, { "topic": name }, { "topic": name, "data": "4" }]),
    )?;
    let mut all = [vec![one], many].concat();
    let count = all.len();
    all.sort();
    all.dedup();
    check(all.len() == count, || format!("an ID occurs twice: {all:?}"))
}

fn nothing(target: &Target) -> Verdict {
    publish_all(target, &json!([])).map(drop)
}

/// Publishes a body that the server must reject, and returns the error text.
fn refused(target: &Target, body: &[u8]) -> Result<String, Failure> {
    let response = target.read(&post("/publish", body))?;
    let seen = || format!("of {}: {}\n    {}", show(body), response.head, show(response.body()));
    check(response.head.status == 400, seen)?;
    let json: Option<Value> = serde_json::from_slice(response.body()).ok();
    let words = json.as_ref().and_then(|json| json.get("error")).and_then(Value::as_str);
    words.filter(|words| !words.is_empty()).map(str::to_owned).ok_or_else(|| Failure::new(seen()))
}

fn all_or_nothing(target: &Target) -> Verdict {
    let name = topic("all");
    let mut stream = Follow::of([&name]).open(target)?;
    position(&mut stream)?;
    let fine = json!({ "topic": name, "data": "never" });
    for bad in [json!({ "topic": name, "event": "a\nb" }), json!({ "data": "no topic" }), json!(7)] {
        refused(target, json!([fine, bad, fine]).to_string().as_bytes())?;
    }
    publish(target, &name, "the first")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["the first"], || show(stream.body()))
}

fn errors(target: &Target) -> Verdict {
    let bodies = [
        "",
        "x",
        "[",
        "7",
        "null",
        "{}",
        "[[]]",
        r#"{"topic":1}"#,
        r#"{"topic":"t","data":1}"#,
        r#"{"topic":"t","id":"1","data":"x"}"#,
        r#"{"topic":"t","event":"a\r"}"#,
        r#"{"topic":"t","retry":2147483648}"#,
        r#"{"topic":"t","retry":-1}"#,
        r#"{"topic":"t","event":"gap","data":"x"}"#,
        r#"{"topic":"t"} {}"#,
    ];
    bodies.iter().try_for_each(|body| refused(target, body.as_bytes()).map(drop))?;
    let long = json!({ "topic": "t".repeat(257), "data": "x" }).to_string();
    refused(target, long.as_bytes())?;
    refused(target, b"{\"topic\":\"t\",\"data\":\"\xff\"}").map(drop)
}

fn fields(target: &Target) -> Verdict {
    let name = topic("fields");
    let mut stream = Follow::of([&name]).open(target)?;
    position(&mut stream)?;
    let rows = [
        (json!({ "topic": name, "data": "x" }), Some(("message", "x"))),
        (json!({ "topic": name, "data": "" }), Some(("message", ""))),
        (json!({ "topic": name, "data": " x" }), Some(("message", " x"))),
        (json!({ "topic": name, "data": "a\nb\rc\r\nd\n" }), Some(("message", "a\nb\nc\nd\n"))),
        (json!({ "topic": name, "event": "tick", "data": "y" }), Some(("tick", "y"))),
        (json!({ "topic": name, "event": "", "data": "z" }), Some(("message", "z"))),
        (json!({ "topic": name, "retry": 1234, "data": "r" }), Some(("message", "r"))),
        // A block without data dispatches no event, but moves the last event ID.
        (json!({ "topic": name }), None),
    ];
    for (event, dispatched) in rows {
        let before = stream.seen().events.len();
        let id = publish_all(target, &event)?.pop().unwrap_or_default();
        let seen = stream.read_id(&id, patience())?;
        let new: Vec<_> = seen.events[before..].iter().map(|event| (&*event.event_type, &*event.data)).collect();
        check(new == Vec::from_iter(dispatched), || format!("{event}: read {new:?} of {}", show(stream.body())))?;
        let retry = event.get("retry").and_then(Value::as_u64);
        check(retry.is_none() || seen.retry == retry, || format!("{event}: the retry is {:?}", seen.retry))?;
    }
    Ok(())
}

fn hostile(target: &Target) -> Verdict {
    let name = topic("hostile");
    let mut stream = Follow::of([&name]).open(target)?;
    position(&mut stream)?;
    let texts = [
        "x\ndata: y",
        "x\n\ndata: y",
        "x\rid: 0",
        "x\r\r\nevent: gap",
        "\u{feff}x",
        "x\0y",
        "\u{2028}x\u{85}y",
        ":x\n:",
    ];
    for (at, text) in texts.iter().enumerate() {
        let id = publish(target, &name, text)?;
        let seen = stream.read_events(at + 1, patience())?;
        let event = seen.events.last().ok_or_else(|| Failure::new("no event"))?;
        let whole = text.replace("\r\n", "\n").replace('\r', "\n");
        let fine = event.data == whole && event.id == id && event.event_type == "message";
        check(fine && seen.events.len() == at + 1, || format!("{text:?} became {}", show(stream.body())))?;
    }
    Ok(())
}

fn only_its_topic(target: &Target) -> Verdict {
    let (one, other) = (topic("one"), topic("other"));
    let mut stream = Follow::of([&one]).open(target)?;
    position(&mut stream)?;
    publish(target, &other, "of the other")?;
    publish(target, &one, "of this one")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["of this one"], || show(stream.body()))
}

fn every_reader(target: &Target) -> Verdict {
    let name = topic("every");
    let mut streams = (0..20).map(|_| Follow::of([&name]).open(target)).collect::<Result<Vec<_>, _>>()?;
    streams.iter_mut().try_for_each(|stream| position(stream).map(drop))?;
    let ids: Vec<_> = (0..20).map(|n| publish(target, &name, &n.to_string())).collect::<Result<_, _>>()?;
    for stream in &mut streams {
        let seen: Vec<_> = stream.read_events(20, patience())?.events.into_iter().map(|event| event.id).collect();
        check(seen == ids, || show(stream.body()))?;
    }
    Ok(())
}

fn woken(target: &Target) -> Verdict {
    let name = topic("woken");
    let mut stream = Follow::of([&name]).open(target)?;
    position(&mut stream)?;
    for n in 1..=200 {
        publish(target, &name, &n.to_string())?;
        stream.read_events(n, patience()).map_err(|failure| failure.at(format_args!("event {n}")))?;
    }
    Ok(())
}

fn any_name(target: &Target) -> Verdict {
    let words = ["", "a b&c=d/e?f#g%41+", "\u{e9}\u{1f4f0}", "a\nb\"\\"];
    for name in words.map(topic).into_iter().chain([format!("{:n<256}", topic("long"))]) {
        let mut stream = Follow::of([&name]).open(target)?;
        position(&mut stream)?;
        publish(target, &name, "x")?;
        stream.read_events(1, patience())?;
    }
    Ok(())
}

fn large(target: &Target) -> Verdict {
    const MOST: usize = 1024 * 1024;
    let name = topic("large");
    let mut stream = Follow::of([&name]).open(target)?;
    position(&mut stream)?;
    refused(target, json!({ "topic": name, "data": "x".repeat(MOST + 1) }).to_string().as_bytes())?;
    let id = publish(target, &name, &"x".repeat(MOST))?;
    let seen = stream.read_id(&id, patience())?;
    check(seen.events.len() == 1 && seen.events[0].data.len() == MOST, || "the data has another length".to_owned())
}
