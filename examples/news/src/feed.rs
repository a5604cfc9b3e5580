//! The feed: headlines, and the count of its readers.

use example_common::page;
use serde::Serialize;
use sse_axum::{CloseReason, Event, Hub, Replay};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The page, in one file.
pub(crate) static PAGE: LazyLock<&str> = LazyLock::new(|| page(include_str!("../page.html")));

/// The longest headline, in bytes.
pub(crate) const MAX_HEADLINE_BYTES: usize = 2_000;

/// The number of headlines that a new page receives.
pub(crate) const PAST: Replay = Replay::Last(50);

/// The shortest time between two counts of readers.
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

/// Headlines are events of the topic `news`, and counts of readers are events of the topic `readers`. A clone is the same
/// feed.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub(crate) hub: Hub,
}

impl Feed {
    pub(crate) fn new() -> Self {
        // `stop` cuts a client off that has not read its end within half a second.
        Self { hub: Hub::builder().drain_grace(Duration::from_millis(500)).build() }
    }

    /// Publishes a line with the time. The page shows the line as text and never as HTML.
    pub(crate) fn headline(&self, line: &str) {
        self.publish("news", Event::json(&Headline { at: now(), text: line }).event("headline"));
    }

    /// The first events of each connection: the server's clock and the count of readers. They have no place in the history.
    pub(crate) fn greeting(&self) -> [Event<'static>; 2] {
        [Event::data(now().to_string()).event("now"), readers(self.hub.stats().streams)]
    }

    /// Ends every stream; ready when none is left.
    pub(crate) async fn drain(&self) {
        self.hub.drain(Duration::ZERO).await;
    }

    /// Publishes the count of readers after each change.
    pub(crate) async fn tell_readers(self) {
        let mut told = None;
        loop {
            tokio::time::sleep(COUNT_EVERY).await;
            let stats = self.hub.stats();
            // A reader that came while another one left has received a count that was too high by one.
            let left = stats.ended(CloseReason::ClientLeft) + stats.ended(CloseReason::Lagged);
            let now = Some((stats.streams, left));
            if stats.streams > 0 && now != told {
                self.publish("readers", readers(stats.streams));
                told = now;
            }
        }
    }

    fn publish(&self, topic: &str, event: Event<'_>) {
        if let Err(error) = self.hub.publish(topic, event) {
            eprintln!("news: {error}");
        }
    }
}
