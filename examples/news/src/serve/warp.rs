//! The feed on warp.

use crate::feed::{Feed, PAGE, PAST};
use crate::posted::{self, MAX_BODY_BYTES, Posted};
use futures_util::{Stream, StreamExt};
use sse_warp::{Sse, Subscription};
use std::future::Future;
use std::io;
use std::pin::pin;
use warp::http::{StatusCode, header};
use warp::reply::{Reply, Response, with_header, with_status};
use warp::{Buf, Filter, body, path};

pub(crate) async fn serve(
    listener: std::net::TcpListener,
    feed: Feed,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let feed = warp::any().map(move || feed.clone());
    let page = path::end().and(warp::get()).map(|| warp::reply::html(*PAGE));
    let events = path!("events").and(sse_warp::sse(())).and(feed.clone()).map(events);
    let headlines = path!("headlines")
        .and(warp::post())
        .and(feed)
        .and(warp::header::optional("content-type"))
        .and(warp::header::optional("accept"))
        .and(body::stream())
        .then(headlines);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    warp::serve(page.or(events).or(headlines)).incoming(listener).graceful(stop).run().await;
    Ok(())
}

fn events(sse: Sse, feed: Feed) -> Subscription {
    sse.subscribe(&feed.hub, ["news", "readers"]).replay_topic("news", PAST).prelude(feed.greeting())
}

async fn headlines(
    feed: Feed,
    content_type: Option<String>,
    accept: Option<String>,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Response {
    let body = match read(body).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let (content_type, accept) = (content_type.unwrap_or_default(), accept.unwrap_or_default());
    let answer = posted::post(&feed, Posted { content_type: &content_type, accept: &accept, body: &body });
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reply = with_status(answer.text.into_owned(), status);
    match answer.location {
        Some(location) => with_header(reply, header::LOCATION, location).into_response(),
        None => reply.into_response(),
    }
}

/// Reads the whole body. `body::content_length_limit` would reject every body without a content length.
async fn read(body: impl Stream<Item = Result<impl Buf, warp::Error>>) -> Result<Vec<u8>, StatusCode> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        let mut part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if bytes.len() + part.remaining() > MAX_BODY_BYTES {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        bytes.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    Ok(bytes)
}
