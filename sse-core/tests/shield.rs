//! Responses that break at any byte, read as each browser engine does. No event is lost, repeated or changed.

use sse_core::testing::Clock;
use sse_core::{Event, Hub, LastEventId, Policy, Replay, Request, Sse};
use sse_test_support::ledger::Course;
use sse_test_support::reader::{Habits, Reader};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// The events that a page received: type and data, in order.
type Heard = Vec<(String, String)>;

/// A client with all its connections.
#[derive(Clone)]
struct Client {
    reader: Reader,
    heard: Heard,
}

/// A server with one kind of stream.
trait Site {
    /// The whole body of the response to a request with this last event ID; `None` is 204.
    fn answer(&self, last_event_id: &str, connection: usize) -> Option<Vec<u8>>;

    /// Panics if the page received other events than expected.
    fn judge(&self, heard: &Heard) -> Result<(), String>;
}

impl Client {
    /// Reads this many bytes of a response that then breaks. `None` reads the whole response.
    fn read(&mut self, body: &[u8], upto: Option<usize>) {
        let events = self.reader.dispatched(&body[..upto.unwrap_or(body.len())]);
        let heard = events.into_iter().filter(|event| !event.is_reserved());
        self.heard.extend(heard.map(|event| (event.event_type, event.data)));
        if upto.is_some() { self.reader.reconnect() } else { self.reader.end() }
    }
}

/// The last event ID of a request, and the number of its connection.
type Asked = (String, usize);

/// A site with stored answers: the same request gets the same bytes.
struct Remembered<'s, S> {
    site: &'s S,
    answers: RefCell<HashMap<Asked, Option<Rc<[u8]>>>>,
}

impl<S: Site> Remembered<'_, S> {
    fn answer(&self, last_event_id: &str, connection: usize) -> Option<Rc<[u8]>> {
        let key = (last_event_id.to_owned(), connection);
        let answer = || self.site.answer(last_event_id, connection).map(Into::into);
        self.answers.borrow_mut().entry(key).or_insert_with(answer).clone()
    }
}

/// The second connection reaches a full hub and receives a retry-later answer.
struct Later<S>(S);

impl<S: Site> Site for Later<S> {
    fn answer(&self, last_event_id: &str, connection: usize) -> Option<Vec<u8>> {
        if connection != 1 {
            return self.0.answer(last_event_id, connection);
        }
        let clock = Clock::new();
        let full = Hub::builder().max_streams(0).build_on(clock.clone());
        Some(clock.read(sse(&clock, last_event_id)?.subscribe(&full, ["news"]).into_response()).bytes())
    }

    fn judge(&self, heard: &Heard) -> Result<(), String> {
        self.0.judge(heard)
    }
}

#[test]
fn retry_later_answer_changes_no_last_event_id() {
    for habits in Habits::BROWSERS {
        let beginning = beginning();
        for prelude in [false, true] {
            let site = OfHub { topic_events: FOR_EVER, prelude, restarts_at: FOR_EVER, connections: 2 };
            every_chain(&Later(site), &beginning, habits, 2);
        }
        every_chain(&Later(OfApplication), "0", habits, 2);
    }
}

/// The ID before the first event. All hubs here have the same seed.
fn beginning() -> String {
    let clock = Clock::new();
    let hub = Hub::builder().build_on(clock.clone());
    let opening = clock.read(clock.sse().subscribe(&hub, ["news"]).into_response()).text();
    opening.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned()
}

/// Runs every chain of connections in which this many break, each at any byte, and the last one does not.
fn every_chain(site: &impl Site, brings: &str, habits: Habits, breaks: usize) {
    let reader = Reader::with(habits).after(Some(brings));
    let remembered = Remembered { site, answers: RefCell::default() };
    chains(&remembered, &Client { reader, heard: Heard::new() }, breaks, &mut Vec::new(), habits);
}

fn chains<S: Site>(
    remembered: &Remembered<'_, S>,
    client: &Client,
    breaks: usize,
    cuts: &mut Vec<usize>,
    habits: Habits,
) {
    let site = remembered.site;
    let answer = remembered.answer(client.reader.last_event_id().unwrap_or_default(), cuts.len());
    if breaks == 0 {
        let mut client = client.clone();
        if let Some(body) = answer {
            client.read(&body, None);
        }
        site.judge(&client.heard)
            .unwrap_or_else(|why| panic!("{why}, {habits:?}, cut at {cuts:?}: {:?}", client.heard));
        return;
    }
    let Some(body) = answer else { return chains(remembered, client, 0, cuts, habits) };
    for cut in 0..=body.len() {
        let mut client = client.clone();
        client.read(&body, Some(cut));
        cuts.push(cut);
        chains(remembered, &client, breaks - 1, cuts, habits);
        cuts.pop();
    }
}

fn sse(clock: &Clock, last_event_id: &str) -> Option<Sse<Clock>> {
    let id = (!last_event_id.is_empty()).then_some(("last-event-id", last_event_id.as_bytes()));
    let headers = [("accept", &b"text/event-stream"[..])].into_iter().chain(id);
    Some(Sse::new(clock.clone(), Policy::default().check(&Request::new("GET", None, headers)).ok()?))
}

/// Each number occurs once and in order. A gap stands where numbers are missing.
fn in_order(heard: &Heard, last: usize) -> Result<(), String> {
    let mut course = Course::from(1);
    for (event_type, data) in heard {
        match &**event_type {
            "gap" => course.receive_gap(),
            "tick" => {
                let number = data.strip_prefix("n\n").and_then(|data| data.parse().ok());
                let number = number.ok_or_else(|| format!("an event was changed to {data:?}"))?;
                course.receive(number).map_err(|wrong| format!("{wrong:?} at {number}"))?;
            }
            "prelude" if data == "all\nof it" => {}
            other => return Err(format!("an event {other} of {data:?} is heard")),
        }
    }
    let end = last as u64 + 1;
    let is_whole = course.is_complete(end) && course.last() < Some(end);
    if is_whole { Ok(()) } else { Err(format!("{last} is not the last: {course:?}")) }
}

/// A hub whose topic keeps this many events. Before each connection one event is published.
struct OfHub {
    topic_events: usize,
    prelude: bool,
    /// The connection with this number reaches a restarted server.
    restarts_at: usize,
    connections: usize,
}

impl OfHub {
    /// The hub at this connection. Each call builds the same hub.
    fn hub(&self, clock: &Clock, connection: usize) -> Hub {
        let hub = || Hub::builder().retry(Duration::ZERO).topic_events(self.topic_events);
        let first = hub().build_on(clock.clone());
        let hub = if connection < self.restarts_at { first } else { hub().build_on(clock.clone()) };
        for number in 1..=2 + connection {
            hub.publish("news", Event::data(format!("n\n{number}")).event("tick")).unwrap();
        }
        hub
    }
}

impl Site for OfHub {
    fn answer(&self, last_event_id: &str, connection: usize) -> Option<Vec<u8>> {
        // The same seed gives the same tag.
        let clock = Clock::new();
        let hub = self.hub(&clock, connection);
        let mut feed = sse(&clock, last_event_id)?.subscribe(&hub, ["news"]).replay(Replay::All);
        if self.prelude {
            feed = feed.prelude([Event::data("all\nof it").event("prelude")]);
        }
        Some(clock.read(feed.into_response()).bytes())
    }

    fn judge(&self, heard: &Heard) -> Result<(), String> {
        in_order(heard, 2 + self.connections)
    }
}

const FOR_EVER: usize = usize::MAX;

/// Hazard G13.
#[test]
fn a_hub_s_stream_is_exact_over_two_breaks_at_any_byte() {
    for habits in Habits::BROWSERS {
        for prelude in [false, true] {
            let site = OfHub { topic_events: FOR_EVER, prelude, restarts_at: FOR_EVER, connections: 2 };
            every_chain(&site, "", habits, 2);
        }
    }
}

#[test]
fn every_hole_of_a_hub_s_stream_is_a_gap_over_two_breaks_at_any_byte() {
    for habits in Habits::BROWSERS {
        let site = OfHub { topic_events: 2, prelude: false, restarts_at: FOR_EVER, connections: 2 };
        every_chain(&site, &beginning(), habits, 2);
    }
}

/// A client with an ID of an earlier run receives a gap.
#[test]
fn a_restart_is_a_gap_after_a_break_at_any_byte() {
    for habits in Habits::BROWSERS {
        for prelude in [false, true] {
            let site = OfHub { topic_events: FOR_EVER, prelude, restarts_at: 1, connections: 1 };
            every_chain(&Restart(site), "", habits, 1);
        }
    }
}

struct Restart(OfHub);

impl Site for Restart {
    fn answer(&self, last_event_id: &str, connection: usize) -> Option<Vec<u8>> {
        self.0.answer(last_event_id, connection)
    }

    fn judge(&self, heard: &Heard) -> Result<(), String> {
        // After the gap the hub replays all stored events, so numbers occur again. No number may be lost without a gap.
        let gap = heard.iter().position(|(event_type, _)| event_type == "gap").unwrap_or(0);
        let (before, after) = heard.split_at(gap);
        let fresh = after.iter().filter(|(event_type, _)| event_type != "gap").cloned().collect();
        in_order(&before.to_vec(), before.iter().filter(|(event_type, _)| event_type == "tick").count())?;
        in_order(&fresh, 3)
    }
}

/// A channel with IDs of the application, which continues after the last event ID.
struct OfApplication;

impl Site for OfApplication {
    fn answer(&self, last_event_id: &str, _connection: usize) -> Option<Vec<u8>> {
        let clock = Clock::new();
        let sse = sse(&clock, last_event_id)?;
        let id = match sse.last_event_id() {
            LastEventId::Text(id) => id.parse().unwrap_or(0),
            _ => 0,
        };
        let (events, response) = sse.channel();
        for number in id + 1..=3 {
            let event = Event::data(format!("n\n{number}")).event("tick").id(number.to_string());
            events.try_send(event).unwrap();
        }
        events.finish();
        Some(clock.read(response).bytes())
    }

    fn judge(&self, heard: &Heard) -> Result<(), String> {
        in_order(heard, 3)
    }
}

#[test]
fn a_channel_with_ids_of_the_application_is_exact_over_breaks() {
    for habits in Habits::BROWSERS {
        every_chain(&OfApplication, "", habits, 1);
        // A client with an ID. ARCHITECTURE.md has the cases without one.
        every_chain(&OfApplication, "0", habits, 2);
    }
}
