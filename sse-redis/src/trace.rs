//! What is told to `tracing`, if the feature is on.

use crate::follower::Loss;
use sse_core::hub::EventId;

#[cfg(feature = "tracing")]
mod told {
    use super::*;

    pub(crate) fn lost(id: EventId, loss: Loss) {
        tracing::warn!(%id, ?loss, "part of the log was lost; readers are told a gap");
    }

    pub(crate) fn taken_back(id: EventId) {
        tracing::warn!(%id, "the log took back what came after this; readers who saw it are told a gap");
    }

    pub(crate) fn passed_over(id: EventId, error: &dyn std::fmt::Display) {
        tracing::warn!(%id, %error, "an entry cannot be sent and is passed over");
    }

    pub(crate) fn trouble(error: &dyn std::fmt::Display) {
        tracing::warn!(%error, "the engine is away");
    }
}

#[cfg(not(feature = "tracing"))]
mod told {
    use super::*;

    pub(crate) const fn lost(_: EventId, _: Loss) {}
    pub(crate) const fn taken_back(_: EventId) {}
    pub(crate) const fn passed_over(_: EventId, _: &dyn std::fmt::Display) {}
    pub(crate) const fn trouble(_: &dyn std::fmt::Display) {}
}

pub(crate) use told::*;
