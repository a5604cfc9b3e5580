//! Retention of a topic: each bound on a server that was started with this bound.

use super::resumption::{RESUMES, opening};
use super::topics::{Follow, patience, position, publish, publish_all, topic};
use crate::failure::{check, same_json, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The sentence of the contract about missing events.
pub(super) const TRIMMED: &str = "Where events of a topic are missing, the event `gap` with the data `{\"reason\":\"trimmed\",\"topic\":NAME}` stands in their place, once; its ID is the position after the last missing event.";

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, options, run: fn(Server) -> Verdict| {
        Case::own(Group::Retention, name, promise, source, options, run)
    };
    let bound = "retention of each topic; 0: no such bound";
    vec![
        case(
            "topic_events_bounds_the_topic",
            "a topic keeps the newest events up to its bound",
            bound,
            &["--topic-events", "3"],
            events,
        ),
        case(
            "trimmed_events_are_one_gap",
            "a client that resumes before the kept events receives one gap, in place",
            TRIMMED,
            &["--topic-events", "3"],
            trimmed,
        ),
        case(
            "last_trimmed_id_resumes_without_a_gap",
            "the ID of the last trimmed event resumes without a gap, because no later event is missing",
            RESUMES,
            &["--topic-events", "3"],
            edge,
        ),
        case(
            "quiet_topic_beside_a_busy_one_has_no_gap",
            "a quiet topic beside a busy one never causes a false gap",
            RESUMES,
            &["--topic-events", "3"],
            quiet,
        ),
        case(
            "topic_bytes_bounds_the_topic",
            "a topic keeps bytes up to its bound, and always the newest event",
            bound,
            &["--topic-bytes", "2000"],
            bytes,
        ),
        case(
            "topic_age_trims_old_events",
            "an event is trimmed when the event is too old",
            bound,
            &["--topic-age-ms", "3000"],
            age,
        ),
        case(
            "hub_bytes_trims_the_oldest_event",
            "over the hub's bound the oldest event of all topics is trimmed",
            "bound over all topics",
            &["--hub-bytes", "4000"],
            hub_bytes,
        ),
        case(
            "events_are_kept_without_subscribers",
            "a topic keeps its events with or without subscribers",
            "A topic keeps its events with or without subscribers.",
            &[],
            without_readers,
        ),
    ]
}

fn many(target: &Target, topic: &str, count: usize) -> Result<Vec<String>, Failure> {
    publish_all(
        target,
        &json!((0..count).map(|n| json!({ "topic": topic, "data": n.to_string() })).collect::<Vec<_>>()),
    )
}

/// The events of a topic that `from=oldest` replays.
fn kept(target: &Target, topic: &String) -> Result<Vec<String>, Failure> {
    let mark = super::topics::topic("mark");
    let mut stream = Follow::of([topic, &mark]).from("oldest").expect(target, "fresh")?;
    position(&mut stream)?;
    // A mark on another topic comes after all replayed events.
    let id = publish(target, &mark, "mark")?;
    let mut seen = stream.read_id(&id, patience())?.events;
    seen.pop();
    Ok(seen.into_iter().map(|event| format!("{} {}", event.event_type, event.data)).collect())
}

fn held(target: &Target, what: &str) -> Result<u64, Failure> {
    let stats = target.stats()?;
    stats.get(what).and_then(Value::as_u64).ok_or_else(|| Failure::new(format_args!("no {what} in {stats}")))
}

fn events(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("events"));
    many(target, &name, 5)?;
    let held = held(target, "held_events")?;
    check(held == 3, || format!("held_events is {held}"))?;
    let seen = kept(target, &name)?;
    check(seen == ["message 2", "message 3", "message 4"], || format!("kept {seen:?}"))
}

fn trimmed(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("trimmed"));
    let ids = many(target, &name, 6)?;
    let mut stream = Follow::of([&name]).after(&ids[0]).expect(target, "gap")?;
    let seen = stream.read_events(4, patience())?;
    opening(&stream)?;
    let (gap, data) = (&seen.events[0], json!({ "reason": "trimmed", "topic": name }).to_string());
    let fine = gap.event_type == "gap" && same_json(&gap.data, &data) && gap.id == ids[2];
    check(fine, || format!("expected a gap with {data} and the ID {}\n    received {}", ids[2], show(stream.body())))?;
    check(seen.data()[1..] == ["3", "4", "5"], || show(stream.body()))?;
    // The gap comes once: the ID of the gap resumes.
    Follow::of([&name]).after(&seen.events[0].id).expect(target, "resumed").map(drop)
}

fn edge(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("edge"));
    let ids = many(target, &name, 6)?;
    let mut stream = Follow::of([&name]).after(&ids[2]).expect(target, "resumed")?;
    let seen = stream.read_events(3, patience())?;
    check(seen.data() == ["3", "4", "5"], || show(stream.body()))
}

fn quiet(server: Server) -> Verdict {
    let (target, busy, quiet) = (server.target(), topic("busy"), topic("quiet"));
    let id = publish(target, &quiet, "seen")?;
    many(target, &busy, 50)?;
    publish(target, &quiet, "missed")?;
    let mut stream = Follow::of([&quiet]).after(&id).expect(target, "resumed")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["missed"], || show(stream.body()))?;
    // With both topics in one request, only the busy topic has a gap.
    let mut stream = Follow::of([&quiet, &busy]).after(&id).expect(target, "gap")?;
    let seen = stream.read_events(5, patience())?;
    let gaps: Vec<_> = seen.events.iter().filter(|event| event.event_type == "gap").collect();
    check(gaps.len() == 1 && gaps[0].data.contains(&busy), || show(stream.body()))
}

fn bytes(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("bytes"));
    let text = "b".repeat(300);
    publish_all(target, &json!((0..20).map(|_| json!({ "topic": name, "data": text })).collect::<Vec<_>>()))?;
    let (events, bytes) = (held(target, "held_events")?, held(target, "held_bytes")?);
    check(bytes <= 2000 && (1..=6).contains(&events), || format!("{events} events, {bytes} bytes"))?;
    let large = "l".repeat(5000);
    publish(target, &name, &large)?;
    let seen = kept(target, &name)?;
    check(seen == [format!("message {large}")], || format!("kept {} events", seen.len()))
}

fn age(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("age"));
    let id = publish(target, &name, "old")?;
    publish(target, &name, "old too")?;
    let seen = kept(target, &name)?;
    check(!seen.is_empty(), || "an event was trimmed at once".to_owned())?;
    let deadline = Instant::now() + patience();
    loop {
        let seen = kept(target, &name)?;
        if seen.is_empty() {
            break;
        }
        check(Instant::now() < deadline, || format!("kept {seen:?}"))?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Follow::of([&name]).after(id).expect(target, "gap").map(drop)
}

fn hub_bytes(server: Server) -> Verdict {
    let (target, old, new) = (server.target(), topic("old"), topic("new"));
    let text = "h".repeat(300);
    let event = |topic: &String| json!({ "topic": topic, "data": text });
    let ids = publish_all(target, &json!([event(&old), event(&old), event(&new)]))?;
    publish_all(target, &json!((0..11).map(|_| event(&new)).collect::<Vec<_>>()))?;
    let bytes = held(target, "held_bytes")?;
    check(bytes <= 4000, || format!("held_bytes is {bytes}"))?;
    Follow::of([&old]).after(&ids[0]).expect(target, "gap")?;
    Follow::of([&new]).after(&ids[2]).expect(target, "resumed").map(drop)
}

fn without_readers(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("unread"));
    many(target, &name, 3)?;
    let stream = Follow::of([&name]).open(target)?;
    let id = stream.stream_id()?;
    drop(stream);
    target.ended(&id, "gone", patience())?;
    many(target, &name, 1)?;
    let seen = kept(target, &name)?;
    check(seen.len() == 4, || format!("kept {seen:?}"))
}
