//! The streams of `/streams/ID`. Each is kept until a minute after the end of the stream.

use sse_core::{Sender, Uuid};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const MEMORY: Duration = Duration::from_secs(60);

/// Handles by the identifier of their stream. A handle in this map keeps the stream open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<Uuid, Sender>>>);

impl Streams {
    /// Adds a stream, until a minute after the end of the stream.
    pub(crate) fn add(&self, events: Sender) {
        let (streams, id, closed) = (self.clone(), events.id(), events.closed());
        self.with(|streams| streams.insert(id, events));
        tokio::spawn(async move {
            closed.await;
            tokio::time::sleep(MEMORY).await;
            streams.with(|streams| streams.remove(&id));
        });
    }

    /// The handle of a stream, by the text in a path.
    pub(crate) fn get(&self, id: &str) -> Option<Sender> {
        let id = id.parse().ok()?;
        self.with(|streams| streams.get(&id).cloned())
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<Uuid, Sender>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
