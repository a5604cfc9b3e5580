//! Decoding event streams, exact to WHATWG HTML 9.2.6, with limits.

pub(crate) mod buffers;
#[expect(clippy::module_inception, reason = "a reader looks for `Decoder` in decoder.rs")]
pub(crate) mod decoder;
pub(crate) mod limits;
pub(crate) mod message_event;
pub(crate) mod stream;
#[cfg(feature = "json")]
pub(crate) mod typed;
