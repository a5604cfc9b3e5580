//! Resuming: the events and gaps that a client with a last event ID receives.

use super::*;

// Trimmed events: a gap in their place.

#[test]
fn the_gap_of_trimmed_events_has_the_position_up_to_which_they_were_trimmed() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let ids = world.publish("news", ["a", "b", "c", "d"]);
    let feed = world.after(ids[0], ["news"]);
    assert_eq!(feed.resumption(), Resumption::Gap);
    let whole = opening(ids[0]) + &trimmed("news", ids[1]) + &block("c", ids[2]) + &block("d", ids[3]);
    assert_eq!(text(feed), whole);
    // A client that resumes with the ID of the gap receives no second gap.
    let feed = world.after(ids[1], ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    assert_eq!(text(feed), opening(ids[1]) + &block("c", ids[2]) + &block("d", ids[3]));
    assert_eq!(world.hub.stats().gaps, 1);
}

#[test]
fn the_gap_of_one_topic_comes_after_earlier_events_of_other_topics() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let [a1] = world.publish("a", ["a1"]);
    let b = world.publish("b", ["b1", "b2"]);
    let a = world.publish("a", ["a2", "a3", "a4"]);
    let feed = world.after(a1, ["a", "b"]);
    assert_eq!(feed.resumption(), Resumption::Gap);
    let before = block("b1", b[0]) + &block("b2", b[1]);
    let after = block("a3", a[1]) + &block("a4", a[2]);
    assert_eq!(text(feed), opening(a1) + &before + &trimmed("a", a[0]) + &after);
}

#[test]
fn each_topic_sends_its_own_gap_and_ids_ascend() {
    let world = World::with(|bounds| bounds.topic_events(1));
    let mut ids = Vec::new();
    for _ in 0..3 {
        for topic in ["a", "b", "c"] {
            ids.extend(world.publish(topic, [topic]));
        }
    }
    let gaps = trimmed("a", ids[3]) + &trimmed("b", ids[4]) + &trimmed("c", ids[5]);
    let kept = block("a", ids[6]) + &block("b", ids[7]) + &block("c", ids[8]);
    assert_eq!(text(world.after(ids[0], ["a", "b", "c"])), opening(ids[0]) + &gaps + &kept);
}

#[test]
fn a_quiet_topic_beside_a_busy_topic_never_causes_a_gap() {
    let world = World::with(|bounds| bounds.topic_events(5));
    let [quiet] = world.publish("quiet", ["q"]);
    let mut busy = quiet;
    for _ in 0..1_000 {
        [busy] = world.publish("busy", ["b"]);
    }
    let feed = world.after(quiet, ["quiet"]);
    assert_eq!(feed.resumption(), Resumption::Resumed, "the busy topic is not its business");
    assert_eq!(text(feed), opening(quiet));
    let feed = world.after(busy, ["quiet", "busy"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    let feed = world.after(at(0, quiet), ["quiet"]);
    assert_eq!(
        text(feed),
        opening(at(0, quiet)) + &block("q", quiet),
        "its only event is kept although it is the oldest"
    );
    let feed = world.after(quiet, ["never-used"]);
    assert_eq!(feed.resumption(), Resumption::Resumed, "a topic that never lost anything raises nothing");
}

#[test]
fn the_topic_of_a_gap_is_a_json_string_for_every_name() {
    for name in ["", "ordinary", "a\"b\\c", "line\nbreak\r\n", "\0\u{1}\u{1f}\u{7f}", "…\u{2028}", &"x".repeat(256)] {
        let world = World::with(|bounds| bounds.topic_events(1));
        let ids = world.publish(name, ["a", "b"]);
        let told = text(world.after(at(0, ids[0]), [name]));
        let gap = told.split_once("event: gap\n").unwrap().1;
        let line = gap.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(json, serde_json::json!({"reason": "trimmed", "topic": name}));
        assert_eq!(told.matches("\n\n").count(), 3, "{told:?}");
    }
}

// Unknown IDs.

/// The request with these headers.
fn request<'h>(world: &World, ids: impl IntoIterator<Item = &'h [u8]>) -> Sse<Clock> {
    let accept = ("accept", &b"text/event-stream"[..]);
    let headers = ids.into_iter().map(|id| ("last-event-id", id)).chain([accept]);
    let admitted = Policy::default().check(&Request::new("GET", None, headers)).unwrap();
    Sse::new(world.clock.clone(), admitted)
}

/// Hazards B8 and B11.
#[test]
fn an_unknown_id_receives_one_gap_with_the_position_after_which_it_continues() {
    let world = World::new();
    let ids = world.publish("news", ["a", "b"]);
    let [one, two] = ids.map(|id| id.to_string());
    let tag = |id: EventId, tag| EventId::new(id.position(), tag).to_string();
    let foreign = tag(ids[0], ids[0].tag() ^ 1);
    let future = at(3, ids[0]).to_string();
    let second = EventId::new((1, 1), ids[0].tag()).to_string();
    let (upper, zeros, plus) = (one.to_uppercase() + "F", format!("0{one}"), format!("+{one}"));
    let oversize = "1".repeat(129);
    let (swapped, forged) = (tag(ids[0], ids[1].tag()), EventId::new((0, 0), ids[0].tag()).to_string());
    let cases: [(&str, &[&[u8]]); 15] = [
        ("another event's tag", &[swapped.as_bytes()]),
        ("a position that was never given, with the tag of an event", &[forged.as_bytes()]),
        ("malformed", &[b"nonsense"]),
        ("a number alone", &[b"1"]),
        ("a leading zero", &[zeros.as_bytes()]),
        ("a sign", &[plus.as_bytes()]),
        ("a tag in capitals, or too long", &[upper.as_bytes()]),
        ("a number that is none", &[b"99999999999999999999-00000000"]),
        ("another history's", &[foreign.as_bytes()]),
        ("another kind of history's", &[second.as_bytes()]),
        ("ahead of the head", &[future.as_bytes()]),
        ("oversize", &[oversize.as_bytes()]),
        ("not UTF-8", &[b"\xff1"]),
        ("repeated with different values", &[one.as_bytes(), two.as_bytes()]),
        ("the id and more", &[&[one.as_bytes(), b" x"].concat()]),
    ];
    for (name, brought) in cases {
        let feed = request(&world, brought.iter().copied()).subscribe(&world.hub, ["news"]);
        assert_eq!(feed.resumption(), Resumption::Gap, "{name}");
        assert_eq!(text(feed), unknown(ids[1]), "{name}");
        // From there on it is like a client without an ID.
        let feed = request(&world, brought.iter().copied()).subscribe(&world.hub, ["news"]).replay(Replay::Last(1));
        assert_eq!(text(feed), unknown(ids[0]) + &block("b", ids[1]), "{name}");
    }
    let fresh: [&[&[u8]]; 2] = [&[], &[b""]];
    for brought in fresh {
        let feed = request(&world, brought.iter().copied()).subscribe(&world.hub, ["news"]);
        assert_eq!(feed.resumption(), Resumption::Fresh);
    }
    let feed = request(&world, [one.as_bytes(), one.as_bytes()]).subscribe(&world.hub, ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed, "the same value twice is that value");
}

/// Hazard B11.
#[test]
fn a_restart_is_a_gap_and_never_a_wrong_replay() {
    let before = World::on(Clock::seeded([1; 32]), |bounds| bounds);
    let old = before.publish("news", ["a", "b"]);
    let after = World::on(Clock::seeded([2; 32]), |bounds| bounds);
    let new = after.publish("news", ["x", "y", "z"]);
    let feed = after.after(old[1], ["news"]);
    assert_eq!(feed.resumption(), Resumption::Gap);
    assert_eq!(text(feed), unknown(new[2]));
}

/// Hazard B10.
#[test]
fn an_id_gives_access_to_no_other_topic_than_the_subscribed_ones() {
    let world = World::new();
    let secret = world.publish("secret", ["a", "b"]);
    let [public] = world.publish("public", ["p"]);
    assert_eq!(text(world.after(secret[0], ["public"])), opening(secret[0]) + &block("p", public));
}

/// Hazard A7.
#[test]
fn gap_type_sets_the_type_and_no_event_may_have_it() {
    let world = World::with(|bounds| bounds.topic_events(1).gap_type("missed"));
    let reserved = FrameError::ReservedType("missed".into());
    assert_eq!(world.hub.publish("news", ("missed", "x")), Err(reserved.clone().into()));
    let frame = Event::data("x").event("missed").frame().unwrap();
    assert_eq!(world.hub.publish("news", frame), Err(reserved.clone().into()));
    let (sender, _response) = world.fresh(["news"]).with_sender();
    assert_eq!(sender.try_send(("missed", "x")), Err(reserved.into()));
    let mut reader = read(world.fresh(["news"]).prelude([("missed", "x")]));
    assert!(reader.text().starts_with(":\nevent: sse-open\n\nretry: ") && reader.has_ended());

    let id = world.hub.publish("news", ("gap", "an ordinary word here")).unwrap();
    let [last] = world.publish("news", ["b"]);
    let gap = trimmed("news", id).replace("event: gap", "event: missed");
    assert_eq!(text(world.after(at(0, id), ["news"])), opening(at(0, id)) + &gap + &block("b", last));
    assert_eq!(text(world.after("?", ["news"])), unknown(last).replace("event: gap", "event: missed"));

    assert_eq!(World::new().hub.publish("news", ("gap", "x")), Err(FrameError::ReservedType("gap".into()).into()));
}
