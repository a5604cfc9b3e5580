//! The reconnecting event source, exact to WHATWG HTML 9.2.3, without a socket.

use sse_core::testing::Clock;
use sse_core::{Action, Event, EventSource, Hub, LastEventId, Random, Received, ResponseHead, Runtime, StopReason};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const EVENT_STREAM: ResponseHead<'static> = ResponseHead::new(200).content_type(Some(b"text/event-stream"));

fn source() -> EventSource {
    EventSource::new(Random::from_seed([7; 32]))
}

/// Connects, and receives this text.
fn open(source: &mut EventSource, now: Instant, text: &str) -> Vec<String> {
    assert_eq!(source.poll(now), Action::Connect);
    source.handle_response(EVENT_STREAM, now);
    receive(source, now, text)
}

fn receive(source: &mut EventSource, now: Instant, text: &str) -> Vec<String> {
    let mut input = text.as_bytes();
    let mut received = Vec::new();
    while let Some(next) = source.decode(&mut input, now) {
        received.push(match next {
            Received::Event(event) => format!("{} {}", event.event_type, event.data),
            Received::Gap(event) => format!("gap! {}", event.data),
            Received::Reserved(event) => format!("reserved {}", event.event_type),
            other => format!("{other:?}"),
        });
    }
    received
}

fn delay(source: &mut EventSource, now: Instant) -> Duration {
    match source.poll(now) {
        Action::Wait { until } => until - now,
        other => panic!("expected a delay, not {other:?}"),
    }
}

fn sent_id(source: &EventSource) -> Option<String> {
    source.request_headers().find(|(name, _)| *name == "last-event-id").map(|(_, id)| id.to_owned())
}

/// The answer to the first request, and what the event source does then.
fn after(source: EventSource, head: ResponseHead<'_>) -> (Action, Option<StopReason>) {
    let (mut source, now) = (source, Instant::now());
    assert_eq!(source.poll(now), Action::Connect);
    source.handle_response(head, now);
    (source.poll(now), source.stop_reason().cloned())
}

#[test]
fn the_first_request_has_no_last_event_id() {
    let headers: Vec<_> = source().request_headers().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(headers, ["accept: text/event-stream", "cache-control: no-cache"]);
}

#[test]
fn only_200_with_the_content_type_opens_a_stream() {
    for opens in ["text/event-stream", "Text/Event-Stream ; charset=utf-8", "text/event-stream;x"] {
        let head = ResponseHead::new(200).content_type(Some(opens.as_bytes()));
        assert!(matches!(after(source(), head), (Action::Receive { .. }, None)), "{opens}");
    }
    for other in ["text/html", "text/event-streams", "", "application/json; text/event-stream"] {
        let head = ResponseHead::new(200).content_type(Some(other.as_bytes()));
        assert_eq!(after(source(), head), (Action::Stop, Some(StopReason::ContentType(other.into()))));
    }
    assert_eq!(after(source(), ResponseHead::new(200)), (Action::Stop, Some(StopReason::ContentType("none".into()))));
    assert_eq!(after(source(), ResponseHead::new(204)), (Action::Stop, Some(StopReason::Finished)));
    for status in [201, 301, 404, 500, 503] {
        let head = ResponseHead::new(status).content_type(Some(b"text/event-stream")).retry_after(SECOND);
        assert_eq!(after(source(), head), (Action::Stop, Some(StopReason::Status(status))));
    }
}

#[test]
fn a_named_status_reconnects_after_its_retry_after() {
    let (mut source, now) = (source().retry_statuses([503]), Instant::now());
    assert_eq!(source.poll(now), Action::Connect);
    source.handle_response(ResponseHead::new(503).retry_after(20 * SECOND), now);
    let waits = delay(&mut source, now);
    assert!((20 * SECOND..=24 * SECOND).contains(&waits), "{waits:?}");
}

#[test]
fn a_lost_connection_resumes_after_the_reconnection_time() {
    let (mut source, mut now) = (source(), Instant::now());
    assert_eq!(open(&mut source, now, "retry: 5000\nid: 1\nevent: a\ndata: x\n\nid: 2\ndata: cut"), ["a x"]);
    source.handle_end(now);
    let waits = delay(&mut source, now);
    assert!((5 * SECOND..=6 * SECOND).contains(&waits), "{waits:?}");
    now += waits;
    assert_eq!(sent_id(&source).as_deref(), Some("1"));
    // The next connection starts without the block that was cut, and keeps ID and time.
    assert_eq!(open(&mut source, now, "data: y\n\n"), ["message y"]);
    source.handle_end(now);
    assert!(delay(&mut source, now) >= 5 * SECOND);
    assert_eq!(sent_id(&source).as_deref(), Some("1"));
}

/// Hazard B14.
#[test]
fn a_server_cannot_set_the_delay_out_of_its_bounds() {
    for (text, range) in [
        ("retry: 0\n\n:", SECOND..=SECOND * 6 / 5),
        ("retry: 18446744073709551615\n\n:", 300 * SECOND..=360 * SECOND),
        (":", 3 * SECOND..=SECOND * 18 / 5),
    ] {
        let (mut source, now) = (source(), Instant::now());
        open(&mut source, now, text);
        source.handle_end(now);
        let waits = delay(&mut source, now);
        assert!(range.contains(&waits), "{text:?}: {waits:?}");
    }
    let (mut source, now) = (source().retry_bounds(Duration::MAX, Duration::MAX), Instant::now());
    open(&mut source, now, "");
    source.handle_end(now);
    assert!(delay(&mut source, now) > 1000 * SECOND);
}

/// Hazard B14.
#[test]
fn an_id_that_no_header_can_carry_stops_the_event_source() {
    for id in ["x".repeat(1025), "a\u{1}b".into()] {
        let (mut source, now) = (source(), Instant::now());
        open(&mut source, now, &format!("id: {id}\ndata: x\n\n"));
        source.handle_end(now);
        let later = now + 10 * SECOND;
        assert_eq!(source.poll(later), Action::Stop);
        assert_eq!(source.stop_reason(), Some(&StopReason::LastEventId { bytes: id.len(), limit: 1024 }));
    }
}

#[test]
fn failed_attempts_double_the_delay_until_a_byte_comes() {
    let (mut source, mut now) = (source(), Instant::now());
    let mut delays = Vec::new();
    for _ in 0..10 {
        assert_eq!(source.poll(now), Action::Connect);
        source.handle_end(now);
        let waits = delay(&mut source, now);
        delays.push(waits.as_secs());
        now += waits;
    }
    let floors = [3, 6, 12, 24, 48, 96, 192, 300, 300, 300];
    for (waits, floor) in delays.iter().zip(floors) {
        assert!((floor..=floor * 6 / 5).contains(waits), "{delays:?}");
    }
    open(&mut source, now, ":");
    source.handle_end(now);
    assert!(delay(&mut source, now) < 4 * SECOND);
}

#[test]
fn a_silent_server_is_lost() {
    let (mut source, now) = (source().max_silence(10 * SECOND), Instant::now());
    assert_eq!(source.poll(now), Action::Connect);
    assert_eq!(source.poll(now), Action::Receive { until: Some(now + 10 * SECOND) });
    source.handle_response(EVENT_STREAM, now + SECOND);
    receive(&mut source, now + 2 * SECOND, ":\n");
    assert_eq!(source.poll(now + 11 * SECOND), Action::Receive { until: Some(now + 12 * SECOND) });
    assert!(matches!(source.poll(now + 12 * SECOND), Action::Wait { .. }));
    // Bytes of the old connection are not read any more.
    assert!(receive(&mut source, now + 12 * SECOND, "data: x\n\n").is_empty());
}

#[test]
fn a_finished_stream_is_not_requested_again() {
    let (mut source, now) = (source(), Instant::now());
    let received = open(&mut source, now, "data: x\n\nevent: sse-end\nid: end\ndata: {}\n\ndata: late\n\n");
    assert_eq!(received, ["message x", "reserved sse-end"]);
    assert_eq!(source.poll(now), Action::Stop);
    assert_eq!(source.stop_reason(), Some(&StopReason::Finished));
    source.handle_end(now);
    assert_eq!(source.poll(now + 100 * SECOND), Action::Stop);
}

#[test]
fn gaps_reserved_events_and_large_events_are_told_apart() {
    let (mut source, now) = (source().max_event_bytes(16), Instant::now());
    let text =
        "event: sse-position\nid: 1\ndata: {}\n\nevent: gap\ndata: {}\n\ndata: 12345678901234567\n\ndata: 1234\n\n";
    let expected = ["reserved sse-position", "gap! {}", "Skipped(EventTooLarge { limit: 16 })", "message 1234"];
    assert_eq!(open(&mut source, now, text), expected);
    assert_eq!(source.last_event_id(), "1");
}

#[test]
fn a_closed_event_source_stays_closed() {
    let (mut source, now) = (source(), Instant::now());
    open(&mut source, now, "data: x\n\n");
    source.close();
    assert_eq!(source.poll(now), Action::Stop);
    assert_eq!(source.stop_reason(), Some(&StopReason::Closed));
}

/// A small generator whose draws repeat: xorshift64*.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// 10,000 connections, each ended by a fault: refused, answered 503, silent, closed, or cut at any byte.
#[test]
fn ten_thousand_faults_lose_nothing_and_repeat_nothing() {
    let clock = Clock::new();
    let hub = Hub::builder().topic_events(100_000).build_on(clock.clone());
    let mut source = source().retry_statuses([503]);
    let mut draws = Draws(1);
    let (mut published, mut received, mut faults) = (0_usize, Vec::new(), 0);
    while faults < 10_000 {
        for _ in 0..draws.below(3) {
            hub.publish("news", Event::data(format!("{published}\n{}", "x".repeat(draws.below(40)))).event("n"))
                .unwrap();
            published += 1;
        }
        match source.poll(clock.now()) {
            Action::Wait { until } => clock.advance(until - clock.now()),
            Action::Connect if draws.below(8) == 0 => {
                source.handle_end(clock.now());
                faults += 1;
            }
            Action::Connect if draws.below(8) == 0 => {
                source.handle_response(ResponseHead::new(503), clock.now());
                faults += 1;
            }
            Action::Connect => {
                let brought = source.request_headers().find(|(name, _)| *name == "last-event-id");
                let brought = brought.map_or(LastEventId::Absent, |(_, id)| LastEventId::Text(id.into()));
                let feed = clock.sse_after(brought).subscribe(&hub, ["news"]).replay(sse_core::Replay::All);
                let mut reader = clock.read(feed.into_response());
                source.handle_response(EVENT_STREAM, clock.now());
                for _ in 0..draws.below(4) {
                    hub.publish("news", Event::data(published.to_string()).event("n")).unwrap();
                    published += 1;
                    let bytes = reader.bytes();
                    let is_cut = draws.below(4) == 0;
                    let kept = if is_cut { draws.below(bytes.len() + 1) } else { bytes.len() };
                    for chunk in bytes[..kept].chunks(1 + draws.below(64)) {
                        let mut input = chunk;
                        while let Some(next) = source.decode(&mut input, clock.now()) {
                            match next {
                                Received::Event(event) => {
                                    let number = event.data.split('\n').next().unwrap().parse::<usize>().unwrap();
                                    received.push(number);
                                }
                                Received::Reserved(_) => {}
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                    if is_cut {
                        break;
                    }
                }
                // The connection ends with an error, or the server falls silent.
                if draws.below(4) == 0 {
                    clock.advance(46 * SECOND);
                } else {
                    source.handle_end(clock.now());
                }
                faults += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(published > 10_000 && received.len() > 10_000);
    assert_eq!(received, (0..received.len()).collect::<Vec<_>>());
}
