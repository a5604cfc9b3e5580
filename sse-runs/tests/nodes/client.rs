//! Requests to nodes, and clients that read a run at any node.

use crate::node::Work;
use sse_client::{EventReader, StopReason, Stopped};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// A node that is paused answers no request, so a client asks another one.
const ANSWER: Duration = Duration::from_secs(12);

/// The status of a start: 201, 409 if the ID is taken, 503, or 0 without an answer.
pub(crate) async fn start(http: &reqwest::Client, node: &str, id: &str, work: Work) -> u16 {
    let url = format!("{node}/runs/{id}?attempt={}&tokens={}&millis={}", work.attempt, work.tokens, work.millis);
    status(http.post(url)).await
}

pub(crate) async fn stop(http: &reqwest::Client, node: &str, id: &str) -> u16 {
    status(http.delete(format!("{node}/runs/{id}"))).await
}

pub(crate) async fn remove(http: &reqwest::Client, node: &str, id: &str) -> u16 {
    status(http.post(format!("{node}/removed/{id}"))).await
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    let answer = timeout(ANSWER, request.send()).await;
    answer.ok().and_then(Result::ok).map_or(0, |answer| answer.status().as_u16())
}

/// A reader of a run at this node, after this event.
pub(crate) fn attach(http: &reqwest::Client, node: &str, id: &str, last: &str) -> EventReader {
    let reader = EventReader::new(http.get(format!("{node}/runs/{id}")));
    reader.configure(|source| source.resume_after(last).retry_statuses([503]))
}

/// Reads a run until its end, at nodes that this function chooses, and moves to another when `leave` is notified. Returns the
/// events as `type data`. `is_stale` is whether an event belongs to an earlier run of the ID, which a node that does not reach the
/// server can still serve.
pub(crate) async fn read(
    http: &reqwest::Client,
    id: &str,
    choose: impl Fn() -> String,
    leave: &Notify,
    is_stale: impl Fn(&str) -> bool,
) -> Vec<String> {
    let (mut events, mut last) = (Vec::new(), String::new());
    let mut empty = 0;
    'attached: loop {
        let mut reader = attach(http, &choose(), id, &last);
        loop {
            let event = tokio::select! {
                event = timeout(ANSWER, reader.next_event()) => event,
                () = leave.notified() => continue 'attached,
            };
            match event {
                // A quiet or a paused node.
                Err(_) => continue 'attached,
                Ok(Ok(Some(event))) => {
                    if events.is_empty() {
                        let is_end = event.event_type != "message";
                        empty += u32::from(is_end);
                        // A run without a token can be an earlier one too, so it is read again later.
                        if (is_end && empty < 4) || (!is_end && is_stale(&event.data)) {
                            sleep(Duration::from_millis(if is_end { 1_000 } else { 100 })).await;
                            continue 'attached;
                        }
                    }
                    last = event.last_event_id.to_string();
                    events.push(format!("{} {}", event.event_type, event.data));
                }
                Ok(Ok(None)) if events.last().is_some_and(|last| !last.starts_with("message ")) => return events,
                // A node that does not reach the server serves the end of an earlier run of the ID.
                Ok(Ok(None)) if events.is_empty() => sleep(Duration::from_millis(100)).await,
                Ok(Ok(None)) => panic!("run {id}: finished without an end after {events:?}"),
                Ok(Err(Stopped::Source(StopReason::Status(404)))) => panic!("run {id} is unknown"),
                Ok(Err(_)) => {
                    sleep(Duration::from_millis(100)).await;
                    continue 'attached;
                }
            }
        }
    }
}

/// The tokens of an attempt in order, and one end after them. Returns the number of tokens and the end.
pub(crate) fn check(id: &str, attempt: u64, events: &[String]) -> (u64, String) {
    let (end, tokens) = events.split_last().expect("an end");
    for (number, token) in tokens.iter().enumerate() {
        assert_eq!(*token, format!("message {attempt}:{number}"), "run {id}: lost, doubled or out of order");
    }
    assert!(!end.starts_with("message "), "run {id}: {end}");
    (tokens.len() as u64, end.clone())
}
