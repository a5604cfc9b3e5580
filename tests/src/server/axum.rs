//! The application behind `sse-axum`, on `axum::serve` and on `sse-serve`.

use super::app::{Answer, App};
use super::plain::Plain;
use super::shutdown::Shutdown;
use super::{body, ready};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use http::{Method, Uri};
use sse_axum::{Sse, SseResponse};
use std::io;
use std::net::TcpListener;
use tower_http::compression::CompressionLayer;

pub(super) async fn serve(app: App, listener: TcpListener) -> io::Result<()> {
    let shutdown = Shutdown::on_signals()?;
    ready(&listener)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let server = axum::serve(listener, routes(&app)).with_graceful_shutdown(shutdown.drained(&app));
    shutdown.enforce(&app, server.into_future()).await
}

/// The same routes on `sse-serve`.
pub(super) async fn serve_outside_hyper(app: App, listener: TcpListener) -> io::Result<()> {
    let shutdown = Shutdown::on_signals()?;
    ready(&listener)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let server = sse_serve::serve(listener, routes(&app)).with_graceful_shutdown(shutdown.drained(&app));
    shutdown.enforce(&app, server.into_future()).await
}

fn routes(app: &App) -> Router {
    let routes = Router::new()
        .route("/script", any(script))
        .route("/fetch", any(fetch).layer(Extension(App::fetch_policy())))
        .route("/optional", any(optional))
        .route("/topics", any(topics).layer(Extension(app.topics_policy())))
        .fallback(plain)
        .with_state(app.clone());
    if app.options.compress { routes.layer(CompressionLayer::new()) } else { routes }
}

async fn script(sse: Sse, State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    respond(app.script(sse, query.as_deref()))
}

async fn fetch(sse: Sse, State(app): State<App>, method: Method, RawQuery(query): RawQuery, body: Body) -> Response {
    if method != Method::POST {
        return respond(app.script(sse, query.as_deref()));
    }
    match body::read(body.into_data_stream()).await {
        Ok(steps) => respond(app.run(sse, query.as_deref(), &steps)),
        Err(refused) => respond_plain(refused),
    }
}

async fn optional(sse: Option<Sse>, State(app): State<App>, method: Method) -> Response {
    respond(app.optional(sse, method.as_str()))
}

async fn topics(sse: Sse, State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    respond(app.topics(sse, query.as_deref()).await)
}

async fn plain(State(app): State<App>, method: Method, uri: Uri, body: Body) -> Response {
    respond_plain(match body::read(body.into_data_stream()).await {
        Ok(body) => app.plain(method.as_str(), uri.path(), uri.query(), &body).await,
        Err(refused) => refused,
    })
}

fn respond(answer: Answer<SseResponse>) -> Response {
    let opened = match answer {
        Ok(opened) => opened,
        Err(plain) => return respond_plain(plain),
    };
    let headers = opened.header_map();
    let mut response = opened.reply.into_response();
    response.headers_mut().extend(headers);
    response
}

fn respond_plain(plain: Plain) -> Response {
    http::Response::from(plain).map(Body::from)
}
