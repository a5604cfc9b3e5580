//! Sends that wait for room.

use super::*;

#[test]
fn sends_wait_for_room_and_keep_their_order() {
    let (events, mut reader) = open_with_buffer(2 * SMALL);
    let mut sends: Vec<_> = (0..6).map(|n| task::spawn(events.send(n.to_string()))).collect();
    assert_ready_eq!(sends[0].poll(), Ok(()));
    assert_ready_eq!(sends[1].poll(), Ok(()));
    for send in &mut sends[2..] {
        assert_pending!(send.poll());
    }
    assert_eq!(reader.text(), "data: 0\n\ndata: 1\n\n");
    assert!(sends[2].is_woken(), "there is room, and nobody was told");
    // Later sends do not overtake, in any order of polls.
    for send in sends[3..].iter_mut().rev() {
        assert_pending!(send.poll());
    }
    assert_ready_eq!(sends[2].poll(), Ok(()));
    assert!(sends[3].is_woken(), "there is more room, and nobody was told");
    assert_ready_eq!(sends[3].poll(), Ok(()));
    assert_pending!(sends[4].poll());
    assert_eq!(reader.text(), "data: 2\n\ndata: 3\n\n");
    assert_ready_eq!(sends[4].poll(), Ok(()));
    assert_ready_eq!(sends[5].poll(), Ok(()));
    assert_eq!(reader.text(), "data: 4\n\ndata: 5\n\n");
}

#[test]
fn a_send_is_encoded_by_the_call_and_borrows_no_event() {
    let (events, mut reader) = open();
    let mut send = {
        let text = String::from("short-lived");
        task::spawn(events.send((text.as_str(), text.as_str())))
    };
    assert_ready_eq!(send.poll(), Ok(()));
    assert_eq!(reader.text(), "event: short-lived\ndata: short-lived\n\n");
}

#[test]
fn unpolled_send_sends_nothing_and_blocks_no_other() {
    let (events, mut reader) = open();
    let unpolled = events.send("never");
    events.try_send("x").unwrap();
    drop(unpolled);
    assert_eq!(reader.text(), "data: x\n\n");
}

#[test]
fn completed_send_is_not_sent_again() {
    let (events, mut reader) = open();
    let mut send = task::spawn(events.send("once"));
    assert_ready_eq!(send.poll(), Ok(()));
    assert_ready_eq!(send.poll(), Ok(()));
    assert_eq!(reader.text(), "data: once\n\n");
}

#[test]
fn try_send_does_not_overtake_a_send_that_waits() {
    let (events, mut reader) = open_with_buffer(3 * SMALL);
    events.try_send("1").unwrap();
    let mut large = task::spawn(events.send("larger than the room"));
    assert_pending!(large.poll());
    assert_eq!(events.try_send("2"), Err(SendError::Full));
    assert_eq!(reader.text(), "data: 1\n\n");
    // The waiting send is next, although it was not polled again.
    assert_eq!(events.try_send("2"), Err(SendError::Full));
    assert_ready_eq!(large.poll(), Ok(()));
    assert_eq!(reader.text(), "data: larger than the room\n\n");
    events.try_send("2").unwrap();
}

#[test]
fn dropped_send_sends_nothing_and_the_next_one_completes() {
    let (events, mut reader) = open_with_buffer(2 * SMALL);
    events.try_send("1").unwrap();
    let mut first = task::spawn(events.send("too large for the room"));
    let mut second = task::spawn(events.send("2"));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    drop(first);
    assert!(second.is_woken(), "there is room for it now");
    assert_ready_eq!(second.poll(), Ok(()));
    assert_eq!(reader.text(), "data: 1\n\ndata: 2\n\n");
}

#[test]
fn send_dropped_after_its_wake_wakes_the_next_one() {
    let (events, mut reader) = open_with_buffer(SMALL);
    events.try_send("1").unwrap();
    let mut sends: Vec<_> = (2..5).map(|n| task::spawn(events.send(n.to_string()))).collect();
    for send in &mut sends {
        assert_pending!(send.poll());
    }
    assert_eq!(reader.text(), "data: 1\n\n");
    let first = sends.remove(0);
    assert!(first.is_woken());
    drop(first);
    assert!(sends[0].is_woken());
    // A dropped send in the middle of the queue has no effect either.
    drop(sends.remove(0));
    assert!(sends[0].is_woken());
    assert_ready_eq!(sends[0].poll(), Ok(()));
    assert_eq!(reader.text(), "data: 4\n\n");
}

/// Hazard G4.
#[test]
fn a_send_that_moved_to_another_task_is_woken_there() {
    let (events, mut reader) = open_with_buffer(SMALL);
    events.try_send("1").unwrap();
    let mut send = Box::pin(events.send("2"));
    let (mut old, mut new) = (task::spawn(()), task::spawn(()));
    use std::future::Future;
    assert!(old.enter(|cx, _| send.as_mut().poll(cx)).is_pending());
    assert!(new.enter(|cx, _| send.as_mut().poll(cx)).is_pending());
    reader.bytes();
    assert!(new.is_woken());
    assert!(!old.is_woken());
}

#[test]
fn dropping_the_body_wakes_and_fails_every_waiting_send() {
    let (events, reader) = open_with_buffer(SMALL);
    events.try_send("1").unwrap();
    let mut sends: Vec<_> = (0..5).map(|n| task::spawn(events.send(n.to_string()))).collect();
    for send in &mut sends {
        assert_pending!(send.poll());
    }
    drop(reader);
    assert!(sends.iter().all(|send| send.is_woken()), "somebody was not told");
    for send in &mut sends {
        assert_ready_eq!(send.poll(), Err(SendError::Closed));
    }
    assert_eq!(events.try_send("x"), Err(SendError::Closed));
    assert_eq!(events.comment("x"), Err(SendError::Closed));
    assert_ready_eq!(task::spawn(events.send("x")).poll(), Err(SendError::Closed));
}

#[test]
fn close_wakes_and_fails_every_waiting_send() {
    let (events, mut reader) = open_with_buffer(SMALL);
    events.try_send("1").unwrap();
    let mut sends: Vec<_> = (0..5).map(|n| task::spawn(events.send(n.to_string()))).collect();
    for send in &mut sends {
        assert_pending!(send.poll());
    }
    events.close();
    assert!(sends.iter().all(|send| send.is_woken()));
    for send in &mut sends {
        assert_ready_eq!(send.poll(), Err(SendError::Closed));
    }
    assert_eq!(reader.text(), "data: 1\n\n");
}

#[test]
fn end_of_the_lifetime_fails_waiting_sends() {
    let clock = Clock::new();
    let (events, response) = clock.sse().buffer(SMALL).max_lifetime(Duration::from_secs(1)).channel();
    let mut reader = clock.read(response);
    events.try_send("1").unwrap();
    let mut sends: Vec<_> = (0..3).map(|n| task::spawn(events.send(n.to_string()))).collect();
    for send in &mut sends {
        assert_pending!(send.poll());
    }
    clock.advance(Duration::from_secs(1));
    assert!(reader.has_ended());
    assert!(sends.iter().all(|send| send.is_woken()));
    for send in &mut sends {
        assert_ready_eq!(send.poll(), Err(SendError::Closed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_lose_and_reorder_nothing() {
    let (events, mut reader) = {
        let clock = Clock::new();
        let (events, response) = clock.sse().buffer(200).channel();
        (events, Box::pin(response.into_body()))
    };
    const EACH: usize = 2_000;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let events = events.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    events.send((writer.to_string(), n.to_string())).await.unwrap();
                }
            })
        })
        .collect();
    drop(events);
    let mut text = String::new();
    while let Some(chunk) = reader.next().await {
        // The opening does not count towards the buffer.
        assert!(chunk.len() <= 200 + ":\nevent: sse-open\n\n".len(), "more than the buffer in one chunk");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut next = [0; 4];
    for block in text.strip_prefix(":\nevent: sse-open\n\n").unwrap().split_terminator("\n\n") {
        let (writer, n) = block.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let next = &mut next[writer.parse::<usize>().unwrap()];
        assert_eq!(n, next.to_string());
        *next += 1;
    }
    assert_eq!(next, [EACH; 4]);
}
