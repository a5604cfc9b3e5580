use super::*;
use proptest::prelude::*;

const TAG: u32 = 7;

/// IDs as a log gives them: two numbers, and larger steps than the positions have.
fn id(position: u64) -> EventId {
    EventId::new((100 + position * 3, position % 2), TAG)
}

fn trimmed(position: u64) -> TrimPoint {
    TrimPoint { position, id: Some(id(position)) }
}

fn block(position: u64, len: usize) -> Bytes {
    format!("data: {}\nid: {}\n\n", "x".repeat(len), id(position)).into()
}

/// A ring with an event of this length at each position from 1.
fn ring(lens: impl IntoIterator<Item = usize>) -> Ring {
    let mut ring = Ring::new(trimmed(0));
    for (position, len) in (1..).zip(lens) {
        ring.push(position, block(position, len), &mut Vec::new());
    }
    ring
}

fn trim_oldest(ring: &mut Ring) -> Vec<Bytes> {
    let mut garbage = Vec::new();
    ring.trim_oldest(&mut garbage, |_, block| EventId::of_block(block).unwrap());
    garbage
}

/// All events after a position, run by run.
fn read(ring: &mut Ring, mut after: u64, budget: usize) -> Vec<Run> {
    std::iter::from_fn(|| {
        let taken = ring.take(after, u64::MAX, budget)?;
        after = taken.last;
        Some(taken)
    })
    .collect()
}

#[test]
fn subscribers_share_the_bytes_of_a_segment() {
    let mut ring = ring([1000; 40]);
    assert_eq!(ring.segments.len(), 1);
    let one = ring.take(0, u64::MAX, usize::MAX).unwrap();
    let other = ring.take(10, u64::MAX, usize::MAX).unwrap();
    assert_eq!((one.last, other.last), (32, 32));
    assert_eq!(one.bytes[one.bytes.len() - other.bytes.len()..].as_ptr(), other.bytes.as_ptr());
}

#[test]
fn subscribers_share_the_joined_tail_and_no_byte_is_stored_twice() {
    let mut ring = ring([1000; 10]);
    let one = ring.take(0, u64::MAX, usize::MAX).unwrap();
    let other = ring.take(4, u64::MAX, usize::MAX).unwrap();
    let apart = one.bytes.len() - other.bytes.len();
    assert_eq!(one.bytes[apart..].as_ptr(), other.bytes.as_ptr());
    // Later events are joined when a subscriber takes them.
    ring.push(11, block(11, 1000), &mut Vec::new());
    assert_eq!(ring.take(0, u64::MAX, usize::MAX).unwrap().events, 11);
}

#[test]
fn a_short_run_is_a_copy_that_subscribers_at_one_position_share() {
    let mut ring = ring([1000; 40]);
    let mut inside = |after| {
        let taken = ring.take(after, u64::MAX, 1200).unwrap();
        assert_eq!(taken.bytes, block(after + 1, 1000));
        // The chunk is the only owner of its bytes, so they can be changed in place.
        assert!(taken.bytes.try_into_mut().is_ok(), "after {after}");
    };
    inside(0);
    inside(20);
    // A single event of the tail is shared without a copy.
    let last = ring.take(39, u64::MAX, usize::MAX).unwrap();
    assert_eq!(last.bytes.as_ptr(), ring.tail.events.back().unwrap().bytes.as_ptr());

    ring.push(41, block(41, 10), &mut Vec::new());
    let (one, other) = (ring.take(39, u64::MAX, 1200).unwrap(), ring.take(39, u64::MAX, 1200).unwrap());
    assert_eq!((one.events, one.bytes.as_ptr()), (2, other.bytes.as_ptr()));
    assert!(ring.tail.joined.1.is_empty(), "a short run joins nothing");
}

#[test]
fn joined_bytes_are_dropped_with_the_last_event_that_uses_them() {
    let mut ring = ring([1000; 10]);
    ring.take(0, u64::MAX, usize::MAX);
    ring.push(11, block(11, 1000), &mut Vec::new());
    (1..10).for_each(|_| drop(trim_oldest(&mut ring)));
    assert!(!ring.tail.joined.1.is_empty());
    trim_oldest(&mut ring);
    assert!(ring.tail.joined.1.is_empty());
    assert_eq!(ring.take(10, u64::MAX, usize::MAX).unwrap().last, 11);
}

#[test]
fn a_trim_is_bounded_by_work_and_trims_a_whole_segment_in_one_step() {
    let mut ring = ring([1000; 100]);
    let trim = |ring: &mut Ring, upto, mut work| {
        let mut garbage = Vec::new();
        ring.trim_to(upto, &mut work, &mut garbage, |_, block| EventId::of_block(block).unwrap());
        (work, garbage.iter().filter(|bytes| !bytes.is_empty()).count())
    };
    assert_eq!(trim(&mut ring, 40, SEGMENT_WORK), (0, 1), "the work is used up by the first segment");
    assert_eq!((ring.trimmed_to(), ring.events()), (trimmed(32), 68));
    assert_eq!(trim(&mut ring, 40, 1), (1, 0), "events inside a segment cost no work");
    assert_eq!((ring.trimmed_to(), ring.events()), (trimmed(40), 60));
    assert_eq!(trim(&mut ring, 99, 100).1, 2 + 3);
    assert_eq!((ring.trimmed_to(), ring.events(), ring.bytes()), (trimmed(99), 1, block(100, 1000).len()));
}

#[test]
fn a_run_is_within_the_budget_or_one_larger_event() {
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
fn a_tail_of_32_kib_becomes_a_segment() {
    let mut ring = ring([1000; 31]);
    assert!(ring.segments.is_empty());
    let mut garbage = Vec::new();
    ring.push(32, block(32, 1000), &mut garbage);
    assert_eq!((ring.segments.len(), ring.tail.events.len()), (1, 0));
    // The blocks of the tail go to the garbage, to be dropped without a lock.
    assert_eq!(garbage.iter().filter(|bytes| !bytes.is_empty()).count(), 32);
}

#[test]
fn a_single_large_event_becomes_a_segment_without_a_copy() {
    let large = block(1, 1 << 20);
    let mut ring = Ring::new(trimmed(0));
    ring.push(1, large.clone(), &mut Vec::new());
    assert_eq!(ring.take(0, u64::MAX, 10).unwrap().bytes.as_ptr(), large.as_ptr());
    assert_eq!((ring.events(), ring.bytes(), ring.segments.len()), (1, large.len(), 1));
}

#[test]
fn an_event_inside_a_segment_can_be_trimmed() {
    let mut ring = ring([1000; 40]);
    let held = ring.bytes();
    for position in 1..=3 {
        // The other events still need the segment's bytes.
        assert!(trim_oldest(&mut ring).is_empty());
        assert_eq!(ring.trimmed_to(), trimmed(position));
    }
    assert_eq!(ring.oldest(), Some(4));
    assert_eq!(ring.bytes(), held - (1..=3).map(|position| block(position, 1000).len()).sum::<usize>());
    assert_eq!(ring.next_after(2), Some(Next::Gap(trimmed(3))));
    assert_eq!(ring.next_after(3), Some(Next::Event(4)));
    // A subscriber that saw an event here a moment ago gets nothing, and must look again to see the gap.
    assert_eq!(ring.take(2, u64::MAX, usize::MAX), None);
    let taken = ring.take(3, u64::MAX, usize::MAX).unwrap();
    assert!(taken.bytes.starts_with(&block(4, 1000)));
    assert_eq!((ring.find(id(3)), ring.find(id(4))), (None, Some(4)));
    for _ in 4..=31 {
        assert!(trim_oldest(&mut ring).is_empty());
    }
    assert_eq!(trim_oldest(&mut ring).len(), 1);
    assert_eq!((ring.oldest(), ring.events()), (Some(33), 8));
    (33..=40).for_each(|_| drop(trim_oldest(&mut ring)));
    assert!(ring.is_empty());
    assert_eq!((ring.bytes(), ring.newest(), ring.oldest()), (0, 40, None));
    assert!(trim_oldest(&mut ring).is_empty());
}

#[test]
fn truncated_events_leave_no_trace() {
    for kept in [0, 1, 10, 31, 32, 33, 39, 40] {
        let mut ring = ring([1000; 40]);
        ring.take(35, u64::MAX, usize::MAX);
        ring.truncate(kept, trimmed(40), &mut Vec::new());
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
fn a_truncation_before_the_trim_point_trims_to_the_end_of_the_truncated_part() {
    let mut ring = ring([1000; 40]);
    (0..5).for_each(|_| drop(trim_oldest(&mut ring)));
    ring.truncate(3, trimmed(40), &mut Vec::new());
    assert_eq!((ring.trimmed_to(), ring.events(), ring.newest()), (trimmed(40), 0, 40));
}

#[test]
fn a_reset_trims_everything_and_records_its_position() {
    let mut ring = ring([1000; 40]);
    ring.reset_to(trimmed(50), &mut Vec::new());
    assert_eq!((ring.events(), ring.bytes(), ring.newest(), ring.reset_position()), (0, 0, 50, 50));
    assert_eq!(ring.next_after(40), Some(Next::Gap(trimmed(50))));
}

#[derive(Debug, Clone)]
enum Op {
    Push(usize, u64),
    TrimOldest,
    /// Trims all but this many events, with this much work in each call.
    Trim(u64, usize),
    /// Reads from this far back, with this budget.
    Take(u64, usize),
    Truncate(u64),
    Reset,
}

fn op() -> impl Strategy<Value = Op> {
    let len = prop_oneof![8 => 0..300_usize, 2 => 1_000..9_000_usize, 1 => 30_000..70_000_usize];
    prop_oneof![
        12 => (len, 1..4_u64).prop_map(|(len, apart)| Op::Push(len, apart)),
        5 => Just(Op::TrimOldest),
        2 => (0..60_u64, 1..40_usize).prop_map(|(back, work)| Op::Trim(back, work)),
        6 => (0..40_u64, 1..9_000_usize).prop_map(|(back, budget)| Op::Take(back, budget)),
        2 => (0..40_u64).prop_map(Op::Truncate),
        1 => Just(Op::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A ring behaves like a list that is trimmed at one end.
    #[test]
    fn a_ring_is_a_list(ops in prop::collection::vec(op(), 0..120), budget in 1..100_000_usize) {
        let mut ring = Ring::new(trimmed(0));
        let mut list: Vec<(u64, Bytes)> = Vec::new();
        let (mut head, mut trimmed_at) = (0, 0);
        for op in ops {
            match op {
                Op::Push(len, apart) => {
                    head += apart;
                    list.push((head, block(head, len)));
                    ring.push(head, block(head, len), &mut Vec::new());
                }
                Op::TrimOldest if list.is_empty() => {}
                Op::TrimOldest => {
                    trimmed_at = list.remove(0).0;
                    trim_oldest(&mut ring);
                }
                Op::Trim(back, work) => {
                    let upto = head.saturating_sub(back);
                    let old: Vec<_> = list.extract_if(.., |(position, _)| *position <= upto).collect();
                    trimmed_at = old.last().map_or(trimmed_at, |(position, _)| *position);
                    while ring.oldest().is_some_and(|oldest| oldest <= upto) {
                        let id = |_, block: &[u8]| EventId::of_block(block).unwrap();
                        ring.trim_to(upto, &mut { work }, &mut Vec::new(), id);
                    }
                }
                Op::Take(back, budget) => {
                    let after = head.saturating_sub(back).max(trimmed_at);
                    let bytes: Vec<u8> = read(&mut ring, after, budget).iter().flat_map(|taken| taken.bytes.to_vec()).collect();
                    let expected = list.iter().filter(|(position, _)| *position > after);
                    prop_assert!(bytes == expected.flat_map(|(_, block)| block.to_vec()).collect::<Vec<_>>());
                }
                Op::Truncate(back) => {
                    let kept = head.saturating_sub(back);
                    list.retain(|(position, _)| *position <= kept);
                    if trimmed_at > kept {
                        trimmed_at = head;
                    }
                    ring.truncate(kept, trimmed(head), &mut Vec::new());
                }
                Op::Reset => {
                    head += 1;
                    trimmed_at = head;
                    list.clear();
                    ring.reset_to(trimmed(head), &mut Vec::new());
                }
            }
            prop_assert_eq!(ring.events(), list.len());
            prop_assert_eq!(ring.bytes(), list.iter().map(|(_, block)| block.len()).sum::<usize>());
            prop_assert_eq!(ring.trimmed_to(), trimmed(trimmed_at));
            prop_assert_eq!(ring.oldest(), list.first().map(|(position, _)| *position));
            prop_assert_eq!(ring.newest(), list.last().map_or(trimmed_at, |(position, _)| *position));
        }
        for position in 0..=head + 1 {
            let next = list.iter().find(|(at, _)| *at > position).map(|(at, _)| Next::Event(*at));
            let gap = (position < trimmed_at).then(|| Next::Gap(trimmed(trimmed_at)));
            prop_assert_eq!(ring.next_after(position), gap.or(next));
            let held = list.iter().any(|(at, _)| *at == position);
            prop_assert_eq!(ring.find(id(position)), held.then_some(position));
            let last = list.iter().rfind(|(at, _)| *at <= position).map(|(at, _)| (id(*at), *at));
            prop_assert_eq!(ring.last_at(position), last);
            prop_assert_eq!(ring.last_upto(id(position).position()), last);
            prop_assert_eq!(ring.count_after(position), list.iter().filter(|(at, _)| *at > position).count());
        }
        let taken = read(&mut ring, trimmed_at, budget);
        prop_assert!(taken.iter().all(|taken| taken.events == 1 || taken.bytes.len() <= budget));
        prop_assert_eq!(taken.iter().map(|taken| taken.events).sum::<usize>(), list.len());
        let bytes: Vec<u8> = taken.iter().flat_map(|taken| taken.bytes.to_vec()).collect();
        prop_assert!(bytes == list.iter().flat_map(|(_, block)| block.to_vec()).collect::<Vec<_>>());
    }
}
