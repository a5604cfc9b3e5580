//! The feed on warp.

use crate::feed::{Feed, PAGE, PAST};
use crate::posted::{self, MAX_BODY_BYTES, Posted};
use sse_warp::{Refused, Sse};
use std::future::Future;
use std::io;
use warp::http::{StatusCode, header};
use warp::hyper::body::Bytes;
use warp::reply::{Reply, Response, with_header, with_status};
use warp::{Filter, body, path};

pub(crate) async fn serve(
    listener: std::net::TcpListener,
    feed: Feed,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let feed = warp::any().map(move || feed.clone());
    let page = path::end().and(warp::get()).map(|| warp::reply::html(*PAGE));
    let events = path!("events").and(sse_warp::offered()).and(feed.clone()).map(events);
    let headlines = path!("headlines")
        .and(warp::post())
        .and(feed)
        .and(warp::header::optional("content-type"))
        .and(warp::header::optional("accept"))
        .and(body::content_length_limit(MAX_BODY_BYTES as u64))
        .and(body::bytes())
        .map(headlines);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    warp::serve(page.or(events).or(headlines)).incoming(listener).graceful(stop).run().await;
    Ok(())
}

fn events(sse: Result<Sse, Refused>, feed: Feed) -> Result<impl Reply, Refused> {
    Ok(sse?.subscribe(&feed.hub, ["news", "readers"]).replay_topic("news", PAST).first(feed.greeting()))
}

fn headlines(feed: Feed, content_type: Option<String>, accept: Option<String>, body: Bytes) -> Response {
    let (content_type, accept) = (content_type.unwrap_or_default(), accept.unwrap_or_default());
    let answer = posted::post(&feed, Posted { content_type: &content_type, accept: &accept, body: &body });
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reply = with_status(answer.text.into_owned(), status);
    match answer.location {
        Some(location) => with_header(reply, header::LOCATION, location).into_response(),
        None => reply.into_response(),
    }
}
