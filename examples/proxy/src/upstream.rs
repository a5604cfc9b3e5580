//! The connection to the server upstream, which reconnects and resumes by itself.

use futures_util::StreamExt;
use serde::Serialize;
use sse_axum::hub::PublishError;
use sse_axum::{Event, Hub};
use sse_client::{MessageEvent, Signal};
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

/// The largest number of event types that pages receive.
const MAX_TYPES: usize = 100;

/// The server upstream and its state. Clones share one state.
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

/// The state as pages receive it.
#[derive(Debug, Serialize)]
struct Status<'k> {
    types: &'k BTreeSet<String>,
    upstream: &'k str,
}

impl Upstream {
    pub(crate) fn new(hub: Hub, url: Url) -> Self {
        Self { hub, url, known: Arc::default() }
    }

    /// Reads until the stream upstream has finished.
    pub(crate) async fn follow(self) {
        let mut signals = sse_client::get(self.url.clone()).configure(|source| source.retry_statuses(400..600));
        while let Some(signal) = signals.next().await {
            match signal {
                Signal::Open => self.change(|known| known.connected = true),
                Signal::Event(event) | Signal::Gap(event) => self.pass_on(&event),
                Signal::Lost { cause, retry_in } => {
                    self.change(|known| known.connected = false);
                    eprintln!("proxy: {cause}; reconnecting in {retry_in:?}");
                }
                other => eprintln!("proxy: {other:?}"),
            }
        }
        self.change(|known| known.connected = false);
        eprintln!("proxy: the stream upstream has ended: {:?}", signals.stopped());
    }

    /// Publishes under IDs of this hub, so that clients resume here with any kind of ID upstream.
    fn pass_on(&self, event: &MessageEvent<'_>) {
        // This hub sends `gap`, and this program sends `proxy`. The same types of the server upstream get another name.
        let event_type = match &*event.event_type {
            own @ ("gap" | "proxy") => format!("upstream-{own}"),
            other => other.to_owned(),
        };
        if let Err(error) = self.publish(&Event::data(&*event.data).event(event_type)) {
            eprintln!("proxy: {error}");
        }
    }

    /// Publishes one block of an event stream. A block with an ID, a second event or the type `proxy` is an error.
    pub(crate) fn add(&self, block: &[u8]) -> Result<(), Box<dyn Error>> {
        let event = Event::parse(block)?;
        if event.event_type() == Some("proxy") {
            return Err("the type `proxy` is reserved for this program".into());
        }
        Ok(self.publish(&event)?)
    }

    /// Publishes an event. If the type is new, pages receive the list of types first.
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

    /// The state of the connection, which pages receive first and after each change.
    pub(crate) fn status(&self) -> Event<'static> {
        let known = self.known();
        let upstream = if known.connected { "connected" } else { "lost" };
        Event::json(&Status { types: &known.types, upstream }).event("proxy")
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known());
        if let Err(error) = self.hub.publish("proxy", self.status()) {
            eprintln!("proxy: {error}");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
