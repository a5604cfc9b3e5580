//! The feed: what is published, and who reads it.

use sse_axum::{CloseReason, Event, Hub, Replay};
use std::time::Duration;

/// The page, in one file, without anything from elsewhere.
pub(crate) const PAGE: &str = include_str!("../page.html");

/// The longest headline, in bytes.
pub(crate) const MAX_HEADLINE_BYTES: usize = 2_000;

/// How much of the past a page is shown that opens for the first time.
pub(crate) const PAST: Replay = Replay::Last(50);

/// How often the count of readers is looked at: however many come and go, nobody hears of it more often.
const COUNT_EVERY: Duration = Duration::from_millis(250);

/// Headlines and the count of readers are events of one topic, `news`. A clone is the same feed.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub(crate) hub: Hub,
}

impl Feed {
    pub(crate) fn new() -> Self {
        // Who does not end within half a second is cut off, see `stop`.
        Self { hub: Hub::builder().drain_grace(Duration::from_millis(500)).build() }
    }

    /// The line travels as it is; it is for the page to show it as text and never as HTML.
    pub(crate) fn headline(&self, line: &str) {
        self.publish(Event::data(line).event("headline"));
    }

    /// Ends every stream; ready when none is left.
    pub(crate) async fn drain(&self) {
        self.hub.drain(Duration::ZERO).await;
    }

    /// Tells the readers how many they are, whenever somebody came or left.
    pub(crate) async fn tell_readers(self) {
        let mut told = None;
        loop {
            tokio::time::sleep(COUNT_EVERY).await;
            let stats = self.hub.stats();
            // One who came just as another left changes no count, but has not heard of it yet.
            let left = stats.ended(CloseReason::Gone) + stats.ended(CloseReason::Lagged);
            let now = Some((stats.streams, left));
            if stats.streams > 0 && now != told {
                self.publish(Event::data(stats.streams.to_string()).event("readers"));
                told = now;
            }
        }
    }

    fn publish(&self, event: Event<'_>) {
        if let Err(error) = self.hub.publish("news", event) {
            eprintln!("news: {error}");
        }
    }
}
