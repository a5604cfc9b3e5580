//! The application: the work of each route, without any framework's types.

use super::offer::{Offer, Opened};
use super::options::Options;
use super::plain::Plain;
use super::streams::Streams;
use super::{decode, ended_topics, faults, log, publish, state, steps};
use crate::Group;
use sse_core::hub::EventId;
use sse_core::{CloseReason, Hub, Policy, Replay};
use sse_redis::Redis;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// State that all requests share.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) options: Arc<Options>,
    pub(crate) hub: Hub,
    /// The log of the history, if the history is kept outside of this process.
    pub(crate) redis: Option<Redis>,
    streams: Streams,
}

/// A stream, or a plain response instead.
pub(crate) type Answer<R> = Result<Opened<R>, Plain>;

impl App {
    /// Builds the application on the server's runtime.
    pub(crate) async fn start(options: Options) -> io::Result<Self> {
        let (hub, redis) = match &options.redis {
            Some(url) => log::follow(url, &options).await.map(|(hub, redis)| (hub, Some(redis)))?,
            None => (options.hub().build(), None),
        };
        Ok(Self { options: Arc::new(options), hub, redis, streams: Streams::default() })
    }

    /// The policy of `/fetch`.
    pub(crate) fn fetch_policy() -> Policy {
        Policy::default().methods(["GET", "POST"])
    }

    /// The policy of `/topics`.
    pub(crate) fn topics_policy(&self) -> Policy {
        Policy::default().compressed(self.options.gzip)
    }

    /// `/script`, and `/fetch` by GET.
    pub(crate) fn script<S: Offer>(&self, sse: S, query: Option<&str>) -> Answer<S::Reply> {
        let steps = Query::of(query).get("steps").ok_or_else(|| Plain::bad_request("no steps"))?;
        self.run(sse, query, steps.as_bytes())
    }

    /// `/fetch` by POST: the steps are its body.
    pub(crate) fn run<S: Offer>(&self, sse: S, query: Option<&str>, json: &[u8]) -> Answer<S::Reply> {
        let steps = steps::parse(json).map_err(Plain::bad_request)?;
        let welcome = Query::of(query).get("welcome").as_deref() == Some("1");
        let (events, opened) = sse.channel(self, welcome);
        if opened.id().is_some() {
            self.streams.add(events.clone());
            tokio::spawn(steps::run(events, steps));
        }
        Ok(opened)
    }

    /// `/optional`.
    pub(crate) fn optional<S: Offer>(&self, sse: Option<S>, method: &str) -> Answer<S::Reply> {
        let Some(sse) = sse else {
            let page = Plain::text(200, "not an event stream request");
            return Err(if method == "HEAD" { page.without_body() } else { page });
        };
        let (events, opened) = sse.channel(self, false);
        // A stream without pending events accepts any event.
        let _ = events.try_send(("hello", "hello"));
        events.finish();
        Ok(opened)
    }

    /// `/topics`.
    pub(crate) async fn topics<S: Offer>(&self, sse: S, query: Option<&str>) -> Answer<S::Reply> {
        let query = Query::of(query);
        let topics = query.all("name");
        if topics.is_empty() {
            return Err(Plain::bad_request("no name"));
        }
        let start = match query.get("from").as_deref() {
            None => Replay::default(),
            Some("oldest") if faults::fault("nodes-no-history") => Replay::None,
            Some(from) => start(from).ok_or_else(|| Plain::bad_request("no such from"))?,
        };
        let id = sse.last_event_id().as_str().and_then(EventId::parse);
        if let (Some(redis), Some(id), false) = (&self.redis, id, self.hub.is_draining()) {
            log::reached(redis, id).await;
        }
        let pace = match query.get("pace").map(|ms| ms.parse()) {
            None => Duration::ZERO,
            Some(Ok(_)) if faults::fault("pace-ignored") => Duration::ZERO,
            Some(Ok(ms)) => Duration::from_millis(ms),
            Some(Err(_)) => return Err(Plain::bad_request("no such pace")),
        };
        let (events, opened) = sse.subscribe(self, &topics, start, pace);
        if opened.id().is_some() {
            self.streams.add(events);
        }
        Ok(opened)
    }

    /// Every route without a stream.
    pub(crate) async fn plain(&self, method: &str, path: &str, query: Option<&str>, body: &[u8]) -> Plain {
        match (method, path) {
            ("POST", "/publish") => publish::publish(self, body).await,
            ("POST", "/state") => state::change(self, body).await,
            _ if path.starts_with("/topics/") => ended_topics::answer(self, method, path, body).await,
            _ => self.at_once(method, path, query, body),
        }
    }

    /// Every route that does not wait. HEAD is answered as GET without the body.
    fn at_once(&self, method: &str, path: &str, query: Option<&str>, body: &[u8]) -> Plain {
        let query = Query::of(query);
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        match (method, segments.as_slice()) {
            ("HEAD", _) => self.at_once("GET", path, query.0, body).without_body(),
            ("GET", [""]) => Plain::html(include_str!("page.html")),
            ("GET", ["about"]) => self.about(),
            ("GET", ["stats"]) => self.stats(),
            ("GET", ["streams", id]) => self.stream(id),
            (_, [""] | ["about"] | ["stats"] | ["streams", _]) => Plain::method_not_allowed("GET, HEAD"),
            ("POST", ["streams", id, "close"]) => self.close(id),
            ("POST", ["drain"]) => self.drain(query),
            ("POST", ["decode"]) => match query.number("chunk") {
                Ok(chunk) => decode::decode(body, chunk.unwrap_or(0), query.get("seed").as_deref()),
                Err(refused) => refused,
            },
            (_, ["drain"] | ["publish"] | ["decode"] | ["streams", _, "close"]) => Plain::method_not_allowed("POST"),
            _ => Plain::status(404),
        }
    }

    fn stream(&self, id: &str) -> Plain {
        let Some(events) = self.streams.get(id) else { return Plain::status(404) };
        let reason = events.close_reason().map(CloseReason::as_str);
        Plain::json(200, &serde_json::json!({ "active": events.is_active(), "reason": reason }))
    }

    fn close(&self, id: &str) -> Plain {
        let Some(events) = self.streams.get(id) else { return Plain::status(404) };
        events.close();
        Plain::status(204)
    }

    fn drain(&self, query: Query<'_>) -> Plain {
        match query.number("window_ms") {
            Ok(window) => {
                drop(self.hub.drain(Duration::from_millis(window.unwrap_or(0) as u64)));
                Plain::status(202)
            }
            Err(refused) => refused,
        }
    }

    fn stats(&self) -> Plain {
        let stats = self.hub.stats();
        let ended = |reason: CloseReason| (reason.as_str(), stats.ended(reason));
        use CloseReason::{ClientLeft, Closed, Drained, Expired, Failed, Finished, Lagged};
        let ends = [Closed, Finished, ClientLeft, Lagged, Drained, Expired, Failed].map(ended);
        Plain::json(
            200,
            &serde_json::json!({
                "streams": stats.streams,
                "topics": stats.topics,
                "ended_topics": stats.ended_topics,
                "held_events": stats.held_events,
                "held_bytes": stats.held_bytes,
                "published": stats.published,
                "delivered": stats.delivered,
                "lagged": stats.lagged,
                "resumed": stats.resumed,
                "gaps": stats.gaps,
                "retry_later": stats.retry_later,
                "ends": ends.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            }),
        )
    }

    fn about(&self) -> Plain {
        let groups = Group::ALL.iter().filter(|group| match group {
            Group::Compression => self.options.compress,
            Group::CompressedOnce => self.options.gzip,
            Group::Nodes => self.redis.is_some(),
            _ => true,
        });
        Plain::json(
            200,
            &serde_json::json!({
                "name": format!("sse-{} {}", self.options.adapter.as_str(), env!("CARGO_PKG_VERSION")),
                "groups": groups.map(|group| group.as_str()).collect::<Vec<_>>(),
                "keep_alive_ms": self.options.keep_alive_ms,
            }),
        )
    }
}

/// `live`, `oldest` or `last:N`.
fn start(from: &str) -> Option<Replay> {
    match from {
        "live" => Some(Replay::None),
        "oldest" => Some(Replay::All),
        _ => from.strip_prefix("last:")?.parse().ok().map(Replay::Last),
    }
}

/// The query of a URL.
#[derive(Debug, Clone, Copy)]
struct Query<'q>(Option<&'q str>);

impl<'q> Query<'q> {
    const fn of(query: Option<&'q str>) -> Self {
        Self(query)
    }

    fn all(self, name: &str) -> Vec<String> {
        let pairs = form_urlencoded::parse(self.0.unwrap_or_default().as_bytes());
        pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
    }

    fn get(self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    fn number(self, name: &str) -> Result<Option<usize>, Plain> {
        let number = self.get(name).map(|text| text.parse());
        number.transpose().map_err(|_| Plain::bad_request(format_args!("{name} is no number")))
    }
}
