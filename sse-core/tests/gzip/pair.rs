//! Two clients that do the same: one accepts gzip, the other does not. They must receive the same events at the same time.

use crate::inflate::Inflater;
use bytes::Bytes;
use sse_core::testing::{Clock, Reader};
use sse_core::{Decoder, EventStream, Hub, Policy, Replay, Request, Sender, Sse, Subscription};
use std::task::Poll;

/// The type, the data and the last event ID of an event.
pub(crate) type Event = (String, String, String);

/// One client.
pub(crate) struct Client {
    reader: Reader<EventStream<Clock>>,
    pub(crate) sender: Sender,
    inflater: Option<Inflater>,
    decoder: Decoder,
    pub(crate) events: Vec<Event>,
    pub(crate) ended: bool,
    /// The bytes on the wire.
    pub(crate) wire: usize,
    /// The chunks on the wire.
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) plain: Vec<u8>,
}

/// A GET with these headers.
pub(crate) fn get(clock: &Clock, encoding: Option<&str>, last_event_id: Option<&str>) -> Sse<Clock> {
    let mut headers = vec![("accept", b"text/event-stream".as_slice())];
    headers.extend(encoding.map(|encoding| ("accept-encoding", encoding.as_bytes())));
    headers.extend(last_event_id.map(|id| ("last-event-id", id.as_bytes())));
    Sse::new(clock.clone(), Policy::default().check(&Request::new("GET", None, headers)).unwrap())
}

impl Client {
    pub(crate) fn new(subscription: Subscription<Clock>, gzip: bool) -> Self {
        let (sender, response) = subscription.with_sender();
        let encoding = response.headers().find(|(name, _)| *name == "content-encoding").map(|(_, value)| value);
        assert_eq!(encoding, gzip.then_some("gzip"));
        Self {
            reader: Reader::new(response.into_body()),
            sender,
            inflater: gzip.then(Inflater::new),
            decoder: Decoder::new(),
            events: Vec::new(),
            ended: false,
            wire: 0,
            chunks: Vec::new(),
            plain: Vec::new(),
        }
    }

    /// A client that accepts gzip, of a hub that compresses.
    pub(crate) fn gzip(clock: &Clock, hub: &Hub, topic: &str) -> Self {
        let mut client = Self::new(get(clock, Some("gzip"), None).subscribe(hub, [topic]), true);
        client.read();
        client
    }

    /// One poll. Returns whether there was a chunk.
    pub(crate) fn poll(&mut self) -> bool {
        match self.reader.poll() {
            Poll::Ready(Some(chunk)) => {
                self.wire += chunk.len();
                let plain = self.inflater.as_mut().map_or_else(|| chunk.to_vec(), |inflater| inflater.feed(&chunk));
                self.chunks.push(chunk);
                self.decode(&plain);
                self.plain.extend_from_slice(&plain);
                true
            }
            Poll::Ready(None) => {
                self.ended = true;
                false
            }
            Poll::Pending => false,
        }
    }

    fn decode(&mut self, plain: &[u8]) {
        let mut bytes = plain;
        while let Some(event) = self.decoder.decode(&mut bytes) {
            let event = event.unwrap();
            if !event.event_type.starts_with("sse-") {
                let (kind, data, id) = (&event.event_type, &event.data, &event.last_event_id);
                self.events.push((kind.to_string(), data.to_string(), id.to_string()));
            }
        }
    }

    /// Reads all chunks, and returns the events in them.
    pub(crate) fn read(&mut self) -> Vec<Event> {
        while self.poll() {}
        std::mem::take(&mut self.events)
    }

    /// Reads one event that must be there.
    pub(crate) fn data(&mut self) -> String {
        let events = self.read();
        assert_eq!(events.len(), 1, "{events:?}");
        events[0].1.clone()
    }
}

/// How a pair starts.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) replay: Option<usize>,
    pub(crate) prelude: usize,
    pub(crate) last_event_id: Option<String>,
}

pub(crate) struct Pair {
    pub(crate) gzip: Client,
    pub(crate) plain: Client,
    pub(crate) last_event_id: Option<String>,
}

impl Pair {
    pub(crate) fn open(clock: &Clock, hub: &Hub, topics: &[&str], start: &Start) -> Self {
        let open = |encoding: Option<&str>| {
            let sse = get(clock, encoding, start.last_event_id.as_deref());
            let replay = match start.replay {
                None => Replay::All,
                Some(last) => Replay::Last(last),
            };
            let prelude = (0..start.prelude).map(|n| format!("prelude {n} {}", "x".repeat(n * 7)));
            Client::new(sse.subscribe(hub, topics).replay(replay).prelude(prelude), encoding.is_some())
        };
        Self { gzip: open(Some("gzip, br")), plain: open(None), last_event_id: start.last_event_id.clone() }
    }

    /// Reads both, which must have received the same.
    pub(crate) fn read(&mut self) {
        let (gzip, plain) = (self.gzip.read(), self.plain.read());
        assert_eq!(gzip, plain);
        assert_eq!(self.gzip.ended, self.plain.ended);
        if let Some((_, _, id)) = plain.last().filter(|(_, _, id)| !id.is_empty()) {
            self.last_event_id = Some(id.clone());
        }
    }
}
