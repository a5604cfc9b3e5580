//! Where a stream starts, and what it sends first.

use super::*;

// New clients.

#[test]
fn a_new_client_receives_only_later_events() {
    let world = World::new();
    let [old] = world.publish("news", ["old"]);
    let feed = world.fresh(["news"]);
    assert_eq!(feed.resumption(), Resumption::Fresh);
    let mut reader = read(feed);
    assert_eq!(reader.text(), opening(old));
    let [new] = world.publish("news", ["new"]);
    assert_eq!(reader.text(), block("new", new));
    assert_eq!(reader.wakes(), 1);
}

/// Hazard G1.
#[test]
fn events_between_subscribing_and_the_first_poll_are_delivered() {
    let world = World::new();
    let feed = world.fresh(["news"]);
    let [id] = world.publish("news", ["a"]);
    assert_eq!(text(feed), opening(at(0, id)) + &block("a", id));
}

#[test]
fn replay_all_sends_every_stored_event_after_the_position_before_them() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let ids = world.publish("news", ["a", "b", "c"]);
    let kept = block("b", ids[1]) + &block("c", ids[2]);
    assert_eq!(text(world.fresh(["news"]).replay(Replay::All)), opening(ids[0]) + &kept);
}

#[test]
fn replay_all_of_several_topics_starts_where_each_topic_is_complete() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let [_] = world.publish("quiet", ["q1"]);
    let busy = world.publish("busy", ["b1", "b2", "b3"]);
    let [quiet] = world.publish("quiet", ["q2"]);
    // `quiet` is complete from position 0, `busy` only after b1. So the replay has no gap, and does not have q1.
    let kept = block("b2", busy[1]) + &block("b3", busy[2]) + &block("q2", quiet);
    assert_eq!(text(world.fresh(["quiet", "busy"]).replay(Replay::All)), opening(busy[0]) + &kept);
}

#[test]
fn replay_last_counts_the_events_of_all_topics_together() {
    let world = World::new();
    let [a1] = world.publish("a", ["a1"]);
    let [b1] = world.publish("b", ["b1"]);
    let [other] = world.publish("other", ["x"]);
    let [a2] = world.publish("a", ["a2"]);
    let last = |events| text(world.fresh(["a", "b"]).replay(Replay::Last(events)));
    assert_eq!(last(0), opening(a2));
    assert_eq!(last(1), opening(other) + &block("a2", a2));
    assert_eq!(last(2), opening(a1) + &block("b1", b1) + &block("a2", a2));
    let all = opening(at(0, a1)) + &block("a1", a1) + &block("b1", b1) + &block("a2", a2);
    assert_eq!(last(3), all);
    assert_eq!(last(usize::MAX), all);
}

#[test]
fn replay_does_not_change_a_client_that_resumes() {
    let world = World::new();
    let ids = world.publish("news", ["a", "b"]);
    let whole = opening(ids[0]) + &block("b", ids[1]);
    assert_eq!(text(world.after(ids[0], ["news"]).replay(Replay::All)), whole);
    assert_eq!(text(world.after(ids[0], ["news"]).replay(Replay::None)), whole);
}

#[test]
fn a_topic_named_twice_is_one_topic() {
    let world = World::new();
    let mut reader = read(world.fresh(["news", "news"]));
    reader.text();
    let [id] = world.publish("news", ["a"]);
    assert_eq!(reader.text(), block("a", id));
}

#[test]
fn an_event_of_another_topic_wakes_no_subscriber() {
    let world = World::new();
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    world.publish("sport", ["a"]);
    assert_eq!((reader.wakes(), reader.text()), (0, String::new()));
}

// The prelude.

#[test]
fn the_position_is_sent_after_the_prelude() {
    let world = World::new();
    let [id] = world.publish("board", ["a"]);
    let snapshot = || [Event::data("all").event("snapshot")];
    let put = format!("{OPEN}event: snapshot\ndata: all\n\n");
    assert_eq!(text(world.fresh(["board"]).prelude(snapshot())), format!("{put}{}", moved(id)));
    let resumed = world.after(at(0, id), ["board"]).prelude(snapshot());
    // A known ID is repeated: it resumes at the same position until the prelude is sent.
    let known = put.replacen("retry: 0\n", &format!("retry: 0\nid: {}\n", at(0, id)), 1);
    assert_eq!(text(resumed), format!("{known}{}{}", moved(at(0, id)), block("a", id)));
    let missed = world.after("nonsense", ["board"]).prelude(snapshot());
    assert_eq!(text(missed), format!("{put}event: gap\ndata: {{\"reason\":\"unknown\"}}\nid: {id}\n\n"));
    // `Sse::prelude` and `Subscription::prelude` send the same bytes, after the welcome.
    let sse = world.clock.sse().welcome().prelude(["one"]).subscribe(&world.hub, ["board"]).prelude(["two"]);
    let uuid = sse.id().unwrap();
    let welcome = format!("{OPEN}event: welcome\ndata: {{\"uuid\":\"{uuid}\"}}\n\n");
    assert_eq!(text(sse), format!("{welcome}data: one\n\ndata: two\n\n{}", moved(id)));
}

// A replay of its own for each topic.

#[test]
fn replay_of_a_topic_counts_that_topic_alone() {
    let world = World::new();
    let [count1] = world.publish("readers", ["1"]);
    let [first] = world.publish("news", ["first"]);
    let [count2] = world.publish("readers", ["2"]);
    let [second] = world.publish("news", ["second"]);
    let [count3] = world.publish("readers", ["3"]);
    let feed = || world.fresh(["news", "readers"]);
    let news = |events| feed().replay_topic("news", Replay::Last(events));
    assert_eq!(text(news(50)), opening(at(0, count1)) + &block("first", first) + &block("second", second));
    assert_eq!(text(news(1)), opening(count2) + &block("second", second));
    assert_eq!(text(news(0)), opening(count3));
    let both = opening(at(0, count1)) + &block("first", first) + &block("second", second) + &block("3", count3);
    assert_eq!(text(news(50).replay_topic("readers", Replay::Last(1))), both);
    assert_eq!(text(feed().replay_topic("readers", Replay::Last(1)).replay_topic("news", Replay::All)), both);
    // The other topics keep the common replay.
    let all = opening(at(0, count1)) + &block("1", count1) + &block("2", count2) + &block("second", second);
    let last = feed().replay(Replay::All).replay_topic("news", Replay::Last(1));
    assert_eq!(text(last), all + &block("3", count3));
}

#[test]
fn replay_of_a_topic_is_followed_by_every_new_event_of_every_topic() {
    let world = World::new();
    world.publish("readers", ["1", "2"]);
    let [old] = world.publish("news", ["old"]);
    let feed = world.fresh(["news", "readers", "empty"]).replay_topic("news", Replay::Last(50));
    let [count] = world.publish("readers", ["3"]);
    let mut reader = read(feed);
    assert!(reader.text().ends_with(&(block("old", old) + &block("3", count))));
    let [empty] = world.publish("empty", ["not any more"]);
    assert_eq!(reader.text(), block("not any more", empty));
    let [new] = world.publish("news", ["new"]);
    assert_eq!(reader.text(), block("new", new));
}

#[test]
fn replay_of_a_topic_sends_no_gap_for_trimmed_events_of_another_topic() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let [old] = world.publish("news", ["old"]);
    world.publish("readers", ["1", "2", "3", "4"]);
    let whole = block("old", old);
    assert!(text(world.fresh(["news", "readers"]).replay_topic("news", Replay::Last(50))).ends_with(&whole));
    // Every topic has its own oldest event.
    let text =
        text(world.fresh(["news", "readers"]).replay_topic("news", Replay::All).replay_topic("readers", Replay::All));
    assert!(text.contains("data: old\n") && text.contains("data: 3\n") && text.contains("data: 4\n"), "{text}");
    assert!(!text.contains("gap"), "{text}");
}

#[test]
fn events_trimmed_during_a_replay_of_a_topic_end_the_stream_as_lagged() {
    let world = World::with(|bounds| bounds.topic_events(2));
    world.publish("readers", ["1", "2"]);
    world.publish("news", ["a", "b"]);
    let feed = world.fresh(["news", "readers"]).replay_topic("news", Replay::All);
    let (events, response) = feed.with_sender();
    let mut reader = world.clock.read(response);
    world.publish("news", ["c", "d", "e"]);
    reader.text();
    assert_eq!(events.close_reason(), Some(CloseReason::Lagged));
}

#[test]
fn resume_is_not_changed_by_a_replay_of_a_topic() {
    let world = World::new();
    let ids = world.publish("news", ["a", "b"]);
    let [count] = world.publish("readers", ["1"]);
    let feed = world
        .after(ids[0], ["news", "readers"])
        .replay_topic("news", Replay::All)
        .replay_topic("readers", Replay::None);
    assert_eq!(text(feed), opening(ids[0]) + &block("b", ids[1]) + &block("1", count));
}

#[test]
fn replay_of_a_topic_that_the_stream_does_not_follow_fails_the_stream() {
    let world = World::new();
    world.publish("news", ["a"]);
    let feed = world.fresh(["news"]).replay_topic("mews", Replay::All);
    let (events, response) = feed.with_sender();
    assert!(!world.clock.read(response).text().contains("data"));
    assert_eq!(events.close_reason(), Some(CloseReason::Failed));
}
