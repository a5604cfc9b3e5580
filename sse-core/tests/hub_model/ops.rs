//! The operations of a test case, and how they are generated.

use crate::history::{Bounds, TOPICS};
use proptest::prelude::*;
use sse_core::{Event, Replay};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// One event, or several in one call.
    Publish(Vec<Send>),
    PublishInvalid(usize),
    /// The last event of a topic.
    End(Send),
    Remove(usize),
    /// Polls the stream of a client this many times. Then the client reads all sent bytes, or none of them yet.
    Poll(usize, usize, bool),
    /// The connection of a client breaks after it read this many of the sent bytes.
    Cut(usize, u16),
    Connect(usize, Connect),
    SendBeside(usize),
    /// Moves the clock by this many seconds.
    Wait(u64),
    Stats,
    Drain(u64),
    // Only for a hub that follows a log.
    AdvanceLog,
    Truncate(usize),
    Reset,
}

#[derive(Debug, Clone)]
pub(crate) struct Send {
    pub(crate) topic: usize,
    pub(crate) shape: usize,
    pub(crate) size: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Connect {
    pub(crate) id: Id,
    pub(crate) start: Replay,
    pub(crate) prelude: usize,
    pub(crate) welcome: bool,
    pub(crate) beside: bool,
    pub(crate) keep_alive: bool,
    /// The bytes that the client reads of its last connection, if that is still open.
    pub(crate) cut: u16,
}

#[derive(Debug, Clone)]
pub(crate) enum Id {
    Own,
    Of(usize),
    None,
    Empty,
    /// Any ID that the hub gave before.
    Forged(usize),
    /// Any position with the tag of another position.
    Swapped(usize, usize),
    ForeignTag,
    Future(u64),
    Malformed(usize),
    TooLong,
    NotUtf8,
    Repeated,
}

pub(crate) const MALFORMED: [&str; 10] = [
    "1",
    "-",
    "1-",
    "01-00000000",
    "+1-00000000",
    "1.0-00000000",
    "1-0000000",
    "1-0000000G",
    "x",
    "18446744073709551616-00000000",
];

#[derive(Debug, Clone)]
#[allow(dead_code, reason = "some fields are only printed")]
pub(crate) struct Case {
    pub(crate) bounds: Bounds,
    pub(crate) topics: usize,
    pub(crate) clients: Vec<BTreeSet<usize>>,
    pub(crate) lag_ends: bool,
    pub(crate) position_updates: bool,
    pub(crate) follows: bool,
    pub(crate) ops: Vec<Op>,
}

pub(crate) fn send(topics: usize) -> impl Strategy<Value = Send> {
    let size = prop_oneof![60 => 0..200_usize, 6 => 2_000..20_000_usize, 1 => 30_000..90_000_usize];
    (0..topics, 0..6_usize, size).prop_map(|(topic, shape, size)| Send { topic, shape, size })
}

pub(crate) fn id(clients: usize) -> impl Strategy<Value = Id> {
    prop_oneof![
        12 => Just(Id::Own),
        2 => (0..clients).prop_map(Id::Of),
        1 => Just(Id::None),
        1 => Just(Id::Empty),
        3 => any::<usize>().prop_map(Id::Forged),
        1 => (0..99_usize, 0..99_usize).prop_map(|(at, tag)| Id::Swapped(at, tag)),
        1 => Just(Id::ForeignTag),
        1 => (1..3_u64).prop_map(Id::Future),
        1 => (0..MALFORMED.len()).prop_map(Id::Malformed),
        1 => prop_oneof![Just(Id::TooLong), Just(Id::NotUtf8), Just(Id::Repeated)],
    ]
}

pub(crate) fn connect(clients: usize) -> impl Strategy<Value = Connect> {
    let start = prop_oneof![Just(Replay::None), Just(Replay::All), (0..6_usize).prop_map(Replay::Last)];
    let prelude = prop_oneof![4 => Just(0), 1 => 1..3_usize];
    let sometimes = || prop::bool::weighted(0.2);
    (id(clients), start, prelude, sometimes(), sometimes(), sometimes(), any::<u16>()).prop_map(
        |(id, start, prelude, welcome, beside, keep_alive, cut)| Connect {
            id,
            start,
            prelude,
            welcome,
            beside,
            keep_alive,
            cut,
        },
    )
}

pub(crate) fn op(topics: usize, clients: usize, follows: bool) -> impl Strategy<Value = Op> {
    let of_any_hub = prop_oneof![
        20 => prop::collection::vec(send(topics), 1..2).prop_map(Op::Publish),
        5 => prop::collection::vec(send(topics), 0..8).prop_map(Op::Publish),
        1 => (0..topics).prop_map(Op::PublishInvalid),
        2 => send(topics).prop_map(Op::End),
        2 => (0..topics).prop_map(Op::Remove),
        30 => (0..clients, 1..4_usize, any::<bool>()).prop_map(|(client, times, read)| Op::Poll(client, times, read)),
        10 => (0..clients, any::<u16>()).prop_map(|(client, cut)| Op::Cut(client, cut)),
        20 => (0..clients, connect(clients)).prop_map(|(client, connect)| Op::Connect(client, connect)),
        2 => (0..clients).prop_map(Op::SendBeside),
        5 => (0..40_u64).prop_map(Op::Wait),
        4 => Just(Op::Stats),
    ];
    let of_log =
        prop_oneof![2 => Just(Op::AdvanceLog), 2 => (0..12_usize).prop_map(Op::Truncate), 1 => Just(Op::Reset)];
    prop_oneof![9 => of_any_hub.clone(), 1 => if follows { of_log.boxed() } else { of_any_hub.boxed() }]
}

pub(crate) fn bounds() -> impl Strategy<Value = Bounds> {
    let bytes = || prop_oneof![Just(usize::MAX), Just(4 * 1024 * 1024), 100..40_000_usize];
    let events = prop_oneof![Just(usize::MAX), 0..12_usize];
    let max_topics = prop_oneof![2 => Just(usize::MAX), 1 => 1..=TOPICS.len()];
    let age = prop_oneof![2 => Just(None), 1 => Just(Some(64))];
    (bytes(), events, bytes(), max_topics, age).prop_map(|(topic_bytes, topic_events, hub_bytes, max_topics, age)| {
        Bounds { topic_bytes, topic_events, hub_bytes, max_topics, age }
    })
}

pub(crate) fn case(follows: bool) -> impl Strategy<Value = Case> {
    (1..=TOPICS.len(), 1..5_usize).prop_flat_map(move |(topics, clients)| {
        let sets = prop::collection::vec(prop::collection::btree_set(0..topics, 1..=topics), clients);
        let ops = prop::collection::vec(op(topics, clients, follows), 0..=256);
        let drain = prop::option::weighted(0.15, (0..256_usize, 0..60_u64));
        (bounds(), sets, any::<bool>(), any::<bool>(), ops, drain).prop_map(
            move |(bounds, clients, lag_ends, position_updates, mut ops, drain)| {
                if let Some((at, window)) = drain {
                    ops.insert(at.min(ops.len()), Op::Drain(window));
                }
                Case { bounds, topics, clients, lag_ends, position_updates, follows, ops }
            },
        )
    })
}

/// An event, and its fields as they are sent.
pub(crate) fn event(position: u64, send: &Send) -> (Event<'static>, String) {
    let filler = "x".repeat(send.size);
    match send.shape {
        0 => (Event::data(format!("{position} two\nlines")), format!("data: {position} two\ndata: lines\n")),
        1 => (
            Event::data(format!("{position} {filler}")).event("note"),
            format!("event: note\ndata: {position} {filler}\n"),
        ),
        2 if send.size.is_multiple_of(4) => (Event::new().retry(Duration::from_secs(3)), "retry: 3000\n".to_owned()),
        3 if send.size.is_multiple_of(4) => (Event::new().comment("quiet"), ": quiet\n".to_owned()),
        _ => (Event::data(format!("{position} {filler}")), format!("data: {position} {filler}\n")),
    }
}
