//! The cases, a file a group.

mod compression;
mod decoding;
mod disconnect;
mod drain;
mod eligibility;
mod framing;
mod head;
mod head_method;
mod http10;
mod http2;
mod injection;
mod keep_alive;
mod lifecycle;
mod limits;
mod pipelining;
mod resumption;
mod slow_readers;

use crate::Case;

/// All cases, in the order of a report.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        head::cases(),
        eligibility::cases(),
        framing::cases(),
        injection::cases(),
        decoding::cases(),
        lifecycle::cases(),
        keep_alive::cases(),
        disconnect::cases(),
        resumption::cases(),
        drain::cases(),
        limits::cases(),
        compression::cases(),
        http10::cases(),
        http2::cases(),
        pipelining::cases(),
        slow_readers::cases(),
        head_method::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
