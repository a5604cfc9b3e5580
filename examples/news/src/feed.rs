//! The feed: headlines, and the number of open pages.

use example_common::page;
use serde::Serialize;
use sse_axum::{CloseReason, Events, Hub, Replay};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) static PAGE: LazyLock<&str> = LazyLock::new(|| page(include_str!("../page.html")));

/// The longest headline, in bytes.
pub(crate) const MAX_HEADLINE_BYTES: usize = 2_000;

/// The number of headlines that a new page receives.
pub(crate) const PAST: Replay = Replay::Last(50);

/// The shortest time between two counts.
const COUNT_EVERY: Duration = Duration::from_millis(250);

/// The events of the feed. The page knows them by `news.d.ts`.
#[derive(Debug, Events)]
#[cfg_attr(test, derive(sse_axum::EventsTypeScript))]
pub(crate) enum News {
    /// The first event of each stream: the server's clock, in milliseconds since 1970.
    Now(u64),
    Headline(Headline),
    /// The number of open pages.
    Readers(usize),
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct Headline {
    /// Milliseconds since 1970, by the server's clock.
    at: u64,
    text: String,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
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
        self.publish("news", News::Headline(Headline { at: now(), text: line.to_owned() }));
    }

    /// The first events of each stream: the server's clock and the number of open pages. They are not in the history.
    pub(crate) fn greeting(&self) -> [News; 2] {
        [News::Now(now()), News::Readers(self.hub.stats().streams)]
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
                self.publish("readers", News::Readers(stats.streams));
                published = now;
            }
        }
    }

    fn publish(&self, topic: &str, event: News) {
        if let Err(error) = self.hub.publish(topic, event) {
            eprintln!("news: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::News;

    #[test]
    fn declaration_for_the_page_is_up_to_date() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/news.d.ts");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(file, News::typescript()).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(committed, News::typescript(), "BLESS=1 cargo test -p news writes {file}");
    }
}
