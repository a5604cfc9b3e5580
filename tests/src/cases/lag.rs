//! Subscribers that fall behind the events that their topics keep. Each client stops reading while the server publishes
//! far more bytes than the sockets buffer, and then reads on.

use super::topics::{Follow, patience, position, publish, publish_all, topic};
use crate::client::{Response, Seen};
use crate::failure::{check, same_json, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

const LAG: &str = "A subscriber that falls behind what its topics keep is ended as `lagged`, or with `--lag gap` receives the `gap` in place and goes on.";

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, options, run: fn(Server) -> Verdict| {
        Case::own(Group::Lag, name, promise, LAG, options, run)
    };
    vec![
        case(
            "lagging_subscriber_is_ended",
            "a subscriber that fell behind is ended, and receives a gap when the client reconnects",
            &["--topic-bytes", "300000"],
            end,
        ),
        case(
            "lagging_subscriber_continues_after_a_gap",
            "with `--lag gap` a subscriber that fell behind receives a gap in place, and continues",
            &["--topic-bytes", "300000", "--lag", "gap"],
            gap,
        ),
        case(
            "slow_subscriber_within_retention_misses_nothing",
            "a subscriber that is behind, but within retention, misses nothing",
            &["--topic-bytes", "40000000"],
            in_time,
        ),
    ]
}

/// Opens a stream, publishes 25 MB while the client does not read, and returns all IDs.
fn flooded(target: &Target, name: &String) -> Result<(Response, Vec<String>), Failure> {
    let mut stream = target.ask_narrow(&Follow::of([name]).request())?;
    position(&mut stream)?;
    let text = "f".repeat(100_000);
    let mut ids = Vec::new();
    for _ in 0..5 {
        let events: Vec<_> = (0..50).map(|_| json!({ "topic": name, "data": text })).collect();
        ids.extend(publish_all(target, &json!(events))?);
        // Gives the server time to write as much as the socket accepts.
        std::thread::sleep(Duration::from_millis(50));
    }
    ids.push(publish(target, name, "the last")?);
    Ok((stream, ids))
}

fn lagged(target: &Target) -> Result<u64, Failure> {
    Ok(target.stats()?.get("lagged").and_then(Value::as_u64).unwrap_or_default())
}

/// The received events must be a prefix of the published ones. Returns the length of the prefix.
fn unbroken(seen: &Seen, ids: &[String]) -> Result<usize, Failure> {
    let unbroken = seen.events.iter().zip(ids).all(|(event, id)| event.id == *id && event.event_type == "message");
    let all = || seen.events.iter().map(|event| format!("{} {}", event.event_type, event.id)).collect::<Vec<_>>();
    check(unbroken && seen.events.len() < ids.len(), || format!("not a prefix of the published events: {:?}", all()))?;
    Ok(seen.events.len())
}

fn end(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("end"));
    let (mut stream, ids) = flooded(target, &name)?;
    stream.read_to_end(patience())?;
    let seen = stream.seen();
    unbroken(&seen, &ids)?;
    target.ended(&stream.stream_id()?, "lagged", patience())?;
    check(lagged(target)? == 1, || "`lagged` in /stats does not count the subscriber".to_owned())?;

    let last = seen.last_event_id.unwrap_or_default();
    let mut again = Follow::of([&name]).after(last).expect(target, "gap")?;
    again.read_id(&ids[ids.len() - 1], patience())?;
    after_a_gap(&again.seen(), &ids, &name)
}

fn gap(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("gap"));
    let (mut stream, ids) = flooded(target, &name)?;
    stream.read_id(&ids[ids.len() - 1], patience())?;
    let mut seen = stream.seen();
    let at = seen.events.iter().position(|event| event.event_type == "gap");
    let at = at.ok_or_else(|| Failure::new(format_args!("no gap among {} events", seen.events.len())))?;
    let rest = seen.events.split_off(at);
    unbroken(&seen, &ids)?;
    after_a_gap(&Seen { events: rest, ..seen }, &ids, &name)?;
    let state = target.state(&stream.stream_id()?)?;
    check(state.active, || format!("the stream was ended: {state:?}"))?;
    check(lagged(target)? >= 1, || "`lagged` in /stats does not count the subscriber".to_owned())
}

/// A gap must come first, then events without a hole that the server does not announce by a further gap.
fn after_a_gap(seen: &Seen, ids: &[String], name: &str) -> Verdict {
    let data = format!(r#"{{"reason":"trimmed","topic":"{name}"}}"#);
    let mut next = 0;
    for (at, event) in seen.events.iter().enumerate() {
        let position = ids.iter().position(|id| *id == event.id);
        let position =
            position.ok_or_else(|| Failure::new(format_args!("the ID {} belongs to no published event", event.id)))?;
        let is_gap = event.event_type == "gap";
        check(!is_gap || same_json(&event.data, &data), || {
            format!("a gap with the data {}", show(event.data.as_bytes()))
        })?;
        let fine = if is_gap { position >= next } else { at > 0 && position == next };
        check(fine, || {
            let all: Vec<_> = seen.events.iter().map(|event| format!("{} {}", event.event_type, event.id)).collect();
            format!("events are missing without a gap, before {}: {all:?}\n    of {ids:?}", event.id)
        })?;
        next = position + 1;
    }
    check(next == ids.len(), || format!("{next} of {} events", ids.len()))
}

fn in_time(server: Server) -> Verdict {
    let (target, name) = (server.target(), topic("in-time"));
    let (mut stream, ids) = flooded(target, &name)?;
    stream.read_id(&ids[ids.len() - 1], patience())?;
    let seen = stream.seen();
    let whole = seen.events.iter().map(|event| &event.id).eq(&ids);
    check(whole && lagged(target)? == 0, || format!("{} of {} events", seen.events.len(), ids.len()))
}
