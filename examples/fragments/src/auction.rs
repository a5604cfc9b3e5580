//! The auction: the bids, the remaining time, and the fragments of HTML that show them.

use crate::html;
use serde::Deserialize;
use sse_axum::{Event, Hub};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;

/// A bid, as the form posts it.
#[derive(Debug, Deserialize)]
pub(crate) struct Bid {
    name: String,
    amount: u32,
}

/// One lot. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct Auction {
    pub(crate) hub: Hub,
    ends: Instant,
    hammer: Arc<Notify>,
    lot: Arc<Mutex<Lot>>,
}

#[derive(Debug, Default)]
struct Lot {
    best: Option<Bid>,
    is_sold: bool,
}

impl Auction {
    pub(crate) fn new(hub: Hub, lasts: Duration) -> Self {
        Self { hub, ends: Instant::now() + lasts, hammer: Arc::default(), lot: Arc::default() }
    }

    /// Accepts a bid, or returns the reason for the page.
    pub(crate) fn bid(&self, bid: Bid) -> Result<(), String> {
        let name = bid.name.trim();
        let mut lot = self.lot();
        if name.is_empty() || name.len() > 160 || bid.amount > 1_000_000 {
            return Err("A bid has a name, and an amount of at most 1000000.".into());
        }
        if lot.is_sold {
            return Err(format!("Too late, {name}: it is sold."));
        }
        let least = lot.best.as_ref().map_or(1, |best| best.amount + 1);
        if bid.amount < least {
            return Err(format!("Sorry, {name}: bid at least {least}."));
        }
        let row = format!("<li>{}<b>{}</b></li>", html::text(name), bid.amount);
        self.publish("bids", [Event::data(row).event("bid"), Event::data(bid.amount.to_string()).event("price")]);
        lot.best = Some(bid);
        Ok(())
    }

    /// Ends the auction before its time.
    pub(crate) fn end(&self) {
        self.hammer.notify_one();
    }

    /// Publishes the remaining time each second, and the winner at the end.
    pub(crate) async fn run(self) {
        while let Some(left) = self.ends.checked_duration_since(Instant::now()) {
            self.publish("clock", [Event::data(format!("ends in {} s", left.as_secs_f64().ceil())).event("left")]);
            if timeout(left.min(Duration::from_secs(1)), self.hammer.notified()).await.is_ok() {
                break;
            }
        }
        let mut lot = self.lot();
        lot.is_sold = true;
        let sold = match &lot.best {
            Some(best) => format!("Sold to {} for {}.", html::text(best.name.trim()), best.amount),
            None => "No bids.".into(),
        };
        let sold = format!("<p class=\"sold\">{sold}</p>");
        // At `closed` the page's `sse-close` closes the connection. No element shows this event.
        let last =
            [Event::data("over").event("left"), Event::data(sold).event("sold"), Event::data("").event("closed")];
        self.publish("bids", last);
    }

    /// Publishes all fragments at once, so that no page shows a bid without its price.
    fn publish<const N: usize>(&self, topic: &str, fragments: [Event<'_>; N]) {
        if let Err(error) = self.hub.publish_all(fragments.map(|fragment| (topic, fragment))) {
            eprintln!("fragments: {error}");
        }
    }

    fn lot(&self) -> MutexGuard<'_, Lot> {
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
