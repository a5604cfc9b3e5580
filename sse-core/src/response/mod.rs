//! Responses: the options of a stream, and the answer that opens it.

#[cfg(feature = "adapter")]
mod adapter;
#[cfg(feature = "adapter")]
mod adapter_feed;
pub(crate) mod assembly;
pub(crate) mod moment;
pub(crate) mod options;
pub(crate) mod prelude;
#[expect(clippy::module_inception, reason = "a reader looks for `Response` in response.rs")]
pub(crate) mod response;
