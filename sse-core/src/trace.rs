//! What is told to `tracing`, under stable names; nothing without the feature.

use crate::FrameError;

/// A source's event could not be sent, and ended its stream.
pub(crate) fn failed(error: &FrameError) {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "sse_core", %error, "an event stream failed");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}

/// A send waits for room on a stream that nobody has polled: most likely its handler has not returned the response.
pub(crate) fn waits_unread() {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "sse_core", "a send waits on a stream whose response was not returned yet; begin with `first` instead");
}

/// A stream ended.
pub(crate) fn ended(id: uuid::Uuid, reason: crate::CloseReason) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "sse_core", %id, %reason, "an event stream ended");
    #[cfg(not(feature = "tracing"))]
    let _ = (id, reason);
}
