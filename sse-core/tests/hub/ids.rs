//! Event IDs: the hub gives them, and a client can resume from each.

use super::*;

#[test]
fn publish_returns_the_id_that_resumes_after_the_event() {
    let world = World::new();
    let ids = world.publish("news", ["a", "b", "c"]);
    let feed = world.after(ids[0], ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    assert_eq!(text(feed), opening(ids[0]) + &block("b", ids[1]) + &block("c", ids[2]));
    assert_eq!(text(world.after(ids[2], ["news"])), opening(ids[2]));
    assert_eq!(world.hub.stats().resumed, 2);
}

#[test]
fn ids_count_the_events_of_all_topics_together() {
    let world = World::new();
    let [one] = world.publish("a", ["x"]);
    let [two] = world.publish("b", ["y"]);
    assert_eq!((one.position(), two.position()), ((1, 0), (2, 0)));
    assert_ne!(one.tag(), two.tag(), "each has a tag of its own");
    let text = two.to_string();
    assert!(text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)));
}

#[test]
fn an_empty_hub_sends_position_0_and_a_client_resumes_from_it() {
    let world = World::new();
    let told = text(world.fresh(["news"]));
    let id = told.strip_prefix(":\nevent: sse-position\nretry: 0\nid: ");
    let zero = id.and_then(|rest| rest.strip_suffix("\ndata: {}\n\n")).unwrap();
    let [one] = world.publish("news", ["a"]);
    assert_eq!(zero, at(0, one).to_string());
    let feed = world.after(zero, ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    assert_eq!(text(feed), opening(at(0, one)) + &block("a", one));
}

/// Hazard A7.
#[test]
fn an_event_with_an_id_of_the_application_is_rejected() {
    let world = World::new();
    let refused = Err(PublishError::Invalid(FrameError::IdNotAllowed));
    assert_eq!(world.hub.publish("news", ("1", "type", "data")), refused);
    assert_eq!(world.hub.publish("news", Event::data("x").id("")), refused);
    assert_eq!(world.hub.publish("news", Event::checkpoint("7")), refused);
    assert_eq!(world.hub.publish("news", Event::data("x").id("7").frame().unwrap()), refused);
    assert_eq!(world.hub.topic("news").unwrap().publish(Event::data("x").id("7")), refused);

    let (sender, response) = world.fresh(["news"]).with_sender();
    assert_eq!(sender.try_send(("1", "type", "data")), Err(SendError::Invalid(FrameError::IdNotAllowed)));
    assert_eq!(sender.try_send("hello"), Ok(()));
    assert!(world.clock.read(response).text().ends_with("data: hello\n\n"));

    let mut reader = read(world.fresh(["news"]).prelude([Event::data("snapshot").id("7")]));
    assert!(reader.text().starts_with(":\nevent: sse-open\n\nretry: ") && reader.has_ended());
    assert_eq!(world.hub.stats().ended(CloseReason::Failed), 1);
    assert_eq!(world.hub.stats().published, 0);
}

#[test]
fn an_event_without_data_moves_the_position_too() {
    let world = World::new();
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let only = world.hub.publish("news", Event::new()).unwrap();
    assert_eq!(reader.text(), format!("id: {only}\n\n"));
    let comment = world.hub.publish("news", Event::new().comment("note")).unwrap();
    assert_eq!(reader.text(), format!(": note\nid: {comment}\n\n"));
}

#[test]
fn a_frame_published_to_several_topics_has_another_id_in_each() {
    let world = World::new();
    let frame = Event::data("x").frame().unwrap();
    let mut reader = read(world.fresh(["a", "b"]));
    reader.text();
    let ids = ["a", "b"].map(|topic| world.hub.publish(topic, &frame).unwrap());
    assert_eq!(reader.text(), block("x", ids[0]) + &block("x", ids[1]));
}

/// Hazard B10.
#[test]
fn an_id_forged_from_other_ids_replays_no_past_event() {
    let world = World::new();
    let [before] = world.publish("room", ["said before you came"]);
    let mut reader = read(world.fresh(["room"]));
    reader.text();
    // The client knows as much as possible: its own position, and the ID of each later event.
    let seen = world.publish("room", ["1", "2", "3"]);
    reader.text();
    for tag in seen.map(|id| id.tag()).into_iter().chain([0, u32::MAX]) {
        for position in 0..=1 {
            let forged = EventId::new((position, 0), tag);
            assert_ne!(forged, before);
            let feed = world.after(forged, ["room"]);
            assert_eq!(feed.resumption(), Resumption::Gap);
            assert_eq!(text(feed), unknown(seen[2]), "a gap, and no replay");
        }
    }
}

#[test]
fn another_hub_has_other_tags() {
    let tags =
        [[7; 32], [8; 32]].map(|seed| World::on(Clock::seeded(seed), |bounds| bounds).publish("a", ["x"])[0].tag());
    assert_ne!(tags[0], tags[1]);
}

#[test]
fn not_before_sends_no_event_up_to_its_id() {
    let world = World::new();
    let [one, joined, two, three] = world.publish("room", ["1", "joined", "2", "3"]);
    let after = |id: EventId| world.after(id, ["room"]).not_before(joined);
    let rest = block("2", two) + &block("3", three);
    // A client with an earlier ID receives a gap and then the events after this ID.
    let feed = after(one);
    assert_eq!(feed.resumption(), Resumption::Gap);
    assert_eq!(text(feed), unknown(joined) + &rest);
    // A client with this ID or a later ID resumes without a gap.
    for (id, rest) in [(joined, rest.clone()), (two, block("3", three)), (three, String::new())] {
        let feed = after(id);
        assert_eq!(feed.resumption(), Resumption::Resumed);
        assert_eq!(text(feed), opening(id) + &rest);
    }
    let stats = world.hub.stats();
    assert_eq!((stats.resumed, stats.gaps), (3, 1));
    // A new client receives no event up to this ID, for every replay and in either order of the calls.
    let fresh = || world.fresh(["room"]);
    for feed in [fresh().replay(Replay::All).not_before(joined), fresh().not_before(joined).replay(Replay::All)] {
        assert_eq!(text(feed), opening(joined) + &rest);
    }
    assert_eq!(text(fresh().not_before(joined).replay(Replay::Last(1))), opening(two) + &block("3", three));
    assert_eq!(text(fresh().replay_topic("room", Replay::All).not_before(joined)), opening(joined) + &rest);
    assert_eq!(text(fresh().not_before(joined)), opening(three));
    // An ID of an earlier run of the hub has no effect: all events of this run are newer.
    let foreign = EventId::new(joined.position(), !joined.tag());
    assert_eq!(text(world.after(one, ["room"]).not_before(foreign)), opening(one) + &block("joined", joined) + &rest);
}
