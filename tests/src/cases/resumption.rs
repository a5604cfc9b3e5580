//! Resuming after a last event ID: the outcomes, and the opening of the stream.

use super::topics::{Follow, patience, position, publish, publish_all, topic};
use crate::client::{Request, Response};
use crate::failure::{check, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::json;
use sse_test_support::ledger::Ledger;
use sse_test_support::reader::Change;

const OPENING: &str = "A stream of `/topics` opens with a `retry` and the position its cursor starts from, before any event; a request with that position resumes there.";
pub(super) const RESUMES: &str = "A request with a known `Last-Event-ID` receives every kept event of its topics strictly after that ID, once and in order, then new ones; `x-resumption` is `resumed`, or `gap` if events are missing.";
const IDS: &str = "Each event of a topic has the ID that `/publish` answered; IDs have 1 to 64 of the characters `A-Z a-z 0-9 _ . -`.";
const IN_ORDER: &str = "The events of several topics arrive in the order in which they were published.";
/// The range of the opening reconnection time, in milliseconds.
pub(super) const RETRY: std::ops::RangeInclusive<u64> = 2000..=4000;

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, run: fn(&Target) -> Verdict| {
        Case::on(Group::Resumption, name, promise, source, run)
    };
    let start = "`from` counts without a known id; `last:N` is the newest N events of these topics together";
    let resumption = RESUMES;
    vec![
        case(
            "opens_with_retry_and_position",
            "a stream opens with a `retry` and its position, before any event",
            OPENING,
            opening_block,
        ),
        case(
            "fresh_client_receives_new_events",
            "a client without an ID and `from` receives the events published from now on",
            start,
            live,
        ),
        case("empty_id_counts_as_no_id", "an empty `Last-Event-ID` counts as no ID", resumption, empty),
        case(
            "known_id_resumes",
            "a known ID resumes strictly after this ID: no event lost, none twice, then live",
            resumption,
            resumes,
        ),
        case("opening_position_resumes", "the opening position resumes", resumption, from_opening),
        case(
            "ids_of_other_topics_resume",
            "an ID is a position in one history, whatever its topic",
            resumption,
            other_topic,
        ),
        case(
            "topics_arrive_in_publish_order",
            "events of several topics arrive in the order in which they were published",
            IN_ORDER,
            order,
        ),
        case("event_has_the_published_id", "each event has the ID of the publish answer", IDS, ids),
        case("ids_need_no_preflight", "an ID has 1 to 64 of the characters A-Z a-z 0-9 _ . -", IDS, preflight),
        case(
            "from_oldest_replays_all_kept_events",
            "`from=oldest` replays the kept events, then continues live",
            start,
            oldest,
        ),
        case(
            "from_last_replays_the_newest_events",
            "`last:N` replays the newest N events of the topics together",
            start,
            last,
        ),
        case("known_id_takes_precedence_over_from", "`from` counts only without a known ID", start, known_before_from),
        case("request_without_a_name_is_400", "/topics without a name is 400, and no stream", start, no_name),
        case("unknown_from_is_400", "a malformed `from` is 400", start, no_such_from),
        case(
            "errors_have_the_order_405_406_400",
            "the errors have the order 405, 406, 400",
            "They take any method and leave 405 (`allow: GET, HEAD` as a set), 406 and HEAD to the adapter; the order is 405, 406, 400.",
            errors,
        ),
        case(
            "thousand_missed_events_are_replayed",
            "a client that missed a thousand events receives all of them",
            resumption,
            long_absence,
        ),
        Case::own(
            Group::Resumption,
            "position_of_an_empty_history_resumes",
            "the opening position of a hub without any event resumes",
            OPENING,
            &[],
            |server| from_opening(server.target()),
        ),
        Case::own(
            Group::Resumption,
            "id_of_an_earlier_run_is_a_gap",
            "an ID of an earlier run is a gap, or resumes if the history outlives its servers",
            "An ID of an earlier run of the server is an unknown ID, unless the history outlives its servers.",
            &[],
            restart,
        ),
    ]
}

fn opening_block(target: &Target) -> Verdict {
    let name = topic("opening");
    let mut stream = Follow::of([&name]).expect(target, "fresh")?;
    let told = position(&mut stream)?;
    opening(&stream)?;
    let mut stream = Follow::of([&name]).after(&told).expect(target, "resumed")?;
    check(position(&mut stream)? == told, || format!("the position is not {told}: {}", show(stream.body())))?;
    opening(&stream)
}

/// The reconnection time and the position must come before any event.
pub(super) fn opening(stream: &Response) -> Verdict {
    let [first, second, ..] = stream.reader().changes() else {
        return Err(Failure::new(format_args!("no retry and position in {}", show(stream.body()))));
    };
    let fine = matches!((first, second), (Change::Retry(ms), Change::Id(_)) | (Change::Id(_), Change::Retry(ms)) if RETRY.contains(ms));
    check(fine, || format!("no retry of {RETRY:?} and position before any event: {}", show(stream.body())))
}

fn live(target: &Target) -> Verdict {
    let name = topic("live");
    publish(target, &name, "before")?;
    let mut stream = Follow::of([&name]).expect(target, "fresh")?;
    position(&mut stream)?;
    publish(target, &name, "after")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["after"], || show(stream.body()))
}

fn empty(target: &Target) -> Verdict {
    Follow::of([&topic("empty")]).after("").expect(target, "fresh").map(drop)
}

fn resumes(target: &Target) -> Verdict {
    let name = topic("resumes");
    let ids: Vec<_> = (0..5).map(|n| publish(target, &name, &n.to_string())).collect::<Result<_, _>>()?;
    for (at, id) in ids.iter().enumerate() {
        let mut stream = Follow::of([&name]).after(id).expect(target, "resumed")?;
        let expected: Vec<_> = (at + 1..5).map(|n| n.to_string()).collect();
        let seen = stream.read_id(&ids[4], patience())?;
        check(seen.data() == expected, || format!("after {at}: {}", show(stream.body())))?;
    }
    let mut stream = Follow::of([&name]).after(&ids[4]).open(target)?;
    position(&mut stream)?;
    let quiet = stream.body().len();
    publish(target, &name, "live")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["live"], || show(&stream.body()[quiet..]))
}

fn from_opening(target: &Target) -> Verdict {
    let name = topic("zero");
    let told = position(&mut Follow::of([&name]).expect(target, "fresh")?)?;
    publish(target, &name, "missed")?;
    let mut stream = Follow::of([&name]).after(&told).expect(target, "resumed")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["missed"], || show(stream.body()))
}

fn other_topic(target: &Target) -> Verdict {
    let (one, other) = (topic("one"), topic("other"));
    let id = publish(target, &one, "1")?;
    publish(target, &other, "2")?;
    let mut stream = Follow::of([&other]).after(id).expect(target, "resumed")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["2"], || show(stream.body()))
}

fn order(target: &Target) -> Verdict {
    let names = [topic("a"), topic("b"), topic("c")];
    let id = publish(target, &names[0], "first")?;
    let events: Vec<_> = (0..60).map(|n| json!({ "topic": names[n * n % 3], "data": n.to_string() })).collect();
    publish_all(target, &json!(events))?;
    let mut stream = Follow::of(&names).after(id).expect(target, "resumed")?;
    let seen = stream.read_events(60, patience())?;
    let expected: Vec<_> = (0..60).map(|n| n.to_string()).collect();
    check(seen.data() == expected, || show(stream.body()))
}

fn ids(target: &Target) -> Verdict {
    let name = topic("ids");
    let mut stream = Follow::of([&name]).open(target)?;
    position(&mut stream)?;
    let ids: Vec<_> = (0..3).map(|n| publish(target, &name, &n.to_string())).collect::<Result<_, _>>()?;
    let seen: Vec<_> = stream.read_events(3, patience())?.events.into_iter().map(|event| event.id).collect();
    check(seen == ids, || format!("published {ids:?}\n    received {}", show(stream.body())))
}

fn preflight(target: &Target) -> Verdict {
    let name = topic("preflight");
    let mut ids = vec![position(&mut Follow::of([&name]).open(target)?)?];
    ids.extend(publish_all(target, &json!([{ "topic": name, "data": "1" }, { "topic": name, "data": "2" }]))?);
    for id in ids {
        let fine = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        check(fine && (1..=64).contains(&id.len()), || format!("the ID is {id:?}"))?;
    }
    Ok(())
}

fn oldest(target: &Target) -> Verdict {
    let name = topic("oldest");
    publish_all(target, &json!([{ "topic": name, "data": "1" }, { "topic": name, "data": "2" }]))?;
    let mut stream = Follow::of([&name]).from("oldest").expect(target, "fresh")?;
    stream.read_events(2, patience())?;
    publish(target, &name, "3")?;
    let seen = stream.read_events(3, patience())?;
    check(seen.data() == ["1", "2", "3"], || show(stream.body()))
}

fn last(target: &Target) -> Verdict {
    let names = [topic("a"), topic("b")];
    let events: Vec<_> =
        (0..8).map(|n| json!({ "topic": names[usize::from(n >= 6)], "data": n.to_string() })).collect();
    publish_all(target, &json!(events))?;
    for count in [0, 1, 3, 8, 100] {
        let mut stream = Follow::of(&names).from(&format!("last:{count}")).expect(target, "fresh")?;
        position(&mut stream)?;
        let mark = publish(target, &names[0], "mark")?;
        let expected: Vec<_> = (8_usize.saturating_sub(count)..8).map(|n| n.to_string()).collect();
        let seen = stream.read_id(&mark, patience())?;
        // The marks of earlier rounds are events of the topic as well.
        let replayed = seen.data().into_iter().filter(|data| *data != "mark").collect::<Vec<_>>();
        let marks = [0, 1, 3, 8, 100].iter().position(|c| *c == count).unwrap_or_default();
        let kept = expected.len().min(count.saturating_sub(marks));
        check(replayed == expected[expected.len() - kept..], || format!("last:{count}: {}", show(stream.body())))?;
    }
    Ok(())
}

fn known_before_from(target: &Target) -> Verdict {
    let name = topic("known");
    let id = publish(target, &name, "1")?;
    publish(target, &name, "2")?;
    let mut stream = Follow::of([&name]).from("oldest").after(id).expect(target, "resumed")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["2"], || show(stream.body()))
}

fn no_name(target: &Target) -> Verdict {
    for path in ["/topics", "/topics?from=oldest", "/topics?nam=x"] {
        let head = target.read(&Request::get(path).header("accept", "text/event-stream"))?.head;
        let none = head.status == 400 && !head.has("x-stream-id") && !head.has("x-resumption");
        check(none, || format!("{path}: {head}"))?;
    }
    Ok(())
}

fn no_such_from(target: &Target) -> Verdict {
    for from in ["newest", "last", "last:", "last:x", "last:-1", "patience()"] {
        let head = target.read(&Follow::of([&topic("from")]).from(from).request())?.head;
        check(head.status == 400 && !head.has("x-stream-id"), || format!("from={from}: {head}"))?;
    }
    Ok(())
}

fn errors(target: &Target) -> Verdict {
    for (status, method, accept) in [(405, "PUT", "text/html"), (406, "GET", "text/html"), (400, "GET", "*/*")] {
        let head = target.read(&Request::new(method, "/topics").header("accept", accept))?.head;
        check(head.status == status, || format!("{method} as {accept}: {head}"))?;
    }
    Ok(())
}

fn long_absence(target: &Target) -> Verdict {
    let name = topic("long");
    let id = publish(target, &name, "seen")?;
    let text = "t".repeat(500);
    let events: Vec<_> = (0..1000).map(|n| json!({ "topic": name, "data": format!("{n} {text}") })).collect();
    let ids = publish_all(target, &json!(events))?;
    let mut stream = Follow::of([&name]).after(id).expect(target, "resumed")?;
    let last = ids.last().map_or("", String::as_str);
    let seen = stream.read_id(last, patience())?;
    let mut ledger = Ledger::new(ids);
    seen.events.into_iter().for_each(|event| ledger.receive(event.id));
    ledger.close().map(drop).map_err(Failure::new)
}

fn restart(server: Server) -> Verdict {
    let name = topic("restart");
    let id = publish(server.target(), &name, "1")?;
    let server = server.again()?;
    let target = server.target();
    // An event at the same position in another history.
    publish(target, &name, "2")?;
    if !target.about()?.offers(Group::Nodes) {
        return Follow::of([&name]).after(id).expect(target, "gap").map(drop);
    }
    let mut stream = Follow::of([&name]).after(id).expect(target, "resumed")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["2"], || show(stream.body()))
}
