//! The surroundings of a stream: clock, timer, random numbers, locks, sockets, tracing.

#[expect(clippy::module_inception, reason = "a reader looks for `Runtime` in runtime.rs")]
pub(crate) mod runtime;
#[cfg(feature = "socket")]
pub(crate) mod socket;
pub(crate) mod sync;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;
pub(crate) mod trace;
pub(crate) mod wake;
pub(crate) mod wake_task;
