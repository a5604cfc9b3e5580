//! The moment of the next keep-alive.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The moment of the next keep-alive. The type is small, because every idle stream has one.
///
/// After data the delay is random, so that one publish does not move the keep-alives of all streams to one moment: at first
/// from half to one interval, later from nine tenths to one interval. After a keep-alive the delay is the interval.
#[derive(Debug)]
pub(super) struct KeepAlive {
    /// In milliseconds. `None` without keep-alives.
    interval: Option<NonZeroU32>,
    /// The number of random delays so far.
    draws: u32,
    /// Set by the first write. `None` also if the clock cannot represent the moment.
    at: Option<Instant>,
}

impl KeepAlive {
    pub(super) fn every(interval: Option<Duration>) -> Self {
        let ms = interval.and_then(|interval| u32::try_from(interval.as_nanos().div_ceil(1_000_000)).ok());
        Self { interval: ms.and_then(NonZeroU32::new), draws: 0, at: None }
    }

    /// Notes that the stream sent data. The random delay is derived from the random ID of the stream, because a generator
    /// for each stream would need more memory.
    pub(super) fn wrote_data(&mut self, now: Instant, id: Uuid) {
        let Some(ms) = self.interval else { return };
        let interval = Duration::from_millis(ms.get().into());
        let spread = if self.draws == 0 { interval / 2 } else { interval / 10 };
        self.draws = self.draws.saturating_add(1);
        let fraction =
            (splitmix((id.as_u128() as u64).wrapping_add(self.draws.into())) >> 11) as f64 / (1_u64 << 53) as f64;
        self.at = now.checked_add(interval - spread.mul_f64(fraction));
    }

    /// Notes that the stream sent a keep-alive.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.at = self.interval.and_then(|ms| now.checked_add(Duration::from_millis(ms.get().into())));
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// The moment of the next keep-alive, or of the end of [`KeepAlive::linger`].
    pub(super) const fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Notes that the stream ended.
    pub(super) const fn end(&mut self) {
        (self.interval, self.at) = (None, None);
    }

    /// The end of a pause after the last chunk. The first call decides the moment. A stream that ended needs no keep-alive,
    /// so the pause uses the same field.
    pub(super) fn linger(&mut self, now: Instant, pause: Duration) -> Instant {
        *self.at.get_or_insert_with(|| now + pause)
    }
}

/// One step of SplitMix64, whose results for neighbouring seeds are independent (Steele, Lea and Flood, 2014).
const fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
