//! Connections that break at any byte. A client that reconnects must miss no event and receive none twice.

use super::resumption::RESUMES;
use super::retention::TRIMMED;
use super::topics::{Follow, patience, publish, publish_all, topic};
use crate::client::Event;
use crate::failure::{check, same_json, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::json;
use sse_test_support::ledger::Ledger;
use sse_test_support::reader::{Habits, Reader};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::on(
            Group::Resumption,
            "cut_at_every_byte_loses_nothing",
            "a client that is cut off at any byte and resumes receives the same events of two topics, whatever its habits",
            RESUMES,
            |target| every_byte(&[target]),
        ),
        Case::on(
            Group::Resumption,
            "repeated_cuts_lose_nothing",
            "a client that is cut off again and again loses no event and receives none twice",
            RESUMES,
            |target| chain(&[target]),
        ),
        Case::own(
            Group::Resumption,
            "cut_at_every_byte_repeats_no_gap",
            "a client that is cut off at any byte of a stream with gaps receives each gap once and in place",
            TRIMMED,
            &["--topic-events", "3"],
            gaps,
        ),
    ]
}

/// Reads the remaining events over a new connection, by a client that has read part of the stream.
fn resumed(target: &Target, follow: &Follow, mut reader: Reader, count: usize) -> Result<Vec<Event>, Failure> {
    let follow = reader.last_event_id().map(str::to_owned).iter().fold(follow.clone(), Follow::after);
    let mut stream = follow.open(target)?;
    reader.reconnect();
    let before = reader.clone();
    stream.read_until_seen("events that were missed", patience(), |read| {
        // The unfinished block that a client keeps from the broken response must change no event of the new response.
        read.events().count() + before.events().count() >= count
    })?;
    reader.read(stream.body());
    Ok(reader.events().cloned().collect())
}

/// The clients use these servers of one history in turn.
fn every_cut(targets: &[&Target], follow: &Follow, brought: Option<&str>, count: usize) -> Verdict {
    let mut whole = brought.iter().fold(follow.clone(), Follow::after).open(targets[0])?;
    whole.read_events(count, patience())?;
    let body = whole.body();
    let read = |habits, bytes: &[u8]| {
        let mut reader = Reader::with(habits).after(brought);
        reader.read(bytes);
        reader
    };
    for (n, habits) in Habits::ALL.into_iter().enumerate() {
        let expected: Vec<Event> = read(habits, body).events().cloned().collect();
        for at in 0..=body.len() {
            let seen = resumed(targets[(at + n) % targets.len()], follow, read(habits, &body[..at]), count)?;
            check(seen == expected, || {
                let cut = show(&body[..at]);
                format!("cut after {at} bytes, {cut}, {habits:?}\n    expected {expected:?}\n    received {seen:?}")
            })?;
        }
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
    // Three events of each topic are left, and each topic has lost events after `id`.
    let mut stream = Follow::of(&names).after(&id).expect(target, "gap")?;
    let seen = stream.read_events(8, patience())?;
    let words = seen.events.iter().map(|event| match event.event_type.as_str() {
        "gap" if event.data.contains(&names[0]) => "gap a",
        "gap" if event.data.contains(&names[1]) => "gap b",
        _ => event.data.as_str(),
    });
    let words: Vec<_> = words.collect();
    let expected = ["gap a", "gap b", "a2", "b2", "a3", "b3", "a4", "b4"];
    check(words == expected, || format!("{words:?} in {}", show(stream.body())))?;
    let json = format!(r#"{{"reason":"trimmed","topic":"{}"}}"#, names[0]);
    check(same_json(&seen.events[0].data, &json), || show(stream.body()))?;
    every_cut(&[target], &Follow::of(&names), Some(&id), 8)
}

/// The client changes servers with each connection, and the publisher with each event.
pub(super) fn chain(targets: &[&Target]) -> Verdict {
    let target = |n: usize| targets[n % targets.len()];
    let names = [topic("a"), topic("b")];
    let start = publish(target(0), &names[0], "start")?;
    let mut ledger = Ledger::default();
    let mut reader = Reader::with(Habits::WEBKIT).after(Some(&start));
    let follow = |reader: &Reader| reader.last_event_id().iter().fold(Follow::of(&names), Follow::after);
    // The lengths of the cuts share no factor with the length of a block.
    for round in 0..120_usize {
        for n in 0..3 {
            ledger.issue(publish(target(n), &names[(round + n) % 2], &(round * 3 + n).to_string())?);
        }
        let mut stream = follow(&reader).expect(target(round), "resumed")?;
        let length = round * 37 % 151;
        stream.read_bytes(length, patience())?;
        let before = reader.events().count();
        reader.reconnect();
        reader.read(&stream.body()[..length.min(stream.body().len())]);
        reader.events().skip(before).for_each(|event| ledger.receive(event.id.clone()));
    }
    let mut stream = follow(&reader).expect(target(0), "resumed")?;
    let before = reader.events().count();
    reader.reconnect();
    stream.read_events(360 - before, patience())?;
    reader.read(stream.body());
    reader.events().skip(before).for_each(|event| ledger.receive(event.id.clone()));
    ledger.close().map(drop).map_err(Failure::new)
}
