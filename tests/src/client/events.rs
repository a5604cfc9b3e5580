//! The events that a client reads from a body.

use super::Response;
use crate::Failure;
use crate::failure::show;
pub use sse_test_support::reader::Event;
use sse_test_support::reader::{Change, Reader};
use std::time::Duration;

/// The state of a client after some byte of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The dispatched events of the application, in their order.
    pub events: Vec<Event>,
    /// The last reconnection time.
    pub retry: Option<u64>,
    /// The ID that the client sends when reconnecting; `None` if the client received no ID.
    pub last_event_id: Option<String>,
}

impl Seen {
    /// Reads a body, whole or cut anywhere, as a client that sent this ID (WHATWG HTML 9.2.6).
    #[must_use]
    pub fn of(body: &[u8], brought: Option<&str>) -> Self {
        let mut reader = Reader::new().after(brought);
        reader.read(body);
        Self::by(&reader)
    }

    /// The state of this reader.
    #[must_use]
    pub fn by(reader: &Reader) -> Self {
        let last_event_id = reader.last_event_id().map(str::to_owned);
        Self { events: reader.events().cloned().collect(), retry: reader.retry(), last_event_id }
    }

    /// The data of the events.
    #[must_use]
    pub fn data(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.data.as_str()).collect()
    }
}

/// Everything that a client without an ID observes, in order.
#[must_use]
pub fn changes(body: &[u8]) -> Vec<Change> {
    let mut reader = Reader::new();
    reader.read(body);
    reader.changes().to_vec()
}

impl Response {
    /// The state so far, of a client that sent no ID.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen::by(self.reader())
    }

    /// Reads until this many events were dispatched.
    ///
    /// # Errors
    /// Fewer events arrive within `within`.
    pub fn read_events(&mut self, count: usize, within: Duration) -> Result<Seen, Failure> {
        let what = format!("{count} events");
        self.read_until_seen(&what, within, |reader| reader.events().count() >= count)?;
        Ok(self.seen())
    }

    /// Reads until the last event ID is `id`.
    ///
    /// # Errors
    /// The last event ID is still another one after `within`.
    pub fn read_id(&mut self, id: &str, within: Duration) -> Result<Seen, Failure> {
        let what = format!("the last event ID {id:?}");
        self.read_until_seen(&what, within, |reader| reader.last_event_id() == Some(id))?;
        Ok(self.seen())
    }

    /// Reads until the state of the client meets the condition.
    ///
    /// # Errors
    /// The condition is not met within `within`.
    pub fn read_until_seen(
        &mut self,
        what: &str,
        within: Duration,
        is_seen: impl Fn(&Reader) -> bool,
    ) -> Result<(), Failure> {
        self.read_while(within, |response| !is_seen(response.reader()))?;
        if is_seen(self.reader()) {
            return Ok(());
        }
        let end =
            if self.is_ended() { "before the end of the stream".to_owned() } else { format!("within {within:?}") };
        Err(Failure::new(format_args!("no {what} {end}\n    received {}", show(self.body()))))
    }

    /// Reads until the body has this many bytes.
    ///
    /// # Errors
    /// Fewer bytes arrive within `within`.
    pub fn read_bytes(&mut self, count: usize, within: Duration) -> Result<(), Failure> {
        self.read_while(within, |response| response.body().len() < count)?;
        if self.body().len() >= count {
            return Ok(());
        }
        Err(Failure::new(format_args!("not {count} bytes within {within:?}\n    received {}", show(self.body()))))
    }
}
