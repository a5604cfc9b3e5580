//! What a client makes of a body.

use super::Response;
use crate::Failure;
use crate::failure::show;
pub use sse_test_support::reader::Event;
use sse_test_support::reader::{Change, Reader};
use std::time::Duration;

/// What a client saw of a stream up to some byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The dispatched events of the application, in their order.
    pub events: Vec<Event>,
    /// The last reconnection time.
    pub retry: Option<u64>,
    /// The ID that the client brings to a reconnect; `None` if it never received one.
    pub last_event_id: Option<String>,
}

impl Seen {
    /// Reads a body, whole or cut anywhere, by a client that brought this ID (WHATWG HTML 9.2.6).
    #[must_use]
    pub fn of(body: &[u8], brought: Option<&str>) -> Self {
        let mut reader = Reader::new().after(brought);
        reader.read(body);
        Self::by(&reader)
    }

    /// What this reader read.
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

/// What a client without an ID observes of a body, in its order.
#[must_use]
pub fn changes(body: &[u8]) -> Vec<Change> {
    let mut reader = Reader::new();
    reader.read(body);
    reader.changes().to_vec()
}

impl Response {
    /// What was seen so far, by a client that brought no ID.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen::by(self.reader())
    }

    /// Reads until so many events were dispatched.
    ///
    /// # Errors
    /// They were not, in time.
    pub fn read_events(&mut self, count: usize, within: Duration) -> Result<Seen, Failure> {
        let what = format!("{count} events");
        self.read_until_seen(&what, within, |reader| reader.events().count() >= count)?;
        Ok(self.seen())
    }

    /// Reads until the last event ID is this one.
    ///
    /// # Errors
    /// It is not, in time.
    pub fn read_id(&mut self, id: &str, within: Duration) -> Result<Seen, Failure> {
        let what = format!("the last event ID {id:?}");
        self.read_until_seen(&what, within, |reader| reader.last_event_id() == Some(id))?;
        Ok(self.seen())
    }

    /// Reads until the client has seen this.
    ///
    /// # Errors
    /// It has not, in time.
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
        Err(Failure::new(format_args!("no {what} {end}\n    saw {}", show(self.body()))))
    }

    /// Reads until the body has so many bytes.
    ///
    /// # Errors
    /// It does not, in time.
    pub fn read_bytes(&mut self, count: usize, within: Duration) -> Result<(), Failure> {
        self.read_while(within, |response| response.body().len() < count)?;
        if self.body().len() >= count {
            return Ok(());
        }
        Err(Failure::new(format_args!("not {count} bytes within {within:?}\n    saw {}", show(self.body()))))
    }
}
