//! The items of a reader.

use sse_core::{DecodeError, MessageEvent, StopReason};
use std::time::Duration;

/// One item of an [`EventReader`](crate::EventReader) as a stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum Signal {
    /// The server answered, and a stream is open.
    Open,
    /// An event of the application.
    Event(MessageEvent<'static>),
    /// Events are missing here, by the server's gap event.
    Gap(MessageEvent<'static>),
    /// A block over [`max_event_bytes`](sse_core::EventSource::max_event_bytes) was skipped.
    Skipped(DecodeError),
    /// The connection is lost. The reader reconnects after the delay.
    Lost {
        /// The cause.
        cause: Lost,
        /// The delay before the next request.
        retry_in: Duration,
    },
}

/// Why a connection was lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Ended,
    /// The server answered with a status in [`retry_statuses`](sse_core::EventSource::retry_statuses).
    #[error("the server answered {0}")]
    Status(u16),
    /// The server sent nothing for [`max_silence`](sse_core::EventSource::max_silence).
    #[error("the server sent nothing for too long; `max_silence` sets the limit")]
    Silent,
    /// The request or the body failed.
    #[error("the connection failed")]
    Failed(#[source] reqwest::Error),
}

/// Why an [`EventReader`](crate::EventReader) stopped for good, other than by the end of the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// An answer or an event ID of the server stops the event source.
    #[error(transparent)]
    Source(StopReason),
    /// The request cannot be built: reqwest's reason.
    #[error("the request cannot be built: {0}")]
    Request(String),
    /// The request has a streaming body, which a reconnect cannot send again.
    #[error("the body of the request cannot be sent twice; give reqwest bytes or text in place of a stream")]
    StreamingBody,
}
