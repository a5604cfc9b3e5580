//! A hub that follows a log, through `log::follow_on`, its `LogFeed`, and the bytes that subscribers receive.

use sse_core::hub::log::{self, LogFeed, LogFeedError};
use sse_core::hub::{EventId, HubBuilder, PublishError};
use sse_core::testing::{Clock, Reader};
use sse_core::{Event, EventStream, FrameError, Hub, LastEventId, Replay, Resumption, Subscription};
use std::fmt::Display;
use std::time::Duration;

struct World {
    clock: Clock,
    hub: Hub,
    feed: LogFeed,
}

impl World {
    fn new() -> Self {
        Self::with(|bounds| bounds)
    }

    fn with(bounds: impl FnOnce(HubBuilder) -> HubBuilder) -> Self {
        let clock = Clock::new();
        let (hub, feed) = log::follow_on(bounds(Hub::builder().retry(Duration::ZERO)), clock.clone());
        Self { clock, hub, feed }
    }

    /// Appends an event whose data is the ID of the event.
    fn append(&mut self, topic: &str, id: EventId) {
        self.feed.append(id, topic, Event::data(id.to_string())).unwrap();
    }

    fn fresh<const N: usize>(&self, topics: [&str; N]) -> Subscription<Clock> {
        self.clock.sse().subscribe(&self.hub, topics)
    }

    fn after<const N: usize>(&self, id: impl Display, topics: [&str; N]) -> Subscription<Clock> {
        self.clock.sse_after(LastEventId::Text(id.to_string().into())).subscribe(&self.hub, topics)
    }
}

fn read(subscription: Subscription<Clock>) -> Reader<EventStream<Clock>> {
    Reader::new(subscription.into_response().into_body())
}

fn text(subscription: Subscription<Clock>) -> String {
    read(subscription).text()
}

/// An ID as a log gives it: milliseconds, a number within the millisecond, and a tag.
fn id(ms: u64, n: u64) -> EventId {
    EventId::new((1_700_000_000_000 + ms, n), (ms * 31 + n) as u32)
}

/// The opening block of a stream that sends no position yet.
const OPEN: &str = ":\nevent: sse-open\nretry: 0\n\n";

fn opening(id: EventId) -> String {
    format!(":\nevent: sse-position\nretry: 0\nid: {id}\ndata: {{}}\n\n")
}

fn block(id: EventId) -> String {
    format!("data: {id}\nid: {id}\n\n")
}

fn trimmed(topic: &str, id: EventId) -> String {
    format!("event: gap\ndata: {{\"reason\":\"trimmed\",\"topic\":\"{topic}\"}}\nid: {id}\n\n")
}

/// The gap of a truncation has no ID: on another node the remaining ID would be before the truncated events.
const TRUNCATED: &str = "event: gap\ndata: {\"reason\":\"unknown\"}\n\n";

fn unknown(id: EventId) -> String {
    format!("event: gap\ndata: {{\"reason\":\"unknown\"}}\nid: {id}\n\n")
}

#[test]
fn subscribers_receive_the_ids_of_the_log_and_resume_from_them() {
    let mut world = World::new();
    world.append("news", id(1, 0));
    let mut reader = read(world.fresh(["news"]));
    assert_eq!(reader.text(), opening(id(1, 0)));
    world.append("news", id(1, 1));
    world.append("other", id(1, 2));
    world.append("news", id(2, 0));
    assert_eq!(reader.text(), block(id(1, 1)) + &block(id(2, 0)));
    let feed = world.after(id(1, 0), ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    assert_eq!(text(feed), opening(id(1, 0)) + &block(id(1, 1)) + &block(id(2, 0)));
    assert_eq!(world.feed.newest(), Some(id(2, 0)));
}

#[test]
fn resume_from_the_id_of_another_topic() {
    let mut world = World::new();
    world.append("news", id(1, 0));
    world.append("other", id(2, 0));
    world.append("news", id(3, 0));
    assert_eq!(text(world.after(id(2, 0), ["news"])), opening(id(2, 0)) + &block(id(3, 0)));
}

/// Hazard G3.
#[test]
fn a_client_of_one_node_resumes_on_another_node_of_the_same_log() {
    let mut nodes = [World::new(), World::new()];
    for world in &mut nodes {
        for n in 1..=3 {
            world.append("news", id(n, 0));
        }
    }
    let texts = nodes.map(|world| text(world.after(id(2, 0), ["news"])));
    assert_eq!(texts, [(); 2].map(|()| opening(id(2, 0)) + &block(id(3, 0))));
}

/// Hazard B11.
#[test]
fn unknown_id_may_still_arrive_until_two_catch_up_rounds_have_passed() {
    let mut node = World::new();
    node.append("a", id(5, 0));
    let ahead = id(6, 0);
    assert!(!node.feed.handle().may_still_arrive(ahead), "the feed has marked no round yet");
    node.feed.caught_up();
    assert!(!node.feed.handle().may_still_arrive(id(5, 0)));
    assert!(node.feed.handle().may_still_arrive(ahead));
    assert_eq!(node.after(ahead, ["a"]).id(), None);
    node.feed.caught_up();
    assert!(node.feed.handle().may_still_arrive(ahead), "that round may have started before the ID came");
    node.feed.caught_up();
    assert!(!node.feed.handle().may_still_arrive(ahead));
    assert_eq!(node.after(ahead, ["a"]).resumption(), Resumption::Gap);

    assert!(node.feed.handle().may_still_arrive(id(7, 0)));
    node.append("a", id(7, 0));
    assert!(!node.feed.handle().may_still_arrive(id(7, 0)));
    assert_eq!(node.after(id(7, 0), ["a"]).resumption(), Resumption::Resumed);
}

#[test]
fn an_id_with_another_tag_is_unknown() {
    let mut world = World::new();
    world.append("news", id(1, 0));
    world.append("news", id(3, 0));
    let (position, tag) = (id(1, 0).position(), id(1, 0).tag());
    let other_tag = EventId::new(position, tag ^ 1);
    for wrong in [other_tag, EventId::new((position.0, 1), tag), id(2, 0), id(4, 0), id(0, 0)] {
        let feed = world.after(wrong, ["news"]);
        assert_eq!(feed.resumption(), Resumption::Gap, "{wrong}");
        assert_eq!(text(feed), OPEN.to_owned() + &unknown(id(3, 0)));
    }
}

#[test]
fn publish_on_a_hub_that_follows_a_log_returns_followed() {
    let world = World::new();
    assert_eq!(world.hub.publish("news", "x"), Err(PublishError::Followed));
    assert_eq!(world.hub.publish_all([("news", "x")]), Err(PublishError::Followed));
    assert_eq!(world.hub.topic("news").unwrap().publish("x"), Err(PublishError::Followed));
    assert_eq!((world.hub.stats().published, world.hub.stats().held_events), (0, 0));
}

#[test]
fn resume_from_the_position_of_an_empty_follower_is_a_gap() {
    // Without a position the client would count as new, and would miss events silently.
    let mut world = World::new();
    let none = EventId::new((0, 0), 0);
    let mut reader = read(world.fresh(["news"]));
    assert_eq!(reader.text(), opening(none));
    world.append("news", id(1, 0));
    assert_eq!(reader.text(), block(id(1, 0)));
    let feed = world.after(none, ["news"]);
    assert_eq!(feed.resumption(), Resumption::Gap);
    assert_eq!(text(feed), OPEN.to_owned() + &unknown(id(1, 0)));
}

#[test]
fn resume_from_the_oldest_position_that_was_sent() {
    let mut world = World::new();
    world.feed.advance(id(1, 0)).unwrap();
    world.append("b", id(2, 0));
    world.append("a", id(3, 0));
    for start in [Replay::All, Replay::Last(5)] {
        let whole = format!("{}{}", opening(id(2, 0)), block(id(3, 0)));
        assert_eq!(text(world.fresh(["a"]).replay(start)), whole);
        assert_eq!(text(world.fresh(["c"]).replay(start)), opening(id(3, 0)));
        let both = format!("{}{}{}", opening(id(1, 0)), block(id(2, 0)), block(id(3, 0)));
        assert_eq!(text(world.fresh(["a", "b"]).replay(start)), both);
    }
    let resumed = world.after(id(2, 0), ["a"]);
    assert_eq!(resumed.resumption(), Resumption::Resumed);
    assert_eq!(text(resumed), format!("{}{}", opening(id(2, 0)), block(id(3, 0))));
}

#[test]
fn a_stream_that_starts_before_the_first_event_of_a_log_has_no_position() {
    let mut world = World::new();
    world.append("a", id(1, 0));
    let first = world.fresh(["a"]).replay(Replay::All);
    assert_eq!(text(first), format!("{OPEN}{}", block(id(1, 0))));
}

#[test]
fn the_id_where_following_starts_is_a_position() {
    let mut world = World::new();
    world.feed.advance(id(5, 0)).unwrap();
    assert_eq!(text(world.fresh(["news"])), opening(id(5, 0)));
    world.append("news", id(6, 0));
    let feed = world.after(id(5, 0), ["news"]);
    assert_eq!(feed.resumption(), Resumption::Resumed);
    assert_eq!(text(feed), opening(id(5, 0)) + &block(id(6, 0)));
    assert_eq!(world.after(id(4, 0), ["news"]).resumption(), Resumption::Gap);
}

#[test]
fn ids_out_of_order_are_rejected_and_change_nothing() {
    let mut world = World::new();
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    world.append("news", id(2, 1));
    for wrong in [id(2, 1), id(2, 0), id(1, 9), EventId::new(id(2, 1).position(), 9)] {
        let refused = Err(LogFeedError::OutOfOrder(wrong, id(2, 1)));
        assert_eq!(world.feed.append(wrong, "news", "x"), refused);
        assert_eq!(world.feed.advance(wrong), refused);
    }
    world.append("news", id(2, 2));
    assert_eq!(reader.text(), block(id(2, 1)) + &block(id(2, 2)));
    assert_eq!(world.hub.stats().published, 2);
}

#[test]
fn an_entry_that_cannot_be_sent_is_rejected_and_can_be_skipped() {
    let mut world = World::new();
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    let own = Event::data("x").id("7");
    assert_eq!(world.feed.append(id(1, 0), "news", own), Err(LogFeedError::Invalid(FrameError::IdNotAllowed)));
    let gap = world.feed.append(id(1, 0), "news", ("gap", "x"));
    assert_eq!(gap, Err(LogFeedError::Invalid(FrameError::ReservedType("gap".into()))));
    assert_eq!(world.feed.append(id(1, 0), &"x".repeat(257), "x"), Err(LogFeedError::TopicName(257)));
    assert_eq!((world.feed.newest(), reader.text()), (None, String::new()));
    world.feed.advance(id(1, 0)).unwrap();
    world.append("news", id(1, 1));
    assert_eq!(reader.text(), block(id(1, 1)));
}

#[test]
fn the_gap_of_trimmed_events_has_the_id_of_the_log() {
    let mut world = World::with(|bounds| bounds.topic_events(1));
    for n in 1..=4 {
        world.append("news", id(n, 0));
    }
    let feed = world.after(id(1, 0), ["news"]);
    assert_eq!(feed.resumption(), Resumption::Gap);
    assert_eq!(text(feed), opening(id(1, 0)) + &trimmed("news", id(3, 0)) + &block(id(4, 0)));
    assert_eq!(text(world.after(id(3, 0), ["news"])), opening(id(3, 0)) + &block(id(4, 0)));
    assert_eq!(text(world.fresh(["news"]).replay(Replay::All)), opening(id(3, 0)) + &block(id(4, 0)));
}

#[test]
fn truncation_is_a_gap_only_for_clients_that_received_a_truncated_event() {
    let mut world = World::new();
    world.append("news", id(1, 0));
    let mut behind = read(world.after(id(1, 0), ["news"]));
    let mut elsewhere = read(world.fresh(["other"]));
    let mut ahead = read(world.fresh(["news"]));
    assert_eq!(elsewhere.text(), opening(id(1, 0)));
    assert_eq!(ahead.text(), opening(id(1, 0)));
    world.append("news", id(2, 0));
    world.append("news", id(3, 0));
    assert_eq!(ahead.text(), block(id(2, 0)) + &block(id(3, 0)));

    world.feed.truncate(id(1, 0)).unwrap();
    assert_eq!(world.feed.newest(), Some(id(1, 0)));
    assert_eq!(ahead.text(), TRUNCATED);
    assert_eq!(behind.text(), opening(id(1, 0)), "it had not seen them");
    // The log continues with other entries, whose IDs may have been used before.
    let again = EventId::new(id(2, 0).position(), 0xffff);
    world.append("news", again);
    world.append("other", id(4, 0));
    assert_eq!(behind.text(), block(again));
    assert_eq!(ahead.text(), block(again));
    assert_eq!(elsewhere.text(), block(id(4, 0)));
    // A client that resumes from a truncated ID receives the gap too. The others resume.
    for gone in [id(2, 0), id(3, 0)] {
        assert_eq!(world.after(gone, ["news"]).resumption(), Resumption::Gap);
    }
    assert_eq!(text(world.after(id(1, 0), ["news"])), opening(id(1, 0)) + &block(again));
    assert_eq!(text(world.after(again, ["news", "other"])), opening(again) + &block(id(4, 0)));
}

#[test]
fn two_truncations_between_two_polls_are_one_gap() {
    let mut world = World::new();
    world.append("news", id(1, 0));
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    world.append("news", id(2, 0));
    reader.text();
    world.feed.truncate(id(1, 0)).unwrap();
    world.append("news", id(3, 0));
    world.feed.truncate(id(1, 0)).unwrap();
    world.append("news", id(4, 0));
    assert_eq!(reader.text(), TRUNCATED.to_owned() + &block(id(4, 0)));
}

#[test]
fn resume_from_truncated_id_sends_gap_then_continues() {
    let mut world = World::new();
    world.append("news", id(1, 0));
    world.append("news", id(2, 0));
    world.append("news", id(3, 0));
    world.feed.truncate(id(1, 0)).unwrap();
    // The opening block repeats the ID that the client brought, so that the client keeps this ID.
    let welcome = |lost: u64| format!(":\nevent: sse-open\nretry: 0\nid: {}\n\n", id(lost, 0));
    let back = |world: &World, lost: u64| world.after(id(lost, 0), ["news"]).replay(Replay::All);
    assert_eq!(back(&world, 3).resumption(), Resumption::Gap);
    assert_eq!(text(back(&world, 3)), welcome(3) + TRUNCATED);
    world.append("news", id(2, 7));
    world.append("news", id(4, 0));
    world.feed.truncate(id(2, 7)).unwrap();
    world.append("news", id(5, 0));
    for lost in [2, 3] {
        assert_eq!(text(back(&world, lost)), welcome(lost) + TRUNCATED + &block(id(2, 7)) + &block(id(5, 0)));
    }
    assert_eq!(text(back(&world, 4)), welcome(4) + TRUNCATED + &block(id(5, 0)));
    // The log has the same ID once more. It is then an ID like any other.
    world.feed.truncate(id(1, 0)).unwrap();
    world.append("news", id(2, 0));
    assert_eq!(text(back(&world, 2)), opening(id(2, 0)));
}

#[test]
fn stats_count_stored_events_correctly_after_a_truncation() {
    let mut world = World::new();
    for n in 1..=2_000 {
        world.append(if n % 3 == 0 { "a" } else { "b" }, id(n, 0));
    }
    let whole = world.hub.stats();
    world.feed.truncate(id(1_000, 0)).unwrap();
    let size = |n| block(id(n, 0)).len();
    let stats = world.hub.stats();
    assert_eq!((whole.held_events, stats.held_events), (2_000, 1_000));
    assert_eq!(stats.held_bytes, (1..=1_000).map(size).sum::<usize>());
    world.feed.truncate(id(1, 0)).unwrap();
    assert_eq!((world.hub.stats().held_events, world.hub.stats().held_bytes), (1, size(1)));
}

#[test]
fn truncation_to_an_unknown_id_is_rejected() {
    let mut world = World::new();
    world.append("news", id(1, 0));
    assert_eq!(world.feed.truncate(id(2, 0)), Err(LogFeedError::Unknown(id(2, 0))));
    let tag = EventId::new(id(1, 0).position(), 7);
    assert_eq!(world.feed.truncate(tag), Err(LogFeedError::Unknown(tag)));
    assert_eq!(world.hub.stats().held_events, 1);
}

#[test]
fn reset_sends_one_gap_for_each_topic_to_open_and_to_resuming_streams() {
    let mut world = World::with(|bounds| bounds.gap_on_lag());
    world.append("a", id(1, 0));
    world.append("b", id(2, 0));
    let mut reader = read(world.fresh(["a", "b"]));
    reader.text();
    world.feed.reset(id(9, 0));
    let gaps = "event: gap\ndata: {\"reason\":\"trimmed\",\"topic\":\"a\"}\n\n".to_owned() + &trimmed("b", id(9, 0));
    assert_eq!(reader.text(), gaps);
    assert_eq!((world.hub.stats().held_events, world.hub.stats().held_bytes), (0, 0));
    world.append("b", id(10, 0));
    assert_eq!(reader.text(), block(id(10, 0)));

    // No ID from before the reset is known any more.
    for topic in ["a", "b", "never-used"] {
        let feed = world.after(id(2, 0), [topic]);
        assert_eq!(feed.resumption(), Resumption::Gap);
        assert_eq!(text(feed), OPEN.to_owned() + &unknown(id(10, 0)));
    }
    assert_eq!(text(world.after(id(9, 0), ["a", "b"])), opening(id(9, 0)) + &block(id(10, 0)));
}

#[test]
fn reset_accepts_an_earlier_id_because_another_log_starts() {
    let mut world = World::new();
    world.append("news", id(9, 0));
    world.feed.reset(id(1, 0));
    assert_eq!(world.feed.newest(), Some(id(1, 0)));
    world.append("news", id(2, 0));
    assert_eq!(text(world.after(id(1, 0), ["news"])), opening(id(1, 0)) + &block(id(2, 0)));
}

#[test]
fn position_updates_are_on_by_default_for_a_follower() {
    let mut world = World::new();
    let mut reader = read(world.fresh(["quiet"]));
    reader.text();
    world.append("busy", id(1, 0));
    world.feed.advance(id(2, 0)).unwrap();
    world.clock.advance(Duration::from_secs(15));
    assert_eq!(reader.text(), format!("event: sse-position\nid: {}\ndata: {{}}\n\n", id(2, 0)));

    let mut without = World::with(|bounds| bounds.position_updates(false));
    let mut reader = read(without.fresh(["quiet"]));
    reader.text();
    without.append("busy", id(1, 0));
    without.clock.advance(Duration::from_secs(15));
    assert_eq!(reader.text(), ":\n");
}

#[test]
fn an_event_of_a_topic_beyond_max_topics_is_trimmed_and_sends_a_gap_later() {
    let mut world = World::with(|bounds| bounds.max_topics(1).topic_age(Duration::from_secs(1)));
    world.feed.advance(id(1, 0)).unwrap();
    world.append("a", id(2, 0));
    world.append("b", id(3, 0));
    assert_eq!((world.hub.stats().topics, world.hub.stats().held_events), (1, 1));
    world.clock.advance(Duration::from_secs(2));
    let feed = world.after(id(1, 0), ["b"]);
    assert_eq!(feed.resumption(), Resumption::Gap);
    assert_eq!(text(feed), opening(id(1, 0)) + &trimmed("b", id(3, 0)));
}

#[test]
fn resume_in_every_topic_from_an_id_that_is_older_than_the_remembered_ids() {
    let mut world = World::new();
    world.append("kept", id(1, 0));
    world.append("kept", id(2, 0));
    for n in 3..=70_000 {
        world.feed.advance(id(n, 0)).unwrap();
    }
    assert_eq!(text(world.after(id(1, 0), ["kept"])), opening(id(1, 0)) + &block(id(2, 0)));
    assert_eq!(text(world.after(id(2, 0), ["other"])), opening(id(2, 0)));
    assert_eq!(world.after(id(1, 0), ["other"]).resumption(), Resumption::Resumed);
}

/// Hazard B21.
#[test]
fn a_quiet_topic_beside_a_busy_topic_never_causes_a_false_gap() {
    let mut world = World::new();
    let foreign = |n: u64| id(10 + n, 0);
    world.feed.append(id(1, 0), "quiet", "1").unwrap();
    world.feed.append(id(2, 0), "quiet", "2").unwrap();
    for n in 0..100 {
        world.feed.append(foreign(n), "busy", "x").unwrap();
    }
    // Positions that clients of the quiet topic have: of its own events, and of events of other topics.
    let told = [id(1, 0), id(2, 0), foreign(0), foreign(42), foreign(99)];
    let back = |world: &World, id: EventId| {
        let feed = world.clock.sse_after(LastEventId::Text(id.to_string().into())).subscribe(&world.hub, ["quiet"]);
        let outcome = feed.resumption();
        (outcome, world.clock.read(feed.into_response()).text().matches("data: 2\n").count())
    };
    let expected = |at: usize| (Resumption::Resumed, usize::from(at == 0));
    // 10 million other entries, of which each 1,000th is an event.
    for n in 100..10_000_000 {
        if n % 1_000 == 0 {
            world.feed.append(foreign(n), "busy", "x").unwrap();
        } else {
            world.feed.advance(foreign(n)).unwrap();
        }
        if n % 2_500_000 == 0 {
            told.iter().enumerate().for_each(|(at, id)| assert_eq!(back(&world, *id), expected(at), "{id} at {n}"));
        }
    }
    told.iter().enumerate().for_each(|(at, id)| assert_eq!(back(&world, *id), expected(at), "{id}"));
    // Trimmed events of the topic itself are a gap. An ID from before the start of the log is unknown.
    world.feed.append(foreign(10_000_000), "quiet", "3").unwrap();
    assert_eq!(back(&world, EventId::new((0, 1), 7)).0, Resumption::Gap);
    // The ID of a stored event must have the right tag.
    assert_eq!(back(&world, EventId::new(id(2, 0).position(), 99)).0, Resumption::Gap);
}

/// Hazard B21.
#[test]
fn resume_from_an_old_id_sends_the_gap_of_its_topic() {
    let clock = Clock::new();
    let (hub, mut feed) = log::follow_on(Hub::builder().topic_events(2), clock.clone());
    let entry = |n: u64| EventId::new((n, 0), n as u32);
    feed.advance(entry(1)).unwrap();
    for n in [10, 20, 30] {
        feed.append(entry(n), "quiet", n.to_string()).unwrap();
    }
    for n in 100..70_000 {
        feed.advance(entry(n)).unwrap();
    }
    let back = |n: u64| {
        let feed = clock.sse_after(LastEventId::Text(entry(n).to_string().into())).subscribe(&hub, ["quiet"]);
        (feed.resumption(), clock.read(feed.into_response()).text())
    };
    for (n, gap, events) in [
        (1, true, 2),
        (9, true, 2),
        (10, false, 2),
        (15, false, 2),
        (20, false, 1),
        (29, false, 1),
        (30, false, 0),
        (150, false, 0),
    ] {
        let (outcome, text) = back(n);
        assert_eq!(outcome.is_gap(), gap, "{n}");
        assert_eq!(text.contains("event: gap"), gap, "{n}: {text}");
        assert_eq!(text.matches("data: 20\n").count() + text.matches("data: 30\n").count(), events, "{n}: {text}");
    }
}

/// Hazard B21.
#[test]
fn truncated_ids_are_never_found_by_order() {
    let clock = Clock::new();
    let (hub, mut feed) = log::follow_on(Hub::builder(), clock.clone());
    let entry = |n: u64, branch: u32| EventId::new((n, 0), branch);
    for n in 1..=10 {
        feed.append(entry(n, 1), "quiet", n.to_string()).unwrap();
    }
    feed.truncate(entry(5, 1)).unwrap();
    for n in 6..=8 {
        feed.append(entry(n, 2), "quiet", format!("new {n}")).unwrap();
    }
    // Until neither the remaining IDs nor the truncated IDs are remembered one by one.
    for branch in 2..5 {
        for n in 100..140_000 {
            feed.advance(entry(n + u64::from(branch) * 200_000, branch)).unwrap();
        }
        feed.truncate(entry(99_999 + u64::from(branch) * 200_000, branch)).unwrap();
    }
    feed.advance(entry(10_000_000, 9)).unwrap();
    let back = |n: u64, branch: u32| {
        let id = LastEventId::Text(entry(n, branch).to_string().into());
        clock.sse_after(id).subscribe(&hub, ["quiet"]).resumption()
    };
    assert_eq!(back(9, 1), Resumption::Gap, "it saw what is no more");
    assert_eq!(back(7, 1), Resumption::Gap, "the entry there is another one now");
    assert_eq!(back(7, 2), Resumption::Resumed);
    assert_eq!(back(3, 1), Resumption::Resumed);
    assert_eq!(back(50, 2), Resumption::Resumed, "after all that was taken back");
}

/// Hazard B20.
#[test]
fn forged_ids_do_not_replace_the_ids_of_clients_of_other_nodes() {
    let mut world = World::new();
    world.feed.append(EventId::new((1_000, 0), 1), "a", "x").unwrap();
    world.feed.caught_up();
    let come = |world: &World, id: EventId| {
        world.clock.sse_after(LastEventId::Text(id.to_string().into())).subscribe(&world.hub, ["a"])
    };
    let honest = EventId::new((1_003, 0), 9);
    for n in 0..70_000 {
        let _ = come(&world, EventId::new((1 << 40, n), 0));
        let _ = come(&world, EventId::new((0, 1 + n), 0));
    }
    assert_eq!(come(&world, honest).id(), None, "it is asked to come back");
    world.feed.append(EventId::new((1_002, 0), 2), "a", "y").unwrap();
    world.feed.append(honest, "a", "z").unwrap();
    world.feed.caught_up();
    assert_eq!(come(&world, honest).resumption(), Resumption::Resumed);
    // Another ID that never arrives is unknown for good after two rounds, as always.
    let lost = EventId::new((1_010, 0), 9);
    assert_eq!(come(&world, lost).id(), None);
    world.feed.caught_up();
    assert_eq!(come(&world, lost).id(), None);
    world.feed.caught_up();
    assert_eq!(come(&world, lost).resumption(), Resumption::Gap);
}
