//! Events: how they are built, validated and encoded.

pub(crate) mod block;
pub(crate) mod control;
pub(crate) mod encode;
pub(crate) mod error;
#[expect(clippy::module_inception, reason = "a reader looks for `Event` in event.rs")]
pub(crate) mod event;
pub(crate) mod frame;
pub(crate) mod limits;
pub(crate) mod line_breaks;
#[cfg(feature = "json")]
pub(crate) mod typed;
