use super::*;
use proptest::prelude::*;

const TAG: u32 = 7;

/// IdSource have two numbers and grow faster than positions, as a log's do.
fn id(position: u64) -> EventId {
    EventId::new((100 + position * 3, position % 2), TAG)
}

fn mark(position: u64) -> TrimPoint {
    TrimPoint { position, id: Some(id(position)) }
}

fn block(position: u64, len: usize) -> Bytes {
    format!("data: {}\nid: {}\n\n", "x".repeat(len), id(position)).into()
}

/// A ring with an event of this length at each position from 1.
fn ring(lens: impl IntoIterator<Item = usize>) -> Ring {
    let mut ring = Ring::new(mark(0));
    for (position, len) in (1..).zip(lens) {
        ring.push(position, block(position, len), &mut Vec::new());
    }
    ring
}

fn evict(ring: &mut Ring) -> Vec<Bytes> {
    let mut garbage = Vec::new();
    ring.evict(&mut garbage, |_, block| EventId::of_block(block).unwrap());
    garbage
}

/// Everything after a position, slice by slice.
fn read(ring: &mut Ring, mut after: u64, budget: usize) -> Vec<Taken> {
    std::iter::from_fn(|| {
        let taken = ring.take(after, u64::MAX, budget)?;
        after = taken.last;
        Some(taken)
    })
    .collect()
}

#[test]
fn readers_of_one_segment_share_its_bytes() {
    let mut ring = ring([1000; 40]);
    assert_eq!(ring.segments.len(), 1);
    let one = ring.take(0, u64::MAX, usize::MAX).unwrap();
    let other = ring.take(10, u64::MAX, usize::MAX).unwrap();
    assert_eq!((one.last, other.last), (32, 32));
    assert_eq!(one.bytes[one.bytes.len() - other.bytes.len()..].as_ptr(), other.bytes.as_ptr());
}

#[test]
fn readers_of_the_tail_share_its_join_and_the_tail_is_held_once() {
    let mut ring = ring([1000; 10]);
    let one = ring.take(0, u64::MAX, usize::MAX).unwrap();
    let other = ring.take(4, u64::MAX, usize::MAX).unwrap();
    let apart = one.bytes.len() - other.bytes.len();
    assert_eq!(one.bytes[apart..].as_ptr(), other.bytes.as_ptr());
    // Events that are added later are joined when a reader asks for them.
    ring.push(11, block(11, 1000), &mut Vec::new());
    assert_eq!(ring.take(0, u64::MAX, usize::MAX).unwrap().events, 11);
}

#[test]
fn a_short_run_is_a_copy_that_readers_at_the_same_position_share() {
    let mut ring = ring([1000; 40]);
    let mut inside = |after| {
        let taken = ring.take(after, u64::MAX, 1200).unwrap();
        assert_eq!(taken.bytes, block(after + 1, 1000));
        // What is held of it is its own length, and so it can be changed in place.
        assert!(taken.bytes.try_into_mut().is_ok(), "after {after}");
    };
    inside(0);
    inside(20);
    // In the tail a single event is as the publish made it.
    let last = ring.take(39, u64::MAX, usize::MAX).unwrap();
    assert_eq!(last.bytes.as_ptr(), ring.tail.frames.back().unwrap().bytes.as_ptr());

    ring.push(41, block(41, 10), &mut Vec::new());
    let (one, other) = (ring.take(39, u64::MAX, 1200).unwrap(), ring.take(39, u64::MAX, 1200).unwrap());
    assert_eq!((one.events, one.bytes.as_ptr()), (2, other.bytes.as_ptr()));
    assert!(ring.tail.joined.1.is_empty(), "nothing was joined for it");
}

#[test]
fn a_join_goes_with_the_last_frame_that_is_in_it() {
    let mut ring = ring([1000; 10]);
    ring.take(0, u64::MAX, usize::MAX);
    ring.push(11, block(11, 1000), &mut Vec::new());
    (1..10).for_each(|_| drop(evict(&mut ring)));
    assert!(!ring.tail.joined.1.is_empty());
    evict(&mut ring);
    assert!(ring.tail.joined.1.is_empty());
    assert_eq!(ring.take(10, u64::MAX, usize::MAX).unwrap().last, 11);
}

#[test]
fn a_trim_goes_as_far_as_its_work_and_a_segment_at_once() {
    let mut ring = ring([1000; 100]);
    let trim = |ring: &mut Ring, upto, mut work| {
        let mut garbage = Vec::new();
        ring.trim(upto, &mut work, &mut garbage, |_, block| EventId::of_block(block).unwrap());
        (work, garbage.iter().filter(|bytes| !bytes.is_empty()).count())
    };
    assert_eq!(trim(&mut ring, 40, SEGMENT_WORK), (0, 1), "the first segment, and no work is left for the second");
    assert_eq!((ring.trimmed_to(), ring.events()), (mark(32), 68));
    assert_eq!(trim(&mut ring, 40, 1), (1, 0), "events inside a segment cost nothing");
    assert_eq!((ring.trimmed_to(), ring.events()), (mark(40), 60));
    assert_eq!(trim(&mut ring, 99, 100).1, 2 + 3);
    assert_eq!((ring.trimmed_to(), ring.events(), ring.bytes()), (mark(99), 1, block(100, 1000).len()));
}

#[test]
fn a_slice_is_within_budget_or_one_larger_event() {
    let mut ring = ring([100, 100, 5000, 100, 40_000, 100]);
    let two = block(1, 100).len() + block(2, 100).len();
    for (after, budget, events) in [(0, two, 2), (0, two - 1, 1), (2, 10, 1), (4, 10, 1), (0, 0, 1), (5, 10, 1)] {
        assert_eq!(ring.take(after, u64::MAX, budget).unwrap().events, events, "after {after} with {budget}");
    }
    assert_eq!(ring.take(0, 1, usize::MAX).unwrap().last, 1);
    assert_eq!(ring.take(3, 3, usize::MAX), None);
    assert_eq!(ring.take(6, u64::MAX, usize::MAX), None);
}

#[test]
fn a_tail_of_32_kib_is_sealed() {
    let mut ring = ring([1000; 31]);
    assert!(ring.segments.is_empty());
    let mut garbage = Vec::new();
    ring.push(32, block(32, 1000), &mut garbage);
    assert_eq!((ring.segments.len(), ring.tail.frames.len()), (1, 0));
    // Its frames leave with it, to be dropped elsewhere.
    assert_eq!(garbage.iter().filter(|bytes| !bytes.is_empty()).count(), 32);
}

#[test]
fn a_large_event_alone_is_sealed_without_a_copy() {
    let large = block(1, 1 << 20);
    let mut ring = Ring::new(mark(0));
    ring.push(1, large.clone(), &mut Vec::new());
    assert_eq!(ring.take(0, u64::MAX, 10).unwrap().bytes.as_ptr(), large.as_ptr());
    assert_eq!((ring.events(), ring.bytes(), ring.segments.len()), (1, large.len(), 1));
}

#[test]
fn an_event_within_a_segment_can_be_evicted() {
    let mut ring = ring([1000; 40]);
    let held = ring.bytes();
    for position in 1..=3 {
        // The segment's bytes stay for the others.
        assert!(evict(&mut ring).is_empty());
        assert_eq!(ring.trimmed_to(), mark(position));
    }
    assert_eq!(ring.oldest(), Some(4));
    assert_eq!(ring.bytes(), held - (1..=3).map(|position| block(position, 1000).len()).sum::<usize>());
    assert_eq!(ring.next_after(2), Some(Next::Gap(mark(3))));
    assert_eq!(ring.next_after(3), Some(Next::Event(4)));
    // Whoever saw an event there a moment ago looks again, and is not given what comes after the gap.
    assert_eq!(ring.take(2, u64::MAX, usize::MAX), None);
    let taken = ring.take(3, u64::MAX, usize::MAX).unwrap();
    assert!(taken.bytes.starts_with(&block(4, 1000)));
    assert_eq!((ring.find(id(3)), ring.find(id(4))), (None, Some(4)));
    for _ in 4..=31 {
        assert!(evict(&mut ring).is_empty());
    }
    assert_eq!(evict(&mut ring).len(), 1);
    assert_eq!((ring.oldest(), ring.events()), (Some(33), 8));
    (33..=40).for_each(|_| drop(evict(&mut ring)));
    assert!(ring.is_empty());
    assert_eq!((ring.bytes(), ring.newest(), ring.oldest()), (0, 40, None));
    assert!(evict(&mut ring).is_empty());
}

#[test]
fn what_is_rewound_was_never_there() {
    for kept in [0, 1, 10, 31, 32, 33, 39, 40] {
        let mut ring = ring([1000; 40]);
        ring.take(35, u64::MAX, usize::MAX);
        ring.truncate(kept, mark(40), &mut Vec::new());
        assert_eq!((ring.events() as u64, ring.newest()), (kept, kept));
        assert_eq!(ring.bytes(), (1..=kept).map(|position| block(position, 1000).len()).sum::<usize>());
        let last = (kept > 0).then(|| (id(kept), kept));
        assert_eq!((ring.find(id(kept + 1)), ring.last_at(kept + 1)), (None, last));
        ring.push(41, block(41, 10), &mut Vec::new());
        ring.push(42, block(42, 10), &mut Vec::new());
        let bytes: Vec<u8> = read(&mut ring, 0, usize::MAX).iter().flat_map(|taken| taken.bytes.to_vec()).collect();
        let expected = (1..=kept).map(|position| block(position, 1000)).chain([block(41, 10), block(42, 10)]);
        assert_eq!(bytes, expected.flatten().collect::<Vec<_>>());
    }
}

#[test]
fn a_ring_that_forgot_what_is_rewound_is_forgotten_up_to_its_end() {
    let mut ring = ring([1000; 40]);
    (0..5).for_each(|_| drop(evict(&mut ring)));
    ring.truncate(3, mark(40), &mut Vec::new());
    assert_eq!((ring.trimmed_to(), ring.events(), ring.newest()), (mark(40), 0, 40));
}

#[test]
fn a_reset_forgets_all_and_says_that_it_was_the_log() {
    let mut ring = ring([1000; 40]);
    ring.reset_to(mark(50), &mut Vec::new());
    assert_eq!((ring.events(), ring.bytes(), ring.newest(), ring.reset()), (0, 0, 50, 50));
    assert_eq!(ring.next_after(40), Some(Next::Gap(mark(50))));
}

#[derive(Debug, Clone)]
enum Op {
    Push(usize, u64),
    Evict,
    /// All but so many, with so much work in each call.
    Trim(u64, usize),
    /// Reads from so far back, with this budget.
    Take(u64, usize),
    Rewind(u64),
    Reset,
}

fn op() -> impl Strategy<Value = Op> {
    let len = prop_oneof![8 => 0..300_usize, 2 => 1_000..9_000_usize, 1 => 30_000..70_000_usize];
    prop_oneof![
        12 => (len, 1..4_u64).prop_map(|(len, apart)| Op::Push(len, apart)),
        5 => Just(Op::Evict),
        2 => (0..60_u64, 1..40_usize).prop_map(|(back, work)| Op::Trim(back, work)),
        6 => (0..40_u64, 1..9_000_usize).prop_map(|(back, budget)| Op::Take(back, budget)),
        2 => (0..40_u64).prop_map(Op::Rewind),
        1 => Just(Op::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A ring is a list of events that forgets from one end.
    #[test]
    fn a_ring_is_a_list(ops in prop::collection::vec(op(), 0..120), budget in 1..100_000_usize) {
        let mut ring = Ring::new(mark(0));
        let mut list: Vec<(u64, Bytes)> = Vec::new();
        let (mut head, mut forgotten) = (0, 0);
        for op in ops {
            match op {
                Op::Push(len, apart) => {
                    head += apart;
                    list.push((head, block(head, len)));
                    ring.push(head, block(head, len), &mut Vec::new());
                }
                Op::Evict if list.is_empty() => {}
                Op::Evict => {
                    forgotten = list.remove(0).0;
                    evict(&mut ring);
                }
                Op::Trim(back, work) => {
                    let upto = head.saturating_sub(back);
                    let old: Vec<_> = list.extract_if(.., |(position, _)| *position <= upto).collect();
                    forgotten = old.last().map_or(forgotten, |(position, _)| *position);
                    while ring.oldest().is_some_and(|oldest| oldest <= upto) {
                        let id = |_, block: &[u8]| EventId::of_block(block).unwrap();
                        ring.trim(upto, &mut { work }, &mut Vec::new(), id);
                    }
                }
                Op::Take(back, budget) => {
                    let after = head.saturating_sub(back).max(forgotten);
                    let bytes: Vec<u8> = read(&mut ring, after, budget).iter().flat_map(|taken| taken.bytes.to_vec()).collect();
                    let expected = list.iter().filter(|(position, _)| *position > after);
                    prop_assert!(bytes == expected.flat_map(|(_, block)| block.to_vec()).collect::<Vec<_>>());
                }
                Op::Rewind(back) => {
                    let kept = head.saturating_sub(back);
                    list.retain(|(position, _)| *position <= kept);
                    if forgotten > kept {
                        forgotten = head;
                    }
                    ring.truncate(kept, mark(head), &mut Vec::new());
                }
                Op::Reset => {
                    head += 1;
                    forgotten = head;
                    list.clear();
                    ring.reset_to(mark(head), &mut Vec::new());
                }
            }
            prop_assert_eq!(ring.events(), list.len());
            prop_assert_eq!(ring.bytes(), list.iter().map(|(_, block)| block.len()).sum::<usize>());
            prop_assert_eq!(ring.trimmed_to(), mark(forgotten));
            prop_assert_eq!(ring.oldest(), list.first().map(|(position, _)| *position));
            prop_assert_eq!(ring.newest(), list.last().map_or(forgotten, |(position, _)| *position));
        }
        for position in 0..=head + 1 {
            let next = list.iter().find(|(at, _)| *at > position).map(|(at, _)| Next::Event(*at));
            let gap = (position < forgotten).then(|| Next::Gap(mark(forgotten)));
            prop_assert_eq!(ring.next_after(position), gap.or(next));
            let held = list.iter().any(|(at, _)| *at == position);
            prop_assert_eq!(ring.find(id(position)), held.then_some(position));
            let last = list.iter().rfind(|(at, _)| *at <= position).map(|(at, _)| (id(*at), *at));
            prop_assert_eq!(ring.last_at(position), last);
            prop_assert_eq!(ring.last_upto(id(position).position()), last);
            prop_assert_eq!(ring.count_after(position), list.iter().filter(|(at, _)| *at > position).count());
        }
        let taken = read(&mut ring, forgotten, budget);
        prop_assert!(taken.iter().all(|taken| taken.events == 1 || taken.bytes.len() <= budget));
        prop_assert_eq!(taken.iter().map(|taken| taken.events).sum::<usize>(), list.len());
        let bytes: Vec<u8> = taken.iter().flat_map(|taken| taken.bytes.to_vec()).collect();
        prop_assert!(bytes == list.iter().flat_map(|(_, block)| block.to_vec()).collect::<Vec<_>>());
    }
}
