//! Topics that hold the current state.

use super::topics::{Follow, patience, position, post, publish, publish_all, topic};
use crate::client::{Response, Seen};
use crate::failure::{check, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::{Value, json};
use sse_test_support::reader::Reader;

const FIRST: &str =
    "A new subscriber of a state topic receives the newest event of each key in the order of their IDs, then changes.";
const RETURNS: &str = "A client that returns receives each key that changed after its ID once.";
const REMOVAL: &str = "A removal is the event `removed` with the data `{\"key\":\"...\"}`.";
const SLOW: &str =
    "A subscriber that is slow may skip an event that a newer one of its key replaced, and does not lag.";
const KINDS: &str = "`/publish` to a state topic and `/state` to a topic with published events are answered 409.";
const NODES: &str = "A key that one server sets is set on every server, the newest entry of the log wins, and a server that starts later has every key.";
const ALL: &str = "an array is changed as a whole or not at all";

pub(super) fn cases() -> Vec<Case> {
    let case =
        |name: &str, promise, source, run: fn(&Target) -> Verdict| Case::on(Group::State, name, promise, source, run);
    vec![
        case("new_subscriber_receives_the_newest_of_each_key", "a new subscriber receives the state", FIRST, first),
        case("changes_follow_the_state", "after the state a subscriber receives every change", FIRST, changes),
        case(
            "client_that_returns_receives_each_changed_key_once",
            "a client that returns catches up",
            RETURNS,
            returns,
        ),
        case("removed_key_is_told", "a removal reaches subscribers, and new ones do not see the key", REMOVAL, removal),
        case("slow_subscriber_skips_and_does_not_lag", "a slow subscriber ends with the state", SLOW, slow),
        case("kinds_of_topics_are_kept_apart", "a state topic takes no other event", KINDS, kinds),
        case("changes_are_all_or_nothing", "an array with an invalid change changes nothing", ALL, all_or_nothing),
        case("state_and_events_share_a_stream", "a stream of both kinds has one ID", RETURNS, both),
        Case::both(
            "both_servers_have_one_state",
            "a key that one server sets is on the other, where its ID resumes",
            NODES,
            one_state,
        )
        .with([Group::State]),
        Case::own(
            Group::Nodes,
            "server_started_later_has_the_state",
            "a server that starts later has every key",
            NODES,
            &[],
            later,
        )
        .with([Group::State]),
    ]
}

/// Makes these changes, and returns the IDs.
fn change(target: &Target, changes: &Value) -> Result<Vec<Option<String>>, Failure> {
    #[derive(serde::Deserialize)]
    struct Changed {
        ids: Vec<Option<String>>,
    }
    let response = target.read(&post("/state", changes.to_string()))?;
    check(response.head.status == 200, || format!("not changed: {} {}", response.head, show(response.body())))?;
    let changed = serde_json::from_slice::<Changed>(response.body());
    Ok(changed.map_err(|_| Failure::new(format_args!("no `ids` in {}", show(response.body()))))?.ids)
}

fn set(target: &Target, topic: &str, key: &str, data: &str) -> Result<String, Failure> {
    let ids = change(target, &json!({ "topic": topic, "key": key, "data": data }))?;
    ids.into_iter().next().flatten().ok_or_else(|| Failure::new("one key was set, but the answer has no ID"))
}

fn remove(target: &Target, topic: &str, key: &str) -> Verdict {
    change(target, &json!({ "topic": topic, "key": key, "remove": true })).map(drop)
}

/// Reads up to the event with the data `last`.
fn until_last(stream: &mut Response) -> Result<Seen, Failure> {
    let is_last = |reader: &Reader| reader.events().any(|event| event.data == "last");
    stream.read_until_seen("event `last`", patience(), is_last)?;
    Ok(stream.seen())
}

fn is(seen: &Seen, expected: &[&str]) -> Verdict {
    check(seen.data() == expected, || format!("{:?}, not {expected:?}", seen.data()))
}

/// Three keys, of which the first was set again.
fn filled(target: &Target, name: &str) -> Result<Vec<String>, Failure> {
    set(target, name, "a", "a1")?;
    let mut ids = vec![set(target, name, "b", "b1")?, set(target, name, "c", "c1")?];
    ids.push(set(target, name, "a", "a2")?);
    Ok(ids)
}

fn first(target: &Target) -> Verdict {
    let name = topic("state");
    let ids = filled(target, &name)?;
    let mut stream = Follow::of([&name]).open(target)?;
    // What comes last shows that nothing else came before.
    set(target, &name, "d", "last")?;
    let seen = until_last(&mut stream)?;
    is(&seen, &["b1", "c1", "a2", "last"])?;
    let seen_ids: Vec<_> = seen.events.iter().map(|event| event.id.clone()).take(3).collect();
    check(seen_ids == ids, || format!("the IDs are {seen_ids:?}, not {ids:?}"))
}

fn changes(target: &Target) -> Verdict {
    let name = topic("state");
    filled(target, &name)?;
    let mut stream = Follow::of([&name]).open(target)?;
    stream.read_events(3, patience())?;
    for (n, data) in ["a3", "a4"].into_iter().enumerate() {
        set(target, &name, "a", data)?;
        stream.read_events(4 + n, patience())?;
    }
    is(&stream.seen(), &["b1", "c1", "a2", "a3", "a4"])
}

fn returns(target: &Target) -> Verdict {
    let name = topic("state");
    filled(target, &name)?;
    let mut stream = Follow::of([&name]).open(target)?;
    let id = stream.read_events(3, patience())?.last_event_id.unwrap_or_default();
    drop(stream);
    for n in 0..20 {
        set(target, &name, "b", &format!("b {n}"))?;
    }
    remove(target, &name, "c")?;
    set(target, &name, "d", "last")?;
    let mut stream = Follow::of([&name]).after(id).expect(target, "resumed")?;
    let seen = until_last(&mut stream)?;
    let removed = seen.events.iter().filter(|event| event.event_type == "removed").count();
    check(removed == 1 && seen.events.len() == 3 && seen.data()[0] == "b 19", || show(stream.body()))
}

fn removal(target: &Target) -> Verdict {
    let name = topic("state");
    filled(target, &name)?;
    let mut stream = Follow::of([&name]).open(target)?;
    stream.read_events(3, patience())?;
    remove(target, &name, "b")?;
    let seen = stream.read_events(4, patience())?;
    let told = &seen.events[3];
    let key: Value = serde_json::from_str(&told.data).unwrap_or_default();
    check(told.event_type == "removed" && key == json!({ "key": "b" }), || format!("{told:?}"))?;
    let mut fresh = Follow::of([&name]).open(target)?;
    set(target, &name, "d", "last")?;
    is(&until_last(&mut fresh)?, &["c1", "a2", "last"])
}

fn slow(target: &Target) -> Verdict {
    let name = topic("state");
    let mut stream = target.ask_narrow(&Follow::of([&name]).request())?;
    position(&mut stream)?;
    let text = "x".repeat(10_000);
    for round in 0..40 {
        let changes: Vec<_> = (0..50)
            .map(|key| json!({ "topic": name, "key": key.to_string(), "data": format!("{key} {round} {text}") }))
            .collect();
        change(target, &json!(changes))?;
    }
    set(target, &name, "last", "last")?;
    let seen = until_last(&mut stream)?;
    let mut newest = std::collections::BTreeMap::new();
    for event in &seen.events {
        let mut words = event.data.split(' ').map_while(|word| word.parse::<u32>().ok());
        let (Some(key), Some(round)) = (words.next(), words.next()) else { continue };
        let before = newest.insert(key, round);
        check(before.is_none_or(|before| before < round), || format!("key {key}: round {round} after {before:?}"))?;
    }
    let all = newest.len() == 50 && newest.values().all(|round| *round == 39);
    check(all, || format!("the client ended with {newest:?}"))
}

fn kinds(target: &Target) -> Verdict {
    let (state, news) = (topic("state"), topic("news"));
    set(target, &state, "a", "a1")?;
    publish(target, &news, "x")?;
    let set = json!({ "topic": news, "key": "a", "data": "1" });
    let event = json!({ "topic": state, "data": "x" });
    let batch = json!([{ "topic": topic("other"), "data": "x" }, event]);
    for (path, body) in [("/state", &set), ("/publish", &event), ("/publish", &batch)] {
        let refused = target.read(&post(path, body.to_string()))?;
        check(refused.head.status == 409, || format!("{path} {body}: {}", refused.head))?;
    }
    Ok(())
}

fn all_or_nothing(target: &Target) -> Verdict {
    let (name, news) = (topic("state"), topic("news"));
    set(target, &name, "a", "a1")?;
    publish(target, &news, "x")?;
    let good = json!({ "topic": name, "key": "a", "data": "a2" });
    let bad = [
        json!({ "topic": news, "key": "a", "data": "1" }),
        json!({ "topic": name, "key": "b", "data": "1", "event": "a\nb" }),
        json!({ "topic": "t".repeat(257), "key": "b", "data": "1" }),
    ];
    for bad in bad {
        let refused = target.read(&post("/state", json!([good, bad]).to_string()))?;
        check(refused.head.status >= 400, || format!("{bad}: {}", refused.head))?;
    }
    let mut stream = Follow::of([&name]).open(target)?;
    set(target, &name, "c", "last")?;
    is(&until_last(&mut stream)?, &["a1", "last"])
}

fn both(target: &Target) -> Verdict {
    let (name, news) = (topic("state"), topic("news"));
    filled(target, &name)?;
    let mut stream = Follow::of([&name, &news]).open(target)?;
    let id = stream.read_events(3, patience())?.last_event_id.unwrap_or_default();
    drop(stream);
    publish_all(target, &json!([{ "topic": news, "data": "n1" }, { "topic": news, "data": "n2" }]))?;
    set(target, &name, "a", "a3")?;
    publish(target, &news, "last")?;
    let mut stream = Follow::of([&name, &news]).after(id).expect(target, "resumed")?;
    is(&until_last(&mut stream)?, &["n1", "n2", "a3", "last"])
}

fn one_state(one: &Target, other: &Target) -> Verdict {
    let name = topic("state");
    let ids = filled(one, &name)?;
    let last = set(other, &name, "b", "b2")?;
    for target in [one, other] {
        // Resuming here proves that `target` has all changes.
        let mut stream = Follow::of([&name]).after(&ids[2]).expect(target, "resumed")?;
        let seen = stream.read_events(1, patience())?;
        check(seen.data() == ["b2"] && seen.events[0].id == last, || show(stream.body()))?;
        let mut fresh = Follow::of([&name]).open(target)?;
        is(&fresh.read_events(3, patience())?, &["c1", "a2", "b2"])?;
    }
    remove(one, &name, "c")?;
    let last = set(one, &name, "d", "last")?;
    Follow::of([&name]).after(last).expect(other, "resumed")?;
    is(&until_last(&mut Follow::of([&name]).open(other)?)?, &["a2", "b2", "last"])
}

fn later(one: Server) -> Verdict {
    let name = topic("state");
    filled(one.target(), &name)?;
    remove(one.target(), &name, "b")?;
    let other = one.another()?;
    set(other.target(), &name, "d", "last")?;
    is(&until_last(&mut Follow::of([&name]).open(other.target())?)?, &["c1", "a2", "last"])
}
