//! Reading: slow subscribers, chunks, and keep-alives.

use super::*;

// Slow subscribers.

/// Hazard G2.
#[test]
fn a_subscriber_that_lags_is_ended_and_resumes_with_its_id() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let (sender, response) = world.fresh(["news"]).with_sender();
    let mut reader = world.clock.read(response);
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
fn a_subscriber_that_lags_receives_the_events_of_other_topics_before_its_end() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let mut reader = read(world.fresh(["a", "b"]));
    reader.text();
    let [b] = world.publish("b", ["b"]);
    world.publish("a", ["1", "2", "3"]);
    assert_eq!((reader.text(), reader.has_ended()), (block("b", b), true));
}

/// Hazard G2.
#[test]
fn with_gap_on_lag_a_subscriber_that_lags_receives_one_gap_and_continues() {
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
fn a_gap_from_before_the_subscription_is_no_lag_even_if_it_grows() {
    let world = World::with(|bounds| bounds.topic_events(2));
    let ids = world.publish("news", ["1", "2", "3"]);
    let feed = world.after(at(0, ids[0]), ["news"]);
    let more = world.publish("news", ["4", "5"]);
    let rest = trimmed("news", ids[2]) + &block("4", more[0]) + &block("5", more[1]);
    assert_eq!(text(feed), opening(at(0, ids[0])) + &rest);
}

// Chunks.

/// Hazard B3.
#[test]
fn a_chunk_is_at_most_64_kib_of_complete_blocks_in_order() {
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
fn the_largest_event_is_delivered() {
    let world = World::new();
    let mut reader = read(world.fresh(["a"]));
    reader.text();
    let large = "x".repeat(sse_core::MAX_EVENT_BYTES);
    let [id] = world.publish("a", [&large]);
    assert!(reader.text() == block(&large, id));
    let refused = world.hub.publish("a", large + "x");
    assert_eq!(
        refused,
        Err(FrameError::TooLarge { bytes: sse_core::MAX_EVENT_BYTES + 1, limit: sse_core::MAX_EVENT_BYTES }.into())
    );
}

/// Hazard B3.
#[test]
fn subscribers_of_one_topic_share_the_bytes_of_its_ring() {
    let world = World::new();
    let filler = "x".repeat(1_000);
    let ids: Vec<_> = (0..100).flat_map(|_| world.publish("news", [&filler])).collect();
    // In a segment, in the joined tail, and the newest event alone.
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
    // A chunk that starts later is a part of a chunk that started earlier.
    let chunk = |position: usize| {
        let mut reader = read(world.after(ids[position], ["news"]));
        (reader.poll(), reader.poll()).1
    };
    let (std::task::Poll::Ready(Some(early)), std::task::Poll::Ready(Some(late))) = (chunk(0), chunk(9)) else {
        panic!("no chunk")
    };
    assert!(early.as_ptr_range().contains(&late.as_ptr()));
}

// Keep-alives.

/// Hazard E4.
#[test]
fn an_idle_subscription_sends_a_comment_as_keep_alive() {
    let world = World::new();
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    world.publish("other", ["x"]);
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), ":\n");
}

/// Hazard B11.
#[test]
fn a_position_update_is_sent_once_after_the_position_moved() {
    let world = World::with(|bounds| bounds.position_updates(true).topic_events(1));
    let mut reader = read(world.fresh(["quiet"]));
    reader.text();
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), ":\n", "it is where it was");
    let other = world.publish("busy", ["1", "2", "3"]);
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), moved(other[2]));
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), ":\n");
    let [id] = world.publish("quiet", ["q"]);
    assert_eq!(reader.text(), block("q", id), "nothing was skipped");
    assert_eq!(world.after(other[2], ["quiet"]).resumption(), Resumption::Resumed);
}

/// Hazard G9.
#[test]
fn a_position_update_never_passes_an_undelivered_event() {
    let world = World::with(|bounds| bounds.position_updates(true));
    let mut reader = read(world.fresh(["news"]));
    reader.text();
    world.publish("other", ["x"]);
    let [id] = world.publish("news", ["1"]);
    world.clock.advance(15 * SECOND);
    assert_eq!(reader.text(), block("1", id));
}
