//! Decides which requests open a stream, and answers the others.

pub(crate) mod accept;
pub(crate) mod accept_encoding;
pub(crate) mod grammar;
pub(crate) mod head;
pub(crate) mod host;
pub(crate) mod last_event_id;
pub(crate) mod origin;
pub(crate) mod policy;
pub(crate) mod rejection;
#[expect(clippy::module_inception, reason = "a reader looks for `Request` in request.rs")]
pub(crate) mod request;
