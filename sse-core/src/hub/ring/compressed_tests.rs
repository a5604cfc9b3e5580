use super::*;
use crate::hub::id::EventId;
use crate::hub::trim_point::TrimPoint;
use crate::runtime::sync::Arc;

fn event(position: u64) -> Bytes {
    format!("data: {}\nid: {position}\n\n", "x".repeat(1024)).into()
}

/// What a new client after the first position sends next.
fn next(ring: &mut Ring) -> NextCompressed {
    ring.next_compressed(0, u64::MAX, usize::MAX, None, 1).expect("an event")
}

/// A client looks up the next events and compresses them without the lock. In the meantime the log of the hub is
/// truncated after some of them, and the first one stays. No client may receive a block with an event that is gone.
#[test]
fn a_block_whose_last_events_were_truncated_in_the_meantime_is_not_added() {
    // Of the tail, and of a segment.
    for (events, kept) in [(3, 2), (32, 10)] {
        let end = |position| TrimPoint { position, id: Some(EventId::new((position, 0), 7)) };
        let mut ring = Ring::new(end(0));
        (1..=events).for_each(|position| ring.push(position, event(position), &mut Vec::new()));
        assert_eq!(ring.segments.len(), usize::from(events == 32));
        let NextCompressed::Compress(before) = next(&mut ring) else { panic!("not compressed yet") };
        assert_eq!(before.run.last, events);

        ring.truncate(kept, end(events), &mut Vec::new());
        ring.attach(&before, "a block".into(), true, || Track::new(before.track, Arc::default()));
        let NextCompressed::Compress(after) = next(&mut ring) else { panic!("{events}: the block was added") };
        assert_eq!((after.run.last, after.first), (kept, 1));

        // A block of the events that are left is added.
        ring.attach(&after, "a block".into(), true, || Track::new(after.track, Arc::default()));
        let NextCompressed::Blocks(run, _) = next(&mut ring) else { panic!("the block was not added") };
        assert_eq!((&*run.bytes, run.last), (&b"a block"[..], kept));
    }
}
