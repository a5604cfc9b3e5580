//! The rules for the events of one stream.

use crate::event::control::{Control, is_of_the_page};
use crate::event::error::FrameError;
use crate::event::frame::CheckedEvent;
use std::sync::Arc;

/// The maximum size of an event. On a hub also: no ID, because the hub sets the IDs, and not the type of the hub's own
/// events.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    reserved: Option<Arc<str>>,
    max_event_bytes: usize,
}

impl Rules {
    pub(crate) const fn of_hub(reserved_type: Arc<str>, max_event_bytes: usize) -> Self {
        Self { reserved: Some(reserved_type), max_event_bytes }
    }

    pub(crate) const fn of_stream(max_event_bytes: usize) -> Self {
        Self { reserved: None, max_event_bytes }
    }

    /// The same rules with the limit of one stream, if the stream has its own.
    pub(crate) fn with_max_event_bytes(self, bytes: Option<usize>) -> Self {
        Self { max_event_bytes: bytes.unwrap_or(self.max_event_bytes), ..self }
    }

    /// Checks whether a stream of this kind may send the event.
    pub(crate) fn check(&self, event: &CheckedEvent<'_>, control: Control) -> Result<(), FrameError> {
        check(event, self.max_event_bytes, control)?;
        let Some(reserved) = &self.reserved else { return Ok(()) };
        if event.has_id() {
            return Err(FrameError::IdNotAllowed);
        }
        if event.event_type() == reserved.as_bytes() {
            return Err(FrameError::ReservedType(reserved.as_ref().into()));
        }
        Ok(())
    }
}

/// Checks whether a stream of this kind may send an event of this size and type.
pub(crate) fn check(event: &CheckedEvent<'_>, max_event_bytes: usize, control: Control) -> Result<(), FrameError> {
    event.check_size_and_retry(max_event_bytes)?;
    let event_type = event.event_type();
    if control != Control::Omitted && is_of_the_page(event_type) {
        return Err(FrameError::PageType(String::from_utf8_lossy(event_type).into()));
    }
    Ok(())
}
