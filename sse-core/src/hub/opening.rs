//! The first bytes of a subscription.

use super::id::EventId;
use super::inner::Inner;
use super::resume::Resumption;
use crate::event::control::Control;
use std::time::Duration;

/// How a subscription starts.
#[derive(Debug)]
pub(super) struct Opening {
    /// The reconnection time.
    pub(super) retry: Duration,
    pub(super) resumption: Resumption,
    /// Whether the hub does not know the client's ID. The stream then starts with a gap.
    pub(super) is_unknown: bool,
    /// The ID of the position where the stream starts, if it is known.
    pub(super) start: Option<EventId>,
}

impl Opening {
    /// The opening block, the welcome, the prelude, and then the gap or the position.
    ///
    /// The opening block has the start position only if no gap and no prelude follows. Otherwise a client that disconnects
    /// during the prelude would resume without the rest of it.
    pub(super) fn encode(
        &self,
        hub: &Inner,
        control: Control,
        brought: Option<&str>,
        welcome: &[u8],
        prelude: &[u8],
    ) -> Vec<u8> {
        let first_id = self.start.filter(|_| !self.is_unknown && prelude.is_empty());
        let block = match first_id {
            // A known ID resumes at the same position until the first position is sent.
            None if self.resumption != Resumption::Fresh && !self.is_unknown => {
                control.opening_after(Some(self.retry), brought)
            }
            first_id => control.opening(Some(self.retry), first_id),
        };
        let after_prelude = if self.is_unknown {
            Some(hub.unknown_gap(self.start))
        } else {
            self.start.filter(|_| first_id.is_none()).and_then(|id| control.position(id))
        };
        [&*block, welcome, prelude, &after_prelude.unwrap_or_default()].concat()
    }
}
