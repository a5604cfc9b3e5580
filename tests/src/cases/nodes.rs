//! Several servers of one history, for example of one log. Every server must deliver events that were published at
//! another, and a client may reconnect to any of them.

use super::topics::{Follow, patience, position, post, publish, publish_all, topic};
use super::{cut, drain};
use crate::client::Response;
use crate::failure::{check, show};
use crate::process::Server;
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::json;
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    let source = "An id outlives its server, and belongs to every server of the same log.";
    let own = |name: &str, promise, options, run: fn(Server) -> Verdict| {
        Case::own(Group::Nodes, name, promise, source, options, run).with([Group::Resumption, Group::Publish])
    };
    let both = |name: &str, promise, run: fn(&Target, &Target) -> Verdict| {
        Case::both(name, promise, source, run).with([Group::Resumption, Group::Publish])
    };
    vec![
        both(
            "both_servers_have_one_order",
            "subscribers of both servers receive the events of both in the same order",
            one_order,
        ),
        own(
            "publish_wakes_subscribers_of_the_other_server",
            "an event published at one server wakes a subscriber of the other, with keep-alives off",
            &["--keep-alive-ms", "0"],
            |one| woken(one.target(), one.another()?.target()),
        ),
        both(
            "rejected_array_reaches_no_server",
            "an array that one server rejects reaches no subscriber of the other",
            all_or_nothing,
        ),
        both(
            "id_of_one_server_resumes_at_the_other",
            "an ID of one server resumes at the other at once, although the other may be a moment behind",
            at_once,
        ),
        both(
            "opening_position_resumes_at_the_other_server",
            "the opening position of a stream at one server resumes at the other",
            opening,
        ),
        both(
            "cut_at_every_byte_and_resume_at_the_other_server",
            "a client that is cut off at any byte and resumes at either server receives the same events",
            |one, other| cut::every_byte(&[one, other]),
        ),
        both(
            "repeated_changes_of_server_lose_nothing",
            "a client that changes servers again and again loses no event and receives none twice",
            |one, other| cut::chain(&[one, other]),
        ),
        own(
            "trimmed_events_are_one_gap_at_both_servers",
            "trimmed events are the same gap at both servers, sent once",
            &["--topic-events", "3"],
            one_gap,
        ),
        own(
            "server_started_later_has_the_history",
            "a server that starts later replays the events that were published before",
            &[],
            later,
        ),
        own(
            "clients_of_a_drained_server_resume_at_the_other",
            "clients of a server that drains resume at the other without loss",
            &[],
            drained,
        ),
        own(
            "clients_of_a_killed_server_resume_at_the_other",
            "clients of a server that is killed resume at the other without loss",
            &[],
            killed,
        ),
    ]
}

fn ids(stream: &mut Response, count: usize) -> Result<Vec<String>, Failure> {
    Ok(stream.read_events(count, patience())?.events.into_iter().map(|event| event.id).collect())
}

fn one_order(one: &Target, other: &Target) -> Verdict {
    const EACH: usize = 100;
    let name = topic("order");
    let mut streams = [Follow::of([&name]).open(one)?, Follow::of([&name]).open(other)?];
    streams.iter_mut().try_for_each(|stream| position(stream).map(drop))?;
    let at = |target| -> Result<Vec<String>, Failure> {
        (0..EACH).map(|n| publish(target, &name, &n.to_string())).collect()
    };
    let told = std::thread::scope(|scope| {
        let threads = [one, other].map(|target| scope.spawn(move || at(target)));
        threads.map(|thread| thread.join().unwrap_or_else(|_| Err(Failure::new("the publishing thread panicked"))))
    });
    let [here, there] = told;
    let (here, there) = (here?, there?);
    let [first, second] = &mut streams;
    let seen = ids(first, 2 * EACH)?;
    check(seen == ids(second, 2 * EACH)?, || "subscribers of the two servers received another order".to_owned())?;
    // Each publisher's events must arrive in that publisher's order, and no other event.
    for told in [here, there] {
        let own: Vec<_> = seen.iter().filter(|id| told.contains(id)).collect();
        check(own.iter().copied().eq(&told), || format!("published {told:?}\n    received {own:?}"))?;
    }
    Ok(())
}

fn woken(one: &Target, other: &Target) -> Verdict {
    let name = topic("woken");
    let mut stream = Follow::of([&name]).open(other)?;
    position(&mut stream)?;
    for n in 1..=50 {
        publish(one, &name, &n.to_string())?;
        stream.read_events(n, patience())?;
    }
    Ok(())
}

fn all_or_nothing(one: &Target, other: &Target) -> Verdict {
    let name = topic("all");
    let mut stream = Follow::of([&name]).open(other)?;
    position(&mut stream)?;
    let (fine, bad) = (json!({ "topic": name, "data": "never" }), json!({ "topic": name, "event": "a\nb" }));
    let refused = one.read(&post("/publish", json!([fine, fine, bad]).to_string()))?;
    check(refused.head.status == 400, || refused.head.to_string())?;
    publish(one, &name, "the first")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["the first"], || show(stream.body()))
}

fn at_once(one: &Target, other: &Target) -> Verdict {
    let name = topic("ahead");
    for n in 0..50 {
        let (here, there) = if n % 2 == 0 { (one, other) } else { (other, one) };
        let id = publish(here, &name, &n.to_string())?;
        Follow::of([&name]).after(id).expect(there, "resumed")?;
    }
    Ok(())
}

fn opening(one: &Target, other: &Target) -> Verdict {
    let name = topic("opening");
    let told = position(&mut Follow::of([&name]).open(one)?)?;
    publish(one, &name, "missed")?;
    let mut stream = Follow::of([&name]).after(told).expect(other, "resumed")?;
    let seen = stream.read_events(1, patience())?;
    check(seen.data() == ["missed"], || show(stream.body()))
}

fn one_gap(one: Server) -> Verdict {
    let other = one.another()?;
    let targets = [one.target(), other.target()];
    let name = topic("gap");
    let ids: Vec<_> = (0..6).map(|n| publish(targets[n % 2], &name, &n.to_string())).collect::<Result<_, _>>()?;
    for target in targets {
        // Resuming here proves that `target` has all six events.
        Follow::of([&name]).after(&ids[5]).expect(target, "resumed")?;
        let mut stream = Follow::of([&name]).after(&ids[0]).expect(target, "gap")?;
        let seen = stream.read_events(4, patience())?;
        let gap = &seen.events[0];
        let fine = gap.event_type == "gap" && gap.id == ids[2] && seen.data()[1..] == ["3", "4", "5"];
        check(fine, || show(stream.body()))?;
    }
    // The gap comes once: the ID of the gap resumes at both servers.
    targets.iter().try_for_each(|target| Follow::of([&name]).after(&ids[2]).expect(target, "resumed").map(drop))
}

fn later(one: Server) -> Verdict {
    let name = topic("later");
    let events: Vec<_> = (0..50).map(|n| json!({ "topic": name, "data": n.to_string() })).collect();
    let told = publish_all(one.target(), &json!(events))?;
    let other = one.another()?;
    let mut stream = Follow::of([&name]).from("oldest").expect(other.target(), "fresh")?;
    let seen = ids(&mut stream, 50)?;
    check(seen == told, || format!("published {told:?}\n    received {seen:?}"))?;
    let mut stream = Follow::of([&name]).after(&told[24]).expect(other.target(), "resumed")?;
    let seen = ids(&mut stream, 25)?;
    check(seen == told[25..], || format!("after half of the events: {seen:?}"))
}

fn drained(one: Server) -> Verdict {
    leaves(one, |one| drain::drain(one.target(), 200).map(|()| Some(one)))
}

fn killed(one: Server) -> Verdict {
    leaves(one, |one| {
        drop(one);
        Ok(None)
    })
}

/// Clients read at `one` while events are published at the other server. Then `leave` ends or drains `one`, and the
/// clients reconnect to the other server. Returns `one` if that process still runs.
fn leaves(one: Server, leave: impl FnOnce(Server) -> Result<Option<Server>, Failure>) -> Verdict {
    let other = one.another()?;
    let name = topic("leaves");
    let mut streams = (0..5).map(|_| Follow::of([&name]).open(one.target())).collect::<Result<Vec<_>, _>>()?;
    streams.iter_mut().try_for_each(|stream| position(stream).map(drop))?;
    let (told, left) = std::thread::scope(|scope| {
        let publishing = scope.spawn(|| -> Result<Vec<String>, Failure> {
            let publish = |n: usize| {
                std::thread::sleep(Duration::from_millis(3));
                publish(other.target(), &name, &n.to_string())
            };
            (0..150).map(publish).collect()
        });
        std::thread::sleep(Duration::from_millis(150));
        let left = leave(one);
        (publishing.join().unwrap_or_else(|_| Err(Failure::new("the publishing thread panicked"))), left)
    });
    let (mut told, _left) = (told?, left?);
    for stream in &mut streams {
        // The stream may end in order or be cut off.
        let _ = stream.read_to_end(patience());
    }
    told.push(publish(other.target(), &name, "the last")?);
    for stream in &streams {
        let before = stream.seen();
        let last = before.last_event_id.unwrap_or_default();
        let mut again = Follow::of([&name]).after(last).expect(other.target(), "resumed")?;
        let after = again.read_events(told.len() - before.events.len(), patience())?;
        let seen: Vec<_> = before.events.into_iter().chain(after.events).map(|event| event.id).collect();
        check(seen == told, || format!("published {told:?}\n    received {seen:?}"))?;
    }
    Ok(())
}
