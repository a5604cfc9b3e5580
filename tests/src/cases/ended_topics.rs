//! Topics that end, and topics that are removed.

use super::topics::{Follow, patience, position, post, publish, publish_all, topic};
use crate::client::{Request, Response};
use crate::failure::{check, show};
use crate::{Case, Failure, Group, Target, Verdict};
use serde_json::json;

const FINISH: &str = "The last event of a topic reaches its subscribers, and then their streams finish.";
const AFTER: &str =
    "After the end `/publish` to the topic, also within an array, is answered 409 and publishes nothing.";
const LATE: &str = "A client that comes after the end receives what is kept and finishes, and without a known ID also if it asks for `live`.";
const REMOVED: &str =
    "A removed topic closes its streams; a client that returns receives a gap, whatever its ID of before.";
const ABOUT: &str = "`{\"subscribers\":N,\"ended\":bool,\"held_events\":N}`; unknown 404";

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, promise, source, run: fn(&Target) -> Verdict| {
        Case::on(Group::EndedTopics, name, promise, source, run)
    };
    vec![
        case("subscribers_receive_the_last_event_and_finish", "subscribers receive the end and finish", FINISH, finish),
        case(
            "stream_of_several_topics_finishes_after_all_of_them",
            "a stream of two topics finishes when both have ended",
            "A stream of several topics finishes when all of its topics have ended and everything is delivered.",
            several,
        ),
        case("publish_after_the_end_is_409", "nothing can be published after the end", AFTER, after),
        case("late_client_receives_what_is_kept_and_finishes", "a late client receives everything", LATE, late),
        case(
            "client_with_the_last_id_is_answered_204",
            "a client with the last ID is answered 204",
            "A client that brings the last ID of its ended topics is answered 204.",
            with_last_id,
        ),
        case("removed_topic_closes_its_streams", "a removed topic closes its streams", REMOVED, removed),
        case("client_that_returns_to_a_removed_topic_receives_a_gap", "the removal leaves a gap", REMOVED, returns),
        case(
            "name_is_free_after_the_removal",
            "an ended topic that was removed can be used again",
            "It is free again after `DELETE`.",
            free_again,
        ),
        case("contents_of_a_topic_are_told", "the contents of a topic are told", ABOUT, contents),
        case("unknown_topic_is_404", "an unknown topic is 404", ABOUT, unknown),
        Case::both(
            "end_at_one_server_finishes_the_streams_of_the_other",
            "an end at one server finishes the streams of the other, which then publishes nothing to the topic",
            "An end and a removal are entries of the log: every server finishes the streams of the topic",
            at_the_other,
        )
        .with([Group::EndedTopics]),
    ]
}

fn path(topic: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(topic.as_bytes()).collect();
    format!("/topics/{}", name.replace('+', "%20"))
}

/// Ends the topic with this data, and returns the ID.
fn end(target: &Target, topic: &str, data: &str) -> Result<String, Failure> {
    let body = json!({ "data": data, "event": "done" });
    let response = target.read(&post(&format!("{}/end", path(topic)), body.to_string()))?;
    check(response.head.status == 200, || format!("not ended: {} {}", response.head, show(response.body())))?;
    let answer: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let id = answer.get("id").and_then(|id| id.as_str());
    id.map(str::to_owned).ok_or_else(|| Failure::new(format_args!("no `id` in {}", show(response.body()))))
}

fn remove(target: &Target, topic: &str) -> Result<u16, Failure> {
    Ok(target.read(&Request::new("DELETE", path(topic)))?.head.status)
}

/// Reads to the end. The stream must have finished.
fn finished(stream: &mut Response) -> Verdict {
    stream.read_to_end(patience())?;
    let seen = stream.seen();
    let id = seen.last_event_id.as_deref();
    check(id == Some("end"), || format!("the last event ID is {id:?}, not `end`: {}", show(stream.body())))
}

fn finish(target: &Target) -> Verdict {
    let name = topic("run");
    let mut streams = [Follow::of([&name]).open(target)?, Follow::of([&name]).open(target)?];
    for stream in &mut streams {
        position(stream)?;
    }
    publish(target, &name, "1")?;
    let id = end(target, &name, "last")?;
    for stream in &mut streams {
        let seen = stream.read_events(2, patience())?;
        let last = &seen.events[1];
        let is_last = (&*last.data, &*last.event_type, &*last.id) == ("last", "done", &*id);
        check(is_last && seen.data() == ["1", "last"], || show(stream.body()))?;
        finished(stream)?;
    }
    Ok(())
}

fn several(target: &Target) -> Verdict {
    let (one, other) = (topic("one"), topic("other"));
    let mut stream = Follow::of([&one, &other]).open(target)?;
    position(&mut stream)?;
    end(target, &one, "last of one")?;
    publish(target, &other, "between")?;
    stream.read_events(2, patience())?;
    check(!stream.is_ended(), || "the stream ended with the first topic".to_owned())?;
    end(target, &other, "last of other")?;
    let seen = stream.read_events(3, patience())?;
    check(seen.data() == ["last of one", "between", "last of other"], || show(stream.body()))?;
    finished(&mut stream)
}

fn after(target: &Target) -> Verdict {
    let (name, other) = (topic("run"), topic("other"));
    end(target, &name, "last")?;
    let again = target.read(&post(&format!("{}/end", path(&name)), "{\"data\":\"again\"}"))?;
    check(again.head.status == 409, || format!("a second end: {}", again.head))?;
    let late = json!({ "topic": name, "data": "late" });
    let batch = json!([{ "topic": other, "data": "x" }, { "topic": name, "data": "late" }]);
    for body in [late, batch] {
        let refused = target.read(&post("/publish", body.to_string()))?;
        check(refused.head.status == 409, || format!("{body}: {}", refused.head))?;
    }
    let mut stream = Follow::of([&name]).from("oldest").open(target)?;
    finished(&mut stream)?;
    check(stream.seen().data() == ["last"], || show(stream.body()))?;
    publish(target, &other, "first")?;
    let mut stream = Follow::of([&other]).from("oldest").open(target)?;
    check(stream.read_events(1, patience())?.data() == ["first"], || show(stream.body()))
}

fn late(target: &Target) -> Verdict {
    let name = topic("run");
    let first = publish(target, &name, "1")?;
    publish(target, &name, "2")?;
    end(target, &name, "last")?;
    let all: &[&str] = &["1", "2", "last"];
    let clients = [
        (Follow::of([&name]), all),
        (Follow::of([&name]).from("live"), all),
        (Follow::of([&name]).from("oldest"), all),
        (Follow::of([&name]).from("last:1"), &["last"]),
        (Follow::of([&name]).after(&first), &["2", "last"]),
    ];
    for (client, expected) in clients {
        let mut stream = client.open(target)?;
        finished(&mut stream)?;
        check(stream.seen().data() == expected, || format!("{client:?}: {}", show(stream.body())))?;
    }
    Ok(())
}

fn with_last_id(target: &Target) -> Verdict {
    let name = topic("run");
    publish(target, &name, "1")?;
    let last = end(target, &name, "last")?;
    let response = target.read(&Follow::of([&name]).after(&last).request())?;
    check(response.head.status == 204, || format!("{}", response.head))?;
    // Another topic goes on.
    Follow::of([&name, &topic("other")]).after(&last).open(target).map(drop)
}

fn removed(target: &Target) -> Verdict {
    let name = topic("room");
    publish(target, &name, "1")?;
    let mut streams = [Follow::of([&name]).open(target)?, Follow::of([&name, &topic("other")]).open(target)?];
    for stream in &mut streams {
        position(stream)?;
    }
    let status = remove(target, &name)?;
    check(status == 204, || format!("DELETE: {status}"))?;
    for stream in &mut streams {
        stream.read_to_end(patience())?;
        check(stream.seen().last_event_id.as_deref() != Some("end"), || show(stream.body()))?;
    }
    let mut stream = Follow::of([&name]).from("oldest").open(target)?;
    publish(target, &name, "of the next")?;
    check(stream.read_events(1, patience())?.data() == ["of the next"], || show(stream.body()))
}

fn returns(target: &Target) -> Verdict {
    let name = topic("room");
    let ids = publish_all(target, &json!([{ "topic": name, "data": "1" }, { "topic": name, "data": "2" }]))?;
    remove(target, &name)?;
    for id in ids {
        let mut stream = Follow::of([&name]).after(&id).expect(target, "gap")?;
        let seen = stream.read_events(1, patience())?;
        check(seen.events[0].event_type == "gap", || show(stream.body()))?;
    }
    Ok(())
}

fn free_again(target: &Target) -> Verdict {
    let name = topic("run");
    end(target, &name, "last")?;
    remove(target, &name)?;
    let mut stream = Follow::of([&name]).open(target)?;
    position(&mut stream)?;
    publish(target, &name, "again")?;
    end(target, &name, "last again")?;
    finished(&mut stream)?;
    check(stream.seen().data() == ["again", "last again"], || show(stream.body()))
}

fn contents(target: &Target) -> Verdict {
    let name = topic("a b%");
    let told = || -> Result<serde_json::Value, Failure> {
        let response = target.read(&Request::get(path(&name)))?;
        check(response.head.status == 200, || format!("{}", response.head))?;
        serde_json::from_slice(response.body()).map_err(|_| Failure::new(show(response.body())))
    };
    let is = |subscribers: u64, ended: bool, held: u64| {
        let (told, expected) = (told()?, json!({ "subscribers": subscribers, "ended": ended, "held_events": held }));
        check(told == expected, || format!("{told}, not {expected}"))
    };
    publish(target, &name, "1")?;
    is(0, false, 1)?;
    let mut stream = Follow::of([&name]).open(target)?;
    position(&mut stream)?;
    is(1, false, 1)?;
    end(target, &name, "last")?;
    finished(&mut stream)?;
    check(told()?["ended"] == json!(true) && told()?["held_events"] == json!(2), || "not ended".to_owned())
}

fn unknown(target: &Target) -> Verdict {
    let name = topic("unknown");
    let status = target.read(&Request::get(path(&name)))?.head.status;
    check(status == 404, || format!("GET: {status}"))?;
    let status = remove(target, &name)?;
    check(status == 404, || format!("DELETE: {status}"))
}

fn at_the_other(one: &Target, other: &Target) -> Verdict {
    let name = topic("run");
    let mut stream = Follow::of([&name]).open(other)?;
    position(&mut stream)?;
    publish(one, &name, "1")?;
    let last = end(one, &name, "last")?;
    finished(&mut stream)?;
    check(stream.seen().data() == ["1", "last"], || show(stream.body()))?;
    let refused = other.read(&post("/publish", json!({ "topic": name, "data": "late" }).to_string()))?;
    check(refused.head.status == 409, || format!("published: {}", refused.head))?;
    let response = other.read(&Follow::of([&name]).after(&last).request())?;
    check(response.head.status == 204, || format!("{}", response.head))?;
    let status = remove(other, &name)?;
    check(status == 204, || format!("DELETE: {status}"))?;
    publish(other, &name, "again").map(drop)
}
