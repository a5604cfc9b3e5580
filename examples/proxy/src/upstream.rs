//! The one connection to the server upstream, which reconnects and resumes by itself.

use futures_util::StreamExt;
use serde::Serialize;
use sse_axum::hub::PublishError;
use sse_axum::{Event, Hub};
use sse_client::{MessageEvent, Signal};
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

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
                    eprintln!("proxy: {cause}; reconnects in {retry_in:?}");
                }
                other => eprintln!("proxy: {other:?}"),
            }
        }
        self.change(|known| known.connected = false);
        eprintln!("proxy: the stream upstream has ended: {:?}", signals.stopped());
    }

    /// Under ids of this hub, so that readers resume here whatever the ids upstream are.
    fn pass_on(&self, event: &MessageEvent<'_>) {
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
