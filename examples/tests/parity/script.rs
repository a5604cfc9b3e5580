//! The behaviour of each route, for all frameworks. The handlers only open a channel.

use sse_core::{Event, Sender};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// The number of requests to `/sse/visits` of one server.
#[derive(Debug, Default)]
pub(crate) struct Visits(AtomicUsize);

impl Visits {
    pub(crate) fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// Sends the events of a route, in a task of its own.
pub(crate) fn play(route: String, visit: usize, events: Sender) {
    tokio::spawn(async move {
        let played = match route.as_str() {
            "welcome" => welcome(&events).await,
            "names" => names(&events).await,
            "visits" => visits(&events, visit).await,
            "s42core" => s42core(&events).await,
            _ => Ok(()),
        };
        if played.is_ok() {
            // Keep the sender until the browser leaves, because a channel ends when its last sender is dropped.
            events.closed().await;
        }
    });
}

type Played = Result<(), sse_core::SendError>;

async fn welcome(events: &Sender) -> Played {
    events.send(events.id().to_string()).await
}

async fn names(events: &Sender) -> Played {
    events.send("data alone").await?;
    events.send(("tick", "named")).await?;
    events.send(("7", "tick", "with an id")).await?;
    let score = serde_json::json!({"away": 1, "home": 2, "note": "<b>\"late\"</b>\nline"});
    events.send(Event::json(&score).event("score")).await
}

async fn visits(events: &Sender, visit: usize) -> Played {
    events.send(Event::data(format!("visit {visit}")).retry(Duration::from_millis(100))).await?;
    if visit == 1 {
        events.close()
    } else {
        events.finish()
    };
    Ok(())
}

async fn s42core(events: &Sender) -> Played {
    sleep(Duration::from_secs(1)).await;
    events.send(Event::json(&serde_json::json!({"hello": "world"}))).await?;
    sleep(Duration::from_secs(4)).await;
    events.close();
    Ok(())
}
