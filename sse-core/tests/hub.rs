//! The hub as its users meet it, one promise a test, in bytes where that is possible. The clock stands still.

use sse_core::hub::{Builder, EventId, MAX_TOPIC_BYTES, PublishError};
use sse_core::testing::{Clock, Reader};
use sse_core::{
    CloseReason, Event, EventStream, FrameError, Hub, LastEventId, Policy, Request, Resumption, SendError, Sse, Start,
    Subscription,
};
use std::fmt::Display;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A hub and its clock.
struct World {
    clock: Clock,
    hub: Hub,
}

impl World {
    fn new() -> Self {
        Self::with(|bounds| bounds)
    }

    fn with(bounds: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(Clock::new(), bounds)
    }

    fn on(clock: Clock, bounds: impl FnOnce(Builder) -> Builder) -> Self {
        let hub = bounds(Hub::builder()).build_on(clock.clone());
        Self { clock, hub }
    }

    /// Publishes these data one after another.
    fn publish<const N: usize>(&self, topic: &str, data: [&str; N]) -> [EventId; N] {
        data.map(|data| self.hub.publish(topic, Event::data(data)).unwrap())
    }

    /// A client without an id asks for these topics.
    fn fresh<const N: usize>(&self, topics: [&str; N]) -> Subscription<Clock> {
        self.clock.sse().subscribe(&self.hub, topics)
    }

    /// A client that brings an id asks for these topics.
    fn after<const N: usize>(&self, id: impl Display, topics: [&str; N]) -> Subscription<Clock> {
        self.clock.sse_after(LastEventId::Text(id.to_string().into())).subscribe(&self.hub, topics)
    }
}

fn read(subscription: Subscription<Clock>) -> Reader<EventStream<Clock>> {
    Reader::new(subscription.into_response().into_body())
}

/// What a subscription says at its first breath.
fn text(subscription: Subscription<Clock>) -> String {
    read(subscription).text()
}

/// How a stream opens at a position.
fn opening(id: EventId) -> String {
    format!("retry: 3000\nid: {id}\n\n")
}

fn block(data: impl Display, id: EventId) -> String {
    format!("data: {data}\nid: {id}\n\n")
}

fn trimmed(topic: &str, id: EventId) -> String {
    format!("event: gap\ndata: {{\"reason\":\"trimmed\",\"topic\":\"{topic}\"}}\nid: {id}\n\n")
}

/// How a stream opens whose client brought an id that says nothing.
fn unknown(id: EventId) -> String {
    format!("retry: 3000\n\nevent: gap\ndata: {{\"reason\":\"unknown\"}}\nid: {id}\n\n")
}

/// The id at another position of the same history.
fn at(position: u64, id: EventId) -> EventId {
    EventId::new((position, 0), id.tag())
}

// Ids.

#[test]
fn publish_gives_the_id_that_resumes_after_the_event() {
    let world = World::new();
    let ids = world.publish("news", ["a", "b", "c"]);
    let feed = world.after(ids[0], ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    assert_eq!(text(feed), opening(ids[0]) + &block("b", ids[1]) + &block("c", ids[2]));
    assert_eq!(text(world.after(ids[2], ["news"])), opening(ids[2]));
    assert_eq!(world.hub.stats().resumed, 2);
}

#[test]
fn ids_count_the_events_of_the_hub_whatever_their_topic() {
    let world = World::new();
    let [one] = world.publish("a", ["x"]);
    let [two] = world.publish("b", ["y"]);
    assert_eq!((one.position(), two.position()), ((1, 0), (2, 0)));
    assert_eq!(one.tag(), two.tag());
    let text = two.to_string();
    assert!(text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)));
}

#[test]
fn an_empty_hub_tells_position_0_and_a_client_resumes_from_it() {
    let world = World::new();
    let told = text(world.fresh(["news"]));
    let zero = told.strip_prefix("retry: 3000\nid: ").and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
    let [one] = world.publish("news", ["a"]);
    assert_eq!(zero, at(0, one).to_string());
    let feed = world.after(zero, ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    assert_eq!(text(feed), opening(at(0, one)) + &block("a", one));
}

#[test]
fn the_hub_gives_the_ids_and_refuses_an_application_s() {
    let world = World::new();
    let refused = Err(PublishError::Invalid(FrameError::IdNotAllowed));
    assert_eq!(world.hub.publish("news", ("1", "type", "data")), refused);
    assert_eq!(world.hub.publish("news", Event::data("x").id("")), refused);
    assert_eq!(world.hub.publish("news", Event::checkpoint("7")), refused);
    assert_eq!(world.hub.publish("news", Event::data("x").id("7").frame().unwrap()), refused);
    assert_eq!(world.hub.topic("news").unwrap().publish(Event::data("x").id("7")), refused);

    let feed = world.fresh(["news"]);
    let sender = feed.sender();
    assert_eq!(sender.try_send(("1", "type", "data")), Err(SendError::Invalid(FrameError::IdNotAllowed)));
    assert_eq!(sender.try_send("hello"), Ok(()));
    assert!(text(feed).ends_with("data: hello\n\n"));

    let mut reader = read(world.fresh(["news"]).first([Event::data("snapshot").id("7")]));
    assert_eq!(reader.text(), ":\n");
    assert!(reader.has_ended());
    assert_eq!(world.hub.stats().ended(CloseReason::Failed), 1);
    assert_eq!(world.hub.stats().published, 0);
}

#[test]
fn an_event_without_data_moves_the_client_on_all_the_same() {
    let world = World::new();
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let only = world.hub.publish("news", Event::new()).unwrap();
    assert_eq!(reader.text(), format!("id: {only}\n\n"));
    let comment = world.hub.publish("news", Event::new().comment("note")).unwrap();
    assert_eq!(reader.text(), format!(": note\nid: {comment}\n\n"));
}

#[test]
fn a_frame_published_to_many_topics_has_an_id_of_its_own_in_each() {
    let world = World::new();
    let frame = Event::data("x").frame().unwrap();
    let mut reader = read(world.fresh(["a", "b"]));
    reader.text();
    let ids = ["a", "b"].map(|topic| world.hub.publish(topic, &frame).unwrap());
    assert_eq!(reader.text(), block("x", ids[0]) + &block("x", ids[1]));
}

// Fresh.

#[test]
fn a_fresh_reader_begins_with_what_is_published_from_now_on() {
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

#[test]
fn what_is_published_between_subscribing_and_reading_is_not_lost() {
    let world = World::new();
    let feed = world.fresh(["news"]);
    let [id] = world.publish("news", ["a"]);
    assert_eq!(text(feed), opening(at(0, id)) + &block("a", id));
}

#[test]
fn oldest_begins_with_everything_that_is_kept_after_the_position_before_it() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let ids = world.publish("news", ["a", "b", "c"]);
    let kept = block("b", ids[1]) + &block("c", ids[2]);
    assert_eq!(text(world.fresh(["news"]).from(Start::Oldest)), opening(ids[0]) + &kept);
}

#[test]
fn oldest_of_several_topics_begins_where_each_is_whole() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let [_] = world.publish("quiet", ["q1"]);
    let busy = world.publish("busy", ["b1", "b2", "b3"]);
    let [quiet] = world.publish("quiet", ["q2"]);
    // `quiet` is whole from 0, `busy` only after b1: no gap, and so not q1.
    let kept = block("b2", busy[1]) + &block("b3", busy[2]) + &block("q2", quiet);
    assert_eq!(text(world.fresh(["quiet", "busy"]).from(Start::Oldest)), opening(busy[0]) + &kept);
}

#[test]
fn last_n_counts_the_topics_together() {
    let world = World::new();
    let [a1] = world.publish("a", ["a1"]);
    let [b1] = world.publish("b", ["b1"]);
    let [other] = world.publish("other", ["x"]);
    let [a2] = world.publish("a", ["a2"]);
    let last = |events| text(world.fresh(["a", "b"]).from(Start::Last(events)));
    assert_eq!(last(0), opening(a2));
    assert_eq!(last(1), opening(other) + &block("a2", a2));
    assert_eq!(last(2), opening(a1) + &block("b1", b1) + &block("a2", a2));
    let all = opening(at(0, a1)) + &block("a1", a1) + &block("b1", b1) + &block("a2", a2);
    assert_eq!(last(3), all);
    assert_eq!(last(usize::MAX), all);
}

#[test]
fn a_client_that_resumes_is_not_moved_by_a_start() {
    let world = World::new();
    let ids = world.publish("news", ["a", "b"]);
    let whole = opening(ids[0]) + &block("b", ids[1]);
    assert_eq!(text(world.after(ids[0], ["news"]).from(Start::Oldest)), whole);
    assert_eq!(text(world.after(ids[0], ["news"]).from(Start::Live)), whole);
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
fn an_event_of_another_topic_wakes_nobody() {
    let world = World::new();
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    world.publish("sport", ["a"]);
    assert_eq!((reader.wakes(), reader.text()), (0, String::new()));
}

// First.

#[test]
fn a_position_is_told_only_after_what_is_put_first() {
    let world = World::new();
    let [id] = world.publish("board", ["a"]);
    let snapshot = || [Event::data("all").event("snapshot")];
    let put = "retry: 3000\n\nevent: snapshot\ndata: all\n\n";
    assert_eq!(text(world.fresh(["board"]).first(snapshot())), format!("{put}id: {id}\n\n"));
    let resumed = world.after(at(0, id), ["board"]).first(snapshot());
    assert_eq!(text(resumed), format!("{put}id: {}\n\n{}", at(0, id), block("a", id)));
    let missed = world.after("nonsense", ["board"]).first(snapshot());
    assert_eq!(text(missed), format!("{put}event: gap\ndata: {{\"reason\":\"unknown\"}}\nid: {id}\n\n"));
    // The same whether the request or the subscription takes them, and the welcome is before them.
    let sse = world.clock.sse().welcome().first(["one"]).subscribe(&world.hub, ["board"]).first(["two"]);
    let uuid = sse.id().unwrap();
    let welcome = format!("retry: 3000\n\nevent: welcome\ndata: {{\"uuid\":\"{uuid}\"}}\n\n");
    assert_eq!(text(sse), format!("{welcome}data: one\n\ndata: two\n\nid: {id}\n\n"));
}

// Resumption: a gap in its place.

#[test]
fn what_was_forgotten_is_told_with_the_position_up_to_which_it_was() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let ids = world.publish("news", ["a", "b", "c", "d"]);
    let feed = world.after(ids[0], ["news"]);
    assert_eq!(feed.resumption(), Resumption::Gap);
    let whole = opening(ids[0]) + &trimmed("news", ids[1]) + &block("c", ids[2]) + &block("d", ids[3]);
    assert_eq!(text(feed), whole);
    // Told once: who comes back with the gap's id has heard of it.
    let feed = world.after(ids[1], ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    assert_eq!(text(feed), opening(ids[1]) + &block("c", ids[2]) + &block("d", ids[3]));
    assert_eq!(world.hub.stats().gaps, 1);
}

#[test]
fn the_gap_of_one_topic_comes_after_what_the_others_kept_before_it() {
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
fn each_topic_tells_its_own_gap_and_ids_ascend() {
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
fn a_quiet_topic_beside_a_busy_one_never_causes_a_gap() {
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
fn a_gap_s_topic_is_written_as_json_whatever_its_name() {
    for name in ["", "ordinary", "a\"b\\c", "line\nbreak\r\n", "\0\u{1}\u{1f}\u{7f}", "…\u{2028}", &"x".repeat(256)] {
        let world = World::with(|bounds| bounds.topic_events(1));
        let ids = world.publish(name, ["a", "b"]);
        let told = text(world.after(at(0, ids[0]), [name]));
        let line = told.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(json, serde_json::json!({"reason": "trimmed", "topic": name}));
        assert_eq!(told.matches("\n\n").count(), 3, "{told:?}");
    }
}

// Resumption: an id that says nothing.

/// A request with these headers, as a server would hand it over.
fn request<'h>(world: &World, ids: impl IntoIterator<Item = &'h [u8]>) -> Sse<Clock> {
    let headers = ids.into_iter().map(|id| ("last-event-id", id));
    let admitted = Policy::default().admit(&Request::new("GET", None, headers)).unwrap();
    Sse::new(world.clock.clone(), admitted)
}

#[test]
fn an_id_that_says_nothing_is_one_gap_with_the_position_it_goes_on_from() {
    let world = World::new();
    let ids = world.publish("news", ["a", "b"]);
    let [one, two] = ids.map(|id| id.to_string());
    let tag = |id: EventId, tag| EventId::new(id.position(), tag).to_string();
    let foreign = tag(ids[0], ids[0].tag() ^ 1);
    let future = at(3, ids[0]).to_string();
    let second = EventId::new((1, 1), ids[0].tag()).to_string();
    let (upper, zeros, plus) = (one.to_uppercase() + "F", format!("0{one}"), format!("+{one}"));
    let oversize = "1".repeat(129);
    let cases: [(&str, &[&[u8]]); 13] = [
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
        // Then as one that brings none.
        let feed = request(&world, brought.iter().copied()).subscribe(&world.hub, ["news"]).from(Start::Last(1));
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

#[test]
fn an_id_opens_no_topic_that_the_handler_does_not_name() {
    let world = World::new();
    let secret = world.publish("secret", ["a", "b"]);
    let [public] = world.publish("public", ["p"]);
    assert_eq!(text(world.after(secret[0], ["public"])), opening(secret[0]) + &block("p", public));
}

#[test]
fn a_gap_s_type_is_the_hub_s_to_choose_and_nobody_else_s_to_send() {
    let world = World::with(|bounds| bounds.topic_events(1).gap_type("missed"));
    let reserved = FrameError::ReservedType("missed".into());
    assert_eq!(world.hub.publish("news", ("missed", "x")), Err(reserved.clone().into()));
    let frame = Event::data("x").event("missed").frame().unwrap();
    assert_eq!(world.hub.publish("news", frame), Err(reserved.clone().into()));
    let feed = world.fresh(["news"]);
    assert_eq!(feed.sender().try_send(("missed", "x")), Err(reserved.into()));
    let mut reader = read(feed.first([("missed", "x")]));
    assert_eq!((reader.text().as_str(), reader.has_ended()), (":\n", true));

    let id = world.hub.publish("news", ("gap", "an ordinary word here")).unwrap();
    let [last] = world.publish("news", ["b"]);
    let gap = trimmed("news", id).replace("event: gap", "event: missed");
    assert_eq!(text(world.after(at(0, id), ["news"])), opening(at(0, id)) + &gap + &block("b", last));
    assert_eq!(text(world.after("?", ["news"])), unknown(last).replace("event: gap", "event: missed"));

    assert_eq!(World::new().hub.publish("news", ("gap", "x")), Err(FrameError::ReservedType("gap".into()).into()));
}

// Publishing.

#[test]
fn a_batch_is_published_in_a_row() {
    let world = World::new();
    let mut reader = read(world.fresh(["a", "b"]));
    reader.text();
    let ids = world.hub.publish_all([("a", "1"), ("b", "2"), ("a", "3")]).unwrap();
    assert_eq!(reader.text(), block("1", ids[0]) + &block("2", ids[1]) + &block("3", ids[2]));
    assert_eq!(ids.iter().map(|id| id.position().0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(world.hub.publish_all([("a", "x"); 0]), Ok(Vec::new()));
}

#[test]
fn a_batch_is_published_whole_or_not_at_all() {
    let world = World::with(|bounds| bounds.max_topics(2));
    let long = "x".repeat(MAX_TOPIC_BYTES + 1);
    let batch = |topics: [&str; 3], last: Event<'static>| {
        let events = [Event::data("1"), Event::data("2"), last];
        world.hub.publish_all(topics.into_iter().zip(events)).map(|_| ())
    };
    let fine = || Event::data("3");
    let break_in_type = FrameError::LineBreak(sse_core::Field::Event);
    assert_eq!(batch(["a", "b", "a"], fine().event("x\ny")), Err(break_in_type.into()));
    assert_eq!(batch(["a", "b", "a"], fine().id("7")), Err(FrameError::IdNotAllowed.into()));
    assert_eq!(batch(["a", "b", &long], fine()), Err(PublishError::TopicName(257)));
    assert_eq!(batch(["a", "b", "c"], fine()), Err(PublishError::TooManyTopics));
    assert_eq!((world.hub.stats().topics, world.hub.stats().published), (0, 0));
    assert_eq!(batch(["a", "b", "a"], fine()), Ok(()));
    assert_eq!((world.hub.stats().topics, world.hub.stats().published), (2, 3));
}

#[test]
fn a_batch_larger_than_a_topic_keeps_is_a_gap_for_everyone() {
    let world = World::with(|bounds| bounds.topic_events(2).gap_on_lag());
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let ids = world.hub.publish_all(["1", "2", "3"].map(|data| ("news", data))).unwrap();
    assert_eq!(reader.text(), trimmed("news", ids[0]) + &block("2", ids[1]) + &block("3", ids[2]));
}

#[test]
fn a_topic_s_name_is_any_text_up_to_256_bytes() {
    let world = World::new();
    let (longest, long) = ("é".repeat(128), "é".repeat(128) + "x");
    for name in ["", "a b\n\"\0", &longest] {
        let mut reader = read(world.fresh([name]));
        reader.text();
        let [id] = world.publish(name, ["a"]);
        assert_eq!(reader.text(), block("a", id));
        assert_eq!(world.hub.topic(name).unwrap().name(), name);
    }
    assert_eq!(world.hub.publish(&long, "x"), Err(PublishError::TopicName(257)));
    assert_eq!(world.hub.topic(&long).err(), Some(PublishError::TopicName(257)));
    let feed = world.fresh(["news", &long]);
    let closed = feed.sender();
    let mut reader = read(feed);
    assert_eq!((reader.text().as_str(), reader.has_ended()), (":\n", true));
    assert_eq!(closed.close_reason(), Some(CloseReason::Failed));
}

#[test]
fn a_topic_s_handle_publishes_into_the_same_order() {
    let world = World::with(|bounds| bounds.max_topics(1));
    let topic = world.hub.topic("news").unwrap();
    assert_eq!(topic.name(), "news");
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let one = topic.publish("1").unwrap();
    let two = world.hub.publish("news", "2").unwrap();
    let three = topic.clone().publish("3").unwrap();
    assert_eq!(reader.text(), block("1", one) + &block("2", two) + &block("3", three));
}

#[test]
fn a_topic_s_handle_keeps_the_topic_and_the_last_one_lets_it_go() {
    let world = World::with(|bounds| bounds.max_topics(1));
    let topic = world.hub.topic("news").unwrap();
    let other = topic.clone();
    drop(topic);
    assert_eq!(world.hub.topic("sport").err(), Some(PublishError::TooManyTopics));
    drop(other);
    assert_eq!(world.hub.stats().topics, 0);
    assert!(world.hub.topic("sport").is_ok());
}

// Retention.

#[test]
fn a_topic_keeps_its_newest_events_by_count() {
    let world = World::with(|bounds| bounds.topic_events(3));
    let ids = world.publish("news", ["1", "2", "3", "4", "5"]);
    assert_eq!(world.hub.stats().held_events, 3);
    let kept = block("3", ids[2]) + &block("4", ids[3]) + &block("5", ids[4]);
    assert_eq!(text(world.fresh(["news"]).from(Start::Oldest)), opening(ids[1]) + &kept);
}

#[test]
fn a_topic_keeps_its_newest_events_by_bytes() {
    let size = block("x", EventId::new((10, 0), 0)).len();
    let world = World::with(|bounds| bounds.topic_bytes(3 * size));
    for _ in 0..20 {
        world.publish("news", ["x"]);
        assert!(world.hub.stats().held_bytes <= 3 * size);
    }
    assert_eq!((world.hub.stats().held_events, world.hub.stats().held_bytes), (3, 3 * size));
}

#[test]
fn the_newest_event_is_kept_however_large_it_is() {
    let world = World::with(|bounds| bounds.topic_bytes(10).hub_bytes(10).topic_events(0));
    let large = "x".repeat(100_000);
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let [id] = world.publish("news", [&large]);
    assert_eq!(reader.text(), block(&large, id));
    let [next] = world.publish("news", ["y"]);
    assert_eq!(world.hub.stats().held_events, 1);
    assert_eq!(text(world.after(id, ["news"])), opening(id) + &block("y", next));
}

#[test]
fn a_topic_keeps_an_event_for_its_age_and_a_64th_at_most_beyond() {
    let world = World::with(|bounds| bounds.topic_age(64 * SECOND));
    let [one] = world.publish("news", ["1"]);
    world.clock.advance(32 * SECOND);
    let [two] = world.publish("news", ["2"]);
    world.clock.advance(32 * SECOND - Duration::from_nanos(1));
    assert_eq!(world.hub.stats().held_events, 2, "not early");
    world.clock.advance(SECOND);
    assert_eq!(world.hub.stats().held_events, 1);
    assert_eq!(text(world.after(at(0, one), ["news"])), opening(at(0, one)) + &trimmed("news", one) + &block("2", two));
    world.clock.advance(32 * SECOND);
    assert_eq!((world.hub.stats().held_events, world.hub.stats().held_bytes), (0, 0));
    assert_eq!(text(world.after(two, ["news"])), opening(two), "who has seen it misses nothing");
    assert_eq!(text(world.after(one, ["news"])), opening(one) + &trimmed("news", two));
}

#[test]
fn a_reader_does_not_lag_behind_what_aged_after_it_was_read() {
    let world = World::with(|bounds| bounds.topic_age(SECOND));
    let mut reader = read(world.fresh(["news"]));
    world.publish("news", ["1"]);
    reader.text();
    world.clock.advance(10 * SECOND);
    let [id] = world.publish("news", ["2"]);
    assert_eq!(reader.text(), block("2", id));
}

#[test]
fn at_the_hub_s_bound_the_oldest_event_goes_whichever_topic_it_is_of() {
    let size = block("x", EventId::new((1, 0), 0)).len();
    let world = World::with(|bounds| bounds.hub_bytes(4 * size));
    let [a] = world.publish("a", ["x"]);
    let [b] = world.publish("b", ["x"]);
    let c = world.publish("c", ["x", "x", "x"]);
    assert_eq!(world.hub.stats().held_bytes, 4 * size);
    let zero = at(0, a);
    assert_eq!(text(world.after(zero, ["a"])), opening(zero) + &trimmed("a", a), "it had the oldest");
    assert_eq!(text(world.after(zero, ["b"])), opening(zero) + &block("x", b));
    assert_eq!(text(world.after(b, ["c"])), opening(b) + &c.map(|id| block("x", id)).concat());
    world.publish("c", ["x"]);
    assert_eq!(text(world.after(zero, ["b"])), opening(zero) + &trimmed("b", b));
    world.publish("d", ["x"]);
    let left = trimmed("c", c[0]) + &block("x", c[1]) + &block("x", c[2]) + &block("x", at(6, a));
    assert_eq!(text(world.after(zero, ["c"])), opening(zero) + &left);
}

#[test]
fn a_topic_that_forgot_by_its_own_bound_is_no_longer_the_one_with_the_oldest_event() {
    let size = block("x", EventId::new((1, 0), 0)).len();
    let world = World::with(|bounds| bounds.topic_events(1).hub_bytes(2 * size));
    let [first] = world.publish("a", ["x"]);
    let [b] = world.publish("b", ["x"]);
    let [a] = world.publish("a", ["x"]);
    let [c] = world.publish("c", ["x"]);
    assert_eq!(text(world.after(b, ["a", "b", "c"])), opening(b) + &block("x", a) + &block("x", c));
    assert_eq!(text(world.after(first, ["b"])), opening(first) + &trimmed("b", b));
}

#[test]
fn bounds_hold_with_readers_and_without() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    for _ in 0..10 {
        world.publish("news", ["x"]);
        world.publish("nobody reads this", ["x"]);
        reader.text();
    }
    assert_eq!(world.hub.stats().held_events, 4);
}

// Slow readers.

#[test]
fn a_reader_that_fell_behind_is_ended_and_comes_back_with_its_id() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let feed = world.fresh(["news"]);
    let sender = feed.sender();
    let mut reader = read(feed);
    let [seen] = world.publish("news", ["seen"]);
    reader.text();
    let missed = world.publish("news", ["1", "2", "3"]);
    assert!(sender.is_active(), "only a poll tells");
    assert_eq!((reader.text().as_str(), reader.has_ended()), ("", true));
    assert_eq!(sender.close_reason(), Some(CloseReason::Lagged));
    let stats = world.hub.stats();
    assert_eq!((stats.lagged, stats.ended(CloseReason::Lagged), stats.streams, stats.gaps), (1, 1, 0, 0));
    let rest = trimmed("news", missed[0]) + &block("2", missed[1]) + &block("3", missed[2]);
    assert_eq!(text(world.after(seen, ["news"])), opening(seen) + &rest);
}

#[test]
fn a_reader_that_fell_behind_is_given_what_other_topics_kept_before_it_ends() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let mut reader = read(world.fresh(["a", "b"]));
    reader.text();
    let [b] = world.publish("b", ["b"]);
    world.publish("a", ["1", "2", "3"]);
    assert_eq!((reader.text(), reader.has_ended()), (block("b", b), true));
}

#[test]
fn by_choice_a_reader_that_fell_behind_goes_on_past_a_gap_told_once() {
    let world = World::with(|bounds| bounds.topic_events(2).gap_on_lag());
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let ids = world.publish("news", ["1", "2", "3"]);
    assert_eq!(reader.text(), trimmed("news", ids[0]) + &block("2", ids[1]) + &block("3", ids[2]));
    let [next] = world.publish("news", ["4"]);
    assert_eq!(reader.text(), block("4", next));
    assert_eq!((world.hub.stats().lagged, world.hub.stats().gaps), (1, 1));
}

#[test]
fn a_gap_known_when_the_client_came_is_no_lag_even_if_it_grew() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let ids = world.publish("news", ["1", "2", "3"]);
    let feed = world.after(at(0, ids[0]), ["news"]);
    let more = world.publish("news", ["4", "5"]);
    let rest = trimmed("news", ids[2]) + &block("4", more[0]) + &block("5", more[1]);
    assert_eq!(text(feed), opening(at(0, ids[0])) + &rest);
}

// Chunks.

#[test]
fn a_chunk_is_at_most_64_kib_and_holds_whole_blocks_in_order() {
    let world = World::new();
    let mut readers = [read(world.fresh(["a", "b"])), read(world.fresh(["a"]))];
    for reader in &mut readers {
        reader.text();
    }
    let filler = "x".repeat(700);
    let mut whole = [String::new(), String::new()];
    for n in 0..400 {
        // Runs of one to four events of a topic.
        let topic = if n % 7 < 4 { "a" } else { "b" };
        let [id] = world.publish(topic, [&filler]);
        whole[0] += &block(&filler, id);
        if topic == "a" {
            whole[1] += &block(&filler, id);
        }
    }
    for (reader, whole) in readers.iter_mut().zip(whole) {
        let (mut got, mut chunks) = (String::new(), 0);
        while let std::task::Poll::Ready(Some(chunk)) = reader.poll() {
            assert!(chunk.len() <= 64 * 1024, "{}", chunk.len());
            assert!(chunk.ends_with(b"\n\n"));
            got += str::from_utf8(&chunk).unwrap();
            chunks += 1;
        }
        assert!(got == whole);
        assert!(chunks <= whole.len() / (16 * 1024), "{chunks} chunks of {} bytes", whole.len());
    }
}

#[test]
fn an_event_larger_than_64_kib_is_a_chunk_of_its_own() {
    let world = World::new();
    let mut reader = read(world.fresh(["a", "b"]));
    reader.text();
    let large = "x".repeat(200_000);
    let [before] = world.publish("a", ["1"]);
    let [id] = world.publish("b", [&large]);
    let [after] = world.publish("a", ["2"]);
    for expected in [block("1", before), block(&large, id), block("2", after)] {
        let std::task::Poll::Ready(Some(chunk)) = reader.poll() else { panic!("no chunk") };
        assert!(chunk == expected.as_bytes());
    }
}

#[test]
fn the_largest_event_goes_through_a_hub() {
    let world = World::new();
    let mut reader = read(world.fresh(["a"]));
    reader.text();
    let large = "x".repeat(sse_core::MAX_EVENT_BYTES);
    let [id] = world.publish("a", [&large]);
    assert!(reader.text() == block(&large, id));
    let refused = world.hub.publish("a", large + "x");
    assert_eq!(refused, Err(FrameError::TooLarge(sse_core::MAX_EVENT_BYTES + 1).into()));
}

#[test]
fn readers_of_one_topic_share_the_bytes_of_its_ring() {
    let world = World::new();
    let filler = "x".repeat(1_000);
    let ids: Vec<_> = (0..100).flat_map(|_| world.publish("news", [&filler])).collect();
    // Within the sealed part, in the joined tail, and the newest alone.
    for position in [0, 5, 20, 70, 98] {
        let [one, other] = [(), ()].map(|()| {
            let mut reader = read(world.after(ids[position], ["news"]));
            assert!(reader.poll().is_ready(), "the opening");
            let std::task::Poll::Ready(Some(chunk)) = reader.poll() else { panic!("no chunk") };
            chunk
        });
        assert_eq!(one.as_ptr(), other.as_ptr(), "after {position}");
        assert_eq!(one.len(), other.len());
    }
    // A chunk that begins later lies within one that began earlier.
    let chunk = |position: usize| {
        let mut reader = read(world.after(ids[position], ["news"]));
        (reader.poll(), reader.poll()).1
    };
    let (std::task::Poll::Ready(Some(early)), std::task::Poll::Ready(Some(late))) = (chunk(0), chunk(9)) else {
        panic!("no chunk")
    };
    assert!(early.as_ptr_range().contains(&late.as_ptr()));
}

// Keeping alive.

#[test]
fn a_quiet_subscription_is_kept_alive_by_a_comment() {
    let world = World::new();
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    world.publish("other", ["x"]);
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), ":\n");
}

#[test]
fn by_choice_a_heartbeat_carries_the_position_once_it_moved() {
    let world = World::with(|bounds| bounds.heartbeats(true).topic_events(1));
    let mut reader = read(world.fresh(["quiet"]));
    reader.text();
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), ":\n", "it is where it was");
    let other = world.publish("busy", ["1", "2", "3"]);
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), format!("id: {}\n\n", other[2]));
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), ":\n");
    let [id] = world.publish("quiet", ["q"]);
    assert_eq!(reader.text(), block("q", id), "nothing was skipped");
    assert_eq!(world.after(other[2], ["quiet"]).resumption(), Resumption::Resumed);
}

#[test]
fn a_heartbeat_never_passes_an_event_that_was_not_delivered() {
    let world = World::with(|bounds| bounds.heartbeats(true));
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    world.publish("other", ["x"]);
    let [id] = world.publish("news", ["1"]);
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), block("1", id));
}

// Limits.

/// `retry: N`, with N in the range that is drawn from, and nothing else.
fn is_soft_refusal(text: &str) -> bool {
    let wait = text.strip_prefix("retry: ").and_then(|rest| rest.strip_suffix("\n\n"));
    wait.and_then(|wait| wait.parse().ok()).is_some_and(|wait: u64| (1_000..=5_000).contains(&wait))
}

#[test]
fn a_stream_too_many_is_sent_away_softly_and_nobody_is_evicted() {
    let world = World::with(|bounds| bounds.max_streams(2));
    let mut held = read(world.fresh(["news"]));
    let (sender, channel) = world.clock.sse().attach(&world.hub).channel();
    let response = world.fresh(["news"]).into_response();
    assert_eq!((response.status(), response.id()), (200, None));
    let headers: Vec<_> = response.headers().collect();
    assert_eq!(headers, sse_core::STREAM_HEADERS);
    let mut refused = Reader::new(response.into_body());
    let text = refused.text();
    assert!(is_soft_refusal(&text), "{text:?}");
    assert!(refused.has_ended());
    let (also, response) = world.clock.sse().attach(&world.hub).channel();
    assert_eq!(response.id(), None);
    assert_eq!(also.try_send("x"), Err(SendError::Closed));
    assert!(!held.has_ended() && sender.is_active());
    assert_eq!(world.hub.stats().streams, 2);
    drop(channel);
    let next = text_of_new(&world);
    assert!(next.starts_with("retry: 3000\n"), "the normal wait, so that the other does not stick: {next:?}");
}

fn text_of_new(world: &World) -> String {
    text(world.fresh(["news"]))
}

#[test]
fn a_stream_too_many_by_another_method_is_answered_503() {
    let world = World::with(|bounds| bounds.max_streams(0));
    let admitted = Policy::default().methods(["POST"]).admit(&Request::new("POST", None, [])).unwrap();
    let response = Sse::new(world.clock.clone(), admitted).subscribe(&world.hub, ["news"]).into_response();
    assert_eq!(response.status(), 503);
    let (_, seconds) = response.headers().find(|(name, _)| *name == "retry-after").unwrap();
    assert!((1..=5).contains(&seconds.parse::<u64>().unwrap()));
    assert!(Reader::new(response.into_body()).bytes().is_empty());
}

#[test]
fn a_stream_that_is_sent_away_counts_as_nothing_and_has_missed_nothing() {
    let world = World::with(|bounds| bounds.max_streams(0));
    let [id] = world.publish("news", ["a"]);
    for client in [id.to_string(), "nonsense".into()] {
        let feed = world.after(client, ["news", "other"]);
        assert_eq!(feed.resumption(), Resumption::Fresh, "no snapshot need be made for it");
        assert_eq!(world.hub.stats().topics, 1, "it takes no topic's place");
        assert!(is_soft_refusal(&text(feed.from(Start::Oldest).first(["snapshot"]))));
    }
    let stats = world.hub.stats();
    assert_eq!((stats.resumed, stats.gaps, stats.streams), (0, 0, 0));
}

#[test]
fn past_max_topics_a_publish_is_refused_and_a_subscription_softly() {
    let world = World::with(|bounds| bounds.max_topics(2));
    world.publish("a", ["1"]);
    let reader = read(world.fresh(["b"]));
    assert_eq!(world.hub.publish("c", "x"), Err(PublishError::TooManyTopics));
    for topics in [["c", "a"], ["c", "d"]] {
        let feed = world.fresh(topics);
        assert_eq!(feed.id(), None);
        let text = text(feed);
        assert!(is_soft_refusal(&text), "{text:?}");
    }
    assert_eq!(world.hub.stats().topics, 2);
    assert!(world.hub.publish("b", "x").is_ok() && world.fresh(["a", "b"]).id().is_some());
    drop(reader);
    assert_eq!(world.hub.publish("c", "x"), Err(PublishError::TooManyTopics), "it holds an event");
}

#[test]
fn a_topic_without_events_and_readers_makes_room_and_what_it_forgot_is_remembered() {
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
fn stats_say_what_the_hub_holds_and_did() {
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
    assert_eq!((stats.streams, stats.ended(CloseReason::Closed), stats.ended(CloseReason::Gone)), (0, 1, 1));
    assert_eq!(world.hub.clone().stats(), stats, "a clone is the same hub");
}

#[test]
fn the_bounds_may_be_chosen_to_the_last_second() {
    let world = World::with(|bounds| {
        let never = Duration::MAX;
        bounds.retry(Duration::from_millis(1_234)).topic_age(never).drain_grace(never).drain_retry(SECOND..=SECOND)
    });
    let [id] = world.publish("news", ["a"]);
    let mut reader = read(world.fresh(["news"]));
    assert_eq!(reader.text(), format!("retry: 1234\nid: {id}\n\n"));
    let draining = world.hub.drain(Duration::MAX);
    assert!(!reader.has_ended());
    drop((draining, reader));
    assert_eq!(text(world.fresh(["news"])), "retry: 1000\n\n");
}
