//! The one connection to the server upstream: read by the decoder, and taken up again where it broke off.

use reqwest::{Client, StatusCode, Url, header};
use serde::Serialize;
use sse_axum::hub::PublishError;
use sse_axum::{Event, Hub, RESERVED_TYPES};
use sse_core::{Decoder, MessageEvent};
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long to wait before a reconnect if the server does not say; and at most, if it says something silly.
const RETRY: Duration = Duration::from_secs(3);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// A stream on which nothing comes for so long is dead: servers send a comment every 15 s or so.
const SILENCE: Duration = Duration::from_secs(60);

/// As many event types are told to pages; a server that makes up more is not helped.
const MAX_TYPES: usize = 100;

/// The server upstream, and what is known of it. A clone is the same.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) hub: Hub,
    url: Url,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    connected: bool,
    types: BTreeSet<String>,
}

/// What pages are told.
#[derive(Debug, Serialize)]
struct Told<'k> {
    types: &'k BTreeSet<String>,
    upstream: &'k str,
}

/// Why the connection ended.
#[derive(Debug)]
enum Ended {
    /// Reconnect.
    Lost(String),
    /// The stream has finished, or the server answered 204. The client must not reconnect.
    Finished,
}

impl Upstream {
    pub(crate) fn new(hub: Hub, url: Url) -> Self {
        Self { hub, url, known: Arc::default() }
    }

    /// Reads for as long as there is something to read.
    pub(crate) async fn follow(self) {
        let client = Client::new();
        let mut last_event_id = String::new();
        let mut retry = RETRY;
        loop {
            // A new decoder for each connection, which knows the id it goes on from.
            let mut decoder = Decoder::with_last_event_id(&last_event_id);
            let ended = self.read(&client, &mut decoder).await;
            last_event_id = decoder.last_event_id().to_owned();
            retry = decoder.reconnection_time().unwrap_or(retry).clamp(Duration::from_millis(100), LONGEST_RETRY);
            self.change(|known| known.connected = false);
            match ended {
                Ended::Lost(why) => eprintln!("proxy: {why}; again in {retry:?}, after id {last_event_id:?}"),
                Ended::Finished => return eprintln!("proxy: the stream upstream has finished"),
            }
            sleep(retry).await;
        }
    }

    async fn read(&self, client: &Client, decoder: &mut Decoder) -> Ended {
        let mut request = client.get(self.url.clone()).header(header::ACCEPT, "text/event-stream");
        if !decoder.last_event_id().is_empty() {
            request = request.header("last-event-id", decoder.last_event_id());
        }
        let mut response = match timeout(SILENCE, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Ended::Lost(error.to_string()),
            Err(_) => return Ended::Lost("no answer".into()),
        };
        let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match (response.status(), content_type) {
            (StatusCode::NO_CONTENT, _) => return Ended::Finished,
            (StatusCode::OK, Some(is)) if is.starts_with("text/event-stream") => {}
            (status, _) => return Ended::Lost(format!("answered {status}, and no event stream")),
        }
        self.change(|known| known.connected = true);
        loop {
            let chunk = match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ended::Lost("the stream ended".into()),
                Ok(Err(error)) => return Ended::Lost(error.to_string()),
                Err(_) => return Ended::Lost("silent for too long".into()),
            };
            let mut input = &*chunk;
            while let Some(event) = decoder.decode(&mut input) {
                match event {
                    Ok(event) if event.event_type == "sse-end" => return Ended::Finished,
                    // The other events of the server about the stream itself: they hold positions, and no data.
                    Ok(event) if RESERVED_TYPES.contains(&&*event.event_type) => {}
                    Ok(event) => self.pass_on(&event),
                    // The block is left out, and the next one is as good as any.
                    Err(error) => eprintln!("proxy: {error}"),
                }
            }
        }
    }

    /// Under ids of this hub, so that readers resume here whatever the ids upstream are.
    fn pass_on(&self, event: &MessageEvent<'_>) {
        // These are between the server upstream and its client, which is this program.
        if RESERVED_TYPES.contains(&&*event.event_type) {
            return;
        }
        // `gap` is for what this hub forgot, `proxy` for what this program tells; what is upstream's gets a name beside.
        let event_type = match &*event.event_type {
            own @ ("gap" | "proxy") => format!("upstream-{own}"),
            other => other.to_owned(),
        };
        if let Err(error) = self.publish(&Event::data(&*event.data).event(event_type)) {
            eprintln!("proxy: {error}");
        }
    }

    /// Takes one block as any server writes it. Nothing gets in that a reader would take for something else: an id, a
    /// second event, an event of this program's own.
    pub(crate) fn add(&self, block: &[u8]) -> Result<(), Box<dyn Error>> {
        let event = Event::parse(block)?;
        if event.event_type() == Some("proxy") {
            return Err("events of type `proxy` are this program's".into());
        }
        Ok(self.publish(&event)?)
    }

    /// Tells pages of a type that is new before the first event of it.
    fn publish(&self, event: &Event<'_>) -> Result<(), PublishError> {
        let frame = event.frame()?;
        let event_type = event.event_type().filter(|text| !text.is_empty()).unwrap_or("message");
        if !self.known().types.contains(event_type) {
            self.change(|known| {
                if known.types.len() < MAX_TYPES {
                    known.types.insert(event_type.to_owned());
                }
            });
        }
        self.hub.publish("events", frame)?;
        Ok(())
    }

    /// What pages are told first, and whenever it changes.
    pub(crate) fn told(&self) -> Event<'static> {
        let known = self.known();
        let upstream = if known.connected { "connected" } else { "lost" };
        Event::json(&Told { types: &known.types, upstream }).event("proxy")
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known());
        if let Err(error) = self.hub.publish("proxy", self.told()) {
            eprintln!("proxy: {error}");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
