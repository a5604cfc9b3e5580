//! The windows of a stream that writes at most once per window.

use std::time::{Duration, Instant};

/// The window after a write. Events of the window wait for its end, and leave as one write.
#[derive(Debug)]
pub(super) struct Pace {
    window: Duration,
    /// The end of the window. `None` before the first event, and if the clock cannot represent the moment.
    end: Option<Instant>,
    /// The last write has not taken all that is ready.
    writing: bool,
    /// Events wait for the end of the window.
    waits: bool,
}

impl Pace {
    /// `None` without a window.
    pub(super) fn every(window: Duration) -> Option<Box<Self>> {
        let pace = Self { window, end: None, writing: false, waits: false };
        (!window.is_zero()).then(|| Box::new(pace))
    }

    /// Whether the stream must not write events at this moment.
    pub(super) fn is_closed(&mut self, now: Instant) -> bool {
        let is_closed = !self.writing && self.end.is_some_and(|end| now < end);
        self.waits &= is_closed;
        is_closed
    }

    /// Notes that the stream sent events. A window begins with the first chunk of a write.
    pub(super) fn wrote(&mut self, now: Instant) {
        if !self.writing {
            (self.writing, self.end) = (true, now.checked_add(self.window));
        }
    }

    /// Notes that nothing more is ready, so that the write is complete.
    pub(super) const fn wrote_all(&mut self) {
        self.writing = false;
    }

    /// Notes that events wait for the end of the window.
    pub(super) const fn wait(&mut self) {
        self.waits = true;
    }

    /// The end of the window, if events wait for it.
    pub(super) const fn at(&self) -> Option<Instant> {
        if self.waits { self.end } else { None }
    }
}
