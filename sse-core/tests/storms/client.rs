//! A client by WHATWG HTML 9.2.3: it connects, fails for good, or reconnects after its reconnection time with the last
//! event ID.

use sse_core::testing::{Clock, Reader};
use sse_core::{EventStream, Hub, Policy, Request, Runtime, Sender, Sse};
use sse_test_support::ledger::Ledger;
use sse_test_support::reader::{self, Habits};
use std::task::Poll;
use std::time::{Duration, Instant};

/// A server with one topic.
pub(crate) struct Site {
    clock: Clock,
    pub(crate) hub: Hub,
}

impl Site {
    pub(crate) fn new(clock: &Clock, hub: Hub) -> Self {
        Self { clock: clock.clone(), hub }
    }
}

enum State {
    /// The moment of the next request. `None`: at once.
    Waiting(Option<Instant>),
    Open(Box<Connection>),
    Dead,
}

struct Connection {
    body: Reader<EventStream<Clock>>,
    sender: Sender,
}

pub(crate) struct Client {
    state: State,
    reader: reader::Reader,
    pub(crate) retry: Duration,
    /// The number of its requests.
    pub(crate) asked: usize,
    /// The data of the received events, and `None` for a gap.
    told: Vec<Option<String>>,
}

impl Client {
    /// A client with these habits, before its first request.
    pub(crate) fn new(habits: Habits) -> Self {
        let reader = reader::Reader::with(habits);
        Self { state: State::Waiting(None), reader, retry: Duration::ZERO, asked: 0, told: Vec::new() }
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, State::Dead)
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    pub(crate) fn sender(&self) -> Option<Sender> {
        match &self.state {
            State::Open(connection) => Some(connection.sender.clone()),
            _ => None,
        }
    }

    /// The data of all events.
    pub(crate) fn data(&self) -> Vec<&str> {
        self.told.iter().flatten().map(String::as_str).collect()
    }

    pub(crate) fn gaps(&self) -> usize {
        self.told.iter().filter(|told| told.is_none()).count()
    }

    /// Requests a stream.
    pub(crate) fn ask(&mut self, site: &Site) {
        self.asked += 1;
        self.reader.reconnect();
        let id = self.reader.last_event_id().filter(|id| !id.is_empty());
        let id = id.map(|id| ("last-event-id", id.as_bytes()));
        let headers = [("accept", &b"text/event-stream"[..])].into_iter().chain(id);
        let Ok(admitted) = Policy::default().check(&Request::new("GET", None, headers)) else {
            // Every status but 200 is final.
            self.state = State::Dead;
            return;
        };
        let feed = Sse::new(site.clock.clone(), admitted).subscribe(&site.hub, ["news"]);
        let (sender, response) = feed.with_sender();
        assert_eq!(response.status(), 200);
        self.state = State::Open(Box::new(Connection { body: site.clock.read(response), sender }));
    }

    /// Reconnects if that is due, and reads all available bytes.
    pub(crate) fn live(&mut self, site: &Site) {
        let now = site.clock.now();
        if let State::Waiting(until) = self.state
            && until.is_none_or(|until| now >= until)
        {
            self.ask(site);
        }
        while let State::Open(connection) = &mut self.state {
            match connection.body.poll() {
                Poll::Ready(Some(chunk)) => self.take(&chunk),
                Poll::Ready(None) => {
                    self.reader.end();
                    self.state = State::Waiting(Some(now + self.retry));
                }
                Poll::Pending => break,
            }
        }
    }

    /// The connection breaks in the middle of the next chunk, and the client reconnects at once.
    pub(crate) fn cut(&mut self) {
        if let State::Open(connection) = &mut self.state {
            if let Poll::Ready(Some(chunk)) = connection.body.poll() {
                self.take(&chunk[..chunk.len() / 2]);
            }
            self.state = State::Waiting(None);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let events = self.reader.dispatched(bytes).into_iter().filter(|event| !event.is_reserved());
        self.told.extend(events.map(|event| (event.event_type != "gap").then_some(event.data)));
        self.retry = self.reader.retry().map_or(self.retry, Duration::from_millis);
    }

    /// Each number below this was received once and in order, or a gap in its place.
    pub(crate) fn assert_each_hole_is_told(&self, published: usize) {
        let mut ledger = Ledger::new(0..published);
        for told in &self.told {
            match told {
                None => ledger.receive_gap(),
                Some(data) => ledger.receive(data.parse().expect("a number")),
            }
        }
        if let Err(faults) = ledger.close() {
            panic!("{faults}\n{:?}", self.told);
        }
    }
}

/// Reproducible random numbers.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}
