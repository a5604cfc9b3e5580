//! Shared by the cases about topics: publish, follow, and topic names that no other case uses.

use crate::client::{Request, Response};
use crate::failure::{check, show};
use crate::{Failure, Group, Target};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The liveness bound.
pub(super) use crate::target::patience;

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A topic name that belongs to this case alone, even if other programs test the same server.
pub(super) fn topic(word: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{word}-{}-{now:x}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Publishes one event and returns the ID.
pub(super) fn publish(target: &Target, topic: &str, data: &str) -> Result<String, Failure> {
    let mut ids = publish_all(target, &json!({ "topic": topic, "data": data }))?;
    ids.pop().ok_or_else(|| Failure::new("one event was published, but the answer has no ID"))
}

/// Publishes this JSON body and returns the IDs.
pub(super) fn publish_all(target: &Target, json: &Value) -> Result<Vec<String>, Failure> {
    #[derive(serde::Deserialize)]
    struct Published {
        ids: Vec<String>,
    }
    let response = target.read(&post("/publish", json.to_string()))?;
    let body = response.body();
    check(response.head.status == 200, || format!("not published: {}\n    {}", response.head, show(body)))?;
    let ids = serde_json::from_slice::<Published>(body)
        .map_err(|_| Failure::new(format_args!("no `ids` in {}", show(body))))?
        .ids;
    let count = json.as_array().map_or(1, Vec::len);
    check(ids.len() == count, || format!("{count} events, but the IDs are {ids:?}"))?;
    Ok(ids)
}

pub(super) fn post(path: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", path).header("content-type", "application/json").body(body)
}

/// The request of a client of topics.
#[derive(Debug, Clone, Default)]
pub(super) struct Follow {
    query: String,
    headers: Vec<Vec<u8>>,
}

impl Follow {
    pub(super) fn of<'n>(topics: impl IntoIterator<Item = &'n String>) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for topic in topics {
            query.append_pair("name", topic);
        }
        Self { query: query.finish(), headers: Vec::new() }
    }

    pub(super) fn from(mut self, start: &str) -> Self {
        self.query.push_str("&from=");
        self.query.push_str(start);
        self
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push_str(&format!("&{name}={value}"));
        self
    }

    /// Sends this ID. Two calls send two headers.
    pub(super) fn after(mut self, id: impl AsRef<[u8]>) -> Self {
        self.headers.push(id.as_ref().to_vec());
        self
    }

    pub(super) fn after_ref(self, id: &&[u8]) -> Self {
        self.after(id)
    }

    pub(super) fn request(&self) -> Request {
        let request = Request::get(format!("/topics?{}", self.query)).header("accept", "text/event-stream");
        self.headers.iter().fold(request, |request, id| request.header("last-event-id", id))
    }

    pub(super) fn open(&self, target: &Target) -> Result<Response, Failure> {
        let response = target.ask(&self.request())?;
        check(response.head.status == 200, || format!("no stream: {}", response.head))?;
        Ok(response)
    }

    /// Opens the stream and checks `x-resumption`. A server that shares a history may ask the client to reconnect
    /// later, and then the client does.
    pub(super) fn expect(&self, target: &Target, outcome: &str) -> Result<Response, Failure> {
        let mut response = self.open(target)?;
        for _ in 0..5 {
            if response.head.has("x-resumption") || !target.about()?.offers(Group::Nodes) {
                break;
            }
            response.read_to_end(patience())?;
            let retry = response.seen().retry;
            let retry = retry.ok_or_else(|| Failure::new(format_args!("no retry: {}", show(response.body()))))?;
            std::thread::sleep(Duration::from_millis(retry.min(5000)));
            response = self.open(target)?;
        }
        let said = response.head.header("x-resumption");
        check(said == Some(outcome), || format!("x-resumption must be {outcome}: {}", response.head))?;
        Ok(response)
    }
}

/// Reads until the stream has sent a position, and returns the position.
pub(super) fn position(stream: &mut Response) -> Result<String, Failure> {
    stream.read_until_seen("position", patience(), |reader| reader.last_event_id().is_some())?;
    Ok(stream.seen().last_event_id.unwrap_or_default())
}
