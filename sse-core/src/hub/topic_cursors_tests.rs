use super::{SHARDED_CURSORS, Spot, TopicCursors};
use crate::hub::deferred::Deferred;
use crate::hub::topic::SharedTopic;
use crate::hub::trim_point::TrimPoint;
use crate::runtime::sync::Arc;
use std::task::Waker;
use std::thread;

type CursorSpot = (Arc<TopicCursors>, Spot);

fn topic() -> Arc<SharedTopic> {
    Arc::new(SharedTopic::new("news", TrimPoint { position: 0, id: None }))
}

/// A cursor that this thread parks.
fn parked(topic: &Arc<SharedTopic>) -> CursorSpot {
    let (cursors, mut spot) = (TopicCursors::enter(topic), Spot::default());
    assert!(cursors.park(&mut spot, Waker::noop(), false, |_| false));
    (cursors, spot)
}

fn parked_by_another_thread(topic: &Arc<SharedTopic>) -> CursorSpot {
    thread::scope(|scope| scope.spawn(|| parked(topic)).join().unwrap())
}

/// Whether the topic has shards. `None` if it keeps nothing for cursors.
fn has_shards(topic: &SharedTopic) -> Option<bool> {
    topic.lock().cursors.as_ref().map(|cursors| cursors.shards().is_some())
}

#[test]
fn shards_come_with_the_second_thread_and_leave_with_the_last_cursor() {
    let topic = topic();
    let mut all: Vec<CursorSpot> = (0..2 * SHARDED_CURSORS).map(|_| parked(&topic)).collect();
    assert_eq!(has_shards(&topic), Some(false), "one thread has no use for them");
    all.push(parked_by_another_thread(&topic));
    assert_eq!(has_shards(&topic), Some(true));
    for (cursors, spot) in all {
        assert_eq!(has_shards(&topic), Some(true));
        drop(cursors.unpark(spot));
        let left = cursors.leave(&mut topic.lock(), spot);
        drop(left);
    }
    assert_eq!(has_shards(&topic), None);
    assert!(topic.lock().parked.is_empty());
    assert_eq!(std::sync::Arc::strong_count(&topic), 1);
}

#[test]
fn a_waker_that_was_taken_out_is_no_longer_parked() {
    let topic = topic();
    let mut all: Vec<CursorSpot> = (0..SHARDED_CURSORS).map(|_| parked(&topic)).collect();
    all.push(parked_by_another_thread(&topic));
    assert!(all.iter().all(|(cursors, spot)| cursors.is_parked(*spot)));
    let mut deferred = Deferred::default();
    topic.commit(&mut topic.lock(), &mut deferred, || {});
    let [(shards, waiting)] = &deferred.shards[..] else { panic!("one topic has shards") };
    assert_eq!(shards.take_parked(*waiting).map(|parked| parked.len()).sum::<usize>(), 1);
    assert_eq!(deferred.woken.iter().map(slab::Slab::len).sum::<usize>(), SHARDED_CURSORS);
    assert!(!all.iter().any(|(cursors, spot)| cursors.is_parked(*spot)));
    for (cursors, spot) in all {
        drop(cursors.unpark(spot));
        let left = cursors.leave(&mut topic.lock(), spot);
        drop(left);
    }
}

#[test]
fn a_few_cursors_on_two_threads_have_no_shards() {
    let topic = topic();
    let mut all: Vec<CursorSpot> = (0..SHARDED_CURSORS - 2).map(|_| parked(&topic)).collect();
    all.push(parked_by_another_thread(&topic));
    assert_eq!(has_shards(&topic), Some(false));
    for (cursors, spot) in all {
        let left = cursors.leave(&mut topic.lock(), spot);
        drop(left);
    }
}
