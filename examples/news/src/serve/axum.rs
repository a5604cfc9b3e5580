//! The feed on axum.

use crate::feed::{Feed, PAGE, PAST};
use crate::posted::{self, MAX_BODY_BYTES, Posted};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use sse_axum::Sse;
use std::future::Future;
use std::io;

pub(crate) async fn serve(
    listener: std::net::TcpListener,
    feed: Feed,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, app(feed)).with_graceful_shutdown(stop).await
}

/// Serves the same routes, and needs a fifteenth of the memory for each open page.
#[cfg(feature = "serve")]
pub(crate) async fn serve_outside_hyper(
    listener: std::net::TcpListener,
    feed: Feed,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    sse_serve::serve(listener, app(feed)).with_graceful_shutdown(stop).await
}

/// Serves the same routes over HTTP/2 and TLS.
#[cfg(feature = "http2")]
pub(crate) async fn serve_http2(
    listener: std::net::TcpListener,
    feed: Feed,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = super::tls::listener(tokio::net::TcpListener::from_std(listener)?)?;
    axum::serve(listener, app(feed)).with_graceful_shutdown(stop).await
}

fn app(feed: Feed) -> Router {
    Router::new()
        .route("/", get(|| async { Html(*PAGE) }))
        .route("/events", any(events))
        .route("/headlines", post(headlines))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(feed)
}

async fn events(sse: Sse, State(feed): State<Feed>) -> impl IntoResponse {
    sse.subscribe(&feed.hub, ["news", "readers"]).replay_topic("news", PAST).prelude(feed.greeting())
}

async fn headlines(State(feed): State<Feed>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (content_type, accept) = (header(header::CONTENT_TYPE), header(header::ACCEPT));
    let answer = posted::post(&feed, Posted { content_type, accept, body: &body });
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match answer.location {
        Some(location) => (status, [(header::LOCATION, location)]).into_response(),
        None => (status, answer.text).into_response(),
    }
}
