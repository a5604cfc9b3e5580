//! The client end: an event source that reconnects, without a socket and without a clock.

pub(crate) mod action;
pub(crate) mod event_source;
pub(crate) mod retry;
