//! Connections that break anywhere: whatever the client saw, it comes back and misses nothing, and gets nothing twice.

use super::topics::{Follow, SECOND, publish, publish_all, topic};
use crate::client::{Event, Seen};
use crate::failure::{check, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::json;

pub(super) fn cases() -> Vec<Case> {
    let source = "DESIGN 4.3 and 5; reliability G1, G2";
    vec![
        Case::on(
            Group::Resumption,
            "cut_at_any_byte",
            "cut at every byte and resumed, two topics are the same events as without a cut",
            source,
            |target| every_byte(&[target]),
        ),
        Case::on(
            Group::Resumption,
            "a_chain_of_cuts",
            "cut again and again while events are published, nothing is lost and nothing comes twice",
            source,
            |target| chain(&[target]),
        ),
        Case::own(
            Group::Resumption,
            "cut_around_gaps",
            "cut at every byte of a stream with gaps, each hole is told once, and in its place",
            source,
            &["--topic-events", "3"],
            gaps,
        ),
    ]
}

/// What a client sees that loses its connection after so many bytes of this body, and comes back.
fn resumed(
    target: &Target,
    follow: &Follow,
    body: &[u8],
    brought: Option<&str>,
    count: usize,
) -> Result<Vec<Event>, Failure> {
    let before = Seen::of(body, brought);
    let follow = before.last_event_id.iter().fold(follow.clone(), Follow::after);
    let mut stream = follow.open(target)?;
    let rest = count - before.events.len();
    stream.read_events(rest, SECOND * 5)?;
    let after = Seen::of(stream.body(), before.last_event_id.as_deref());
    Ok([before.events, after.events].concat())
}

/// The clients are spread over these servers of one history.
fn every_cut(targets: &[&Target], follow: &Follow, brought: Option<&str>, count: usize) -> Verdict {
    let mut whole = brought.iter().fold(follow.clone(), Follow::after).open(targets[0])?;
    whole.read_events(count, SECOND * 5)?;
    let body = whole.body();
    let expected = Seen::of(body, brought).events;
    for at in 0..=body.len() {
        let seen = resumed(targets[at % targets.len()], follow, &body[..at], brought, count)?;
        check(seen == expected, || {
            format!("cut after {at} bytes, {}\n    expected {expected:?}\n    saw      {seen:?}", show(&body[..at]))
        })?;
    }
    Ok(())
}

pub(super) fn every_byte(targets: &[&Target]) -> Verdict {
    let names = [topic("a"), topic("b")];
    let event = |n: usize, data: &str| json!({ "topic": names[n], "data": data });
    publish_all(targets[0], &json!([event(0, "1"), event(1, "2\nof two lines"), event(1, ""), event(0, "4")]))?;
    every_cut(targets, &Follow::of(&names).from("oldest"), None, 4)
}

fn gaps(server: Server) -> Verdict {
    let target = server.target();
    let names = [topic("a"), topic("b")];
    let id = publish(target, &names[0], "seen")?;
    for n in 0..5 {
        publish(target, &names[0], &format!("a{n}"))?;
        publish(target, &names[1], &format!("b{n}"))?;
    }
    // Three of each are left, and each has forgotten something after `id`.
    let mut stream = Follow::of(&names).after(&id).expect(target, "gap")?;
    let seen = stream.read_events(8, SECOND * 5)?;
    let words = seen.events.iter().map(|event| match event.event_type.as_str() {
        "gap" if event.data.contains(&names[0]) => "gap a",
        "gap" if event.data.contains(&names[1]) => "gap b",
        _ => event.data.as_str(),
    });
    let words: Vec<_> = words.collect();
    let expected = ["gap a", "gap b", "a2", "b2", "a3", "b3", "a4", "b4"];
    check(words == expected, || format!("{words:?} in {}", show(stream.body())))?;
    let json = format!(r#"{{"reason":"trimmed","topic":"{}"}}"#, names[0]);
    check(seen.events[0].data == json, || show(stream.body()))?;
    every_cut(&[target], &Follow::of(&names), Some(&id), 8)
}

/// The client changes servers with each connection, and who publishes with each event.
pub(super) fn chain(targets: &[&Target]) -> Verdict {
    let target = |n: usize| targets[n % targets.len()];
    let names = [topic("a"), topic("b")];
    let mut events: Vec<Event> = Vec::new();
    let mut last = Some(publish(target(0), &names[0], "start")?);
    // Cuts are at lengths that share no factor with a block's.
    for round in 0..120_usize {
        for n in 0..3 {
            publish(target(n), &names[(round + n) % 2], &(round * 3 + n).to_string())?;
        }
        let mut stream = last.iter().fold(Follow::of(&names), Follow::after).expect(target(round), "resumed")?;
        stream.read_bytes(round * 37 % 151, SECOND * 5)?;
        let body = stream.body();
        let seen = Seen::of(&body[..(round * 37 % 151).min(body.len())], last.as_deref());
        events.extend(seen.events);
        last = seen.last_event_id;
    }
    let mut stream = last.iter().fold(Follow::of(&names), Follow::after).expect(target(0), "resumed")?;
    events.extend(stream.read_events(360 - events.len(), SECOND * 5)?.events);
    let seen: Vec<_> = events.iter().map(|event| event.data.as_str()).collect();
    let expected: Vec<_> = (0..360).map(|n| n.to_string()).collect();
    check(seen == expected, || format!("saw {seen:?}"))
}
