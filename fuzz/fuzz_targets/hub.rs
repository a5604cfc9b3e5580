//! Hazards G1, G2 and B1.
//!
//! Any list of operations on a hub: each subscriber receives every number once and in order, or receives a gap. The
//! held bytes stay within their bounds. An opened stream is open, or has ended with one reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sse_core::hub::PublishError;
use sse_core::testing::{Clock, Reader};
use sse_core::{CloseReason, Decoder, EventStream, Hub, LastEventId, RESERVED_TYPES, Replay, Sender};
use std::task::Poll;
use std::time::Duration;

#[derive(arbitrary::Arbitrary, Debug)]
enum Operation {
    Publish { topic: u8, bytes: u8 },
    Batch { topic: u8, count: u8 },
    End { topic: u8 },
    Remove { topic: u8 },
    Subscribe { topics: u8, start: u8 },
    Resume { reader: u8 },
    Poll { reader: u8 },
    Read { reader: u8 },
    Drop { reader: u8 },
    Close { reader: u8 },
    Advance { ms: u16 },
    Drain { ms: u16 },
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Input {
    topic_events: u8,
    hub_bytes: u16,
    gap_on_lag: bool,
    max_topics: u8,
    max_streams: u8,
    operations: Vec<Operation>,
}

struct Client {
    body: Reader<EventStream<Clock>>,
    sender: Sender,
    decoder: Decoder,
    topics: u8,
    /// The next number in each topic; `None` before the first number and after a gap.
    next: [Option<u32>; 3],
    ended: bool,
}

const REASONS: [CloseReason; 7] = [
    CloseReason::Closed,
    CloseReason::Finished,
    CloseReason::ClientLeft,
    CloseReason::Lagged,
    CloseReason::Drained,
    CloseReason::Expired,
    CloseReason::Failed,
];
const NAMES: [&str; 3] = ["a", "b", "c"];

fn names(topics: u8) -> impl Iterator<Item = &'static str> {
    let topics = if topics % 8 == 0 { 7 } else { topics };
    (0..3).filter(move |bit| topics >> bit & 1 == 1).map(|bit| NAMES[bit])
}

impl Client {
    /// One poll. Returns `false` when the body has no bytes.
    fn poll(&mut self) -> bool {
        let chunk = match self.body.poll() {
            Poll::Ready(Some(chunk)) => chunk,
            Poll::Ready(None) => {
                self.ended = true;
                return false;
            }
            Poll::Pending => return false,
        };
        assert!(!self.ended, "bytes after the end");
        let mut bytes = &*chunk;
        while let Some(event) = self.decoder.decode(&mut bytes) {
            let event = event.unwrap();
            if RESERVED_TYPES.contains(&&*event.event_type) {
                continue;
            }
            if event.event_type == "gap" {
                // The gap may be of one topic or of all.
                match NAMES.iter().position(|name| event.data.contains(&format!("\"topic\":\"{name}\""))) {
                    Some(topic) => self.next[topic] = None,
                    None => self.next = [None; 3],
                }
                continue;
            }
            let mut words = event.data.split(' ');
            let topic: usize = words.next().unwrap().parse().unwrap();
            let number: u32 = words.next().unwrap().parse().unwrap();
            assert!(names(self.topics).any(|name| name == NAMES[topic]), "a topic nobody asked for");
            if let Some(next) = self.next[topic] {
                assert_eq!(number, next, "in topic {topic}");
            }
            self.next[topic] = Some(number + 1);
        }
        true
    }
}

fuzz_target!(|input: Input| {
    let clock = Clock::new();
    let topic_events = usize::from(input.topic_events % 16) + 1;
    let hub_bytes = usize::from(input.hub_bytes) + 1;
    let max_streams = usize::from(input.max_streams % 8) + 1;
    let max_topics = usize::from(input.max_topics % 5);
    let hub = Hub::builder().topic_events(topic_events).hub_bytes(hub_bytes).max_streams(max_streams);
    let hub = hub.max_topics(max_topics);
    let hub = if input.gap_on_lag { hub.gap_on_lag() } else { hub }.build_on(clock.clone());
    let (mut clients, mut numbers, mut opened): (Vec<Client>, _, u64) = (Vec::new(), [0_u32; 3], 0);
    let mut ended = [false; 3];
    let open = |clients: &mut Vec<Client>, opened: &mut u64, topics: u8, id: &str, start, next| {
        let id = if id.is_empty() { LastEventId::Absent } else { LastEventId::Text(id.into()) };
        let decoder = Decoder::with_last_event_id(match &id {
            LastEventId::Text(id) => id,
            _ => "",
        });
        let feed = clock.sse_after(id).subscribe(&hub, names(topics)).replay(start);
        *opened += u64::from(feed.id().is_some());
        let (sender, response) = feed.with_sender();
        let body = Reader::new(response.into_body());
        clients.push(Client { body, sender, decoder, topics, next, ended: false });
    };
    for operation in input.operations.into_iter().take(400) {
        let at = |reader: u8| usize::from(reader).checked_rem(clients.len());
        match operation {
            Operation::Publish { topic, bytes } => {
                let topic = usize::from(topic % 3);
                let data = format!("{topic} {} {}", numbers[topic], "x".repeat(bytes.into()));
                match hub.publish(NAMES[topic], data) {
                    Ok(_) => numbers[topic] += 1,
                    Err(PublishError::Ended) => assert!(ended[topic]),
                    Err(error) => assert!(error == PublishError::TooManyTopics && max_topics < 3),
                }
            }
            Operation::End { topic } => {
                let topic = usize::from(topic % 3);
                match hub.end(NAMES[topic], format!("{topic} {}", numbers[topic])) {
                    Ok(_) => {
                        assert!(!ended[topic]);
                        ended[topic] = true;
                        numbers[topic] += 1;
                    }
                    Err(PublishError::Ended) => assert!(ended[topic]),
                    Err(error) => assert!(error == PublishError::TooManyTopics && max_topics < 3),
                }
                assert_eq!(hub.ended(NAMES[topic]).is_some(), ended[topic]);
            }
            Operation::Remove { topic } => {
                let topic = usize::from(topic % 3);
                assert!(hub.remove(NAMES[topic]).unwrap() || !ended[topic]);
                ended[topic] = false;
            }
            Operation::Batch { topic, count } => {
                let topic = usize::from(topic % 3);
                let batch: Vec<_> = (0..u32::from(count % 32))
                    .map(|n| (NAMES[topic], format!("{topic} {}", numbers[topic] + n)))
                    .collect();
                let count = batch.len() as u32;
                match hub.publish_all(batch) {
                    Ok(ids) => numbers[topic] += ids.len() as u32,
                    Err(PublishError::Ended) => assert!(ended[topic] && count > 0),
                    Err(error) => assert!(error == PublishError::TooManyTopics && max_topics < 3 && count > 0),
                }
            }
            Operation::Subscribe { topics, start } => {
                let start = match start % 3 {
                    0 => Replay::None,
                    1 => Replay::All,
                    _ => Replay::Last(start.into()),
                };
                open(&mut clients, &mut opened, topics, "", start, [None; 3]);
            }
            Operation::Resume { reader } => {
                if let Some(at) = at(reader) {
                    let old = clients.swap_remove(at);
                    // A client of a stream that finished starts again, as another client.
                    let id = old.decoder.last_event_id().replace("end", "");
                    let next = if id.is_empty() { [None; 3] } else { old.next };
                    drop(old.body);
                    open(&mut clients, &mut opened, old.topics, &id, Replay::None, next);
                }
            }
            Operation::Poll { reader } => drop(at(reader).map(|at| clients[at].poll())),
            Operation::Read { reader } => {
                if let Some(at) = at(reader) {
                    while clients[at].poll() {}
                }
            }
            Operation::Drop { reader } => drop(at(reader).map(|at| clients.swap_remove(at))),
            Operation::Close { reader } => drop(at(reader).map(|at| clients[at].sender.close())),
            Operation::Advance { ms } => clock.advance(Duration::from_millis(ms.into())),
            Operation::Drain { ms } => drop(hub.drain(Duration::from_millis(ms.into()))),
        }
        let stats = hub.stats();
        assert!(stats.streams <= max_streams && stats.topics <= max_topics, "{stats:?}");
        assert!(stats.held_events <= 3 * topic_events);
        assert!(stats.held_bytes <= hub_bytes || stats.held_events == 1, "{stats:?}");
        let ended: u64 = REASONS.into_iter().map(|reason| stats.ended(reason)).sum();
        assert_eq!(opened, ended + stats.streams as u64, "{stats:?}");
    }
    clients.clear();
    assert_eq!(hub.stats().streams, 0);
});
