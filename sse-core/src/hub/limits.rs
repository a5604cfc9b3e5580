//! The limits of a hub and their defaults.

use crate::event::limits::{MAX_EVENT_BYTES, MAX_RETRY};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// The middle of the range of reconnection times, unless the application sets it.
const DEFAULT_RETRY: Duration = Duration::from_secs(3);

/// The settings of [`HubBuilder`](super::HubBuilder), whose methods describe them.
#[derive(Debug, Clone)]
pub(crate) struct HubLimits {
    pub(crate) topic_bytes: usize,
    pub(crate) topic_events: usize,
    pub(crate) topic_age: Option<Duration>,
    pub(crate) ended_topic_age: Option<Duration>,
    pub(crate) hub_bytes: usize,
    pub(crate) max_topics: usize,
    pub(crate) max_topics_per_stream: usize,
    pub(crate) max_streams: usize,
    pub(crate) max_streams_per_key: usize,
    pub(crate) lag_ends: bool,
    pub(crate) gap_type: Arc<str>,
    pub(crate) max_event_bytes: usize,
    /// The middle of the range from which each stream draws its reconnection time, if the application set it.
    pub(crate) retry: Option<Duration>,
    pub(crate) position_updates: bool,
    pub(crate) drain_grace: Duration,
    pub(crate) drain_retry: RangeInclusive<Duration>,
    #[cfg(feature = "gzip")]
    pub(crate) gzip: crate::hub::gzip::GzipSettings,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            topic_bytes: 4 * 1024 * 1024,
            topic_events: usize::MAX,
            topic_age: None,
            ended_topic_age: None,
            hub_bytes: 64 * 1024 * 1024,
            max_topics: 100_000,
            max_topics_per_stream: 256,
            max_streams: usize::MAX,
            max_streams_per_key: usize::MAX,
            lag_ends: true,
            gap_type: "gap".into(),
            max_event_bytes: MAX_EVENT_BYTES,
            retry: None,
            position_updates: false,
            drain_grace: Duration::from_secs(10),
            drain_retry: Duration::from_secs(1)..=Duration::from_secs(5),
            #[cfg(feature = "gzip")]
            gzip: crate::hub::gzip::GzipSettings::default(),
        }
    }
}

impl HubLimits {
    /// The range from which each stream draws its reconnection time.
    pub(crate) fn retry(&self) -> RangeInclusive<Duration> {
        let retry = self.retry.unwrap_or(DEFAULT_RETRY);
        let third = retry / 3;
        retry - third..=(retry + third).min(MAX_RETRY)
    }
}
