//! The work of the routes, the same for every peer.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// The fields of a peer's event.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Fields {
    pub(crate) id: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Open(IgnoredAny),
    Send(Fields),
    Comment(String),
    Sleep(u64),
    Close(bool),
    Finish(bool),
}

/// The streams by ID, each with the close reason.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) keep_alive: Duration,
    streams: Arc<Mutex<HashMap<String, Option<&'static str>>>>,
}

impl App {
    pub(crate) fn new(name: String, keep_alive: Duration) -> Self {
        Self { name, keep_alive, streams: Arc::default() }
    }

    /// `/script`: the stream's ID and events; `None` for malformed steps.
    pub(crate) fn script(&self, query: &str) -> Option<(String, ReceiverStream<Fields>)> {
        let steps = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "steps")?.1;
        let steps: Vec<Step> = serde_json::from_str(&steps).ok()?;
        let id = uuid::Uuid::new_v4().to_string();
        let (events, stream) = mpsc::channel(16);
        self.set(&id, None);
        let (app, own) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let gone = events.clone();
            let reason = tokio::select! {
                reason = run(events, steps) => reason,
                () = gone.closed() => "gone",
            };
            app.set(&own, Some(reason));
        });
        Some((id, ReceiverStream::new(stream)))
    }

    /// The other routes: a status and a body of JSON.
    pub(crate) fn plain(&self, path: &str) -> (u16, String) {
        if path == "/about" {
            let keep_alive = self.keep_alive.as_millis();
            return (200, format!(r#"{{"name":"{}","groups":["basics"],"keep_alive_ms":{keep_alive}}}"#, self.name));
        }
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        match path.strip_prefix("/streams/").and_then(|id| streams.get(id)) {
            Some(None) => (200, r#"{"active":true,"reason":null}"#.to_owned()),
            Some(Some(reason)) => (200, format!(r#"{{"active":false,"reason":"{reason}"}}"#)),
            None => (404, String::new()),
        }
    }

    fn set(&self, id: &str, reason: Option<&'static str>) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), reason);
    }
}

async fn run(events: mpsc::Sender<Fields>, steps: Vec<Step>) -> &'static str {
    for step in steps {
        let fields = match step {
            Step::Sleep(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                continue;
            }
            Step::Close(true) | Step::Finish(true) => return "closed",
            Step::Open(_) | Step::Close(false) | Step::Finish(false) => continue,
            Step::Send(fields) => fields,
            Step::Comment(comment) => Fields { comment: Some(comment), ..Fields::default() },
        };
        if events.send(fields).await.is_err() {
            return "gone";
        }
    }
    std::future::pending().await
}
