//! Random events, joins, resumes, interruptions and bounds: a compressed client receives what a plain one receives.

use crate::pair::{Pair, Start};
use proptest::collection::vec;
use proptest::prelude::*;
use sse_core::Hub;
use sse_core::hub::log::{LogFeed, follow_on};
use sse_core::hub::{EventId, HubBuilder};
use sse_core::testing::Clock;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Op {
    /// Events of this size to a topic.
    Publish {
        topic: usize,
        size: usize,
        count: usize,
        random: bool,
    },
    Join {
        topics: usize,
        replay: Option<usize>,
        prelude: usize,
    },
    /// A client comes back with the ID of another one.
    Resume {
        topics: usize,
        of: usize,
    },
    Read(usize),
    ReadAll,
    /// One chunk alone.
    Poll(usize),
    /// An event for one client alone.
    Send {
        to: usize,
        size: usize,
    },
    Leave(usize),
    Finish(usize),
    /// Time for a keep-alive.
    Wait,
    /// The log loses its newest events.
    Truncate(usize),
}

const TOPICS: [&[&str]; 4] = [&["a"], &["b"], &["a", "b"], &["c", "a", "b"]];

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0_usize..300, 3 => 300_usize..3_000, 1 => 3_000_usize..40_000, 1 => Just(100_000)]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0..2_usize, sizes(), 1..4_usize, any::<bool>())
            .prop_map(|(topic, size, count, random)| Op::Publish { topic, size, count, random }),
        2 => (0..2_usize, 50..200_usize, 30..200_usize, Just(false))
            .prop_map(|(topic, size, count, random)| Op::Publish { topic, size, count, random }),
        4 => (prop_oneof![4 => Just(0_usize), 1 => 1..4_usize], proptest::option::of(0..300_usize), 0..3_usize)
            .prop_map(|(topics, replay, prelude)| Op::Join { topics, replay, prelude }),
        3 => (prop_oneof![4 => Just(0_usize), 1 => 1..4_usize], any::<usize>()).prop_map(|(topics, of)| Op::Resume { topics, of }),
        6 => any::<usize>().prop_map(Op::Read),
        12 => Just(Op::ReadAll),
        3 => any::<usize>().prop_map(Op::Poll),
        2 => (any::<usize>(), sizes()).prop_map(|(to, size)| Op::Send { to, size }),
        2 => any::<usize>().prop_map(Op::Leave),
        1 => any::<usize>().prop_map(Op::Finish),
        2 => Just(Op::Wait),
        1 => (0..40_usize).prop_map(Op::Truncate),
    ]
}

/// The bounds of the hub. A chunk of a compressed client can have other events than a chunk of a plain one, so a hub that
/// trims must not be read by single chunks.
#[derive(Debug, Clone)]
struct Bounds {
    topic_events: usize,
    topic_bytes: usize,
    hub_bytes: usize,
    compressors: usize,
    updates: bool,
    lag_ends: bool,
    follows: bool,
}

impl Bounds {
    fn trims(&self) -> bool {
        self.follows || self.topic_events < usize::MAX || self.topic_bytes < usize::MAX || self.hub_bytes < usize::MAX
    }
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let bound = |least: usize, most: usize| prop_oneof![2 => Just(usize::MAX), 1 => least..most];
    (bound(1, 400), bound(500, 200_000), bound(500, 300_000), 0..3_usize, any::<[bool; 3]>()).prop_map(
        |(topic_events, topic_bytes, hub_bytes, compressors, [updates, lag_ends, follows])| Bounds {
            topic_events,
            topic_bytes,
            hub_bytes,
            compressors,
            updates,
            lag_ends,
            follows,
        },
    )
}

fn data(size: usize, random: bool, seed: &mut u64) -> String {
    let mut text = String::with_capacity(size + 24);
    text.push_str(&format!("{{\"n\":{seed},\"text\":\""));
    while text.len() < size {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if random {
            text.push(char::from(33 + (*seed >> 33) as u8 % 94));
        } else {
            text.push_str(["rain ", "sun ", "snow ", "wind "][(*seed >> 62) as usize]);
        }
    }
    *seed += 1;
    text
}

/// A hub, and how events get into it.
struct Site {
    hub: Hub,
    feed: Option<LogFeed>,
    ids: Vec<EventId>,
    entries: u64,
}

impl Site {
    fn new(hub: HubBuilder, clock: &Clock, follows: bool) -> Self {
        let (hub, feed) = if follows {
            let (hub, feed) = follow_on(hub, clock.clone());
            (hub, Some(feed))
        } else {
            (hub.build_on(clock.clone()), None)
        };
        Self { hub, feed, ids: Vec::new(), entries: 0 }
    }

    fn publish(&mut self, topic: &str, data: String) {
        let id = match &mut self.feed {
            None => self.hub.publish(topic, data).unwrap(),
            Some(feed) => {
                self.entries += 1;
                let id = EventId::new((1_000 + self.entries, 0), 7);
                feed.append(id, topic, data).unwrap();
                id
            }
        };
        self.ids.push(id);
    }

    fn truncate(&mut self, events: usize) {
        let kept = self.ids.len().saturating_sub(events);
        if let (Some(feed), Some(id)) = (&mut self.feed, kept.checked_sub(1).map(|last| self.ids[last])) {
            feed.truncate(id).unwrap();
            self.ids.truncate(kept);
        }
    }
}

fn run(ops: Vec<Op>, bounds: &Bounds) {
    let clock = Clock::new();
    let mut hub = Hub::builder()
        .gzip(|_| true)
        .gzip_compressors(bounds.compressors)
        .topic_events(bounds.topic_events)
        .topic_bytes(bounds.topic_bytes)
        .hub_bytes(bounds.hub_bytes)
        .position_updates(bounds.updates);
    if !bounds.lag_ends {
        hub = hub.gap_on_lag();
    }
    let mut site = Site::new(hub, &clock, bounds.follows);
    let hub = site.hub.clone();
    let (mut pairs, mut seed): (Vec<Pair>, u64) = (Vec::new(), 7);
    let at = |of: usize, len: usize| (len > 0).then(|| of % len);
    for op in ops {
        match op {
            Op::Publish { topic, size, count, random } => {
                for _ in 0..count {
                    site.publish(["a", "b"][topic], data(size, random, &mut seed));
                }
            }
            Op::Join { topics, replay, prelude } if pairs.len() < 8 => {
                let start = Start { replay, prelude, last_event_id: None };
                pairs.push(Pair::open(&clock, &hub, TOPICS[topics], &start));
            }
            Op::Resume { topics, of } if pairs.len() < 8 => {
                let last_event_id = at(of, site.ids.len()).map(|at| site.ids[at].to_string());
                pairs.push(Pair::open(
                    &clock,
                    &hub,
                    TOPICS[topics],
                    &Start { replay: Some(0), prelude: 0, last_event_id },
                ));
            }
            Op::Join { .. } | Op::Resume { .. } => {}
            Op::Read(of) => drop(at(of, pairs.len()).map(|at| pairs[at].read())),
            Op::ReadAll => pairs.iter_mut().for_each(Pair::read),
            Op::Poll(of) => {
                if let Some(at) = at(of, pairs.len()) {
                    if bounds.trims() {
                        pairs[at].read();
                    } else {
                        pairs[at].gzip.poll();
                        pairs[at].plain.poll();
                    }
                }
            }
            Op::Send { to, size } => {
                if let Some(at) = at(to, pairs.len()) {
                    let text = data(size, false, &mut seed);
                    // An event of the sender goes before those of the topics.
                    let pair = &mut pairs[at];
                    pair.read();
                    assert_eq!(pair.gzip.sender.try_send(&*text), pair.plain.sender.try_send(&*text));
                }
            }
            Op::Leave(of) => drop(at(of, pairs.len()).map(|at| pairs.swap_remove(at))),
            Op::Finish(of) => {
                if let Some(at) = at(of, pairs.len()) {
                    pairs[at].read();
                    pairs[at].gzip.sender.finish();
                    pairs[at].plain.sender.finish();
                }
            }
            Op::Truncate(events) => site.truncate(events),
            Op::Wait => {
                pairs.iter_mut().for_each(Pair::read);
                clock.advance(Duration::from_secs(16));
                pairs.iter_mut().for_each(Pair::read);
            }
        }
    }
    pairs.iter_mut().for_each(Pair::read);
    drop(hub.drain(Duration::ZERO));
    clock.advance(Duration::from_secs(1));
    pairs.iter_mut().for_each(Pair::read);
    assert!(pairs.iter().all(|pair| pair.gzip.ended));
    drop(pairs);
    assert_eq!(hub.stats().compressed_bytes, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_compressed_client_receives_the_events_of_a_plain_one_at_the_same_time(
        ops in vec(ops(), 1..120),
        bounds in bounds(),
    ) {
        run(ops, &bounds);
    }
}
