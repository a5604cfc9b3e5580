//! Limits, and counters.

use super::*;

/// Whether this is the whole "retry later" answer: the ID that the client brought, and a reconnection time in the range.
fn is_retry_later(text: &str) -> bool {
    let text: String = text.split_inclusive('\n').filter(|line| !line.starts_with("id: ")).collect();
    let text = text.strip_suffix("event: sse-later\ndata: {\"reason\":\"full\"}\n\n").unwrap_or_default();
    let wait = text.strip_prefix(":\nevent: sse-open\nretry: ").and_then(|rest| rest.strip_suffix("\n\n"));
    wait.and_then(|wait| wait.parse().ok()).is_some_and(|wait: u64| (1_000..=5_000).contains(&wait))
}

/// Hazards B5, H1 and H2.
#[test]
fn a_stream_beyond_max_streams_is_answered_retry_later_and_ends_no_other() {
    let world = World::with(|bounds| bounds.max_streams(2));
    let mut held = read(world.fresh(["news"]));
    let (sender, channel) = world.clock.sse().attach(&world.hub).channel();
    let response = world.fresh(["news"]).into_response();
    assert_eq!((response.status(), response.id()), (200, None));
    let headers: Vec<_> = response.headers().collect();
    assert_eq!(
        headers,
        [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store, no-transform"),
            ("x-accel-buffering", "no"),
        ]
    );
    let mut refused = Reader::new(response.into_body());
    let text = refused.text();
    assert!(is_retry_later(&text), "{text:?}");
    assert!(refused.has_ended());
    let (also, response) = world.clock.sse().attach(&world.hub).channel();
    assert_eq!(response.id(), None);
    assert_eq!(also.try_send("x"), Err(SendError::Closed));
    assert!(!held.has_ended() && sender.is_active());
    assert_eq!(world.hub.stats().streams, 2);
    drop(channel);
    let next = text_of_new(&world);
    assert!(
        next.starts_with(":\nevent: sse-position\nretry: 0\n"),
        "the normal wait, so that the other does not stick: {next:?}"
    );
}

fn text_of_new(world: &World) -> String {
    text(world.fresh(["news"]))
}

#[test]
fn a_stream_beyond_max_streams_by_another_method_is_answered_503() {
    let world = World::with(|bounds| bounds.max_streams(0));
    let admitted = Policy::default().methods(["POST"]).check(&Request::new("POST", None, [])).unwrap();
    let response = Sse::new(world.clock.clone(), admitted).subscribe(&world.hub, ["news"]).into_response();
    assert_eq!(response.status(), 503);
    let (_, seconds) = response.headers().find(|(name, _)| *name == "retry-after").unwrap();
    assert!((1..=5).contains(&seconds.parse::<u64>().unwrap()));
    assert!(Reader::new(response.into_body()).bytes().is_empty());
}

#[test]
fn a_stream_answered_retry_later_is_not_counted_and_misses_no_event() {
    let world = World::with(|bounds| bounds.max_streams(0));
    let [id] = world.publish("news", ["a"]);
    for client in [id.to_string(), "nonsense".into()] {
        let feed = world.after(client, ["news", "other"]);
        assert_eq!(feed.resumption(), Resumption::Fresh, "no snapshot need be made for it");
        assert_eq!(world.hub.stats().topics, 1, "it takes no topic's place");
        assert!(is_retry_later(&text(feed.replay(Replay::All).prelude(["snapshot"]))));
    }
    let stats = world.hub.stats();
    assert_eq!((stats.resumed, stats.gaps, stats.streams), (0, 0, 0));
}

#[test]
fn an_empty_topic_without_subscribers_is_dropped_and_its_trim_point_is_remembered() {
    let world = World::with(|bounds| bounds.max_topics(1).topic_age(SECOND));
    let [a] = world.publish("a", ["1"]);
    world.clock.advance(2 * SECOND);
    let [b] = world.publish("b", ["1"]);
    world.clock.advance(2 * SECOND);
    assert_eq!(world.hub.stats().topics, 0);
    let zero = at(0, a);
    for _ in 0..2 {
        assert_eq!(text(world.after(zero, ["a"])), opening(zero) + &trimmed("a", a));
        assert_eq!(text(world.after(a, ["b"])), opening(a) + &trimmed("b", b));
        assert_eq!(text(world.after(a, ["a"])), opening(a));
        assert_eq!(world.after(zero, ["c"]).resumption(), Resumption::Resumed, "a topic that lost nothing");
    }
}

#[test]
fn a_topic_whose_last_subscriber_left_makes_room_before_topics_with_newer_events() {
    let world = World::with(|bounds| bounds.max_topics(3));
    world.publish("oldest", ["1"]);
    let left = world.fresh(["oldest"]);
    world.publish("older", ["2"]);
    world.publish("newest", ["3"]);
    // The idle topic with the newest event gets a subscriber, and then the oldest topic becomes idle.
    let _stays = world.fresh(["newest"]);
    drop(left);
    world.publish("new", ["4"]);
    let exists = |topic: &str| world.hub.topic_stats(topic).is_some();
    assert_eq!(["oldest", "older", "newest", "new"].map(exists), [false, true, true, true]);
}

#[test]
fn stats_count_the_contents_and_the_deliveries_of_the_hub() {
    let world = World::new();
    let mut reader = read(world.fresh(["a"]));
    reader.text();
    let ids = world.publish("a", ["1", "2"]);
    world.publish("b", ["3"]);
    reader.text();
    let (sender, channel) = world.clock.sse().attach(&world.hub).channel();
    let stats = world.hub.stats();
    assert_eq!((stats.streams, stats.topics, stats.published, stats.delivered), (2, 2, 3, 2));
    let bytes = block("1", ids[0]).len() * 3;
    assert_eq!((stats.held_events, stats.held_bytes), (3, bytes));
    sender.close();
    assert!(Reader::new(channel.into_body()).has_ended());
    drop(reader);
    let stats = world.hub.stats();
    assert_eq!((stats.streams, stats.ended(CloseReason::Closed), stats.ended(CloseReason::ClientLeft)), (0, 1, 1));
    assert_eq!(world.hub.clone().stats(), stats, "a clone is the same hub");
}

#[test]
fn ages_and_windows_without_end_are_accepted() {
    let world = World::with(|bounds| {
        let never = Duration::MAX;
        bounds.topic_age(never).drain_grace(never).drain_retry(SECOND..=SECOND)
    });
    let [id] = world.publish("news", ["a"]);
    let mut reader = read(world.fresh(["news"]));
    assert_eq!(reader.text(), opening(id));
    let draining = world.hub.drain(Duration::MAX);
    assert!(!reader.has_ended());
    drop((draining, reader));
    assert_eq!(
        text(world.fresh(["news"])),
        ":\nevent: sse-open\nretry: 1000\n\nevent: sse-later\ndata: {\"reason\":\"draining\"}\n\n"
    );
}
