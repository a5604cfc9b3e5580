//! axum's own `response::sse`.

use crate::app::{App, Fields};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::StreamExt;
use std::convert::Infallible;
use std::net::TcpListener;
use std::time::Duration;

pub(crate) async fn serve(app: App, listener: TcpListener) -> std::io::Result<()> {
    let routes = Router::new().route("/script", get(script)).fallback(plain).with_state(app);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, routes).with_graceful_shutdown(crate::stopped()).await
}

async fn script(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let Some((id, events)) = app.script(&query.unwrap_or_default()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let events = events.map(|fields| Ok::<_, Infallible>(event(fields)));
    let keep_alive = KeepAlive::new().interval(app.keep_alive);
    ([("x-stream-id", id)], Sse::new(events).keep_alive(keep_alive)).into_response()
}

fn event(fields: Fields) -> Event {
    let mut event = Event::default();
    if let Some(comment) = fields.comment {
        event = event.comment(comment);
    }
    if let Some(id) = fields.id {
        event = event.id(id);
    }
    if let Some(name) = fields.event {
        event = event.event(name);
    }
    if let Some(retry) = fields.retry {
        event = event.retry(Duration::from_millis(retry));
    }
    if let Some(data) = fields.data {
        event = event.data(data);
    }
    event
}

async fn plain(State(app): State<App>, uri: Uri) -> Response {
    let (status, body) = app.plain(uri.path());
    (StatusCode::from_u16(status).unwrap_or_default(), body).into_response()
}
