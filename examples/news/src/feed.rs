//! The feed: headlines, and the number of open pages.

use example_common::page;
use serde::Serialize;
use sse_axum::{CloseReason, Event, Hub, Replay};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) static PAGE: LazyLock<&str> = LazyLock::new(|| page(include_str!("../page.html")));

/// The longest headline, in bytes.
pub(crate) const MAX_HEADLINE_BYTES: usize = 2_000;

/// The number of headlines that a new page receives.
pub(crate) const PAST: Replay = Replay::Last(50);

/// The shortest time between two counts.
const COUNT_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Serialize)]
struct Headline<'a> {
    /// Milliseconds since 1970, by the server's clock.
    at: u64,
    text: &'a str,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn readers(count: usize) -> Event<'static> {
    Event::data(count.to_string()).event("readers")
}

/// The topic `news` has the headlines, and the topic `readers` the number of open pages. Clones share one feed.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub(crate) hub: Hub,
}

impl Feed {
    pub(crate) fn new() -> Self {
        // A client that does not read the end of its stream is disconnected after half a second.
        Self { hub: Hub::builder().drain_grace(Duration::from_millis(500)).build() }
    }

    /// Publishes a line with the time. The page shows the line as text and never as HTML.
    pub(crate) fn headline(&self, line: &str) {
        self.publish("news", Event::json(&Headline { at: now(), text: line }).event("headline"));
    }

    /// The first events of each stream: the server's clock and the number of open pages. They are not in the history.
    pub(crate) fn greeting(&self) -> [Event<'static>; 2] {
        [Event::data(now().to_string()).event("now"), readers(self.hub.stats().streams)]
    }

    /// Ends every stream, and returns when no stream is left.
    pub(crate) async fn drain(&self) {
        self.hub.drain(Duration::ZERO).await;
    }

    /// Publishes the number of open pages after each change.
    pub(crate) async fn count_readers(self) {
        let mut published = None;
        loop {
            tokio::time::sleep(COUNT_EVERY).await;
            let stats = self.hub.stats();
            // If one client leaves and another one connects, the number is equal, but the new client received a number that was
            // too high by one. So the number of ended streams is compared as well.
            let left = stats.ended(CloseReason::ClientLeft) + stats.ended(CloseReason::Lagged);
            let now = Some((stats.streams, left));
            if stats.streams > 0 && now != published {
                self.publish("readers", readers(stats.streams));
                published = now;
            }
        }
    }

    fn publish(&self, topic: &str, event: Event<'_>) {
        if let Err(error) = self.hub.publish(topic, event) {
            eprintln!("news: {error}");
        }
    }
}
