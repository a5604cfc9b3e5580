//! The wakers that wait for a change of one stream.

use super::close_reason::CloseReason;
use crate::event::error::FrameError;
use std::collections::BTreeMap;
use std::fmt;
use std::task::Waker;

/// The waiting futures of a stream, its failure, and the application's function for its end.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Sends that wait for room, by ticket, so in the order of their first poll. The stream wakes the first.
    pub(crate) line: BTreeMap<u64, Option<Waker>>,
    /// Futures that wait for the end or for a drain, by ticket.
    pub(crate) watchers: BTreeMap<u64, Waker>,
    /// The error of a failed stream, for the application.
    pub(super) failure: Option<FrameError>,
    pub(super) on_end: Option<OnEnd>,
    next_ticket: u64,
}

impl Waiting {
    pub(crate) const fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }
}

/// The application's function for the end of a stream.
pub(crate) struct OnEnd(pub(crate) Box<EndFn>);

type EndFn = dyn FnOnce(CloseReason, Option<&FrameError>) + Send + Sync;

impl fmt::Debug for OnEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnEnd")
    }
}
