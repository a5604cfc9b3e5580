//! Tests of streams without a socket.
//!
//! [`Clock`] and [`Reader`] test a stream of the core under a clock that only the test moves. [`ResponseReader`] reads the
//! response of a handler event by event; the adapters have functions that call the handler, in their modules `testing`.
//!
//! ```
//! use sse_core::testing::Clock;
//! use std::time::Duration;
//!
//! let clock = Clock::new();
//! let (events, response) = clock.sse().channel();
//! let mut reader = clock.read(response);
//!
//! events.try_send(("tick", "1"))?;
//! assert_eq!(reader.text(), ":\nevent: sse-open\n\nevent: tick\ndata: 1\n\n");
//! clock.advance(Duration::from_secs(15));
//! assert_eq!(reader.text(), ":\n");
//! events.close();
//! assert!(reader.has_ended());
//! # Ok::<(), sse_core::SendError>(())
//! ```

mod clock;
mod reader;
#[cfg(feature = "tokio")]
mod response_reader;

pub use clock::{Alarm, Clock};
pub use reader::Reader;
#[cfg(feature = "tokio")]
pub use response_reader::{ReadError, ResponseReader};

/// Moves the clock of tokio, and with it every keep-alive, lifetime and deadline. A reader that waits moves a paused clock too:
/// up to the next timer, while no task can run.
///
/// # Panics
/// Panics if the clock is not [paused](pause).
///
/// ```
/// use sse_core::testing::{advance, pause};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// pause();
/// let began = tokio::time::Instant::now();
/// advance(Duration::from_secs(3600)).await;
/// assert_eq!(began.elapsed(), Duration::from_secs(3600));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "tokio")]
pub async fn advance(by: std::time::Duration) {
    tokio::time::advance(by).await;
}

/// Pauses the clock of tokio, as `#[tokio::test(start_paused = true)]` does. [`advance`] has an example.
///
/// # Panics
/// Panics if the clock is paused already, and in a runtime with several threads.
#[cfg(feature = "tokio")]
pub fn pause() {
    tokio::time::pause();
}
