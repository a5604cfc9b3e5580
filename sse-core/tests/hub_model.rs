//! A hub against a simple model. Over any chain of connections, cut at any byte, a client receives every event of its
//! topics once and in order, or a gap where events are missing.

#[path = "hub_model/client.rs"]
mod client;
#[path = "hub_model/connection.rs"]
mod connection;
#[path = "hub_model/history.rs"]
mod history;
#[path = "hub_model/ops.rs"]
mod ops;
#[path = "hub_model/poll.rs"]
mod poll;
#[path = "hub_model/world.rs"]
mod world;

use client::Client;
use history::Bounds;
use ops::{Case, case};
use proptest::test_runner::{Config, TestError, TestRunner};
use sse_test_support::reader::Habits;
use std::cell::Cell;
use std::collections::BTreeSet;
use world::World;

/// The operations of all cases, the topics that were dropped to make room, and the streams that finished.
struct Done {
    operations: usize,
    dropped_topics: u64,
    finished_streams: u64,
}

/// Runs this many cases, of 128 operations on average.
fn check(cases: u32, follows: bool) -> Done {
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() });
    let (operations, dropped_topics, finished_streams) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let result = runner.run(&case(follows), |case| {
        let mut world = World::new(&case);
        for op in &case.ops {
            world.run(op);
        }
        world.finish();
        operations.set(operations.get() + case.ops.len());
        dropped_topics.set(dropped_topics.get() + world.history.dropped_topics);
        finished_streams.set(finished_streams.get() + world.counts.finished_streams);
        Ok(())
    });
    if let Err(TestError::Fail(reason, case)) = result {
        panic!("{reason}\n{case:?}");
    }
    Done {
        operations: operations.get(),
        dropped_topics: dropped_topics.get(),
        finished_streams: finished_streams.get(),
    }
}

#[test]
fn any_chain_of_connections_receives_every_event_once_or_a_gap() {
    let done = check(500, false);
    assert!(done.operations > 50_000 && done.dropped_topics > 50 && done.finished_streams > 50);
}

#[test]
fn a_follower_sends_a_gap_for_every_event_that_its_log_lost() {
    let done = check(500, true);
    assert!(done.operations > 50_000 && done.dropped_topics > 50 && done.finished_streams > 50);
}

/// WebKit keeps half an ID. The block `sse-open` has no data, so the next block with data takes the half for its ID.
#[test]
fn half_an_id_before_a_retry_later_answer_is_no_position() {
    let case = Case {
        bounds: Bounds {
            topic_bytes: usize::MAX,
            topic_events: usize::MAX,
            hub_bytes: usize::MAX,
            max_topics: usize::MAX,
            age: None,
        },
        topics: 1,
        clients: vec![BTreeSet::from([0])],
        lag_ends: false,
        position_updates: false,
        follows: false,
        ops: Vec::new(),
    };
    let world = World::new(&case);
    for habits in Habits::BROWSERS {
        let mut client = Client::new(vec![0], habits);
        client.read(b"data: 1 x\nid: 1-00", &world.history);
        client.leave(false);
        client.connect("", &world.history);
        client.read(b":\nevent: sse-open\nretry: 0\n\n", &world.history);
        client.read(b"event: sse-later\ndata: {\"reason\":\"full\"}\n\n", &world.history);
        assert_eq!(client.last_event_id(), "");
    }
}

/// Two truncations, the second one after the gap of the first: the position after it has an ID from before the first gap.
#[test]
fn a_position_update_after_two_truncations_does_not_go_back() {
    use ops::{Connect, Id, Op, Send};
    let publish = |events| Op::Publish(vec![Send { topic: 0, shape: 0, size: 0 }; events]);
    let connect = |keep_alive| {
        let (id, start) = (Id::Own, sse_core::Replay::None);
        Op::Connect(0, Connect { id, start, prelude: 0, welcome: false, beside: false, keep_alive, cut: 0 })
    };
    let max = usize::MAX;
    let case = Case {
        bounds: Bounds { topic_bytes: max, topic_events: max, hub_bytes: max, max_topics: max, age: None },
        topics: 1,
        clients: vec![BTreeSet::from([0])],
        lag_ends: false,
        position_updates: true,
        follows: true,
        ops: vec![
            publish(3),
            connect(false),
            publish(1),
            Op::Poll(0, 1, true),
            Op::Truncate(2),
            publish(1),
            connect(true),
            Op::Truncate(1),
            Op::Poll(0, 2, false),
            Op::Wait(14),
            Op::Poll(0, 1, false),
        ],
    };
    let mut world = World::new(&case);
    for op in &case.ops {
        world.run(op);
    }
    world.finish();
}
