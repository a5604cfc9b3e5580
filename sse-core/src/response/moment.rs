//! The moments at which a stream can end.

use std::time::{Duration, Instant, SystemTime};

/// A moment for [`Sse::expires_at`](crate::Sse::expires_at): an [`Instant`], a [`SystemTime`], or [`UnixSeconds`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a moment at which a stream can end",
    label = "neither an `Instant` nor a `SystemTime`",
    note = "for seconds since 1970, as in the `exp` of a token, pass `UnixSeconds(exp)`",
    note = "for a duration from now on, use `max_lifetime(duration)` or pass `Instant::now() + duration`"
)]
pub trait IntoMoment {
    /// The moment on the monotonic clock, given what both clocks show now. `None` is a moment that the monotonic clock never
    /// reaches.
    #[doc(hidden)]
    fn on_clock(self, now: Instant, wall: SystemTime) -> Option<Instant>;
}

/// Seconds since 1970-01-01 00:00 UTC, as in the `exp` of a JSON web token (RFC 7519 4.1.4).
///
/// Any number is valid. A moment in the past ends the stream at once, and `u64::MAX` never does.
///
/// ```
/// use sse_core::testing::Clock;
/// use sse_core::{CloseReason, Runtime, UnixSeconds};
/// use std::time::{Duration, SystemTime};
///
/// let clock = Clock::new();
/// let now = clock.wall().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
/// let (events, response) = clock.sse().expires_at(UnixSeconds(now + 60)).channel();
/// let mut reader = clock.read(response);
/// clock.advance(Duration::from_secs(59));
/// assert!(!reader.has_ended());
/// clock.advance(Duration::from_secs(1));
/// assert!(reader.has_ended());
/// assert_eq!(events.close_reason(), Some(CloseReason::Expired));
/// # Ok::<(), std::time::SystemTimeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it is a number with a unit")]
pub struct UnixSeconds(pub u64);

impl IntoMoment for Instant {
    fn on_clock(self, _: Instant, _: SystemTime) -> Option<Instant> {
        Some(self)
    }
}

impl IntoMoment for SystemTime {
    fn on_clock(self, now: Instant, wall: SystemTime) -> Option<Instant> {
        // A moment in the past is now.
        now.checked_add(self.duration_since(wall).unwrap_or_default())
    }
}

impl IntoMoment for UnixSeconds {
    fn on_clock(self, now: Instant, wall: SystemTime) -> Option<Instant> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.0))?.on_clock(now, wall)
    }
}
